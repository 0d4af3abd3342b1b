/* SPDX-License-Identifier: MIT */
/* The kernel's own capability: its log and its counters. */
#include "kit.h"

#include <string.h>

static const char marker[] = "# the log test was here\n";

TEST(kernel, log_keeps_what_was_written)
{
    char text[LIMEN_LOG_READ_MAX + 1];
    uint64_t position = 0, before;
    size_t length;
    bool found = false;

    do { /* to the end */
        before = position;
        expect_ok(limen_log_read(KERNEL, &position, text, &length));
        expect(length <= LIMEN_LOG_READ_MAX);
        expect_equal(position - before >= length, true);
    } while (length > 0);
    expect_ok(limen_log_write(KERNEL, marker, sizeof marker - 1));
    expect_ok(limen_log_read(KERNEL, &position, text, &length));
    text[length] = '\0';
    found = length == sizeof marker - 1 && memcmp(text, marker, length) == 0;
    if (!found)
        fail("the log's new end is '%s'", text);
    /* Beyond the end there is nothing, however far. */
    position = UINT64_MAX;
    expect_ok(limen_log_read(KERNEL, &position, text, &length));
    expect_equal(length, 0);
}

TEST(kernel, log_write_checks_its_count)
{
    static const uint64_t counts[] = {0, 49, UINT64_MAX};
    for (unsigned i = 0; i < 3; i++)
        expect_error(invoke(KERNEL, LIMEN_KERNEL_LOG_WRITE, (uint64_t[8]){counts[i]}),
                     LIMEN_BAD_ARGUMENT);
}

static void call_some(void)
{
    for (unsigned i = 0; i < 100; i++)
        limen_null();
}

static void do_nothing(void *unused)
{
    (void)unused;
}

TEST(kernel, counters_count)
{
    bool checks = limen_call4(KERNEL, LIMEN_KERNEL_CHECK, (uint64_t[4]){0}) == LIMEN_OK;

    uint64_t entries = counter(LIMEN_COUNTER_ENTRIES);
    call_some();
    expect(!checks || counter(LIMEN_COUNTER_ENTRIES) >= entries + 100);

    uint64_t switches = counter(LIMEN_COUNTER_SWITCHES);
    join(spawn(LOWER, do_nothing, NULL));
    expect(counter(LIMEN_COUNTER_SWITCHES) >= switches + 2);

    expect(counter(LIMEN_COUNTER_BOOT_TSC) < counter(LIMEN_COUNTER_INIT_TSC));
    expect(counter(LIMEN_COUNTER_INIT_TSC) < __builtin_ia32_rdtsc());
    expect(counter(LIMEN_COUNTER_CALIBRATION) <
           counter(LIMEN_COUNTER_INIT_TSC) - counter(LIMEN_COUNTER_BOOT_TSC));
    expect_equal(counter(LIMEN_COUNTER_NMIS), 0);
    expect_equal(counter(LIMEN_COUNTER_MACHINE_CHECKS), 0);
}

/* The emulators have no counter of core cycles, and nothing is to pass for it. */
TEST(kernel, core_cycles_are_not_made_up)
{
    uint64_t before = 0, after = 0;
    enum limen_error error = limen_counter(KERNEL, LIMEN_COUNTER_CORE_CYCLES, &before);

    if (error == LIMEN_OK) {
        expect_ok(limen_counter(KERNEL, LIMEN_COUNTER_CORE_CYCLES, &after));
        expect(after > before);
    } else {
        expect_error(error, LIMEN_NOT_SUPPORTED);
    }
}

/* The release kernel takes no time stamps on its paths and says so. */
TEST(kernel, longest_stretch_without_interrupts_is_reset)
{
    uint64_t value;
    enum limen_error error = limen_counter(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF, &value);

    if (error != LIMEN_NOT_SUPPORTED) {
        expect_ok(error);
        expect(value > 0);
    }
    expect_ok(limen_counter_reset(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF));
    expect_error(limen_counter_reset(KERNEL, LIMEN_COUNTER_SWITCHES), LIMEN_BAD_ARGUMENT);
    expect_error(limen_counter_reset(KERNEL, LIMEN_COUNTER_COUNT), LIMEN_BAD_ARGUMENT);
}

TEST(kernel, operations_and_rights_are_checked)
{
    uint32_t readable = copy_of(KERNEL, LIMEN_RIGHT_READ);
    uint32_t writable = copy_of(KERNEL, LIMEN_RIGHT_WRITE);
    uint64_t words[8] = {0};

    expect_error(invoke(KERNEL, LIMEN_KERNEL_COUNTER, (uint64_t[8]){LIMEN_COUNTER_COUNT}),
                 LIMEN_OUT_OF_RANGE);
    expect_error(invoke(KERNEL, LIMEN_KERNEL_COUNTER, (uint64_t[8]){UINT64_MAX}),
                 LIMEN_OUT_OF_RANGE);
    expect_error(invoke(KERNEL, 0, words), LIMEN_BAD_OPERATION);
    expect_error(invoke(KERNEL, LIMEN_KERNEL_CHECK + 1, words), LIMEN_BAD_OPERATION);
    for (uint32_t operation = 1; operation <= LIMEN_KERNEL_CHECK; operation++) {
        bool reads = operation == LIMEN_KERNEL_LOG_READ || operation == LIMEN_KERNEL_COUNTER ||
                     operation == LIMEN_KERNEL_CHECK;
        memset(words, 0, sizeof words);
        expect_error(invoke(reads ? writable : readable, operation, words), LIMEN_NO_RIGHT);
    }
}

/* It can only be asked for where it is compiled in. */
TEST(kernel, looks_itself_over)
{
    uint64_t words[8] = {0};
    enum limen_error error = invoke(KERNEL, LIMEN_KERNEL_CHECK, words);

    if (error == LIMEN_NOT_SUPPORTED)
        return;
    expect_ok(error);
    uint64_t capabilities = words[0], objects = words[1];
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    copy_of(endpoint, LIMEN_RIGHT_READ);
    expect_ok(invoke(KERNEL, LIMEN_KERNEL_CHECK, words));
    expect_equal(words[0], capabilities + 2);
    expect_equal(words[1], objects + 1);
}

TEST(kernel, clock_page_is_readable_only)
{
    expect_equal(inspect(CLOCK).rights, LIMEN_RIGHT_READ);
    uint64_t last = now();
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t next = now();
        expect(next >= last);
        last = next;
    }
}
