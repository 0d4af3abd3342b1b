/* SPDX-License-Identifier: MIT */
/* What LIMEN_THREAD_SET_DEBUG hands to the processor's side. */
#include "world.h"

static void test_breakpoints_reach_the_processor(void **state)
{
    (void)state;
    struct actor actor = make_actor(0, false);
    const uint64_t addresses[4] = {0x1000, 0x2000, 0x3000, LIMEN_USER_END - 1};
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_DEBUG, addresses[0], addresses[1], addresses[2],
           addresses[3], 0xd0000055);
    assert_memory_equal(actor.thread->arch.breakpoints, addresses, sizeof(addresses));
    assert_int_equal(actor.thread->arch.breakpoint_control, 0xd0000055);
}

static void test_refused_breakpoints_change_nothing(void **state)
{
    (void)state;
    struct actor actor = make_actor(0, false);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_DEBUG, 0x1000, 0, 0, 0, 1);
    EXPECT(BAD_ARGUMENT, actor.slot, LIMEN_THREAD_SET_DEBUG, 0x2000, 0, 0, LIMEN_USER_END, 4);
    unsigned readable = copy_of(actor.slot, LIMEN_RIGHT_READ);
    EXPECT(NO_RIGHT, readable, LIMEN_THREAD_SET_DEBUG, 0x2000, 0, 0, 0, 4);
    assert_int_equal(actor.thread->arch.breakpoints[0], 0x1000);
    assert_int_equal(actor.thread->arch.breakpoint_control, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_breakpoints_reach_the_processor),
        WORLD_TEST(test_refused_breakpoints_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
