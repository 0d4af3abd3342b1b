/* SPDX-License-Identifier: MIT */
/* The newc format: a header of 110 hexadecimal digits, a name, its content; each padded to four. */
#include "cpio.h"

#include <stdint.h>
#include <string.h>

#define MAGIC        "070701"
#define MAGIC_LENGTH 6u
#define FIELD_DIGITS 8u
#define FIELDS       13u
#define HEADER_SIZE  (MAGIC_LENGTH + FIELDS * FIELD_DIGITS)
#define FIELD_SIZE   6u  /* which field holds the content's size */
#define FIELD_NAME   11u /* and the name's, with its zero byte */
#define TRAILER      "TRAILER!!!"

static bool read_field(const char *header, unsigned field, size_t *value)
{
    const char *digits = header + MAGIC_LENGTH + field * FIELD_DIGITS;

    *value = 0;
    for (unsigned i = 0; i < FIELD_DIGITS; i++) {
        char digit = digits[i];
        unsigned number;
        if (digit >= '0' && digit <= '9')
            number = (unsigned)(digit - '0');
        else if (digit >= 'A' && digit <= 'F')
            number = (unsigned)(digit - 'A' + 10);
        else if (digit >= 'a' && digit <= 'f')
            number = (unsigned)(digit - 'a' + 10);
        else
            return false;
        *value = *value * 16 + number;
    }
    return true;
}

static size_t padded(size_t offset)
{
    return (offset + 3) & ~(size_t)3;
}

bool cpio_find(const void *archive, size_t size, const char *name, struct cpio_file *file)
{
    const char *bytes = archive;
    size_t at = 0;

    while (at <= size && size - at >= HEADER_SIZE) {
        size_t content_size, name_size, content;

        if (memcmp(bytes + at, MAGIC, MAGIC_LENGTH) != 0 ||
            !read_field(bytes + at, FIELD_SIZE, &content_size) ||
            !read_field(bytes + at, FIELD_NAME, &name_size))
            return false;
        const char *entry = bytes + at + HEADER_SIZE;
        if (name_size == 0 || name_size > size - at - HEADER_SIZE || entry[name_size - 1] != '\0')
            return false;
        content = padded(at + HEADER_SIZE + name_size);
        if (content > size || content_size > size - content)
            return false;
        if (strcmp(entry, TRAILER) == 0)
            return false;
        if (strcmp(entry, name) == 0) {
            *file = (struct cpio_file){bytes + content, content_size};
            return true;
        }
        at = padded(content + content_size);
    }
    return false;
}
