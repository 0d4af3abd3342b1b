/* SPDX-License-Identifier: MIT */
/* The kernel capability: the log, counters, an orderly stop; and the log and its format beneath. */
#include "log.h"
#include "world.h"

#include <stdio.h>
#include <stdlib.h>

#define KERNEL LIMEN_INIT_KERNEL

/* -- the ring -- */

static int ring_setup(void **state)
{
    *state = calloc(1, sizeof(struct log));
    return 0;
}

static int ring_teardown(void **state)
{
    free(*state);
    return 0;
}

#define RING_TEST(test) cmocka_unit_test_setup_teardown(test, ring_setup, ring_teardown)

static void test_ring_gives_back_what_was_written(void **state)
{
    struct log *log = *state;
    uint64_t position = 0;
    char out[16];

    assert_int_equal(log_read(log, &position, out, sizeof(out)), 0);
    log_append(log, "hello ", 6);
    log_append(log, "world", 5);
    assert_int_equal(log_read(log, &position, out, 8), 8);
    assert_memory_equal(out, "hello wo", 8);
    assert_int_equal(position, 8);
    assert_int_equal(log_read(log, &position, out, sizeof(out)), 3);
    assert_memory_equal(out, "rld", 3);
    assert_int_equal(log_read(log, &position, out, sizeof(out)), 0);
    assert_int_equal(position, 11);
}

static char byte_at(uint64_t position)
{
    return (char)(position % 251);
}

static void test_ring_keeps_the_latest(void **state)
{
    struct log *log = *state;
    static char out[LOG_SIZE + 10];

    for (uint64_t i = 0; i < 3 * LOG_SIZE + 7; i++)
        log_append(log, (const char[]){byte_at(i)}, 1);
    uint64_t position = 5;
    assert_int_equal(log_read(log, &position, out, sizeof(out)), LOG_SIZE);
    assert_int_equal(position, 3 * LOG_SIZE + 7);
    for (uint64_t i = 0; i < LOG_SIZE; i++)
        assert_int_equal(out[i], byte_at(2 * LOG_SIZE + 7 + i));
}

static void test_ring_positions_that_were_never_written(void **state)
{
    struct log *log = *state;
    char out[4];

    log_append(log, "abc", 3);
    for (unsigned i = 0; i < 3; i++) {
        uint64_t position = (const uint64_t[]){4, 1ull << 40, UINT64_MAX}[i];
        assert_int_equal(log_read(log, &position, out, sizeof(out)), 0);
        assert_int_equal(position, 3);
    }
}

/* -- the format -- */

__attribute__((format(printf, 3, 4))) static size_t format(char *buffer, size_t size,
                                                           const char *text, ...)
{
    __builtin_va_list arguments;
    __builtin_va_start(arguments, text);
    size_t length = kernel_format(buffer, size, text, arguments);
    __builtin_va_end(arguments);
    return length;
}

#define ASSERT_LIKE_PRINTF(...)                                                                    \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        int length = snprintf(theirs, sizeof(theirs), __VA_ARGS__);                                \
        assert_int_equal(format(ours, sizeof(ours), __VA_ARGS__), length);                         \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void test_format_is_printf_s(void **state)
{
    (void)state;
    ASSERT_LIKE_PRINTF("plain, and 100%%");
    ASSERT_LIKE_PRINTF("%s|%.3s|%.30s|%s", "text", "cut short", "whole", "");
    ASSERT_LIKE_PRINTF("%u|%u|%x|%08x|%3x", 0u, 4294967295u, 0xdeadbeefu, 0x1234u, 0x12345u);
    ASSERT_LIKE_PRINTF("%lu|%lx|%016lx|%024lu", UINT64_MAX, UINT64_MAX, 0xabcul, UINT64_MAX);
    ASSERT_LIKE_PRINTF("%zu|%llu", (size_t)77, 18446744073709551615ull);
    ASSERT_LIKE_PRINTF("%.48s", "no more than forty-eight bytes of what could have no end at all");
}

static void test_format_stays_in_its_buffer(void **state)
{
    char buffer[12];
    (void)state;
    for (size_t size = 0; size < 10; size++) {
        memset(buffer, '#', sizeof(buffer));
        size_t length = format(buffer, size, "%s%08x", "ab", 0x1234u);
        assert_int_equal(length, size ? size - 1 : 0);
        if (size)
            assert_int_equal(buffer[length], 0);
        assert_int_equal(buffer[size], '#');
    }
    /* A precision reads no further than it says: the text need not end. */
    const char unterminated[3] = {'x', 'y', 'z'};
    assert_int_equal(format(buffer, sizeof(buffer), "%.3s", unterminated), 3);
    assert_string_equal(buffer, "xyz");
}

#pragma clang diagnostic push
#pragma clang diagnostic ignored "-Wformat"
static void test_unknown_directives_are_shown(void **state)
{
    char buffer[20];
    (void)state;
    memset(buffer, '#', sizeof(buffer));
    format(buffer, sizeof(buffer), "%i is %q, %x%", 1);
    assert_string_equal(buffer, "%i is %q, 1%");
}
#pragma clang diagnostic pop

/* -- the operations -- */

