/* SPDX-License-Identifier: MIT */
/* The registers of a thread that are not in its frame, where the fast path of arch_switch() does
 * not apply; and the same registers as the kernel sets them. */
#include "internal.h"

/* Loading a selector loads the hidden base too, and for GS that would be the kernel's own: the
 * user's base is swapped in for the one instruction. */
static void load_selectors(const struct arch_thread *arch)
{
    __asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%fs; swapgs; mov %3, %%gs; swapgs"
                     :
                     : "r"((uint32_t)arch->ds), "r"((uint32_t)arch->es), "r"((uint32_t)arch->fs),
                       "r"((uint32_t)arch->gs)
                     : "memory");
}

void selectors_open(void)
{
    this_arch_cpu->unusual |= ARCH_CPU_SELECTORS;
    this_arch_cpu->gdt[USER_SS / 8] = (uint64_t)USER_DATA_HIGH << 32;
}

/* As long as the segment is closed, nobody can have loaded a selector. */
static void save_selectors(struct arch_thread *arch)
{
    uint32_t ds, es, fs, gs;
    if (!(this_arch_cpu->unusual & ARCH_CPU_SELECTORS))
        return;
    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    arch->ds = (uint16_t)ds;
    arch->es = (uint16_t)es;
    arch->fs = (uint16_t)fs;
    arch->gs = (uint16_t)gs;
    arch->flags &= ~ARCH_THREAD_SELECTORS;
    if (ds | es | fs | gs)
        arch->flags |= ARCH_THREAD_SELECTORS;
}

/* Ring 3 cannot change these, so there is nothing to save.  The kernel touches none of the
 * addresses on the way, so it does not matter in which order they come into force; and a thread
 * without breakpoints gets zeros, for DR6 may tell of conditions met that are not enabled (SDM vol.
 * 3, 17.2.3), and those would be another thread's. */
__attribute__((noinline)) static void load_breakpoints(const struct arch_thread *arch)
{
    write_dr0(arch->breakpoints[0]);
    write_dr1(arch->breakpoints[1]);
    write_dr2(arch->breakpoints[2]);
    write_dr3(arch->breakpoints[3]);
    write_dr7(DR7_NONE | arch->breakpoint_control);
}

void arch_switch_slow(struct arch_thread *from, struct arch_thread *to)
{
    save_selectors(from);
    uint32_t flags = (from->flags | to->flags) & ARCH_THREAD_SWITCH;
    bool selectors = flags & ARCH_THREAD_SELECTORS;
    if (selectors)
        selectors_open();
    else
        arch_close_segment();
    if (!selectors && !(this_arch_cpu->unusual & ARCH_CPU_NO_FSGSBASE)) {
        arch_swap_bases(from, to);
    } else {
        /* The bases are read even where ring 3 has no instruction to write them: loading a
         * selector changes them as well. */
        from->fs_base = read_msr(MSR_FS_BASE);
        from->gs_base = read_msr(MSR_KERNEL_GS_BASE);
        if (selectors)
            load_selectors(to);
        write_msr(MSR_FS_BASE, to->fs_base);
        write_msr(MSR_KERNEL_GS_BASE, to->gs_base);
    }
    if (flags & ARCH_THREAD_FPU)
        fpu_switch(from, to);
    if (flags & ARCH_THREAD_DEBUG)
        load_breakpoints(to);
}

bool arch_bases_set(struct arch_thread *arch, uint64_t fs, uint64_t gs)
{
    if (fs >= LIMEN_USER_END || gs >= LIMEN_USER_END)
        return false;
    arch->fs_base = fs;
    arch->gs_base = gs;
    if (this_arch_cpu->tss.rsp0 == arch->stack_top) {
        write_msr(MSR_FS_BASE, fs);
        write_msr(MSR_KERNEL_GS_BASE, gs);
    }
    return true;
}

#define DR7_ENABLES       0x000000ffull
#define DR7_CONDITIONS    0xffff0000ull
#define DR7_CONDITION(n)  (16 + 4 * (n)) /* shift of two bits for it, and two for the length */
#define BREAK_INSTRUCTION 0u
#define BREAK_IO          2u

/* Nothing here can make a breakpoint in the kernel: the addresses are ring 3's, which the kernel
 * neither runs nor reads at, and port accesses, which it makes for others, are no condition.  GD
 * would trap the kernel's own use of the registers. */
static bool breakpoints_are_legal(const uint64_t addresses[4], uint64_t control)
{
    if (control & ~(DR7_ENABLES | DR7_CONDITIONS))
        return false;
    for (unsigned n = 0; n < 4; n++) {
        uint64_t condition = control >> DR7_CONDITION(n) & 3;
        uint64_t length = control >> (DR7_CONDITION(n) + 2) & 3;
        if (addresses[n] >= LIMEN_USER_END || condition == BREAK_IO ||
            (condition == BREAK_INSTRUCTION && length != 0))
            return false;
    }
    return true;
}

bool arch_debug_set(struct arch_thread *arch, const uint64_t addresses[4], uint64_t control)
{
    control &= ~DR7_NONE;
    if (!breakpoints_are_legal(addresses, control))
        return false;
    for (unsigned n = 0; n < 4; n++)
        arch->breakpoints[n] = addresses[n];
    arch->breakpoint_control = control;
    /* Addresses alone count as well: they must not stay in the registers of another thread. */
    if (control | addresses[0] | addresses[1] | addresses[2] | addresses[3])
        arch->flags |= ARCH_THREAD_DEBUG;
    else
        arch->flags &= ~ARCH_THREAD_DEBUG;
    if (this_arch_cpu->tss.rsp0 == arch->stack_top)
        load_breakpoints(arch);
    return true;
}

#define USER_FLAGS                                                                                 \
    (RFLAGS_STATUS | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_ID)

void arch_regs_set(struct arch_thread *arch, const struct limen_regs *from)
{
    struct limen_regs *regs = arch->regs;
    *regs = *from;
    regs->cs = USER_CS;
    regs->ss = USER_SS;
    regs->rflags = (from->rflags & USER_FLAGS) | RFLAGS_FIXED | RFLAGS_IF;
    regs->error = 0; /* not SYSCALL's any more: RCX and R11 are what the caller says */
    arch->flags |= ARCH_THREAD_IRET;
}

void arch_regs_clear(struct arch_thread *arch)
{
    arch_clear_words(arch->regs, LIMEN_REGS_WORDS);
    arch->regs->cs = USER_CS;
    arch->regs->ss = USER_SS;
    arch->regs->rflags = RFLAGS_FIXED | RFLAGS_IF;
}
