/* SPDX-License-Identifier: MIT */
/* The input is a firmware's memory map and a list of reservations.  The ranges made of them are
 * sorted, apart, and say of each page what the map says; the tables map what the ranges list. */
#include "../../efi/space.h"
#include "fuzz.h"
#include <efi.h>

#define PAGE 4096ull

enum { DESCRIPTORS_MAX = 12, RESERVATIONS_MAX = 6, POOL_PAGES = 4096, PROBES = 64 };

struct input {
    const uint8_t *data;
    size_t size;
};

static uint64_t draw(struct input *input)
{
    if (input->size == 0)
        return 0;
    input->size--;
    return *input->data++;
}

/* Mostly small numbers of pages near the places where something changes. */
static uint64_t draw_address(struct input *input)
{
    static const uint64_t bases[] = {0, 1ull << 20, 1ull << 30, 4ull << 30, 8ull << 30};
    const uint64_t base = bases[draw(input) % 5];
    return base + draw(input) * (draw(input) % 2 == 0 ? PAGE : 512 * PAGE);
}

static EFI_MEMORY_DESCRIPTOR map[DESCRIPTORS_MAX];
static struct reservation reservations[RESERVATIONS_MAX];
static struct limen_memory_range ranges[LIMEN_BOOT_RANGES_MAX];
static _Alignas(4096) char pages[POOL_PAGES * PAGE];
static size_t pages_used;

static void *take(void *context)
{
    (void)context;
    return pages_used == POOL_PAGES ? NULL : pages + PAGE * pages_used++;
}

static bool holds(uint64_t start, uint64_t count, uint64_t address)
{
    return address >= start && address < start + count * PAGE;
}

/* The kind of one page, without any of the stretches. */
static uint32_t kind_of(const struct memory_view *view, uint64_t address)
{
    uint32_t kind = 0;
    if (address < PAGE)
        return 0;
    for (size_t i = 0; i < view->map_size / sizeof *map; i++) {
        const EFI_MEMORY_DESCRIPTOR *d = &map[i];
        if (!holds(d->PhysicalStart, d->NumberOfPages, address))
            continue;
        const bool is_free = d->Attribute == EFI_MEMORY_WB && d->Type >= EfiLoaderCode &&
                             d->Type <= EfiConventionalMemory &&
                             d->Type != EfiRuntimeServicesCode && d->Type != EfiRuntimeServicesData;
        if (!is_free)
            kind = LIMEN_MEMORY_DEVICE;
        else if (kind == 0)
            kind = LIMEN_MEMORY_FREE;
    }
    if (kind == 0 && address < 4ull << 30)
        kind = LIMEN_MEMORY_DEVICE;
    for (size_t i = 0; i < view->reservation_count; i++) {
        if (holds(reservations[i].start, reservations[i].pages, address))
            kind = (uint32_t)reservations[i].kind;
    }
    return kind;
}

static uint64_t entry_of(const struct tables *tables, uint64_t address)
{
    const uint64_t *table = tables->top;
    for (unsigned level = LEVEL_TOP;; level--) {
        const uint64_t entry = table[tables_index(address, (enum tables_level)level)];
        if (entry == 0 || level == LEVEL_4K || (level < LEVEL_TOP && (entry & ENTRY_LARGE) != 0))
            return entry;
        table = (const uint64_t *)(uintptr_t)(entry & ENTRY_ADDRESS);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, size};
    struct memory_view view = {
        .map = map, .descriptor_size = sizeof *map, .reservations = reservations};
    const uint64_t descriptors = draw(&input) % (DESCRIPTORS_MAX + 1);
    for (uint64_t i = 0; i < descriptors; i++) {
        map[i] = (EFI_MEMORY_DESCRIPTOR){
            .Type = (UINT32)(draw(&input) % 16),
            .PhysicalStart = draw_address(&input),
            .NumberOfPages = draw(&input) << draw(&input) % 12,
            .Attribute = draw(&input) % 8 == 0 ? EFI_MEMORY_UC : EFI_MEMORY_WB,
        };
    }
    view.map_size = descriptors * sizeof *map;
    view.reservation_count = draw(&input) % (RESERVATIONS_MAX + 1);
    for (size_t i = 0; i < view.reservation_count; i++) {
        reservations[i] = (struct reservation){
            .start = draw_address(&input),
            .pages = draw(&input),
            .kind = (enum limen_memory_kind)(LIMEN_MEMORY_FREE + draw(&input) % 4),
            .read_only = draw(&input) % 2 == 0,
        };
    }
    require(memory_check(&view) == NULL);

    uint32_t count;
    require(memory_ranges(&view, ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        require(ranges[i].pages != 0 && ranges[i].start % PAGE == 0);
        const uint64_t end = ranges[i].start + ranges[i].pages * PAGE;
        if (i + 1 < count)
            require(end < ranges[i + 1].start ||
                    (end == ranges[i + 1].start && ranges[i].kind != ranges[i + 1].kind));
    }

    memset(pages, 0, pages_used * PAGE);
    pages_used = 0;
    struct tables tables = {.top = take(NULL), .take = take};
    const struct space_plan plan = {
        .memory = &view,
        .jump_page = 0x5000,
        .largest_page = draw(&input) % 2 == 0 ? LEVEL_1G : LEVEL_2M,
    };
    require(space_build(&tables, &plan) == TABLES_OK);
    for (unsigned i = 0; i < PROBES; i++) {
        const uint64_t address = draw_address(&input);
        const uint32_t kind = kind_of(&view, address);
        uint32_t listed = 0;
        for (uint32_t r = 0; r < count; r++) {
            if (holds(ranges[r].start, ranges[r].pages, address))
                listed = ranges[r].kind;
        }
        require(listed == kind);
        const uint64_t entry = entry_of(&tables, LIMEN_PHYSMAP_BASE + address);
        require((entry != 0) == (kind != 0));
        require(entry == 0 || (entry & ENTRY_NO_EXECUTE) != 0);
    }
    return 0;
}
