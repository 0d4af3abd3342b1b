/* SPDX-License-Identifier: MIT */
/*
 * ELF-64 as the System V ABI and its x86-64 supplement define it, narrowed to what the loader can
 * honour: a static executable whose segments share no page and are never writable and executable
 * at once.  The file comes from a disk anybody may have written, so nothing in it is believed.
 */
#include "elf.h"
#include <stdbool.h>
#include <string.h>

struct elf_header {
    unsigned char ident[16];
    uint16_t type;
    uint16_t machine;
    uint32_t version;
    uint64_t entry;
    uint64_t program_headers; /* file offset */
    uint64_t section_headers;
    uint32_t flags;
    uint16_t header_size;
    uint16_t program_header_size;
    uint16_t program_header_count;
    uint16_t section_header_size;
    uint16_t section_header_count;
    uint16_t section_names;
};
_Static_assert(sizeof(struct elf_header) == 64, "the ABI's Elf64_Ehdr");

struct program_header {
    uint32_t type;
    uint32_t flags;
    uint64_t offset;
    uint64_t address;
    uint64_t physical_address;
    uint64_t file_size;
    uint64_t memory_size;
    uint64_t alignment;
};
_Static_assert(sizeof(struct program_header) == 56, "the ABI's Elf64_Phdr");

enum {
    IDENT_CLASS = 4,
    IDENT_DATA = 5,
    IDENT_VERSION = 6,
    CLASS_64 = 2,
    DATA_LITTLE_ENDIAN = 1,
    VERSION_CURRENT = 1,
    TYPE_EXECUTABLE = 2,
    MACHINE_X86_64 = 62,
};

enum {
    SEGMENT_LOAD = 1,
    SEGMENT_DYNAMIC = 2,
    SEGMENT_INTERPRETER = 3,
    SEGMENT_GNU_STACK = 0x6474e551,
};

#define FLAG_EXECUTE 1u
#define FLAG_WRITE   2u
#define FLAG_READ    4u

/* The defect shows at a field of the structure that starts at `base`. */
#define DEFECT(base, type, field, text)                                                            \
    ((struct defect){.what = (text), .offset = (base) + offsetof(type, field)})

static struct defect check_header(const struct elf_header *header, size_t size)
{
#define WRONG(field, text) DEFECT(0, struct elf_header, field, text)
    if (memcmp(header->ident, "\177ELF", 4) != 0)
        return WRONG(ident, "is not an ELF file");
    if (header->ident[IDENT_CLASS] != CLASS_64)
        return WRONG(ident, "is not a 64-bit ELF file");
    if (header->ident[IDENT_DATA] != DATA_LITTLE_ENDIAN)
        return WRONG(ident, "is not a little-endian ELF file");
    if (header->ident[IDENT_VERSION] != VERSION_CURRENT || header->version != VERSION_CURRENT)
        return WRONG(version, "has an unknown ELF version");
    if (header->machine != MACHINE_X86_64)
        return WRONG(machine, "is built for another machine than x86-64");
    if (header->type != TYPE_EXECUTABLE)
        return WRONG(type, "is not a static executable linked to fixed addresses");
    if (header->flags != 0)
        return WRONG(flags, "has ELF flags that x86-64 does not define");
    if (header->header_size != sizeof(struct elf_header))
        return WRONG(header_size, "has an ELF header of the wrong size");
    if (header->program_header_size != sizeof(struct program_header))
        return WRONG(program_header_size, "has program headers of the wrong size");
    if (header->program_header_count == 0)
        return WRONG(program_header_count, "has no program headers");
    if (header->program_headers % _Alignof(struct program_header) != 0)
        return WRONG(program_headers, "has misaligned program headers");
    if (header->program_headers > size ||
        (uint64_t)header->program_header_count * sizeof(struct program_header) >
            size - header->program_headers)
        return WRONG(program_headers, "is cut short: its program headers lie past its end");
    return NO_DEFECT;
#undef WRONG
}

struct limits {
    uint64_t file_size, lowest, limit;
};

