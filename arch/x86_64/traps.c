/* SPDX-License-Identifier: MIT */
/* Exceptions: those of ring 3 go to the kernel proper, those of ring 0 are fixed up or fatal, and
 * the few that can strike anywhere are taken apart with care. */
#include "internal.h"

/* Bits of a page fault's error code, SDM vol. 3, 4.7. */
#define PF_WRITE 0x02u
#define PF_FETCH 0x10u

#define DR6_BREAKPOINTS 0xfull
#define DR7_ENABLES(n)  (3ull << 2 * (n))

/* Instructions of the kernel that may fault, and who deals with it (SDM vol. 2, IRET). */
struct fixup {
    uint64_t rip;
    struct limen_regs *(*handler)(struct limen_regs *regs);
};
extern const struct fixup exception_table[], exception_table_end[];

static const char *const names[32] = {
    [0] = "divide error",
    [VECTOR_DB] = "debug trap",
    [VECTOR_NMI] = "NMI",
    [3] = "breakpoint",
    [4] = "overflow",
    [5] = "bound range exceeded",
    [6] = "invalid opcode",
    [VECTOR_NM] = "device not available",
    [VECTOR_DF] = "double fault",
    [10] = "invalid TSS",
    [11] = "segment not present",
    [12] = "stack fault",
    [VECTOR_GP] = "general protection",
    [VECTOR_PF] = "page fault",
    [16] = "x87 error",
    [17] = "alignment check",
    [VECTOR_MC] = "machine check",
    [19] = "SIMD error",
    [20] = "virtualization exception",
    [21] = "control protection",
    [28] = "hypervisor injection",
    [29] = "VMM communication",
    [30] = "security exception",
};

static const char *name_of(uint64_t vector)
{
    return vector < 32 && names[vector] ? names[vector] : "unknown exception";
}

static uint64_t take_dr6(void)
{
    uint64_t dr6 = read_dr6();
    write_dr6(DR6_NONE); /* the processor only ever sets bits */
    return dr6;
}

static struct limen_regs *exception_of_user(struct limen_regs *regs)
{
    switch (regs->origin) {
    case VECTOR_NM:
        return fpu_first_use() ? regs : kernel_exception(regs, 0, 0);
    case VECTOR_PF:
        return kernel_exception(regs, read_cr2(), 0);
    case VECTOR_DB:
        return kernel_exception(regs, 0, take_dr6());
    case VECTOR_MC:
        return machine_check(regs);
    case VECTOR_GP:
        /* IRETQ will open the segment, and the instruction runs again (hazards/selectors.md). */
        if (!(this_arch_cpu->unusual & ARCH_CPU_SELECTORS) && regs->error == (USER_SS & ~3u))
            return regs;
        return kernel_exception(regs, 0, 0);
    default:
        return kernel_exception(regs, 0, 0);
    }
}

/*
 * A push into a guard.  Where the stack was the faulting code's own, #PF cannot be delivered on it
 * either and it becomes #DF; where an NMI or #DB found no stack, the #PF is delivered by itself,
 * for those two do not combine into #DF (SDM vol. 3, table 6-5).  The page fault that matters is
 * the last one in both cases (docs/hazards/double-fault.md).
 */
static void panic_if_guard(const struct limen_regs *regs)
{
    struct stack stack;
    uint64_t address = read_cr2();
    if (!stack_find(address, &stack) || address >= stack.base)
        return;
    if (stack.base == stack.top)
        arch_panic(regs, "%s exceptions nested deeper than there are stacks for them", stack.name);
    arch_panic(regs, "the %s stack overflowed into its guard at %lx", stack.name, address);
}

/* A kernel that is wrong may be so about GS, too.  Then this processor's block, without which
 * nothing can be said, is where SWAPGS would take it from. */
static void find_block(void)
{
    if (read_msr(MSR_GS_BASE) < LIMEN_PHYSMAP_BASE)
        write_msr(MSR_GS_BASE, read_msr(MSR_KERNEL_GS_BASE));
}

static _Noreturn void exception_of_kernel(const struct limen_regs *regs)
{
    find_block();
    const char *name = name_of(regs->origin);
    if (regs->origin == VECTOR_PF || regs->origin == VECTOR_DF)
        panic_if_guard(regs);
    if (regs->origin != VECTOR_PF)
        arch_panic(regs, "%s in the kernel, error %lx", name, regs->error);
    const char *access = regs->error & PF_FETCH   ? "execution"
                         : regs->error & PF_WRITE ? "write"
                                                  : "read";
    arch_panic(regs, "%s in the kernel: %s at %lx, error %lx", name, access, read_cr2(),
               regs->error);
}

struct limen_regs *arch_exception(struct limen_regs *regs)
{
    if (from_user(regs))
        return exception_of_user(regs);
    for (const struct fixup *fixup = exception_table; fixup < exception_table_end; fixup++)
        if (fixup->rip == regs->rip)
            return fixup->handler(regs);
    exception_of_kernel(regs);
}

/*
 * IRETQ to ring 3 faulted (docs/hazards/iret-fault.md).  The general registers hold the thread's
 * values already, so they are in the fault's frame; the five words that IRETQ was to load are still
 * where it read them.  Together they are the user's frame, which goes back to its place as if the
 * instruction at its RIP had faulted.
 */
