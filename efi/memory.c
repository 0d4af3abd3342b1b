/* SPDX-License-Identifier: MIT */
#include "memory.h"
#include <efi.h>

#define PAGE_SIZE      4096ull
#define FOUR_GIB       (4ull << 30)
#define PHYSICAL_PAGES (1ull << (52 - 12)) /* physical addresses have at most 52 bits */

static const EFI_MEMORY_DESCRIPTOR *descriptor(const struct memory_view *view, size_t offset)
{
    return (const EFI_MEMORY_DESCRIPTOR *)(const void *)((const char *)view->map + offset);
}

/* UEFI 2.10, section 7.2.3: firmware may use descriptors larger than the structure it documents. */
#define FOR_EACH_DESCRIPTOR(offset, view)                                                          \
    for (size_t offset = 0; offset < (view)->map_size; offset += (view)->descriptor_size)

const char *memory_check(const struct memory_view *view)
{
    if (view->descriptor_size < sizeof(EFI_MEMORY_DESCRIPTOR) ||
        view->descriptor_size % _Alignof(EFI_MEMORY_DESCRIPTOR) != 0 ||
        view->map_size % view->descriptor_size != 0)
        return "has descriptors of an impossible size";
    FOR_EACH_DESCRIPTOR(offset, view)
    {
        const EFI_MEMORY_DESCRIPTOR *d = descriptor(view, offset);
        if (d->PhysicalStart % PAGE_SIZE != 0)
            return "has a range that is not aligned to pages";
        if (d->PhysicalStart / PAGE_SIZE > PHYSICAL_PAGES ||
            d->NumberOfPages > PHYSICAL_PAGES - d->PhysicalStart / PAGE_SIZE)
            return "has a range beyond every physical address";
    }
    return NULL;
}

/* What the firmware gives back when it leaves (UEFI 2.10, table 7.10), if it can be cached. */
static bool is_free(const EFI_MEMORY_DESCRIPTOR *d)
{
    return (d->Attribute & EFI_MEMORY_WB) != 0 &&
           (d->Type == EfiConventionalMemory || d->Type == EfiLoaderCode ||
            d->Type == EfiLoaderData || d->Type == EfiBootServicesCode ||
            d->Type == EfiBootServicesData);
}

/* Memory the firmware keeps, yet memory: tables the kernel or a server will want to read. */
static bool is_kept_memory(const EFI_MEMORY_DESCRIPTOR *d)
{
    return (d->Attribute & EFI_MEMORY_WB) != 0 &&
           (d->Type == EfiACPIReclaimMemory || d->Type == EfiACPIMemoryNVS ||
            d->Type == EfiRuntimeServicesCode || d->Type == EfiRuntimeServicesData);
}

/* Whether pages from `first` on hold `at`; if they come later, the stretch must end before them. */
static bool covers(uint64_t first, uint64_t pages, uint64_t at, uint64_t *end)
{
    const uint64_t last = first + pages * PAGE_SIZE;
    if (at >= first && at < last) {
        if (last < *end)
            *end = last;
        return true;
    }
    if (pages != 0 && first > at && first < *end)
        *end = first;
    return false;
}

/* The stretch up to the next place where any descriptor or reservation starts or ends. */
static struct memory_stretch stretch_at(const struct memory_view *view, uint64_t at)
{
    struct memory_stretch stretch = {.end = LIMEN_PHYSMAP_MAX, .cached = true, .writable = true};

    /* Zero stands for "none" wherever a physical address is handed over, so page 0 is not used. */
    if (covers(0, 1, at, &stretch.end)) {
        stretch.cached = false;
        return stretch;
    }
    const bool low = covers(0, FOUR_GIB / PAGE_SIZE, at, &stretch.end);
    /* Firmware has been seen to list a range twice: the more careful reading wins. */
    FOR_EACH_DESCRIPTOR(offset, view)
    {
        const EFI_MEMORY_DESCRIPTOR *d = descriptor(view, offset);
        if (!covers(d->PhysicalStart, d->NumberOfPages, at, &stretch.end))
            continue;
        if (is_free(d)) {
            if (stretch.kind == 0)
                stretch.kind = LIMEN_MEMORY_FREE;
        } else {
            stretch.kind = LIMEN_MEMORY_DEVICE;
            stretch.cached = stretch.cached && is_kept_memory(d);
        }
    }
    /* Below 4 GiB, what is no memory is where devices are: local APIC, I/O APIC, PCI windows. */
    if (stretch.kind == 0) {
        stretch.kind = low ? LIMEN_MEMORY_DEVICE : 0;
        stretch.cached = false;
    }
    for (size_t i = 0; i < view->reservation_count; i++) {
        const struct reservation *r = &view->reservations[i];
        if (!covers(r->start, r->pages, at, &stretch.end))
            continue;
        stretch.kind = (uint32_t)r->kind;
        stretch.cached = r->kind != LIMEN_MEMORY_DEVICE;
        stretch.writable = !r->read_only;
    }
    return stretch;
}

struct memory_stretch memory_at(const struct memory_view *view, uint64_t start)
{
    struct memory_stretch stretch = stretch_at(view, start);
    while (stretch.end < LIMEN_PHYSMAP_MAX) {
        const struct memory_stretch next = stretch_at(view, stretch.end);
        if (next.kind != stretch.kind || next.cached != stretch.cached ||
            next.writable != stretch.writable)
            break;
        stretch.end = next.end;
    }
    return stretch;
}

bool memory_ranges(const struct memory_view *view, struct limen_memory_range *ranges,
                   uint32_t *count)
{
    *count = 0;
    for (uint64_t at = 0; at < LIMEN_PHYSMAP_MAX;) {
        const struct memory_stretch stretch = memory_at(view, at);
        const uint64_t pages = (stretch.end - at) / PAGE_SIZE;
        struct limen_memory_range *last = *count == 0 ? NULL : &ranges[*count - 1];
        if (last != NULL && last->kind == stretch.kind &&
            last->start + last->pages * PAGE_SIZE == at) {
            last->pages += pages;
        } else if (stretch.kind != 0) {
            if (*count == LIMEN_BOOT_RANGES_MAX)
                return false;
            ranges[(*count)++] =
                (struct limen_memory_range){.start = at, .pages = pages, .kind = stretch.kind};
        }
        at = stretch.end;
    }
    return true;
}

uint64_t memory_free(const struct memory_view *view)
{
    uint64_t bytes = 0;
    for (uint64_t at = 0; at < LIMEN_PHYSMAP_MAX;) {
        const struct memory_stretch stretch = memory_at(view, at);
        if (stretch.kind == LIMEN_MEMORY_FREE)
            bytes += stretch.end - at;
        at = stretch.end;
    }
    return bytes;
}

uint64_t memory_top(const struct memory_view *view)
{
    uint64_t top = 0;
    for (uint64_t at = 0; at < LIMEN_PHYSMAP_MAX;) {
        const struct memory_stretch stretch = memory_at(view, at);
        if (stretch.kind == LIMEN_MEMORY_FREE || stretch.kind == LIMEN_MEMORY_KERNEL ||
            stretch.kind == LIMEN_MEMORY_LOADED)
            top = stretch.end;
        at = stretch.end;
    }
    return top;
}
