/* SPDX-License-Identifier: MIT */
/* The terminal: who has the screen, who has the keyboard. */
#include "terminal.h"

#include <string.h>

static void echo(void *context, const char *bytes, size_t count)
{
    struct terminal *terminal = context;

    for (size_t i = 0; i < count && terminal->echo_length < TERMINAL_ECHO; i++)
        terminal->echo[(terminal->echo_start + terminal->echo_length++) % TERMINAL_ECHO] = bytes[i];
}

void terminal_init(struct terminal *terminal,
                   bool (*deliver)(uint32_t ticket, bool abandoned, const char *text))
{
    memset(terminal, 0, sizeof *terminal);
    terminal->deliver = deliver;
    terminal->line.emit = echo;
    terminal->line.context = terminal;
}

/* -- the keyboard -- */

static void remove_reader(struct terminal *terminal, unsigned index)
{
    terminal->reader_count--;
    memmove(&terminal->readers[index], &terminal->readers[index + 1],
            (terminal->reader_count - index) * sizeof terminal->readers[0]);
}

static void begin(struct terminal *terminal)
{
    if (terminal->reader_count > 0)
        line_begin(&terminal->line, terminal->readers[0].prompt);
}

/* Hands the finished line to the first reader that still lives. */
static void finish(struct terminal *terminal, bool abandoned)
{
    bool delivered = false;

    while (!delivered && terminal->reader_count > 0) {
        uint32_t ticket = terminal->readers[0].ticket;
        remove_reader(terminal, 0);
        delivered = terminal->deliver(ticket, abandoned, terminal->line.text);
    }
    begin(terminal);
}

static void use_typed(struct terminal *terminal)
{
    while (terminal->typed_length > 0 && terminal->reader_count > 0 &&
           TERMINAL_ECHO - terminal->echo_length >= TERMINAL_ECHO_ROOM) {
        unsigned char key = (unsigned char)terminal->typed[terminal->typed_start];
        terminal->typed_start = (terminal->typed_start + 1) % TERMINAL_TYPED;
        terminal->typed_length--;
        enum line_event event = line_key(&terminal->line, key);
        if (event != LINE_EDITING)
            finish(terminal, event == LINE_ABANDONED);
    }
}

void terminal_type(struct terminal *terminal, unsigned char key)
{
    if (terminal->typed_length == TERMINAL_TYPED)
        return;
    terminal->typed[(terminal->typed_start + terminal->typed_length++) % TERMINAL_TYPED] =
        (char)key;
    use_typed(terminal);
}

bool terminal_read(struct terminal *terminal, uint64_t badge, uint32_t ticket, const char *prompt)
{
    struct terminal_reader *reader;

    for (unsigned i = 0; i < terminal->reader_count; i++) {
        if (terminal->readers[i].badge == badge) {
            terminal->deliver(terminal->readers[i].ticket, true, "");
            remove_reader(terminal, i);
            if (i == 0 && terminal->line.shown)
                line_hide(&terminal->line);
            break;
        }
    }
    if (terminal->reader_count == TERMINAL_READERS)
        return false;
    reader = &terminal->readers[terminal->reader_count++];
    reader->badge = badge;
    reader->ticket = ticket;
    memset(reader->prompt, 0, sizeof reader->prompt);
    memcpy(reader->prompt, prompt, strnlen(prompt, PROMPT_MAX));
    if (terminal->reader_count == 1)
        begin(terminal);
    use_typed(terminal);
    return true;
}

/* -- the screen -- */

static size_t take_echo(struct terminal *terminal, char *bytes, size_t size)
{
    size_t count = 0;

    while (count < size && terminal->echo_length > 0) {
        bytes[count++] = terminal->echo[terminal->echo_start];
        terminal->echo_start = (terminal->echo_start + 1) % TERMINAL_ECHO;
        terminal->echo_length--;
    }
    return count;
}

/* A terminal needs CR and LF where a program writes LF alone. */
static size_t take_output(struct terminal *terminal, char *bytes, size_t size)
{
    size_t count = output_take(&terminal->output, bytes, size - 1);

    if (count == 0)
        return 0;
    terminal->mid_line = bytes[count - 1] != '\n';
    if (!terminal->mid_line) { /* a line's end comes last (output_take) */
        bytes[count - 1] = '\r';
        bytes[count++] = '\n';
    }
    return count;
}

size_t terminal_next(struct terminal *terminal, char *bytes, size_t size)
{
    bool pending = output_pending(&terminal->output);

    if (terminal->echo_length == 0 && pending && terminal->line.shown)
        line_hide(&terminal->line);
    if (terminal->echo_length == 0 && !pending && terminal->reader_count > 0 &&
        !terminal->line.shown) {
        if (terminal->mid_line)
            echo(terminal, "\r\n", 2);
        terminal->mid_line = false;
        line_show(&terminal->line);
    }
    if (terminal->echo_length == 0)
        return take_output(terminal, bytes, size);
    size_t count = take_echo(terminal, bytes, size);
    use_typed(terminal); /* keys that had to wait for room */
    return count;
}

bool terminal_is_busy(const struct terminal *terminal)
{
    return terminal->echo_length > 0 || output_pending(&terminal->output) ||
           output_is_flushing(&terminal->output);
}
