/* SPDX-License-Identifier: MIT */
/*
 * The "newc" format of cpio(5): each entry is a header of ASCII hexadecimal numbers, a name and the
 * file's bytes, header with name and bytes each padded to four; the entry TRAILER!!! ends it.
 */
#include "cpio.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FIELD_DIGITS 8u
#define ALIGNMENT    4u
#define TRAILER      "TRAILER!!!"

struct header {
    char magic[6];
    char inode[FIELD_DIGITS];
    char mode[FIELD_DIGITS];
    char uid[FIELD_DIGITS];
    char gid[FIELD_DIGITS];
    char links[FIELD_DIGITS];
    char time[FIELD_DIGITS];
    char file_size[FIELD_DIGITS];
    char device_major[FIELD_DIGITS];
    char device_minor[FIELD_DIGITS];
    char node_major[FIELD_DIGITS];
    char node_minor[FIELD_DIGITS];
    char name_size[FIELD_DIGITS]; /* with the zero byte that ends the name */
    char checksum[FIELD_DIGITS];
};
_Static_assert(sizeof(struct header) == 110, "newc headers have 110 bytes");

#define MODE_TYPE      0170000u
#define MODE_DIRECTORY 0040000u
#define MODE_REGULAR   0100000u

static bool parse_field(const char digits[FIELD_DIGITS], uint32_t *value)
{
    uint32_t sum = 0;
    for (unsigned i = 0; i < FIELD_DIGITS; i++) {
        const char c = digits[i];
        uint32_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint32_t)(c - '0');
        else if (c >= 'a' && c <= 'f')
            digit = (uint32_t)(c - 'a') + 10;
        else if (c >= 'A' && c <= 'F')
            digit = (uint32_t)(c - 'A') + 10;
        else
            return false;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return true;
}

/* A name is relative and stays inside the archive, so that no reader has to clean it. */
static bool name_is_plain(const char *name)
{
    if (name[0] == '\0' || name[0] == '/')
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (part[0] == '.' && part[1] == '.' && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

static size_t padded(size_t offset)
{
    return (offset + ALIGNMENT - 1) & ~(size_t)(ALIGNMENT - 1);
}

struct defect cpio_check(const void *archive, size_t size)
{
    const char *bytes = archive;
    size_t at = 0;
#define WRONG(field, text)                                                                         \
    ((struct defect){.what = (text), .offset = at + offsetof(struct header, field)})
    for (;;) {
        struct header header;
        if (at > size || size - at < sizeof header)
            return WRONG(magic, "is cut short: it ends without the entry " TRAILER);
        memcpy(&header, bytes + at, sizeof header);
        if (memcmp(header.magic, "070701", sizeof header.magic) != 0)
            return WRONG(magic, "is corrupt: no newc entry starts where one should");
        uint32_t mode, file_size, name_size;
        if (!parse_field(header.mode, &mode))
            return WRONG(mode, "is corrupt: the mode of an entry is not hexadecimal");
        if (!parse_field(header.file_size, &file_size))
            return WRONG(file_size, "is corrupt: the size of a file is not hexadecimal");
        if (!parse_field(header.name_size, &name_size))
            return WRONG(name_size, "is corrupt: the length of a name is not hexadecimal");

        const size_t name_at = at + sizeof header;
        if (name_size > size - name_at)
            return WRONG(name_size, "is cut short: the name of an entry lies past its end");
        const char *name = bytes + name_at;
        if (name_size == 0 || memchr(name, '\0', name_size) != name + name_size - 1)
            return WRONG(name_size, "is corrupt: a name does not end where its length says");
        const size_t data_at = padded(name_at + name_size);
        if (strcmp(name, TRAILER) == 0) {
            if (file_size != 0)
                return WRONG(file_size, "is corrupt: the entry that ends it has contents");
            at = data_at;
            break;
        }
        if (!name_is_plain(name))
            return WRONG(name_size, "has an entry whose name leads out of the archive");
        if ((mode & MODE_TYPE) != MODE_REGULAR && (mode & MODE_TYPE) != MODE_DIRECTORY)
            return WRONG(mode, "has an entry that is neither a file nor a directory");
        if (data_at > size || file_size > size - data_at)
            return WRONG(file_size, "is cut short: the contents of a file lie past its end");
        at = padded(data_at + file_size);
    }
#undef WRONG
    /* cpio fills the last block of 512 bytes with zeros; anything else was not meant to be here. */
    for (; at < size; at++) {
        if (bytes[at] != 0)
            return (struct defect){.what = "has bytes after the entry that ends it", .offset = at};
    }
    return NO_DEFECT;
}
