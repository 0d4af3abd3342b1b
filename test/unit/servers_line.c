/* SPDX-License-Identifier: MIT */
/* Line editing, judged by what a terminal would show. */
#include "console/line.h"
#include "efi_cmocka.h"
#include <stdlib.h>
#include <string.h>

/* A terminal of one line: just the control sequences that the editor uses. */
static struct {
    char cells[600];
    size_t cursor;
    char escape[16]; /* the sequence so far */
    size_t escape_length;
} screen;

static void control(const char *sequence)
{
    size_t count = strtoul(sequence + 2, NULL, 10);

    switch (sequence[strlen(sequence) - 1]) {
    case 'D':
        assert_true(count > 0 && count <= screen.cursor);
        screen.cursor -= count;
        break;
    case 'K':
        screen.cells[screen.cursor] = '\0';
        break;
    case 'J':
        memset(screen.cells, 0, sizeof screen.cells);
        break;
    case 'H':
        screen.cursor = 0;
        break;
    default:
        fail_msg("unknown sequence %s", sequence + 1);
    }
}

static void show(void *context, const char *bytes, size_t count)
{
    (void)context;
    for (size_t i = 0; i < count; i++) {
        char byte = bytes[i];
        if (screen.escape_length > 0) {
            screen.escape[screen.escape_length++] = byte;
            if ((byte >= 'A' && byte <= 'Z')) {
                screen.escape[screen.escape_length] = '\0';
                screen.escape_length = 0;
                control(screen.escape);
            }
        } else if (byte == '\x1b') {
            screen.escape[screen.escape_length++] = byte;
        } else if (byte == '\r') {
            screen.cursor = 0;
        } else if (byte == '\n') {
            memset(screen.cells, 0, sizeof screen.cells);
        } else if (((unsigned char)byte & 0xc0) != 0x80) { /* one column a character */
            screen.cells[screen.cursor++] = (unsigned char)byte < 0x80 ? byte : '?';
        }
    }
}

static struct line_history history;
static struct line line;

static enum line_event type(const char *keys)
{
    enum line_event event = LINE_EDITING;

    for (; *keys != '\0'; keys++) {
        assert_int_equal(event, LINE_EDITING);
        event = line_key(&line, (unsigned char)*keys);
    }
    return event;
}

static void begin(const char *prompt)
{
    memset(&screen, 0, sizeof screen);
    line_begin(&line, prompt);
    line_show(&line);
}

static int setup(void **state)
{
    (void)state;
    memset(&history, 0, sizeof history);
    memset(&line, 0, sizeof line);
    line.history = &history;
    line.emit = show;
    begin("> ");
    return 0;
}

/* Types keys into a fresh line: the terminal shows `shown` with the cursor in column `cursor`, and
 * Enter gives `text`. */
static void edits(const char *keys, const char *shown, size_t cursor, const char *text)
{
    begin("> ");
    assert_int_equal(type(keys), LINE_EDITING);
    assert_string_equal(screen.cells, shown);
    assert_int_equal(screen.cursor, cursor);
    assert_int_equal(type("\r"), LINE_DONE);
    assert_string_equal(line.text, text);
}

static void typing_and_erasing(void **state)
{
    (void)state;
    edits("", "> ", 2, "");
    edits("abc", "> abc", 5, "abc");
    edits("abc\x7f\bd", "> ad", 4, "ad");
    edits("\x7f\x7f", "> ", 2, "");
    edits("a\tb\x01", "> ab", 2, "ab"); /* a tab has no meaning */
}

static void moving(void **state)
{
    (void)state;
    edits("abc\x1b[D\x1b[DX", "> aXbc", 4, "aXbc");
    edits("abc\x01X\x05Y", "> XabcY", 7, "XabcY");
    edits("abc\x1b[HX\x1b[FY", "> XabcY", 7, "XabcY");
    edits("abc\x1b[1~X\x1b[4~Y", "> XabcY", 7, "XabcY");
    edits("abc\x1bOHX", "> Xabc", 3, "Xabc");
    edits("ab\x1b[D\x1b[D\x1b[D\x1b[C\x1b[C\x1b[C", "> ab", 4, "ab");
    edits("ab\x02\x02\x06X", "> aXb", 4, "aXb");
    edits("ab\x01\x7f", "> ab", 2, "ab"); /* nothing before the start */
}

