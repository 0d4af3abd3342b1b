/* SPDX-License-Identifier: MIT */
/* Checks a static x86-64 ELF executable and lays its segments out. */
#ifndef EFI_ELF_H
#define EFI_ELF_H

#include "defect.h"
#include <limen/boot.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SIZE 4096ull

/* The pages one PT_LOAD header asks for. */
struct elf_segment {
    uint64_t address; /* virtual, page-aligned */
    uint64_t pages;
    uint32_t rights;      /* LIMEN_SEGMENT_* */
    uint64_t lead;        /* cleared bytes before the first from the file */
    uint64_t file_offset; /* elf_check() has seen that these bytes are inside the file */
    uint64_t file_size;
};

struct elf_image {
    uint64_t entry;
    uint32_t count;
    struct elf_segment segments[LIMEN_BOOT_SEGMENTS_MAX]; /* ascending, no page shared */
};

/* All addresses of the image must lie in lowest..limit-1.  Fills `image` when nothing is wrong. */
struct defect elf_check(const void *file, size_t size, uint64_t lowest, uint64_t limit,
                        struct elf_image *image);

/* Copies a checked segment into `memory`, segment->pages pages of cleared memory. */
void elf_lay_out(const void *file, const struct elf_segment *segment, void *memory);

#endif
