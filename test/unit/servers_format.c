/* SPDX-License-Identifier: MIT */
/* The formatter against the host's own, and options of a command line. */
#include "efi_cmocka.h"
#include "lib/format.h"
#include "lib/option.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 3, 4))) static size_t format(char *buffer, size_t size,
                                                           const char *text, ...)
{
    va_list arguments;

    va_start(arguments, text);
    size_t length = limen_format(buffer, size, text, arguments);
    va_end(arguments);
    return length;
}

#define SAME(...)                                                                                  \
    do {                                                                                           \
        char ours[128], theirs[128];                                                               \
        int length = snprintf(theirs, sizeof theirs, __VA_ARGS__);                                 \
        assert_int_equal(format(ours, sizeof ours, __VA_ARGS__), length);                          \
        assert_string_equal(ours, theirs);                                                         \
    } while (0)

static void numbers(void **state)
{
    (void)state;
    SAME("%d %i %d %d", 0, -1, INT_MIN, INT_MAX);
    SAME("%u %lu %zu", UINT_MAX, ULONG_MAX, (size_t)7);
    SAME("%ld %ld", LONG_MIN, LONG_MAX);
    SAME("%x %X %lx", 0xbeefu, 0xbeefu, ULONG_MAX);
    SAME("%5d|%-5d|%05d|%05d|%-5d|", 42, 42, 42, -42, -42);
    SAME("%#x|%#10x|%-#10x|%#018lx", 0xabu, 0xabu, 0xabu, 0x401234ul);
    SAME("%.3d|%8.3d|%-8.3d|%.5x", 7, 7, -7, 0x1fu);
    SAME("%*d|%-*d|%.*d", 6, 1, 6, 2, 3, 3);
    SAME("%p", (void *)0x1234);
    SAME("%hhd", (signed char)5);
}

static void strings(void **state)
{
    (void)state;
    SAME("%s|%8s|%-8s|%.2s|%.*s", "abc", "abc", "abc", "abc", 1, "abc");
    SAME("%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME("100%%");
}

static void a_small_buffer_is_kept(void **state)
{
    char buffer[8] = "#######";

    (void)state;
    assert_int_equal(format(buffer, 4, "%s", "abcdef"), 6);
    assert_string_equal(buffer, "abc");
    assert_int_equal(buffer[4], '#');
    assert_int_equal(format(buffer, 4, "%s", "abcd"), 4);
    assert_string_equal(buffer, "abc");
    assert_int_equal(buffer[4], '#');
    assert_int_equal(format(buffer, 0, "%d", 12345), 5);
    assert_string_equal(buffer, "abc");
}

static void absurd_widths_are_cut(void **state)
{
    char buffer[512];

    (void)state;
    assert_int_equal(format(buffer, sizeof buffer, "%0200d", 1), 200);
    assert_int_equal(format(buffer, sizeof buffer, "%.200d", -1), 64);
}

static void options(void **state)
{
    const char *line = "quiet  debug=3 cmd=echo debug=4 quiets  end";
    char value[16];

    (void)state;
    assert_true(limen_option(line, "quiet", value, sizeof value));
    assert_string_equal(value, "");
    assert_true(limen_option(line, "debug", value, sizeof value));
    assert_string_equal(value, "3");
    assert_true(limen_option(line, "cmd", value, sizeof value));
    assert_string_equal(value, "echo debug=4 qu"); /* cut at the end of the buffer */
    assert_false(limen_option(line, "quiets", value, sizeof value)); /* a word of cmd's value */
    assert_false(limen_option(line, "deb", value, sizeof value));
    assert_false(limen_option("", "quiet", value, sizeof value));
    assert_false(limen_option("   ", "quiet", value, sizeof value));
    assert_true(limen_option("cmd=", "cmd", value, sizeof value));
    assert_string_equal(value, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(strings),
        cmocka_unit_test(a_small_buffer_is_kept),
        cmocka_unit_test(absurd_widths_are_cut),
        cmocka_unit_test(options),
    };
    return cmocka_run_group_tests_name("servers: printf and options", tests, NULL, NULL);
}
