/* SPDX-License-Identifier: MIT */
/*
 * Editing one line, with a history.  Pure: keys come in as bytes, what the terminal must show goes
 * out through `emit`.
 *
 * The line is taken to fit the terminal's width.  A UTF-8 character moves and goes as one, and
 * counts as one column.
 */
#ifndef CONSOLE_LINE_H
#define CONSOLE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LINE_MAX     255u
#define PROMPT_MAX   63u
#define HISTORY_SIZE 16u

enum line_event {
    LINE_EDITING,
    LINE_DONE,      /* Enter: the line stands in text */
    LINE_ABANDONED, /* Ctrl-C */
};

/* Lies where it outlives the server. */
struct line_history {
    uint64_t count; /* of lines remembered, since ever; the last HISTORY_SIZE are there */
    char entries[HISTORY_SIZE][LINE_MAX + 1];
};

struct line {
    void (*emit)(void *context, const char *bytes, size_t count);
    void *context;
    char prompt[PROMPT_MAX + 1];
    char text[LINE_MAX + 1];
    size_t length;
    size_t cursor;
    bool shown;             /* prompt and text stand on the terminal's last line */
    bool after_return;      /* the last key was CR: a LF that follows belongs to it */
    unsigned escape;        /* how far into an escape sequence: 0 not, 1 after ESC, 2 in it */
    unsigned parameter;     /* of that sequence */
    unsigned back;          /* how many entries back the text comes from; 0: it is the user's own */
    char own[LINE_MAX + 1]; /* the user's own text, while the history is looked through */
    struct line_history *history;
};

/* Starts an empty line.  Nothing is shown before line_show(). */
void line_begin(struct line *line, const char *prompt);

enum line_event line_key(struct line *line, unsigned char key);

/* Takes prompt and text off the terminal, for other output, and draws them again. */
void line_hide(struct line *line);
void line_show(struct line *line);

#endif
