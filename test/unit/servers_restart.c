/* SPDX-License-Identifier: MIT */
/* When a server is started again, and when no more. */
#include "efi_cmocka.h"
#include "init/restart.h"
#include <stdbool.h>

#define MS 1000000u

static void a_policy_says_after_which_ends(void **state)
{
    static const enum limen_restart policies[] = {LIMEN_RESTART_NEVER, LIMEN_RESTART_ON_FAULT,
                                                  LIMEN_RESTART_ALWAYS};
    static const bool again[][3] = {
        /* exit, fault, kill */
        {false, false, false},
        {false, true, false},
        {true, true, true},
    };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned end = END_EXIT; end <= END_KILL; end++) {
            unsigned failures = 0;
            uint64_t delay = restart_delay(policies[i], (enum server_end)end, 0, &failures);
            assert_int_equal(delay, again[i][end] ? 0 : RESTART_NOT);
        }
    }
}

static void each_failure_makes_the_next_start_later(void **state)
{
    static const uint64_t delays[] = {0,         10 * MS,          100 * MS,
                                      1000 * MS, RESTART_GIVEN_UP, RESTART_GIVEN_UP};
    unsigned failures = 0;

    (void)state;
    for (unsigned i = 0; i < sizeof delays / sizeof delays[0]; i++)
        assert_int_equal(restart_delay(LIMEN_RESTART_ON_FAULT, END_FAULT, 1, &failures), delays[i]);
}

static void the_end_of_main_counts_too(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        restart_delay(LIMEN_RESTART_ALWAYS, END_EXIT, 1, &failures);
    assert_int_equal(restart_delay(LIMEN_RESTART_ALWAYS, END_EXIT, 1, &failures), RESTART_GIVEN_UP);
}

static void a_good_life_is_a_new_beginning(void **state)
{
    unsigned failures = 0;
    const uint64_t good = RESTART_GOOD_LIFE_NS;

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        restart_delay(LIMEN_RESTART_ALWAYS, END_FAULT, good - 1, &failures);
    assert_int_equal(failures, 4);
    assert_int_equal(restart_delay(LIMEN_RESTART_ALWAYS, END_FAULT, good, &failures), 0);
    assert_int_equal(restart_delay(LIMEN_RESTART_ALWAYS, END_FAULT, 1, &failures), 10 * MS);
}

static void a_kill_is_no_failure(void **state)
{
    unsigned failures = 0;

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        assert_int_equal(restart_delay(LIMEN_RESTART_ALWAYS, END_KILL, 1, &failures), 0);
    assert_int_equal(failures, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_says_after_which_ends),
        cmocka_unit_test(each_failure_makes_the_next_start_later),
        cmocka_unit_test(the_end_of_main_counts_too),
        cmocka_unit_test(a_good_life_is_a_new_beginning),
        cmocka_unit_test(a_kill_is_no_failure),
    };
    return cmocka_run_group_tests_name("servers: restart", tests, NULL, NULL);
}
