/* SPDX-License-Identifier: MIT */
/* What stops the whole machine, in order and with a report: one test a boot, by name. */
#include "victim.h"

#include <string.h>

TEST(end, by_request)
{
    static const char text[] = "the reason has forty-eight bytes, and all of the";
    uint64_t words[8];
    _Static_assert(sizeof text - 1 == 48, "six words");

    memcpy(words, text, sizeof text - 1);
    invoke(KERNEL, LIMEN_KERNEL_STOP, words);
    fail("the machine goes on");
}

TEST(end, with_inits_thread)
{
    expect_ok(limen_delete(LIMEN_INIT_TABLE, LIMEN_INIT_THREAD));
    fail("the machine goes on without init");
}

/* init is the thread that must not die; here it is the runner, put to death by its test. */
TEST(end, with_init)
{
    struct limen_regs regs;

    expect_ok(limen_thread_suspend(LIMEN_INIT_THREAD));
    fill_pattern(&regs, snippet_ud2, 0);
    expect_ok(limen_thread_set_regs(LIMEN_INIT_THREAD, &regs));
    expect_ok(limen_thread_resume(LIMEN_INIT_THREAD));
    fail("the machine goes on without init");
}
