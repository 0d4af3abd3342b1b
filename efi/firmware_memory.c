/* SPDX-License-Identifier: MIT */
#include "loader.h"

/* Each reservation may split a range in three, and the firmware allocates on its own, too. */
#define MAP_SPARE 16384u

void *reserve(struct loader *loader, uint64_t pages, enum limen_memory_kind kind, bool read_only)
{
    EFI_PHYSICAL_ADDRESS start = LIMEN_PHYSMAP_MAX - 1;
    if (loader->reservation_count == RESERVATIONS_MAX ||
        EFI_ERROR(
            loader->services->AllocatePages(AllocateMaxAddress, EfiLoaderData, pages, &start)))
        return NULL;
    loader->reservations[loader->reservation_count++] =
        (struct reservation){.start = start, .pages = pages, .kind = kind, .read_only = read_only};
    void *memory = (void *)(uintptr_t)start;
    loader->services->SetMem(memory, pages * PAGE_SIZE, 0);
    return memory;
}

void release_all(struct loader *loader)
{
    while (loader->reservation_count != 0) {
        const struct reservation *last = &loader->reservations[--loader->reservation_count];
        if (last->kind != LIMEN_MEMORY_DEVICE) /* the framebuffer was never allocated */
            loader->services->FreePages(last->start, last->pages);
    }
}

void reserve_device(struct loader *loader, uint64_t start, uint64_t bytes)
{
    const uint64_t first = start / PAGE_SIZE;
    const uint64_t end = (start + bytes + PAGE_SIZE - 1) / PAGE_SIZE;
    loader->reservations[loader->reservation_count++] = (struct reservation){
        .start = first * PAGE_SIZE, .pages = end - first, .kind = LIMEN_MEMORY_DEVICE};
}

EFI_STATUS memory_map_open(struct loader *loader, struct memory_map *map)
{
    UINT32 version;
    map->size = 0;
    loader->services->GetMemoryMap(&map->size, NULL, &map->key, &map->descriptor_size, &version);
    map->capacity = map->size + MAP_SPARE;
    if (EFI_ERROR(loader->services->AllocatePool(EfiLoaderData, map->capacity, &map->descriptors)))
        return fail(loader, EFI_OUT_OF_RESOURCES,
                    "the machine has too little memory for the firmware's memory map");
    return EFI_SUCCESS;
}

EFI_STATUS memory_map_take(struct loader *loader, struct memory_map *map)
{
    UINT32 version;
    map->size = map->capacity;
    const EFI_STATUS status = loader->services->GetMemoryMap(
        &map->size, map->descriptors, &map->key, &map->descriptor_size, &version);
    if (EFI_ERROR(status))
        return fail(loader, status, "the firmware does not tell its memory map");
    const struct memory_view view = memory_map_view(loader, map);
    const char *problem = memory_check(&view);
    if (problem != NULL)
        return fail(loader, EFI_INCOMPATIBLE_VERSION, "the firmware's memory map %s", problem);
    return EFI_SUCCESS;
}

struct memory_view memory_map_view(const struct loader *loader, const struct memory_map *map)
{
    return (struct memory_view){
        .map = map->descriptors,
        .map_size = map->size,
        .descriptor_size = map->descriptor_size,
        .reservations = loader->reservations,
        .reservation_count = loader->reservation_count,
    };
}
