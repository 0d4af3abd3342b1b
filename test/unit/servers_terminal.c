/* SPDX-License-Identifier: MIT */
/* Many writers and readers at one terminal. */
#include "console/terminal.h"
#include "efi_cmocka.h"
#include <stdio.h>
#include <string.h>

static struct terminal terminal;
static char screen[65536];
static size_t screen_length;
static char delivered[256];
static uint32_t dead_ticket;

static bool deliver(uint32_t ticket, bool abandoned, const char *text)
{
    char entry[300];

    if (ticket == dead_ticket)
        return false;
    snprintf(entry, sizeof entry, "%u%s%s;", ticket, abandoned ? "!" : ":", text);
    strncat(delivered, entry, sizeof delivered - strlen(delivered) - 1);
    return true;
}

static void drain(void)
{
    size_t count;

    while ((count = terminal_next(&terminal, screen + screen_length, 16)) > 0) {
        screen_length += count;
        assert_true(screen_length + 16 < sizeof screen);
    }
    screen[screen_length] = '\0';
}

static enum output_result write_text(uint64_t badge, const char *text)
{
    return output_add(&terminal.output, badge, text, strlen(text));
}

static void type(const char *keys)
{
    for (; *keys != '\0'; keys++) {
        terminal_type(&terminal, (unsigned char)*keys);
        drain();
    }
}

static int setup(void **state)
{
    (void)state;
    terminal_init(&terminal, deliver);
    screen_length = 0;
    delivered[0] = '\0';
    dead_ticket = 0;
    return 0;
}

static void lines_do_not_mix(void **state)
{
    (void)state;
    write_text(1, "one\nun\n");
    write_text(2, "two\ndeux\n");
    drain();
    assert_string_equal(screen, "one\r\ntwo\r\nun\r\ndeux\r\n");
}

static void a_long_line_passes_the_turn(void **state)
{
    char longer[OUTPUT_TURN + 11];

    (void)state;
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    write_text(1, longer);
    write_text(2, "two\n");
    drain();
    assert_non_null(strstr(screen, "xtwo\r\nx"));
}

static void a_flood_waits_and_others_go_on(void **state)
{
    char text[OUTPUT_ROOM];
    enum output_result result = OUTPUT_TAKEN;
    unsigned count = 0;
    bool flush;

    (void)state;
    memset(text, 'f', sizeof text);
    text[sizeof text - 1] = '\n';
    while (result == OUTPUT_TAKEN) {
        result = output_add(&terminal.output, 1, text, sizeof text);
        count++;
    }
    assert_int_equal(result, OUTPUT_WAIT);
    assert_true(output_wait(&terminal.output, 1, 11));
    while (result == OUTPUT_WAIT)
        result = output_add(&terminal.output, 1, text, sizeof text);
    assert_int_equal(result, OUTPUT_REFUSED);
    assert_int_equal(write_text(2, "me\n"), OUTPUT_TAKEN);
    assert_int_equal(output_ready(&terminal.output, true, &flush), 0);

    screen_length += terminal_next(&terminal, screen, sizeof text);
    while (strstr(screen, "me\r\n") == NULL) {
        size_t taken = terminal_next(&terminal, screen + screen_length, 16);
        assert_true(taken > 0);
        screen_length += taken;
        screen[screen_length] = '\0';
    }
    assert_true(screen_length < OUTPUT_QUEUE); /* long before the flood was through */
    drain();
    assert_int_equal(output_ready(&terminal.output, true, &flush), 11);
    assert_false(flush);
    assert_int_equal(output_ready(&terminal.output, true, &flush), 0);
    assert_int_equal(count, OUTPUT_QUEUE / OUTPUT_ROOM);
}

static void tickets_are_limited(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OUTPUT_TICKETS; i++)
        assert_true(output_wait(&terminal.output, 1, i + 1));
    assert_false(output_wait(&terminal.output, 1, 9));
    assert_true(output_flush(&terminal.output, 1, 5));
    assert_false(output_flush(&terminal.output, 1, 6));
}

static void a_flush_waits_for_the_device(void **state)
{
    bool flush;

    (void)state;
    write_text(1, "bye\n");
    assert_true(output_flush(&terminal.output, 1, 7));
    assert_true(terminal_is_busy(&terminal));
    assert_int_equal(output_ready(&terminal.output, true, &flush), 0);
    drain();
    assert_true(terminal_is_busy(&terminal));
    assert_int_equal(output_ready(&terminal.output, false, &flush), 0);
    assert_int_equal(output_ready(&terminal.output, true, &flush), 7);
    assert_true(flush);
    assert_false(terminal_is_busy(&terminal));
}