struct limen_regs *iret_fault(struct limen_regs *fault)
{
    const uint64_t *target = (const uint64_t *)fault->rsp;
    struct limen_regs regs = *fault;
    regs.rip = target[0];
    regs.cs = target[1];
    regs.rflags = target[2];
    regs.rsp = target[3];
    regs.ss = target[4];
    struct limen_regs *user = (struct limen_regs *)this_arch_cpu->tss.rsp0 - 1;
    *user = regs;
    kernel_count(LIMEN_COUNTER_SURVIVED);
    return kernel_exception(user, 0, 0);
}

/* In these few instructions ring 0 runs with ring 3's RSP, which may have any value. */
static bool on_user_stack(uint64_t rip)
{
    return (rip >= (uint64_t)syscall_entry && rip < (uint64_t)syscall_on_kernel_stack) ||
           (rip >= (uint64_t)exit_on_user_stack && rip < (uint64_t)exit_by_iret) ||
           (rip >= (uint64_t)fast_exit_on_user_stack && rip < (uint64_t)fast_exit_end);
}

/* The frame of the paranoid entry that `regs` interrupted, which includes its first instructions,
 * before it could have said so in any variable; NULL if none was. */
static const struct limen_regs *outer_frame(const struct limen_regs *regs, unsigned *ist)
{
    if (from_user(regs) || on_user_stack(regs->rip))
        return NULL;
    return ist_frame(regs->rsp, ist);
}

/* Whether an NMI handler was interrupted, be it by way of another paranoid entry. */
static bool interrupted_nmi(const struct limen_regs *regs)
{
    unsigned ist = 0;
    while (ist != IST_NMI && (regs = outer_frame(regs, &ist)) != NULL)
        ;
    return ist == IST_NMI;
}

/* Whether the instance of an IST stack that begins at `pointer` holds one of the frames that
 * `regs` and those it interrupted are. */
static bool is_in_use(uint64_t pointer, const struct limen_regs *regs)
{
    unsigned ist;
    while (regs && (uint64_t)(regs + 1) != pointer)
        regs = outer_frame(regs, &ist);
    return regs != NULL;
}

/*
 * #DB in ring 0.  Nothing in the kernel sets a breakpoint, but ring 3 can make one trap here: a
 * debug trap held up by MOV SS or POP SS arrives after the SYSCALL or INT3 that followed it
 * (docs/hazards/popss.md).  It is ring 3's doing and no business of the kernel's, which must go on
 * as if nothing had been.  RF lets the instruction under an execution breakpoint pass.
 */
static bool debug_of_kernel(struct limen_regs *regs)
{
    uint64_t dr6 = take_dr6();
    kernel_count(LIMEN_COUNTER_SURVIVED);
    regs->rflags = (regs->rflags & ~(uint64_t)RFLAGS_TF) | RFLAGS_RF;
    if (!interrupted_nmi(regs))
        return false;
    /* Leaving without IRETQ cannot set RF: the breakpoint has to go. */
    uint64_t dr7 = read_dr7();
    for (unsigned n = 0; n < 4; n++)
        if (dr6 & DR6_BREAKPOINTS & 1u << n)
            dr7 &= ~DR7_ENABLES(n);
    write_dr7(dr7);
    return true;
}

/*
 * From here on, another exception of the same kind takes an instance of the stack that is free, or
 * meets the hole.  The pointer is not moved back: the frame of `regs` is needed until the last
 * instruction of the way out, so there is no moment at which its instance could be offered again
 * (docs/hazards/ist.md, docs/hazards/db-nesting.md).  Inlined, so that the check of the image sees
 * which pointer moves when.
 */
static inline __attribute__((always_inline)) void keep_frame(const struct limen_regs *regs,
                                                             unsigned ist)
{
    unsigned instance = 0;
    while (is_in_use(ist_pointer(ist, instance), regs))
        instance++;
    this_arch_cpu->tss.ist[ist - 1] = ist_pointer(ist, instance);
    __asm__ volatile("" : : : "memory");
}

/* Only when all are in use has the pointer to come out of the hole, to the instance about to be
 * free. */
static void leave_hole(const struct limen_regs *regs, unsigned ist)
{
    __asm__ volatile("" : : : "memory");
    if (this_arch_cpu->tss.ist[ist - 1] == ist_pointer(ist, UINT32_MAX))
        this_arch_cpu->tss.ist[ist - 1] = (uint64_t)(regs + 1);
}

/* True: the entry is to leave without IRETQ (docs/hazards/nmi-nesting.md). */
bool arch_paranoid(struct limen_regs *regs)
{
    bool no_iret = false;
    if (from_user(regs))
        selectors_open(); /* for its IRETQ */
    switch (regs->origin) {
    case VECTOR_NMI:
        keep_frame(regs, IST_NMI);
        kernel_count(LIMEN_COUNTER_NMIS);
        leave_hole(regs, IST_NMI);
        break;
    case VECTOR_DB:
        keep_frame(regs, IST_DB);
        no_iret = debug_of_kernel(regs);
        leave_hole(regs, IST_DB);
        break;
    case VECTOR_MC:
        keep_frame(regs, IST_MC); /* before another one is allowed */
        machine_check(regs);
        no_iret = interrupted_nmi(regs);
        leave_hole(regs, IST_MC);
        break;
    default:
        exception_of_kernel(regs);
    }
    return no_iret;
}