static void say(const char *text)
{
    uint64_t words[8] = {strlen(text)};
    memcpy(&words[1], text, strlen(text));
    assert_int_equal(operate(KERNEL, LIMEN_KERNEL_LOG_WRITE, 8, words), LIMEN_OK);
}

static uint64_t end_of_log(void)
{
    EXPECT(OK, KERNEL, LIMEN_KERNEL_LOG_READ, UINT64_MAX);
    assert_int_equal(result(1), 0);
    return result(0);
}

static void test_log_by_capability(void **state)
{
    (void)state;
    uint64_t start = end_of_log();
    const char *text = "from ring 3: forty-eight bytes fit, and no more!";
    assert_int_equal(strlen(text), 48);
    say(text);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_LOG_READ, start);
    assert_int_equal(result(0), start + 48);
    assert_int_equal(result(1), 48);
    assert_int_equal(limen_tag_words(regs_of(world.init)->rsi), LIMEN_WORDS_MAX);
    assert_memory_equal(&world.init->page->words[LIMEN_WORDS_IN_REGISTERS], text, 48);
    for (unsigned i = 0; i < 20; i++)
        say(text);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_LOG_READ, start);
    assert_int_equal(result(1), 448);
}

static void test_log_refuses(void **state)
{
    (void)state;
    EXPECT(BAD_ARGUMENT, KERNEL, LIMEN_KERNEL_LOG_WRITE, 0);
    EXPECT(BAD_ARGUMENT, KERNEL, LIMEN_KERNEL_LOG_WRITE, 49);
    EXPECT(BAD_ARGUMENT, KERNEL, LIMEN_KERNEL_LOG_WRITE, UINT64_MAX);
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    EXPECT(NO_MESSAGE_PAGE, KERNEL, LIMEN_KERNEL_LOG_READ, 0);
}

static void test_rights(void **state)
{
    (void)state;
    unsigned read = copy_of(KERNEL, LIMEN_RIGHT_READ), write = copy_of(KERNEL, LIMEN_RIGHT_WRITE);
    for (uint32_t label = LIMEN_KERNEL_LOG_READ; label <= LIMEN_KERNEL_CHECK; label++) {
        bool reads = label == LIMEN_KERNEL_LOG_READ || label == LIMEN_KERNEL_COUNTER ||
                     label == LIMEN_KERNEL_CHECK;
        EXPECT(NO_RIGHT, reads ? write : read, label, 0);
    }
    EXPECT(NO_RIGHT, write, LIMEN_KERNEL_STOP, 0);
    EXPECT(BAD_OPERATION, KERNEL, 0, 0);
    EXPECT(BAD_OPERATION, KERNEL, LIMEN_KERNEL_CHECK + 1, 0);
}

static void test_counters(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < LIMEN_COUNTER_COUNT; i++)
        EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, i);
    EXPECT(OUT_OF_RANGE, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_COUNT);
    EXPECT(OUT_OF_RANGE, KERNEL, LIMEN_KERNEL_COUNTER, UINT64_MAX);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_ENTRIES);
    uint64_t entries = result(0);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_ENTRIES);
    assert_int_equal(result(0), entries + 1);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_CALIBRATION);
    assert_int_equal(result(0), 12345);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_CORE_CYCLES);
    assert_int_equal(result(0), 54321);
    host.counts_cycles = false;
    EXPECT(NOT_SUPPORTED, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_CORE_CYCLES);
}

static void test_resetting_a_maximum(void **state)
{
    (void)state;
    host_cpu->arch.max_irqs_off = 99;
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_MAX_IRQS_OFF);
    assert_int_equal(result(0), 99);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER_RESET, LIMEN_COUNTER_MAX_IRQS_OFF);
    EXPECT(OK, KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_COUNTER_MAX_IRQS_OFF);
    assert_int_equal(result(0), 0);
    EXPECT(BAD_ARGUMENT, KERNEL, LIMEN_KERNEL_COUNTER_RESET, LIMEN_COUNTER_ENTRIES);
}

static void test_stop(void **state)
{
    static uint64_t words[8];
    (void)state;
    memset(words, 'z', sizeof(words));
    memcpy(words, "a reason of forty-eight bytes without its end...", 48);
    host.panic_expected = true;
    if (!setjmp(host.panic_jump)) {
        (void)operate(KERNEL, LIMEN_KERNEL_STOP, 8, words);
        fail_msg("the machine went on");
    }
    assert_string_equal(host.panic_text,
                        "stopped by ring 3: a reason of forty-eight bytes without its end...");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RING_TEST(test_ring_gives_back_what_was_written),
        RING_TEST(test_ring_keeps_the_latest),
        RING_TEST(test_ring_positions_that_were_never_written),
        cmocka_unit_test(test_format_is_printf_s),
        cmocka_unit_test(test_format_stays_in_its_buffer),
        cmocka_unit_test(test_unknown_directives_are_shown),
        WORLD_TEST(test_log_by_capability),
        WORLD_TEST(test_log_refuses),
        WORLD_TEST(test_rights),
        WORLD_TEST(test_counters),
        WORLD_TEST(test_resetting_a_maximum),
        WORLD_TEST(test_stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
