/* SPDX-License-Identifier: MIT */
/*
 * One terminal shared by those who write and those who read a line.  Pure: main.c moves bytes
 * between this and the UART.
 *
 * While a line is edited and somebody writes, the line is taken off the screen and drawn again
 * below what was written.  One reader at a time has the keyboard; what is typed while nobody reads
 * is kept.
 *
 * Keys are kept until the line they make has been delivered.  The editor does not outlive the
 * server, but a new one to which the keys are given again holds the same line.
 */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H

#include "line.h"
#include "output.h"

#define TERMINAL_READERS 8u
#define TERMINAL_KEYS    512u
#define TERMINAL_ECHO    2048u
/* The most one key makes the line editor say: prompt and line, twice, and control sequences. */
#define TERMINAL_ECHO_ROOM 1024u

struct terminal_reader {
    uint64_t badge;
    uint32_t ticket;
    char prompt[PROMPT_MAX + 1];
};

/* What outlives the server. */
struct terminal_store {
    struct output_store output;
    struct line_history history;
    uint64_t shown;               /* a line stands on the screen, to be drawn again */
    uint64_t typed;               /* keys, since ever */
    uint64_t used;                /* of those, keys of lines that were delivered */
    uint64_t keys[TERMINAL_KEYS]; /* a ring; a word each, as the port's record stores it */
};

struct terminal {
    /* Gives a line to the reader that holds the ticket, together with a step, unless `where` is
     * NULL; false when the reader is gone. */
    bool (*deliver)(uint32_t ticket, bool abandoned, const char *text, struct position used);
    struct terminal_store *store;
    struct output output;
    struct line line;
    struct terminal_reader readers[TERMINAL_READERS]; /* the first has the keyboard */
    unsigned reader_count;
    uint64_t edited;          /* keys the editor has got */
    char echo[TERMINAL_ECHO]; /* of the line editor, a ring */
    size_t echo_start;
    size_t echo_length;
    char sending[OUTPUT_TURN]; /* clients' bytes that terminal_next() gave out */
    size_t sending_length;
    bool mid_line; /* the last byte written by a client did not end a line */
};

/* Takes up what the last life left.  False when that makes no sense; then it is forgotten. */
bool terminal_init(struct terminal *terminal, struct terminal_store *store,
                   bool (*deliver)(uint32_t ticket, bool abandoned, const char *text,
                                   struct position used));

/* Enqueues a reader; one of the same badge that waits already is replaced, since its thread must
 * be gone.  False when there are too many. */
bool terminal_read(struct terminal *terminal, uint64_t badge, uint32_t ticket, const char *prompt);

/* Where the next key goes, and the step that says it is there; NULL when there is no room.  Then
 * terminal_typed() is told of it. */
uint64_t *terminal_key(struct terminal *terminal, struct position *typed);
void terminal_typed(struct terminal *terminal);

/* The next bytes for the device, and the step that goes with them; `where` is NULL when none does.
 * Then terminal_sent() is told that they were sent. */
size_t terminal_next(struct terminal *terminal, char *bytes, size_t size, struct position *sent);
void terminal_sent(struct terminal *terminal);

/* Whether bytes wait to be shown, or somebody waits for all of them to have been. */
bool terminal_is_busy(const struct terminal *terminal);

#endif
