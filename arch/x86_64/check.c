/* SPDX-License-Identifier: MIT */
/*
 * Invariants of the threshold, tested at every entry and exit where LIMEN_CHECKS is 1, and the
 * measurement of how long interrupts stay off.  docs/threshold.md says why each must hold.
 */
#include "internal.h"

#if LIMEN_CHECKS

void arch_irqs_off_begin(void)
{
    this_arch_cpu->irqs_off_since = arch_ticks();
}

void arch_irqs_off_end(void)
{
    uint64_t since = this_arch_cpu->irqs_off_since;
    uint64_t ticks = since ? arch_ticks() - since : 0; /* 0: the boot, which nobody waits for */
    if (ticks > this_arch_cpu->max_irqs_off)
        this_arch_cpu->max_irqs_off = ticks;
}

static void check_processor(void)
{
    uint64_t clear = RFLAGS_IF | RFLAGS_DF | RFLAGS_TF | RFLAGS_AC | RFLAGS_NT | RFLAGS_IOPL;
    ASSERT((read_rflags() & clear) == 0);
    ASSERT(read_msr(MSR_GS_BASE) == (uint64_t)this_arch_cpu->self);
    ASSERT(this_arch_cpu->cr3 == read_cr3());
}

static void check_frame(const struct limen_regs *regs)
{
    struct stack stack;
    ASSERT(stack_find((uint64_t)regs, &stack));
    ASSERT((uint64_t)regs >= stack.base && (uint64_t)(regs + 1) <= stack.top);
    if (!from_user(regs)) {
        ASSERT(regs->cs == KERNEL_CS);
        ASSERT(is_kernel_text(regs->rip));
        ASSERT(regs->error != (uint64_t)REGS_BY_SYSCALL);
        return;
    }
    ASSERT((uint64_t)(regs + 1) == this_arch_cpu->tss.rsp0);
    ASSERT(regs->cs == USER_CS && regs->ss == USER_SS);
    ASSERT((regs->rflags & (RFLAGS_IF | RFLAGS_IOPL)) == RFLAGS_IF);
    if (regs->error == (uint64_t)REGS_BY_SYSCALL) {
        ASSERT(regs->rip <= LIMEN_USER_END); /* behind a SYSCALL in the last two bytes */
        ASSERT(regs->rcx == regs->rip && regs->r11 == regs->rflags);
    }
}

void arch_check_entry(const struct limen_regs *regs)
{
    if (from_user(regs) || (regs->rflags & RFLAGS_IF))
        arch_irqs_off_begin();
    check_processor();
    check_frame(regs);
}

void arch_check_exit(const struct limen_regs *regs)
{
    check_processor();
    check_frame(regs);
    ASSERT(this_arch_cpu->interrupt_depth == 0 || !from_user(regs));
    if (regs->rflags & RFLAGS_IF)
        arch_irqs_off_end();
}

#endif