static struct defect check_segment(const struct program_header *header, uint64_t at,
                                   const struct limits *limits)
{
#define WRONG(field, text) DEFECT(at, struct program_header, field, text)
    if ((header->flags & ~(FLAG_READ | FLAG_WRITE | FLAG_EXECUTE)) != 0)
        return WRONG(flags, "has a segment with flags that x86-64 does not define");
    if ((header->flags & (FLAG_READ | FLAG_WRITE | FLAG_EXECUTE)) == 0)
        return WRONG(flags, "has a segment that may be neither read, written nor executed");
    if ((header->flags & FLAG_WRITE) != 0 && (header->flags & FLAG_EXECUTE) != 0)
        return WRONG(flags, "has a segment that is both writable and executable");
    if (header->file_size > header->memory_size)
        return WRONG(file_size, "has a segment with more bytes in the file than in memory");
    if (header->offset > limits->file_size ||
        header->file_size > limits->file_size - header->offset)
        return WRONG(offset, "is cut short: the bytes of a segment lie past its end");
    if (header->address < limits->lowest || header->address > limits->limit ||
        header->memory_size > limits->limit - header->address)
        return WRONG(address, "has a segment outside the addresses it may use");
    if ((header->alignment & (header->alignment - 1)) != 0)
        return WRONG(alignment, "has a segment whose alignment is not a power of two");
    if (header->alignment > 1 && (header->address - header->offset) % header->alignment != 0)
        return WRONG(alignment, "has a segment that breaks its own alignment");
    if ((header->address - header->offset) % PAGE_SIZE != 0)
        return WRONG(address, "has a segment that is not aligned to pages");
    return NO_DEFECT;
#undef WRONG
}

static uint32_t rights_of(uint32_t flags)
{
    return ((flags & FLAG_READ) != 0 ? LIMEN_SEGMENT_READ : 0) |
           ((flags & FLAG_WRITE) != 0 ? LIMEN_SEGMENT_WRITE : 0) |
           ((flags & FLAG_EXECUTE) != 0 ? LIMEN_SEGMENT_EXECUTE : 0);
}

struct defect elf_check(const void *file, size_t size, uint64_t lowest, uint64_t limit,
                        struct elf_image *image)
{
    const struct limits limits = {.file_size = size, .lowest = lowest, .limit = limit};
    struct elf_header header;
    if (size < sizeof header)
        return (struct defect){.what = "is too short to be an ELF file", .offset = size};
    memcpy(&header, file, sizeof header);
    struct defect defect = check_header(&header, size);
    if (defect.what != NULL)
        return defect;

    *image = (struct elf_image){.entry = header.entry};
    bool entry_found = false;
    uint64_t end = 0; /* of the pages of the segments so far */
    for (uint32_t i = 0; i < header.program_header_count; i++) {
        const uint64_t at = header.program_headers + i * sizeof(struct program_header);
        struct program_header segment;
        memcpy(&segment, (const char *)file + at, sizeof segment);
#define WRONG(field, text) DEFECT(at, struct program_header, field, text)
        if (segment.type == SEGMENT_DYNAMIC || segment.type == SEGMENT_INTERPRETER)
            return WRONG(type, "needs a dynamic linker: link it statically");
        if (segment.type == SEGMENT_GNU_STACK && (segment.flags & FLAG_EXECUTE) != 0)
            return WRONG(flags, "asks for an executable stack");
        if (segment.type != SEGMENT_LOAD)
            continue;
        defect = check_segment(&segment, at, &limits);
        if (defect.what != NULL)
            return defect;
        if (segment.memory_size == 0)
            continue;
        if (image->count == LIMEN_BOOT_SEGMENTS_MAX)
            return WRONG(type, "has more than 8 segments to load");

        const uint64_t lead = segment.address % PAGE_SIZE;
        const uint64_t start = segment.address - lead;
        if (start < end) /* the ABI wants the headers in ascending order */
            return WRONG(address, "has segments that overlap, share a page or are out of order");
        const uint64_t pages = (lead + segment.memory_size + PAGE_SIZE - 1) / PAGE_SIZE;
        end = start + pages * PAGE_SIZE;
        if ((segment.flags & FLAG_EXECUTE) != 0 && header.entry >= segment.address &&
            header.entry - segment.address < segment.file_size)
            entry_found = true;
        image->segments[image->count++] = (struct elf_segment){
            .address = start,
            .pages = pages,
            .rights = rights_of(segment.flags),
            .lead = lead,
            .file_offset = segment.offset,
            .file_size = segment.file_size,
        };
#undef WRONG
    }
    if (image->count == 0)
        return DEFECT(0, struct elf_header, program_headers, "has no segment to load");
    if (!entry_found)
        return DEFECT(0, struct elf_header, entry, "does not start inside its own code");
    return NO_DEFECT;
}

_Static_assert(LIMEN_BOOT_SEGMENTS_MAX == 8, "the message about too many segments says the limit");

void elf_lay_out(const void *file, const struct elf_segment *segment, void *memory)
{
    memcpy((char *)memory + segment->lead, (const char *)file + segment->file_offset,
           segment->file_size);
}
