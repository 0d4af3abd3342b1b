/* SPDX-License-Identifier: MIT */
/* Many writers and readers at one terminal. */
#include "console/terminal.h"
#include "efi_cmocka.h"
#include <stdio.h>
#include <string.h>

static struct terminal_store store;
static struct terminal terminal;
static char screen[65536];
static size_t screen_length;
static char delivered[256];
static uint32_t dead_ticket;

static bool deliver(uint32_t ticket, bool abandoned, const char *text, struct position used)
{
    char entry[300];

    if (ticket == dead_ticket)
        return false;
    if (used.where != NULL)
        *used.where = used.value;
    snprintf(entry, sizeof entry, "%u%s%s;", ticket, abandoned ? "!" : ":", text);
    strncat(delivered, entry, sizeof delivered - strlen(delivered) - 1);
    return true;
}

/* Answers whom it can, as long as that is so; the last ticket. */
static uint32_t answer(void)
{
    struct position accepted;
    uint32_t ticket, last = 0;

    while ((ticket = output_ready(&terminal.output, false, &accepted)) != 0) {
        *accepted.where = accepted.value;
        last = ticket;
    }
    return last;
}

static bool send(void)
{
    struct position sent;
    size_t count = terminal_next(&terminal, screen + screen_length, 16, &sent);

    if (sent.where != NULL)
        *sent.where = sent.value;
    terminal_sent(&terminal);
    screen_length += count;
    assert_true(screen_length + 16 < sizeof screen);
    screen[screen_length] = '\0';
    return count > 0;
}

static void drain(void)
{
    do
        answer();
    while (send());
}

static bool write_text(uint64_t badge, const char *text)
{
    return output_add(&terminal.output, badge, (uint32_t)badge, text, strlen(text));
}

static void type_key(unsigned char key)
{
    struct position typed;
    uint64_t *place = terminal_key(&terminal, &typed);

    if (place == NULL)
        return;
    *place = key;
    *typed.where = typed.value;
    terminal_typed(&terminal);
}

static void type(const char *keys)
{
    for (; *keys != '\0'; keys++) {
        type_key((unsigned char)*keys);
        drain();
    }
}

static int setup(void **state)
{
    (void)state;
    memset(&store, 0, sizeof store);
    assert_true(terminal_init(&terminal, &store, deliver));
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

    (void)state;
    memset(text, 'f', sizeof text);
    text[sizeof text - 1] = '\n';
    for (uint32_t ticket = 11; ticket < 14; ticket++) {
        assert_true(output_add(&terminal.output, 1, ticket, text, sizeof text));
        assert_int_equal(answer(), ticket);
    }
    assert_true(output_add(&terminal.output, 1, 14, text, sizeof text));
    assert_int_equal(answer(), 0); /* there is no room for another after it */
    assert_false(output_add(&terminal.output, 1, 15, text, sizeof text));
    assert_true(write_text(2, "me\n"));
    assert_int_equal(answer(), 2);

    while (send() && strstr(screen, "me\r\n") == NULL)
        ;
    assert_non_null(strstr(screen, "me\r\n"));
    assert_true(screen_length < OUTPUT_QUEUE / 2); /* long before the flood was through */
    while (answer() != 14)
        assert_true(send());
    drain();
    assert_int_equal(screen_length, 4 * (sizeof text + 1) + 4);
}

static void what_is_not_accepted_is_not_shown(void **state)
{
    (void)state;
    assert_true(write_text(1, "not yet\n"));
    assert_false(send());
    assert_int_equal(answer(), 1);
    assert_true(send());
}

static void tickets_are_limited(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < OUTPUT_TICKETS; i++)
        assert_true(output_add(&terminal.output, 1, i + 1, "x", 1));
    assert_false(output_add(&terminal.output, 1, 9, "x", 1));
    assert_true(output_flush(&terminal.output, 1, 5));
    assert_false(output_flush(&terminal.output, 1, 6));
}

static void a_flush_waits_for_the_device(void **state)
{
    struct position accepted;

    (void)state;
    write_text(1, "bye\n");
    answer();
    assert_true(output_flush(&terminal.output, 1, 7));
    assert_true(terminal_is_busy(&terminal));
    assert_int_equal(output_ready(&terminal.output, true, &accepted), 0);
    drain();
    assert_true(terminal_is_busy(&terminal));
    assert_int_equal(output_ready(&terminal.output, false, &accepted), 0);
    assert_int_equal(output_ready(&terminal.output, true, &accepted), 7);
    assert_null(accepted.where);
    assert_false(terminal_is_busy(&terminal));
}

