/* SPDX-License-Identifier: MIT */
#include "fw_cfg.h"
#include <string.h>

/* All numbers are big-endian. */
struct directory_entry {
    uint8_t size[4];
    uint8_t selector[2];
    uint8_t reserved[2];
    char name[56]; /* ends with a zero byte */
};
_Static_assert(sizeof(struct directory_entry) == 64, "fw_cfg directory entries have 64 bytes");

static uint32_t big_endian(const uint8_t *bytes, size_t count)
{
    uint32_t value = 0;
    for (size_t i = 0; i < count; i++)
        value = value << 8 | bytes[i];
    return value;
}

bool fw_cfg_find(const void *directory, size_t size, const char *name, struct fw_cfg_file *file)
{
    uint8_t count_bytes[4];
    struct directory_entry entry;
    if (size < sizeof count_bytes)
        return false;
    memcpy(count_bytes, directory, sizeof count_bytes);
    const size_t room = (size - sizeof count_bytes) / sizeof entry;
    const uint32_t stated = big_endian(count_bytes, sizeof count_bytes);
    const size_t count = stated < room ? stated : room;
    for (size_t i = 0; i < count; i++) {
        memcpy(&entry, (const uint8_t *)directory + sizeof count_bytes + i * sizeof entry,
               sizeof entry);
        if (memchr(entry.name, '\0', sizeof entry.name) == NULL || strcmp(entry.name, name) != 0)
            continue;
        file->selector = (uint16_t)big_endian(entry.selector, sizeof entry.selector);
        file->size = big_endian(entry.size, sizeof entry.size);
        return true;
    }
    return false;
}
