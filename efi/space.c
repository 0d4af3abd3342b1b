/* SPDX-License-Identifier: MIT */
#include "space.h"

#define PAGE_SIZE        4096ull
#define MEMORY_PER_TABLE (PAGE_SIZE * TABLE_ENTRIES)

_Static_assert(LIMEN_BOOT_STACK_SIZE % PAGE_SIZE == 0, "the boot stack is whole pages");
_Static_assert(LIMEN_PHYSMAP_BASE + LIMEN_PHYSMAP_MAX <= LIMEN_STACKS_BASE,
               "the physical map ends before the stacks begin");
_Static_assert(LIMEN_STACKS_BASE + LIMEN_PHYSMAP_MAX <= LIMEN_BOOT_STACK_BASE,
               "the stacks of all memory end before the boot stack begins");

uint64_t space_stacks_pages(const struct memory_view *memory)
{
    return (memory_top(memory) + MEMORY_PER_TABLE - 1) / MEMORY_PER_TABLE;
}

static enum tables_result map_kernel(struct tables *tables, const struct space_plan *plan)
{
    for (uint32_t i = 0; i < plan->segment_count; i++) {
        const struct limen_boot_segment *segment = &plan->segments[i];
        uint64_t flags = ENTRY_GLOBAL;
        if ((segment->rights & LIMEN_SEGMENT_WRITE) != 0)
            flags |= ENTRY_WRITABLE;
        if ((segment->rights & LIMEN_SEGMENT_EXECUTE) == 0)
            flags |= ENTRY_NO_EXECUTE;
        const enum tables_result result = tables_map(tables, segment->address, segment->physical,
                                                     segment->pages, flags, LEVEL_4K);
        if (result != TABLES_OK)
            return result;
    }
    return TABLES_OK;
}

static bool mapped_alike(const struct memory_stretch *a, const struct memory_stretch *b)
{
    return (a->kind == 0) == (b->kind == 0) && a->cached == b->cached && a->writable == b->writable;
}

/* No page spans memory of two sorts: a large page over both cached and uncached memory is slow at
 * best (Intel SDM volume 3, section 12.11.9), and read-only is exact to the page. */
static enum tables_result map_memory(struct tables *tables, const struct space_plan *plan)
{
    for (uint64_t at = 0; at < LIMEN_PHYSMAP_MAX;) {
        struct memory_stretch stretch = memory_at(plan->memory, at);
        while (stretch.end < LIMEN_PHYSMAP_MAX) {
            const struct memory_stretch next = memory_at(plan->memory, stretch.end);
            if (!mapped_alike(&stretch, &next))
                break;
            stretch.end = next.end;
        }
        if (stretch.kind != 0) {
            const uint64_t flags = ENTRY_GLOBAL | ENTRY_NO_EXECUTE |
                                   (stretch.writable ? ENTRY_WRITABLE : 0) |
                                   (stretch.cached ? 0 : ENTRY_UNCACHED);
            const enum tables_result result =
                tables_map(tables, LIMEN_PHYSMAP_BASE + at, at, (stretch.end - at) / PAGE_SIZE,
                           flags, plan->largest_page);
            if (result != TABLES_OK)
                return result;
        }
        at = stretch.end;
    }
    return TABLES_OK;
}

enum tables_result space_build(struct tables *tables, const struct space_plan *plan)
{
    enum tables_result result = map_kernel(tables, plan);
    if (result == TABLES_OK)
        result = map_memory(tables, plan);
    if (result == TABLES_OK)
        result = tables_attach(tables, LIMEN_STACKS_BASE, plan->stacks_tables, plan->stacks_pages);
    if (result == TABLES_OK) /* above its guard page; the page after it stays unmapped as well */
        result = tables_map(tables, LIMEN_BOOT_STACK_BASE + PAGE_SIZE, plan->boot_stack,
                            LIMEN_BOOT_STACK_SIZE / PAGE_SIZE, ENTRY_WRITABLE | ENTRY_NO_EXECUTE,
                            LEVEL_4K);
    if (result == TABLES_OK)
        result = tables_map(tables, plan->jump_page, plan->jump_page, 1, 0, LEVEL_4K);
    return result;
}