/* One place is the log's. */
static void places_of_clients_are_reused(void **state)
{
    (void)state;
    for (uint64_t badge = 1; badge < OUTPUT_CLIENTS; badge++)
        assert_true(write_text(badge, "x\n"));
    assert_false(write_text(100, "y\n"));
    drain();
    assert_true(write_text(100, "y\n"));
}

static void the_log_is_taken_up_where_it_was_left(void **state)
{
    (void)state;
    assert_true(output_log(&terminal.output, 1008, "log one\n", 8));
    assert_true(output_log(&terminal.output, 1016, "log two\n", 8));
    assert_int_equal(output_log_position(&terminal.output), 1016);
    assert_false(output_log(&terminal.output, 5000, "late\n", 5)); /* not behind the others */
    while (strstr(screen, "one\r\n") == NULL)
        assert_true(send());
    assert_true(terminal_init(&terminal, &store, deliver));
    assert_int_equal(output_log_position(&terminal.output), 1008);
    assert_false(send());
    assert_true(output_log(&terminal.output, 5000, "late\n", 5));
    drain();
    assert_string_equal(screen, "log one\r\nlate\r\n");
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
    const unsigned keys = 200;

    (void)state;
    terminal_read(&terminal, 1, 21, "$ ");
    drain();
    for (unsigned i = 0; i < keys; i++)
        type_key(i % 2 ? 0x01 : 'k'); /* each draws the rest of the line */
    type_key('\r');
    drain();
    assert_int_equal(strlen(delivered), strlen("21:;") + keys / 2);
    assert_string_equal(screen + screen_length - 3, "k\r\n"); /* nothing was lost */
}

static void a_line_and_its_history_outlive_the_server(void **state)
{
    (void)state;
    terminal_read(&terminal, 1, 21, "$ ");
    type("old\r");
    terminal_read(&terminal, 1, 22, "$ ");
    type("abd\x1b[D");
    screen_length = 0;
    assert_true(terminal_init(&terminal, &store, deliver));
    terminal_read(&terminal, 1, 23, "> ");
    drain();
    assert_string_equal(screen, "\r\x1b[K\r> abd\x1b[K\x1b[1D");
    type("c\r");
    terminal_read(&terminal, 1, 24, "> ");
    type("\x1b[A\x1b[A\r");
    assert_string_equal(delivered, "21:old;23:abcd;24:old;");
}

static void a_line_that_its_reader_left_does_not_come_back(void **state)
{
    (void)state;
    terminal_read(&terminal, 1, 21, "$ ");
    type("gone");
    terminal_read(&terminal, 1, 22, "$ ");
    assert_true(terminal_init(&terminal, &store, deliver));
    terminal_read(&terminal, 1, 23, "$ ");
    type("x\r");
    assert_string_equal(delivered, "21!;23:x;");
}

static void keys_nobody_reads_are_dropped_at_last(void **state)
{
    (void)state;
    for (unsigned i = 0; i < TERMINAL_KEYS + 10; i++)
        type_key('x');
    assert_int_equal(store.typed, TERMINAL_KEYS);
    terminal_read(&terminal, 1, 21, "$ ");
    drain();
    for (unsigned i = 0; i < TERMINAL_KEYS; i++) /* a line of more keys than are kept */
        type_key(0x7f);
    drain();
    type("end\r");
    assert_non_null(strstr(delivered, "end"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(lines_do_not_mix, setup),
        cmocka_unit_test_setup(a_long_line_passes_the_turn, setup),
        cmocka_unit_test_setup(a_flood_waits_and_others_go_on, setup),
        cmocka_unit_test_setup(what_is_not_accepted_is_not_shown, setup),
        cmocka_unit_test_setup(tickets_are_limited, setup),
        cmocka_unit_test_setup(a_flush_waits_for_the_device, setup),
        cmocka_unit_test_setup(places_of_clients_are_reused, setup),
        cmocka_unit_test_setup(the_log_is_taken_up_where_it_was_left, setup),
        cmocka_unit_test_setup(a_line_is_read, setup),
        cmocka_unit_test_setup(what_is_typed_early_is_kept, setup),
        cmocka_unit_test_setup(output_goes_above_the_line, setup),
        cmocka_unit_test_setup(a_dead_reader_is_passed_over, setup),
        cmocka_unit_test_setup(a_reader_that_starts_again_replaces_itself, setup),
        cmocka_unit_test_setup(readers_are_limited, setup),
        cmocka_unit_test_setup(keys_wait_for_a_slow_device, setup),
        cmocka_unit_test_setup(a_line_and_its_history_outlive_the_server, setup),
        cmocka_unit_test_setup(a_line_that_its_reader_left_does_not_come_back, setup),
        cmocka_unit_test_setup(keys_nobody_reads_are_dropped_at_last, setup),
    };
    return cmocka_run_group_tests_name("servers: terminal", tests, NULL, NULL);
}
