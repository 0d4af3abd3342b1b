/* SPDX-License-Identifier: MIT */
/* Line editing. */
#include "line.h"

#include <runtime/state.h>
#include <stdio.h>
#include <string.h>

#define CONTROL(letter) ((letter)&0x1f)
#define ESCAPE          0x1b
#define DELETE          0x7f

static void emit(struct line *line, const char *bytes, size_t count)
{
    if (line->shown && count > 0)
        line->emit(line->context, bytes, count);
}

static void emit_text(struct line *line, const char *text)
{
    emit(line, text, strlen(text));
}

/* -- UTF-8 -- */

static bool continues(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

static size_t before(const struct line *line, size_t at)
{
    while (at > 0 && continues(line->text[--at]))
        ;
    return at;
}

static size_t after(const struct line *line, size_t at)
{
    if (at < line->length)
        at++;
    while (at < line->length && continues(line->text[at]))
        at++;
    return at;
}

static unsigned columns(const struct line *line, size_t from, size_t to)
{
    unsigned count = 0;

    for (; from < to; from++)
        count += !continues(line->text[from]);
    return count;
}

/* -- drawing -- */

static void move_left(struct line *line, unsigned count)
{
    char sequence[16];

    if (count > 0) {
        snprintf(sequence, sizeof sequence, "\x1b[%uD", count);
        emit_text(line, sequence);
    }
}

/* Draws from the cursor on, clears what is behind, and returns to the cursor. */
static void draw_rest(struct line *line)
{
    emit(line, line->text + line->cursor, line->length - line->cursor);
    emit_text(line, "\x1b[K");
    move_left(line, columns(line, line->cursor, line->length));
}

static void go_to(struct line *line, size_t cursor)
{
    if (cursor < line->cursor)
        move_left(line, columns(line, cursor, line->cursor));
    else
        emit(line, line->text + line->cursor, cursor - line->cursor);
    line->cursor = cursor;
}

void line_hide(struct line *line)
{
    emit_text(line, "\r\x1b[K");
    line->shown = false;
}

void line_show(struct line *line)
{
    line->shown = true;
    emit_text(line, "\r");
    emit_text(line, line->prompt);
    emit(line, line->text, line->cursor);
    draw_rest(line);
}

/* -- editing -- */

static void erase(struct line *line, size_t from, size_t to)
{
    go_to(line, from);
    memmove(line->text + from, line->text + to, line->length - to);
    line->length -= to - from;
    draw_rest(line);
}

static void insert(struct line *line, char byte)
{
    if (line->length == LINE_MAX)
        return;
    memmove(line->text + line->cursor + 1, line->text + line->cursor, line->length - line->cursor);
    line->text[line->cursor++] = byte;
    line->length++;
    emit(line, &byte, 1);
    if (line->cursor < line->length)
        draw_rest(line);
}

static void replace(struct line *line, const char *text)
{
    go_to(line, 0);
    line->length = strlen(text);
    memcpy(line->text, text, line->length);
    draw_rest(line);
    go_to(line, line->length);
}

static size_t word_start(const struct line *line)
{
    size_t at = line->cursor;

    while (at > 0 && line->text[at - 1] == ' ')
        at--;
    while (at > 0 && line->text[at - 1] != ' ')
        at--;
    return at;
}

/* -- history -- */

static const char *entry(const struct line *line, unsigned back)
{
    return line->history->entries[(line->history->count - back) % HISTORY_SIZE];
}

static void look_back(struct line *line, unsigned back)
{
    if (back > HISTORY_SIZE || back > line->history->count || back == line->back)
        return;
    if (line->back == 0) {
        memcpy(line->own, line->text, line->length);
        line->own[line->length] = '\0';
    }
    line->back = back;
    replace(line, back == 0 ? line->own : entry(line, back));
}

static void remember(struct line *line)
{
    struct line_history *history = line->history;

    if (line->length == 0 || (history->count > 0 && strcmp(entry(line, 1), line->text) == 0))
        return;
    memcpy(history->entries[history->count % HISTORY_SIZE], line->text, line->length + 1);
    limen_commit(&history->count, history->count + 1);
}

/* -- keys -- */

static void finish_sequence(struct line *line, unsigned char key)
{
    switch (key) {
    case 'A':
        look_back(line, line->back + 1);
        break;
    case 'B':
        if (line->back > 0)
            look_back(line, line->back - 1);
        break;
    case 'C':
        go_to(line, after(line, line->cursor));
        break;
    case 'D':
        go_to(line, before(line, line->cursor));
        break;
    case 'H':
        go_to(line, 0);
        break;
    case 'F':
        go_to(line, line->length);
        break;
    case '~':
        if (line->parameter == 1 || line->parameter == 7)
            go_to(line, 0);
        else if (line->parameter == 4 || line->parameter == 8)
            go_to(line, line->length);
        else if (line->parameter == 3)
            erase(line, line->cursor, after(line, line->cursor));
        break;
    default: /* a key this editor gives no meaning */
        break;
    }
}

/* ESC [ or ESC O, parameters, and a final byte from @ on (ECMA-48, 5.4). */
static void escape_key(struct line *line, unsigned char key)
{
    if (line->escape == 1) {
        line->escape = key == '[' || key == 'O' ? 2 : 0;
        line->parameter = 0;
    } else if (key >= '0' && key <= '9') {
        line->parameter = (line->parameter * 10 + key - '0') % 1000;
    } else if (key >= '@') {
        line->escape = 0;
        finish_sequence(line, key);
    } else if (key < ' ') {
        line->escape = 0;
    }
}

static void edit_key(struct line *line, unsigned char key)
{
    switch (key) {
    case CONTROL('A'):
        go_to(line, 0);
        break;
    case CONTROL('B'):
        go_to(line, before(line, line->cursor));
        break;
    case CONTROL('D'):
        erase(line, line->cursor, after(line, line->cursor));
        break;
    case CONTROL('E'):
        go_to(line, line->length);
        break;
    case CONTROL('F'):
        go_to(line, after(line, line->cursor));
        break;
    case CONTROL('H'):
    case DELETE:
        erase(line, before(line, line->cursor), line->cursor);
        break;
    case CONTROL('K'):
        erase(line, line->cursor, line->length);
        break;
    case CONTROL('L'):
        emit_text(line, "\x1b[H\x1b[2J");
        if (line->shown)
            line_show(line);
        break;
    case CONTROL('N'):
        if (line->back > 0)
            look_back(line, line->back - 1);
        break;
    case CONTROL('P'):
        look_back(line, line->back + 1);
        break;
    case CONTROL('U'):
        erase(line, 0, line->cursor);
        break;
    case CONTROL('W'):
        erase(line, word_start(line), line->cursor);
        break;
    default:
        if (key >= ' ')
            insert(line, (char)key);
        break;
    }
}

/* Leaves the line on the terminal as it is and goes to the next. */
static enum line_event end(struct line *line, const char *mark, enum line_event event)
{
    if (!line->shown)
        line_show(line);
    go_to(line, line->length);
    emit_text(line, mark);
    line->text[line->length] = '\0';
    line->shown = false;
    return event;
}

enum line_event line_key(struct line *line, unsigned char key)
{
    bool after_return = line->after_return;

    line->after_return = key == '\r';
    if (key == ESCAPE) { /* also in the middle of a sequence, which it abandons */
        line->escape = 1;
        return LINE_EDITING;
    }
    if (line->escape != 0) {
        escape_key(line, key);
        if (key >= ' ')
            return LINE_EDITING;
    }
    if (key == '\n' && after_return)
        return LINE_EDITING;
    if (key == '\r' || key == '\n') {
        enum line_event event = end(line, "\r\n", LINE_DONE);
        remember(line);
        return event;
    }
    if (key == CONTROL('C'))
        return end(line, "^C\r\n", LINE_ABANDONED);
    edit_key(line, key);
    return LINE_EDITING;
}

void line_begin(struct line *line, const char *prompt)
{
    size_t length = strnlen(prompt, PROMPT_MAX);

    memcpy(line->prompt, prompt, length);
    line->prompt[length] = '\0';
    line->length = 0;
    line->cursor = 0;
    line->back = 0;
    line->escape = 0;
    line->shown = false;
}