static void places_of_clients_are_reused(void **state)
{
    (void)state;
    for (uint64_t badge = 1; badge <= OUTPUT_CLIENTS; badge++)
        assert_int_equal(write_text(badge, "x\n"), OUTPUT_TAKEN);
    assert_int_equal(write_text(100, "y\n"), OUTPUT_REFUSED);
    drain();
    assert_int_equal(write_text(100, "y\n"), OUTPUT_TAKEN);
}

static void a_line_is_read(void **state)
{
    (void)state;
    assert_true(terminal_read(&terminal, 1, 21, "$ "));
    drain();
    assert_string_equal(screen, "\r$ \x1b[K");
    type("hi\r");
    assert_string_equal(delivered, "21:hi;");
    assert_non_null(strstr(screen, "hi\r\n"));
}

static void what_is_typed_early_is_kept(void **state)
{
    (void)state;
    type("ls\rps\rto");
    assert_string_equal(delivered, "");
    terminal_read(&terminal, 1, 21, "$ ");
    drain();
    assert_string_equal(delivered, "21:ls;");
    assert_non_null(strstr(screen, "$ ls\x1b[K\r\n"));
    terminal_read(&terminal, 1, 22, "$ ");
    drain();
    assert_string_equal(delivered, "21:ls;22:ps;");
    terminal_read(&terminal, 1, 23, "$ ");
    type("p\x03");
    assert_string_equal(delivered, "21:ls;22:ps;23!top;");
}

static void output_goes_above_the_line(void **state)
{
    (void)state;
    terminal_read(&terminal, 1, 21, "$ ");
    type("ab");
    screen_length = 0;
    write_text(2, "news\n");
    drain();
    assert_string_equal(screen, "\r\x1b[Knews\r\n\r$ ab\x1b[K");
    screen_length = 0;
    write_text(2, "half");
    drain();
    assert_string_equal(screen, "\r\x1b[Khalf\r\n\r$ ab\x1b[K");
}

static void a_dead_reader_is_passed_over(void **state)
{
    (void)state;
    dead_ticket = 21;
    terminal_read(&terminal, 1, 21, "1 ");
    terminal_read(&terminal, 2, 22, "2 ");
    drain();
    type("x\r");
    assert_string_equal(delivered, "22:x;");
}

static void a_reader_that_starts_again_replaces_itself(void **state)
{
    (void)state;
    terminal_read(&terminal, 1, 21, "old ");
    drain();
    terminal_read(&terminal, 1, 22, "new ");
    type("x\r");
    assert_string_equal(delivered, "21!;22:x;");
    assert_non_null(strstr(screen, "new "));
}

static void readers_are_limited(void **state)
{
    (void)state;
    for (uint32_t i = 1; i <= TERMINAL_READERS; i++)
        assert_true(terminal_read(&terminal, i, i, ""));
    assert_false(terminal_read(&terminal, 99, 99, ""));
}

static void keys_wait_for_a_slow_device(void **state)
{
    (void)state;
    terminal_read(&terminal, 1, 21, "$ ");
    drain();
    for (unsigned i = 0; i < TERMINAL_TYPED - 10; i++)
        terminal_type(&terminal, i % 2 ? 0x01 : 'k'); /* each draws the rest of the line */
    terminal_type(&terminal, '\r');
    drain();
    assert_int_equal(strlen(delivered), strlen("21:;") + (TERMINAL_TYPED - 10) / 2);
    assert_string_equal(screen + screen_length - 3, "k\r\n"); /* nothing was lost */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_do_not_mix, setup),
        cmocka_unit_test_setup(a_long_line_passes_the_turn, setup),
        cmocka_unit_test_setup(a_flood_waits_and_others_go_on, setup),
        cmocka_unit_test_setup(tickets_are_limited, setup),
        cmocka_unit_test_setup(a_flush_waits_for_the_device, setup),
        cmocka_unit_test_setup(places_of_clients_are_reused, setup),
        cmocka_unit_test_setup(a_line_is_read, setup),
        cmocka_unit_test_setup(what_is_typed_early_is_kept, setup),
        cmocka_unit_test_setup(output_goes_above_the_line, setup),
        cmocka_unit_test_setup(a_dead_reader_is_passed_over, setup),
        cmocka_unit_test_setup(a_reader_that_starts_again_replaces_itself, setup),
        cmocka_unit_test_setup(readers_are_limited, setup),
        cmocka_unit_test_setup(keys_wait_for_a_slow_device, setup),
    };
    return cmocka_run_group_tests_name("servers: terminal", tests, NULL, NULL);
}
