/* SPDX-License-Identifier: MIT */
/* A good executable and a good archive, made in memory: tests and fuzzers break copies of them. */
#ifndef TEST_UNIT_EFI_FIXTURES_H
#define TEST_UNIT_EFI_FIXTURES_H

#include <limen/boot.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Offsets and values of the System V ABI, written down a second time on purpose. */
enum {
    ELF_IDENT_CLASS = 4,
    ELF_IDENT_DATA = 5,
    ELF_IDENT_VERSION = 6,
    ELF_TYPE = 16,
    ELF_MACHINE = 18,
    ELF_VERSION = 20,
    ELF_ENTRY = 24,
    ELF_PHOFF = 32,
    ELF_FLAGS = 48,
    ELF_EHSIZE = 52,
    ELF_PHENTSIZE = 54,
    ELF_PHNUM = 56,
    PH_START = 64,
    PH_SIZE = 56,
    PH_TYPE = 0,
    PH_FLAGS = 4,
    PH_OFFSET = 8,
    PH_VADDR = 16,
    PH_FILESZ = 32,
    PH_MEMSZ = 40,
    PH_ALIGN = 48,
};

enum { FIXTURE_ELF_SIZE = 0x3000, FIXTURE_SEGMENTS = 3 };
#define FIXTURE_BASE LIMEN_KERNEL_BASE

static inline void put16(uint8_t *bytes, size_t at, uint16_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

static inline void put32(uint8_t *bytes, size_t at, uint32_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

static inline void put64(uint8_t *bytes, size_t at, uint64_t value)
{
    memcpy(bytes + at, &value, sizeof value);
}

/* The place of a field in a program header. */
static inline size_t ph(unsigned header, size_t field)
{
    return PH_START + header * PH_SIZE + field;
}

static inline void fixture_segment(uint8_t *elf, unsigned header, uint32_t flags, uint64_t offset,
                                   uint64_t address, uint64_t file_size, uint64_t memory_size)
{
    put32(elf, ph(header, PH_TYPE), 1);
    put32(elf, ph(header, PH_FLAGS), flags);
    put64(elf, ph(header, PH_OFFSET), offset);
    put64(elf, ph(header, PH_VADDR), address);
    put64(elf, ph(header, PH_FILESZ), file_size);
    put64(elf, ph(header, PH_MEMSZ), memory_size);
    put64(elf, ph(header, PH_ALIGN), 0x1000);
}

/* Three segments: code, constants, and data that starts in the middle of a page and has a tail to
 * be cleared. */
static inline void fixture_elf(uint8_t elf[FIXTURE_ELF_SIZE])
{
    for (size_t i = 0; i < FIXTURE_ELF_SIZE; i++)
        elf[i] = (uint8_t)(i * 7 + 1);
    memset(elf, 0, PH_START + FIXTURE_SEGMENTS * PH_SIZE);
    memcpy(elf, "\177ELF", 4);
    elf[ELF_IDENT_CLASS] = 2;
    elf[ELF_IDENT_DATA] = 1;
    elf[ELF_IDENT_VERSION] = 1;
    put16(elf, ELF_TYPE, 2);
    put16(elf, ELF_MACHINE, 62);
    put32(elf, ELF_VERSION, 1);
    put64(elf, ELF_ENTRY, FIXTURE_BASE + 0x10);
    put64(elf, ELF_PHOFF, PH_START);
    put16(elf, ELF_EHSIZE, 64);
    put16(elf, ELF_PHENTSIZE, PH_SIZE);
    put16(elf, ELF_PHNUM, FIXTURE_SEGMENTS);
    fixture_segment(elf, 0, 5, 0x1000, FIXTURE_BASE, 0x800, 0x800);
    fixture_segment(elf, 1, 4, 0x1800, FIXTURE_BASE + 0x1800, 0x100, 0x100);
    fixture_segment(elf, 2, 6, 0x2010, FIXTURE_BASE + 0x3010, 0x20, 0x2ff0);
}

/* Appends an entry to an archive, as cpio(5) lays it out; returns the new length. */
static inline size_t fixture_entry(char *archive, size_t at, const char *name, unsigned mode,
                                   const void *data, size_t size)
{
    const size_t name_size = strlen(name) + 1;
    at += (size_t)sprintf(archive + at,
                          "070701%08x%08x%08x%08x%08x%08x%08zx%08x%08x%08x%08x%08zx%08x", 1u, mode,
                          0u, 0u, 1u, 0u, size, 0u, 0u, 0u, 0u, name_size, 0u);
    memcpy(archive + at, name, name_size);
    for (at += name_size; at % 4 != 0; at++)
        archive[at] = 0;
    if (size != 0)
        memcpy(archive + at, data, size);
    for (at += size; at % 4 != 0; at++)
        archive[at] = 0;
    return at;
}

enum { FIXTURE_CPIO_MAX = 2048 };

/* A folder, two files and the trailer, filled up to a block; returns the length. */
static inline size_t fixture_cpio(char archive[FIXTURE_CPIO_MAX])
{
    size_t at = fixture_entry(archive, 0, ".", 040755, NULL, 0);
    at = fixture_entry(archive, at, "manifest", 0100644, "hello", 5);
    at = fixture_entry(archive, at, "servers/shell..elf", 0100755, "\177ELF", 4);
    at = fixture_entry(archive, at, "TRAILER!!!", 0, NULL, 0);
    for (; at % 512 != 0; at++)
        archive[at] = 0;
    return at;
}

#endif
