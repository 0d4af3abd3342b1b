/* SPDX-License-Identifier: MIT */
/* Whatever elf_check() lets through must be laid out inside its own pages, W^X and in order. */
#include "../../efi/elf.h"
#include "fuzz.h"

#define LIMIT     0xfffffffffffff000ull
#define PAGES_MAX 64u /* larger images are as valid, only slow to lay out */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct elf_image image;
    if (elf_check(data, size, LIMEN_KERNEL_BASE, LIMIT, &image).what != NULL)
        return 0;
    uint64_t end = LIMEN_KERNEL_BASE;
    bool entry_found = false;
    require(image.count >= 1 && image.count <= LIMEN_BOOT_SEGMENTS_MAX);
    for (uint32_t i = 0; i < image.count; i++) {
        const struct elf_segment *segment = &image.segments[i];
        const uint32_t both = LIMEN_SEGMENT_WRITE | LIMEN_SEGMENT_EXECUTE;
        require(segment->address % PAGE_SIZE == 0 && segment->address >= end);
        require(segment->pages != 0 && segment->pages <= (LIMIT - segment->address) / PAGE_SIZE);
        require((segment->rights & both) != both);
        end = segment->address + segment->pages * PAGE_SIZE;
        if ((segment->rights & LIMEN_SEGMENT_EXECUTE) != 0 && image.entry >= segment->address &&
            image.entry < end)
            entry_found = true;
        if (segment->pages > PAGES_MAX)
            continue;
        void *memory = calloc(segment->pages, PAGE_SIZE);
        require(memory != NULL);
        elf_lay_out(data, segment, memory);
        free(memory);
    }
    require(entry_found);
    return 0;
}
