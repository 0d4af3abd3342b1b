/* SPDX-License-Identifier: MIT */
/* The terminal: who has the screen, who has the keyboard. */
#include "terminal.h"

#include <runtime/state.h>
#include <string.h>

static void echo(void *context, const char *bytes, size_t count)
{
    struct terminal *terminal = context;

    for (size_t i = 0; i < count && terminal->echo_length < TERMINAL_ECHO; i++)
        terminal->echo[(terminal->echo_start + terminal->echo_length++) % TERMINAL_ECHO] = bytes[i];
}

/* What stands in the store follows the editor, so that the next life knows what is on the screen.
 */
static void note_shown(struct terminal *terminal)
{
    limen_commit(&terminal->store->shown, terminal->line.shown);
}

bool terminal_init(struct terminal *terminal, struct terminal_store *store,
                   bool (*deliver)(uint32_t ticket, bool abandoned, const char *text,
                                   struct position used))
{
    bool sane = store->typed - store->used <= TERMINAL_KEYS;

    memset(terminal, 0, sizeof *terminal);
    terminal->deliver = deliver;
    terminal->store = store;
    if (!output_init(&terminal->output, &store->output))
        sane = false;
    if (!sane)
        limen_commit(&store->used, store->typed);
    terminal->edited = store->used;
    terminal->mid_line = !output_at_line_start(&terminal->output);
    terminal->line.emit = echo;
    terminal->line.context = terminal;
    terminal->line.history = &store->history;
    for (unsigned i = 0; i < HISTORY_SIZE; i++)
        store->history.entries[i][LINE_MAX] = '\0';
    if (store->used > 0)
        terminal->line.after_return = store->keys[(store->used - 1) % TERMINAL_KEYS] == '\r';
    if (store->shown) {
        terminal->line.shown = true;
        line_hide(&terminal->line);
        note_shown(terminal);
    }
    return sane;
}

/* -- the keyboard -- */

static void remove_reader(struct terminal *terminal, unsigned index)
{
    terminal->reader_count--;
    memmove(&terminal->readers[index], &terminal->readers[index + 1],
            (terminal->reader_count - index) * sizeof terminal->readers[0]);
}

/* Keys of a line that its reader left unfinished make no part of the next. */
static void begin(struct terminal *terminal)
{
    limen_commit(&terminal->store->used, terminal->edited);
    if (terminal->reader_count > 0)
        line_begin(&terminal->line, terminal->readers[0].prompt);
}

/* Hands the finished line to the first reader that still lives; without one, nobody gets it. */
static void finish(struct terminal *terminal, bool abandoned)
{
    struct position used = {&terminal->store->used, terminal->edited};
    bool delivered = false;

    while (!delivered && terminal->reader_count > 0) {
        uint32_t ticket = terminal->readers[0].ticket;
        remove_reader(terminal, 0);
        delivered = terminal->deliver(ticket, abandoned, terminal->line.text, used);
    }
    begin(terminal);
}

static void use_typed(struct terminal *terminal)
{
    const struct terminal_store *store = terminal->store;

    while (terminal->edited < store->typed && terminal->reader_count > 0 &&
           TERMINAL_ECHO - terminal->echo_length >= TERMINAL_ECHO_ROOM) {
        unsigned char key = (unsigned char)store->keys[terminal->edited++ % TERMINAL_KEYS];
        enum line_event event = line_key(&terminal->line, key);
        if (event != LINE_EDITING)
            finish(terminal, event == LINE_ABANDONED);
    }
    note_shown(terminal);
}

uint64_t *terminal_key(struct terminal *terminal, struct position *typed)
{
    struct terminal_store *store = terminal->store;

    /* A line of so many keys is not worth more to the next life than the keys nobody has read. */
    if (store->typed - store->used == TERMINAL_KEYS)
        limen_commit(&store->used, terminal->edited);
    if (store->typed - store->used == TERMINAL_KEYS)
        return NULL;
    *typed = (struct position){&store->typed, store->typed + 1};
    return &store->keys[store->typed % TERMINAL_KEYS];
}

void terminal_typed(struct terminal *terminal)
{
    use_typed(terminal);
}

bool terminal_read(struct terminal *terminal, uint64_t badge, uint32_t ticket, const char *prompt)
{
    struct terminal_reader *reader;

    for (unsigned i = 0; i < terminal->reader_count; i++) {
        if (terminal->readers[i].badge == badge) {
            terminal->deliver(terminal->readers[i].ticket, true, "", (struct position){0});
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
static size_t take_output(struct terminal *terminal, char *bytes, size_t size,
                          struct position *sent)
{
    size_t room = size - 1 < sizeof terminal->sending ? size - 1 : sizeof terminal->sending;
    size_t count = output_next(&terminal->output, bytes, room, sent);

    memcpy(terminal->sending, bytes, count);
    terminal->sending_length = count;
    if (count > 0 && bytes[count - 1] == '\n') { /* a line's end comes last (output_next) */
        bytes[count - 1] = '\r';
        bytes[count++] = '\n';
    }
    return count;
}

size_t terminal_next(struct terminal *terminal, char *bytes, size_t size, struct position *sent)
{
    bool pending = output_pending(&terminal->output);

    *sent = (struct position){0};
    terminal->sending_length = 0;
    if (terminal->echo_length == 0 && pending && terminal->line.shown)
        line_hide(&terminal->line);
    if (terminal->echo_length == 0 && !pending && terminal->reader_count > 0 &&
        !terminal->line.shown) {
        if (terminal->mid_line)
            echo(terminal, "\r\n", 2);
        terminal->mid_line = false;
        line_show(&terminal->line);
    }
    note_shown(terminal);
    if (terminal->echo_length == 0)
        return take_output(terminal, bytes, size, sent);
    size_t count = take_echo(terminal, bytes, size);
    use_typed(terminal); /* keys that had to wait for room */
    return count;
}

void terminal_sent(struct terminal *terminal)
{
    if (terminal->sending_length == 0)
        return;
    output_sent(&terminal->output, terminal->sending, terminal->sending_length);
    terminal->mid_line = terminal->sending[terminal->sending_length - 1] != '\n';
}

bool terminal_is_busy(const struct terminal *terminal)
{
    return terminal->echo_length > 0 || output_pending(&terminal->output) ||
           output_is_flushing(&terminal->output);
}
