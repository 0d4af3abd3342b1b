/* SPDX-License-Identifier: MIT */
/*
 * Arguments in and out of a message's words: a word as it is, bytes and strings as a word with
 * their length and then their content, filled up to whole words.
 *
 * A reader never trusts: it knows how many words came, and the limit of each argument.
 */
#ifndef RUNTIME_MARSHAL_H
#define RUNTIME_MARSHAL_H

#include <limen/message.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct limen_writer {
    uint64_t *words;
    unsigned count;
};

static inline void limen_put_word(struct limen_writer *writer, uint64_t word)
{
    writer->words[writer->count++] = word;
}

static inline void limen_put_bytes(struct limen_writer *writer, const void *bytes, size_t size)
{
    unsigned words = (unsigned)((size + sizeof(uint64_t) - 1) / sizeof(uint64_t));

    limen_put_word(writer, size);
    if (words == 0)
        return;
    writer->words[writer->count + words - 1] = 0; /* no stale bytes behind the end */
    memcpy(&writer->words[writer->count], bytes, size);
    writer->count += words;
}

struct limen_reader {
    const uint64_t *words;
    unsigned count;
    unsigned next;
};

static inline bool limen_get_word(struct limen_reader *reader, uint64_t *word)
{
    if (reader->next >= reader->count)
        return false;
    *word = reader->words[reader->next++];
    return true;
}

static inline bool limen_get_bytes(struct limen_reader *reader, void *bytes, size_t limit,
                                   size_t *size)
{
    uint64_t length;

    if (!limen_get_word(reader, &length) || length > limit ||
        length > (reader->count - reader->next) * sizeof(uint64_t))
        return false;
    memcpy(bytes, &reader->words[reader->next], length);
    reader->next += (unsigned)((length + sizeof(uint64_t) - 1) / sizeof(uint64_t));
    *size = length;
    return true;
}

/* As limen_get_bytes, for room of limit + 1 bytes; ends the string. */
static inline bool limen_get_string(struct limen_reader *reader, char *string, size_t limit)
{
    size_t length;

    if (!limen_get_bytes(reader, string, limit, &length))
        return false;
    string[length] = '\0';
    return true;
}

#endif
