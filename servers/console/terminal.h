/* SPDX-License-Identifier: MIT */
/*
 * One terminal shared by those who write and those who read a line.  Pure: main.c moves bytes
 * between this and the UART.
 *
 * While a line is edited and somebody writes, the line is taken off the screen and drawn again
 * below what was written.  One reader at a time has the keyboard; what is typed while nobody reads
 * is kept.
 */
#ifndef CONSOLE_TERMINAL_H
#define CONSOLE_TERMINAL_H

#include "line.h"
#include "output.h"

#define TERMINAL_READERS 8u
#define TERMINAL_TYPED   256u
#define TERMINAL_ECHO    2048u
/* The most one key makes the line editor say: prompt and line, twice, and control sequences. */
#define TERMINAL_ECHO_ROOM 1024u

struct terminal_reader {
    uint64_t badge;
    uint32_t ticket;
    char prompt[PROMPT_MAX + 1];
};

struct terminal {
    /* Gives a line to the reader that holds the ticket; false when the reader is gone. */
    bool (*deliver)(uint32_t ticket, bool abandoned, const char *text);
    struct output output;
    struct line line;
    struct terminal_reader readers[TERMINAL_READERS]; /* the first has the keyboard */
    unsigned reader_count;
    char typed[TERMINAL_TYPED]; /* keys nobody has read, a ring */
    size_t typed_start;
    size_t typed_length;
    char echo[TERMINAL_ECHO]; /* of the line editor, a ring */
    size_t echo_start;
    size_t echo_length;
    bool mid_line; /* the last byte written by a client did not end a line */
};

void terminal_init(struct terminal *terminal,
                   bool (*deliver)(uint32_t ticket, bool abandoned, const char *text));

/* Enqueues a reader; one of the same badge that waits already is replaced, since its thread must
 * be gone.  False when there are too many. */
bool terminal_read(struct terminal *terminal, uint64_t badge, uint32_t ticket, const char *prompt);

/* A key was typed. */
void terminal_type(struct terminal *terminal, unsigned char key);

/* The next bytes for the device. */
size_t terminal_next(struct terminal *terminal, char *bytes, size_t size);

/* Whether bytes wait to be shown, or somebody waits for all of them to have been. */
bool terminal_is_busy(const struct terminal *terminal);

#endif
