/* SPDX-License-Identifier: MIT */
/* The flags ring 3 can set, across each kind of exception: the kernel must not run with them, and
 * they must be there when ring 3 goes on. */
#include "victim.h"

#define ALL_FLAGS (FLAGS_ALWAYS | FLAGS_STATUS | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID)

static struct limen_regs with_all_flags(const struct victim *victim, const char *snippet)
{
    struct limen_regs regs;

    fill_pattern(&regs, snippet, victim->stack_top - 256);
    regs.rflags = ALL_FLAGS;
    return regs;
}

TEST(flags, stay_across_a_fault)
{
    struct victim victim = new_victim();
    struct limen_regs regs = with_all_flags(&victim, snippet_ud2);

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

TEST(flags, stay_across_a_debug_trap)
{
    struct victim victim = new_victim();
    struct limen_regs regs = with_all_flags(&victim, snippet_nop_ud2);

    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, DEBUG, 0, &regs);
}

/* Its deadline's interrupt is what lets this test take the thread back from its endless loop. */
TEST(flags, stay_across_an_interrupt)
{
    struct victim victim = new_victim();
    struct limen_regs regs = with_all_flags(&victim, snippet_spin), got;
    struct message message = {0};

    set_priority(victim.worker->thread, LOWER);
    run_victim(&victim, &regs);
    expect_equal(transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + 1000000, &message), LIMEN_TIMED_OUT);
    expect_ok(limen_thread_suspend(victim.worker->thread));
    expect_ok(limen_thread_get_regs(victim.worker->thread, &got));
    got.origin = regs.origin;
    got.error = regs.error;
    got.rip = regs.rip; /* one of two */
    expect_regs(&got, &regs, "an interrupted thread");
}
