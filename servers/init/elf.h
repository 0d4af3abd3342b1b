/* SPDX-License-Identifier: MIT */
/* Reading a server's ELF image.  Pure; nothing in the image is trusted. */
#ifndef INIT_ELF_H
#define INIT_ELF_H

#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS_MAX 8u

struct elf_segment {
    uint64_t address; /* page-aligned */
    uint64_t pages;
    unsigned rights; /* LIMEN_RIGHT_* */
    const void *content;
    size_t content_size; /* what lies behind it is zero */
};

struct elf_image {
    uint64_t entry;
    unsigned segment_count;
    struct elf_segment segments[ELF_SEGMENTS_MAX];
};

/* Checks and describes an image.  NULL, or what is wrong with it. */
const char *elf_read(const void *bytes, size_t size, struct elf_image *image);

#endif
