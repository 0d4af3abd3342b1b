/* SPDX-License-Identifier: MIT */
/* Builds 4-level page tables (Intel SDM volume 3, section 4.5) in memory reached as it is. */
#ifndef EFI_TABLES_H
#define EFI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum tables_level { LEVEL_4K = 1, LEVEL_2M, LEVEL_1G, LEVEL_TOP };

#define TABLE_ENTRIES    512u
#define ENTRY_PRESENT    (1ull << 0)
#define ENTRY_WRITABLE   (1ull << 1)
#define ENTRY_UNCACHED   (1ull << 3 | 1ull << 4) /* PWT and PCD: entry 3 of the PAT, UC */
#define ENTRY_ACCESSED   (1ull << 5)
#define ENTRY_DIRTY      (1ull << 6)
#define ENTRY_LARGE      (1ull << 7)
#define ENTRY_GLOBAL     (1ull << 8)
#define ENTRY_NO_EXECUTE (1ull << 63)
#define ENTRY_ADDRESS    0x000ffffffffff000ull

struct tables {
    uint64_t *top;
    void *(*take)(void *context); /* a cleared page for a table, or NULL */
    void *context;
};

enum tables_result {
    TABLES_OK,
    TABLES_NO_MEMORY, /* take() had none; what was mapped until then stays */
    TABLES_OCCUPIED,  /* something is mapped there already */
};

unsigned tables_index(uint64_t address, enum tables_level level);

/* Maps page-aligned addresses with the largest pages that fit, `largest` at most.  `flags` are
 * ENTRY_WRITABLE, _UNCACHED, _GLOBAL and _NO_EXECUTE. */
enum tables_result tables_map(struct tables *tables, uint64_t address, uint64_t physical,
                              uint64_t pages, uint64_t flags, enum tables_level largest);

/* Makes `last`, that many cleared pages in a row, the last level's tables from `address` on. */
enum tables_result tables_attach(struct tables *tables, uint64_t address, void *last,
                                 uint64_t count);

#endif
