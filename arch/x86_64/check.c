/* SPDX-License-Identifier: MIT */
/*
 * What the kernels that are not released do at every entry and exit, where LIMEN_MEASURE is 1: they
 * take the time for which interrupts stay off, and that with checks tests the invariants of the
 * threshold (test/check/guest/threshold.c).
 */
#include "internal.h"

#if LIMEN_MEASURE

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

void arch_check_entry(const struct limen_regs *regs)
{
    if (from_user(regs) || (regs->rflags & RFLAGS_IF))
        arch_irqs_off_begin();
    if (LIMEN_CHECKS)
        arch_check_frame(regs);
}

void arch_check_exit(const struct limen_regs *regs)
{
    if (LIMEN_CHECKS)
        arch_check_leaving(regs);
    if (regs->rflags & RFLAGS_IF)
        arch_irqs_off_end();
}

#endif
