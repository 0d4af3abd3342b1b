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

static void save_selectors(struct arch_thread *arch)
{
    uint32_t ds, es, fs, gs;
    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    arch->ds = (uint16_t)ds;
    arch->es = (uint16_t)es;
    arch->fs = (uint16_t)fs;
    arch->gs = (uint16_t)gs;
    if (ds | es | fs | gs)
        arch->flags |= ARCH_THREAD_SELECTORS;
    else
        arch->flags &= ~ARCH_THREAD_SELECTORS;
}

void arch_switch_slow(struct arch_thread *from, struct arch_thread *to)
{
    save_selectors(from);
    bool selectors = (from->flags | to->flags) & ARCH_THREAD_SELECTORS;
    if (!selectors && !this_arch_cpu->no_fsgsbase) {
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
    fpu_switch(from, to);
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
}
