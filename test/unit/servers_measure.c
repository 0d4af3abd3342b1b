/* SPDX-License-Identifier: MIT */
/* The bench server's figures, and what it makes of ticks where core cycles are counted. */
#include "bench/measure.h"

#include "efi_cmocka.h"
#include <string.h>

/* A counter of cycles for the tests: it moves with the time-stamp counter, which cannot be held. */
static struct {
    bool there;
    uint64_t at, step;
} counter;

bool core_cycles(uint64_t *cycles)
{
    *cycles = counter.at;
    counter.at += counter.step;
    return counter.there;
}

static struct samples samples;

static void take(const uint64_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        samples_add(&samples, values[i]);
}

static void figures_are_of_the_sorted_samples(void **state)
{
    (void)state;
    samples_begin(&samples, 0, 200);
    for (uint64_t i = 0; i < 200; i++)
        samples_add(&samples, 1 + i * 77 % 200);
    struct figures is = samples_figures(&samples);
    assert_int_equal(is.min, 1);
    assert_int_equal(is.p50, 100);
    assert_int_equal(is.p99, 198);
    assert_int_equal(is.max, 200);
    assert_int_equal(is.n, 200);
}

static void the_first_laps_do_not_count_and_no_more_are_taken_than_wanted(void **state)
{
    const uint64_t values[] = {9, 8, 1, 2, 3, 4};
    (void)state;
    samples_begin(&samples, 2, 3);
    take(values, 6);
    assert_int_equal(samples.count, 3);
    assert_int_equal(samples.value[0], 1);
    assert_false(samples_wanted(&samples));
}

static void equal_samples_are_counted_from_a_rank_on(void **state)
{
    const uint64_t values[] = {5, 5, 5, 7};
    (void)state;
    samples_begin(&samples, 0, 4);
    take(values, 4);
    assert_int_equal(samples_equal(&samples, 0), 3);
    assert_int_equal(samples_equal(&samples, 1), 2);
    assert_int_equal(samples_equal(&samples, 3), 1);
}

static void ticks_stay_ticks_where_no_cycles_are_counted(void **state)
{
    const uint64_t values[] = {1000};
    (void)state;
    counter.there = false;
    counter.step = 1;
    samples_begin(&samples, 0, 1);
    take(values, 1);
    samples_end(&samples);
    assert_int_equal(samples.value[0], 1000);
}

#define COUNTER_MASK ((1ull << 40) - 1)

/* The samples began as many ticks ago, and the counter has moved by as many cycles since. */
static void scaled(uint64_t before, uint64_t cycles, uint64_t ticks, uint64_t expected)
{
    const uint64_t values[] = {1000000};

    counter.there = true;
    counter.step = 0;
    counter.at = before;
    samples_begin(&samples, 0, 1);
    samples.began.ticks = stamp() - ticks;
    counter.at = (before + cycles) & COUNTER_MASK;
    take(values, 1);
    samples_end(&samples);
    /* The time-stamp counter went on by a little. */
    assert_in_range(samples.value[0], expected - expected / 50, expected);
}

#define LONG (1ull << 32)

static void cycles_are_made_of_ticks(void **state)
{
    (void)state;
    scaled(12345, LONG, LONG, 1000000);
    scaled(12345, LONG * 3 / 2, LONG, 1500000);
    scaled(12345, LONG / 4, LONG, 250000);
}

static void a_counter_may_start_anew(void **state)
{
    (void)state;
    scaled(COUNTER_MASK - LONG / 4, LONG, LONG, 1000000);
}

/* This host is no emulator that counts instructions, whatever else it is. */
static void ticks_are_not_called_cycles(void **state)
{
    (void)state;
    counter.there = false;
    assert_string_not_equal(stamp_unit(), "cycles");
    assert_string_not_equal(stamp_unit(), "instructions");
    counter.there = true;
    assert_string_not_equal(stamp_unit(), "TSC ticks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(figures_are_of_the_sorted_samples),
        cmocka_unit_test(the_first_laps_do_not_count_and_no_more_are_taken_than_wanted),
        cmocka_unit_test(equal_samples_are_counted_from_a_rank_on),
        cmocka_unit_test(ticks_stay_ticks_where_no_cycles_are_counted),
        cmocka_unit_test(cycles_are_made_of_ticks),
        cmocka_unit_test(a_counter_may_start_anew),
        cmocka_unit_test(ticks_are_not_called_cycles),
    };
    return cmocka_run_group_tests_name("servers: measure", tests, NULL, NULL);
}
