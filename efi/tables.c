/* SPDX-License-Identifier: MIT */
#include "tables.h"

#define PAGE_SHIFT  12u
#define INDEX_SHIFT 9u

static uint64_t level_size(enum tables_level level)
{
    return 1ull << (PAGE_SHIFT + INDEX_SHIFT * ((unsigned)level - 1));
}

unsigned tables_index(uint64_t address, enum tables_level level)
{
    return (unsigned)(address / level_size(level) % TABLE_ENTRIES);
}

/* The entry of `address` at `level`, with the tables on the way to it. */
static enum tables_result find_entry(struct tables *tables, uint64_t address,
                                     enum tables_level level, uint64_t **entry)
{
    uint64_t *table = tables->top;
    for (unsigned above = LEVEL_TOP; above > (unsigned)level; above--) {
        uint64_t *link = &table[tables_index(address, (enum tables_level)above)];
        if (*link == 0) {
            void *page = tables->take(tables->context);
            if (page == NULL)
                return TABLES_NO_MEMORY;
            *link = (uintptr_t)page | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED;
        } else if (above < LEVEL_TOP && (*link & ENTRY_LARGE) != 0) {
            return TABLES_OCCUPIED;
        }
        table = (uint64_t *)(uintptr_t)(*link & ENTRY_ADDRESS);
    }
    *entry = &table[tables_index(address, level)];
    return **entry == 0 ? TABLES_OK : TABLES_OCCUPIED;
}

static enum tables_level largest_fit(uint64_t address, uint64_t physical, uint64_t bytes,
                                     enum tables_level largest)
{
    enum tables_level level = largest;
    while (level > LEVEL_4K &&
           ((address | physical) % level_size(level) != 0 || bytes < level_size(level)))
        level = (enum tables_level)(level - 1);
    return level;
}

enum tables_result tables_map(struct tables *tables, uint64_t address, uint64_t physical,
                              uint64_t pages, uint64_t flags, enum tables_level largest)
{
    /* Accessed and dirty are set in advance so that the processor need not write them. */
    flags |= ENTRY_PRESENT | ENTRY_ACCESSED;
    if ((flags & ENTRY_WRITABLE) != 0)
        flags |= ENTRY_DIRTY;
    for (uint64_t left = pages << PAGE_SHIFT; left != 0;) {
        const enum tables_level level = largest_fit(address, physical, left, largest);
        uint64_t *entry;
        const enum tables_result result = find_entry(tables, address, level, &entry);
        if (result != TABLES_OK)
            return result;
        *entry = physical | flags | (level > LEVEL_4K ? ENTRY_LARGE : 0);
        address += level_size(level);
        physical += level_size(level);
        left -= level_size(level);
    }
    return TABLES_OK;
}

enum tables_result tables_attach(struct tables *tables, uint64_t address, void *last,
                                 uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t *entry;
        const enum tables_result result =
            find_entry(tables, address + i * level_size(LEVEL_2M), LEVEL_2M, &entry);
        if (result != TABLES_OK)
            return result;
        *entry =
            ((uintptr_t)last + (i << PAGE_SHIFT)) | ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED;
    }
    return TABLES_OK;
}
