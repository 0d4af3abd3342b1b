/* SPDX-License-Identifier: MIT */
#include "boot_memory.h"

/* The kind of what is kept from ring 3: no kind the loader knows. */
#define KEPT 0u

/* The loader's map, copied; read and written only until init runs. */
static struct {
    uint64_t memory; /* pages of ordinary memory, taken ones included */
    uint32_t count;
    struct limen_memory_range ranges[LIMEN_BOOT_RANGES_MAX];
} map;

void boot_memory_init(const struct limen_boot *boot)
{
    if (boot->magic != LIMEN_BOOT_MAGIC)
        panic("the boot information's magic number is %lx: not started by Limen's loader",
              boot->magic);
    if (boot->version != LIMEN_BOOT_VERSION || boot->size != sizeof(*boot))
        panic("the loader speaks version %u (%u bytes) of the boot information, this kernel %u "
              "(%zu bytes): install both from one build",
              boot->version, boot->size, LIMEN_BOOT_VERSION, sizeof(*boot));
    if (boot->range_count > LIMEN_BOOT_RANGES_MAX || boot->segment_count > LIMEN_BOOT_SEGMENTS_MAX)
        panic("the boot information has %u memory ranges and %u segments", boot->range_count,
              boot->segment_count);
    uint64_t end = 0;
    map.memory = 0;
    for (uint32_t i = 0; i < boot->range_count; i++) {
        const struct limen_memory_range *range = &boot->ranges[i];
        if (range->start % LIMEN_PAGE_SIZE || range->start < end || !range->pages ||
            range->pages > (UINT64_MAX - range->start) / LIMEN_PAGE_SIZE)
            panic("range %u of the memory map, at %lx, is out of order", i, range->start);
        end = range->start + range->pages * LIMEN_PAGE_SIZE;
        map.ranges[i] = *range;
        map.memory += range->kind == LIMEN_MEMORY_DEVICE ? 0 : range->pages;
    }
    map.count = boot->range_count;
}

/* First fit from the bottom, but from the end of the range, where alignment wastes least. */
void *boot_memory_take(size_t pages, unsigned order)
{
    uint64_t mask = ~((1ull << order) - 1);

    for (uint32_t i = 0; i < map.count; i++) {
        struct limen_memory_range *range = &map.ranges[i];
        if (range->kind != LIMEN_MEMORY_FREE || range->pages < pages)
            continue;
        uint64_t start = (range->start + (range->pages - pages) * LIMEN_PAGE_SIZE) & mask;
        if (start < range->start)
            continue;
        range->pages = (start - range->start) / LIMEN_PAGE_SIZE;
        void *memory = phys_to_virt(start);
        memset(memory, 0, pages * LIMEN_PAGE_SIZE);
        return memory;
    }
    panic("no %zu pages of free memory left to start with", pages);
}

void *kernel_boot_alloc(size_t pages)
{
    return boot_memory_take(pages, LIMEN_PAGE_ORDER);
}

/* Splits `range` so that a new range begins at `start`, which lies inside it. */
static void split(uint32_t index, uint64_t start)
{
    struct limen_memory_range *range = &map.ranges[index];

    if (map.count == LIMEN_BOOT_RANGES_MAX)
        panic("the memory map has more than %u ranges", LIMEN_BOOT_RANGES_MAX);
    memmove(range + 1, range, (map.count - index) * sizeof(*range));
    map.count++;
    range[0].pages = (start - range->start) / LIMEN_PAGE_SIZE;
    range[1].pages -= range[0].pages;
    range[1].start = start;
}

void kernel_boot_keep(uint64_t physical, size_t size)
{
    uint64_t start = physical & ~(LIMEN_PAGE_SIZE - 1);
    uint64_t end = (physical + size + LIMEN_PAGE_SIZE - 1) & ~(LIMEN_PAGE_SIZE - 1);

    for (uint32_t i = 0; i < map.count; i++) {
        uint64_t range_start = map.ranges[i].start;
        uint64_t range_end = range_start + map.ranges[i].pages * LIMEN_PAGE_SIZE;
        if (range_end <= start || end <= range_start)
            continue;
        if (range_start < start)
            split(i, start); /* the part that is kept is the next one looked at */
        else if (end < range_end)
            split(i, end);
        if (range_start >= start)
            map.ranges[i].kind = KEPT;
    }
}

unsigned boot_block_order(uint64_t start, uint64_t end)
{
    unsigned by_size = 63 - (unsigned)__builtin_clzll(end - start);
    unsigned by_place = start ? (unsigned)__builtin_ctzll(start) : by_size;
    unsigned order = by_size < by_place ? by_size : by_place;
    return order < LIMEN_UNTYPED_ORDER_MAX ? order : LIMEN_UNTYPED_ORDER_MAX;
}

void boot_memory_give(enum limen_memory_kind kind,
                      void (*give)(void *context, uint64_t start, unsigned order), void *context)
{
    for (uint32_t i = 0; i < map.count; i++) {
        const struct limen_memory_range *range = &map.ranges[i];
        if (range->kind != kind)
            continue;
        uint64_t start = range->start;
        uint64_t end = start + range->pages * LIMEN_PAGE_SIZE;
        while (start < end) {
            unsigned order = boot_block_order(start, end);
            give(context, start, order);
            start += 1ull << order;
        }
    }
}

uint64_t boot_memory_total(void)
{
    return map.memory * LIMEN_PAGE_SIZE;
}
