/* SPDX-License-Identifier: MIT */
/* The kernel's address space as include/limen/boot.h promises it. */
#ifndef EFI_SPACE_H
#define EFI_SPACE_H

#include "memory.h"
#include "tables.h"

struct space_plan {
    const struct memory_view *memory;
    const struct limen_boot_segment *segments; /* of the kernel */
    uint32_t segment_count;
    uint64_t boot_stack; /* physical, LIMEN_BOOT_STACK_SIZE bytes */
    void *stacks_tables; /* space_stacks_pages() cleared pages in a row */
    uint64_t stacks_pages;
    uint64_t jump_page; /* physical, mapped at the same address */
    enum tables_level largest_page;
};

/* Page tables under LIMEN_STACKS_BASE: one for each 2 MiB up to the top of memory. */
uint64_t space_stacks_pages(const struct memory_view *memory);

enum tables_result space_build(struct tables *tables, const struct space_plan *plan);

#endif
