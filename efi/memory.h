/* SPDX-License-Identifier: MIT */
/*
 * What lies where in physical memory: the firmware's memory map, with what the loader put there
 * laid over it.  One view answers both the kernel's list of ranges and the physical map.
 */
#ifndef EFI_MEMORY_H
#define EFI_MEMORY_H

#include <limen/boot.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Something of a kind the firmware does not know. */
struct reservation {
    uint64_t start; /* physical, page-aligned */
    uint64_t pages;
    enum limen_memory_kind kind; /* LIMEN_MEMORY_FREE: needed by the loader only */
    bool read_only;              /* for the kernel too, once the loader has filled it */
};

struct memory_view {
    const void *map; /* of EFI_MEMORY_DESCRIPTOR, one each descriptor_size bytes */
    size_t map_size;
    size_t descriptor_size;
    const struct reservation *reservations;
    size_t reservation_count;
};

/* A stretch of addresses that are alike. */
struct memory_stretch {
    uint64_t end;
    uint32_t kind; /* enum limen_memory_kind; 0: nothing is there */
    bool cached;
    bool writable;
};

/* Whether the firmware's map makes sense; a clause about it if not.  The others rely on this. */
const char *memory_check(const struct memory_view *view);

/* The stretch at `start`, as long as it can be.  Ends at LIMEN_PHYSMAP_MAX at the latest. */
struct memory_stretch memory_at(const struct memory_view *view, uint64_t start);

/* The kernel's list.  False when there are more than LIMEN_BOOT_RANGES_MAX ranges. */
bool memory_ranges(const struct memory_view *view, struct limen_memory_range *ranges,
                   uint32_t *count);

/* Bytes the kernel is free to use, and the end of the highest memory it may ever use. */
uint64_t memory_free(const struct memory_view *view);
uint64_t memory_top(const struct memory_view *view);

#endif