static void erasing_more(void **state)
{
    (void)state;
    edits("abc\x1b[D\x1b[3~", "> ab", 4, "ab");
    edits("abc\x01\x04", "> bc", 2, "bc");
    edits("abc def\x01\x1b[C\x0b", "> a", 3, "a");
    edits("abc def\x1b[D\x15", "> f", 2, "f");
    edits("one two  \x17", "> one ", 6, "one ");
    edits("one two\x17\x17\x17", "> ", 2, "");
}

static void characters_of_several_bytes(void **state)
{
    (void)state;
    edits("a\xc3\xa9z\x1b[D\x1b[DX", "> aX?z", 4, "aX\xc3\xa9z");
    edits("\xe2\x82\xac\x7f", "> ", 2, "");
}

static void unknown_sequences_do_nothing(void **state)
{
    (void)state;
    edits("a\x1b[15~b", "> ab", 4, "ab");
    edits("a\x1b[1;5Cb", "> ab", 4, "ab");
    edits("a\x1b\x1b[Fb", "> ab", 4, "ab");
    edits("a\x1bxb", "> ab", 4, "ab");
}

static void a_control_key_ends_a_sequence(void **state)
{
    (void)state;
    begin("> ");
    assert_int_equal(type("ab\x1b[\x03"), LINE_ABANDONED);
}

static void looking_back(void **state)
{
    (void)state;
    edits("one", "> one", 5, "one");
    edits("two", "> two", 5, "two");
    edits("two", "> two", 5, "two"); /* the same again is not kept twice */
    edits("\x1b[A\x1b[A", "> one", 5, "one");
    edits("my own\x1b[A\x1b[B", "> my own", 8, "my own");
    edits("\x10\x10\x0e", "> my own", 8, "my own");
    edits("\x1b[B", "> ", 2, "");
    edits("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A", "> one", 5, "one");
}

static void the_history_forgets_its_oldest(void **state)
{
    char text[8] = "x";

    (void)state;
    for (unsigned i = 0; i < HISTORY_SIZE + 3; i++) {
        text[1] = (char)('A' + i);
        edits(text, (char[]){'>', ' ', 'x', (char)('A' + i), '\0'}, 4, text);
    }
    begin("> ");
    for (unsigned i = 0; i < 2 * HISTORY_SIZE; i++)
        type("\x10");
    assert_string_equal(screen.cells, "> xD");
}

static void a_line_has_an_end(void **state)
{
    (void)state;
    begin("> ");
    for (unsigned i = 0; i < LINE_MAX + 10; i++)
        type("y");
    assert_int_equal(line.length, LINE_MAX);
    assert_int_equal(type("\n"), LINE_DONE);
    assert_int_equal(strlen(line.text), LINE_MAX);
}

static void enter_in_its_forms(void **state)
{
    (void)state;
    assert_int_equal(type("a\r"), LINE_DONE);
    begin("> ");
    assert_int_equal(type("\n"), LINE_EDITING); /* belongs to the CR before it */
    assert_int_equal(type("\n"), LINE_DONE);
    begin("> ");
    assert_int_equal(type("abc\x03"), LINE_ABANDONED);
}

static void hidden_and_shown_again(void **state)
{
    (void)state;
    type("abc\x1b[D");
    line_hide(&line);
    assert_string_equal(screen.cells, "");
    type("X"); /* typed while hidden */
    assert_string_equal(screen.cells, "");
    line_show(&line);
    assert_string_equal(screen.cells, "> abXc");
    assert_int_equal(screen.cursor, 5);
    type("\x0c"); /* Ctrl-L: a clean screen */
    assert_string_equal(screen.cells, "> abXc");
    assert_int_equal(screen.cursor, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(typing_and_erasing, setup),
        cmocka_unit_test_setup(moving, setup),
        cmocka_unit_test_setup(erasing_more, setup),
        cmocka_unit_test_setup(characters_of_several_bytes, setup),
        cmocka_unit_test_setup(unknown_sequences_do_nothing, setup),
        cmocka_unit_test_setup(a_control_key_ends_a_sequence, setup),
        cmocka_unit_test_setup(looking_back, setup),
        cmocka_unit_test_setup(the_history_forgets_its_oldest, setup),
        cmocka_unit_test_setup(a_line_has_an_end, setup),
        cmocka_unit_test_setup(enter_in_its_forms, setup),
        cmocka_unit_test_setup(hidden_and_shown_again, setup),
    };
    return cmocka_run_group_tests_name("servers: line editing", tests, NULL, NULL);
}
