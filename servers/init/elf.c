/* SPDX-License-Identifier: MIT */
/* The ELF images init accepts: static x86-64 executables with page-aligned segments, none of them
 * writable and executable at once, within the addresses that environment.h gives to images. */
#include "elf.h"

#include <limen/environment.h>
#include <limen/objects.h>
#include <string.h>

/* System V ABI, chapters 4 and 5. */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_offset, section_offset;
    uint32_t flags;
    uint16_t header_size, program_size, program_count;
    uint16_t section_size, section_count, section_names;
};

struct elf_program {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, alignment;
};

#define ELF_CLASS_64     2
#define ELF_LITTLE       1
#define ELF_EXECUTABLE   2
#define ELF_MACHINE_X86  62
#define ELF_LOAD         1
#define ELF_FLAG_EXECUTE 1u
#define ELF_FLAG_WRITE   2u
#define ELF_FLAG_READ    4u

static const char *check_header(const struct elf_header *header, size_t size)
{
    static const uint8_t magic[4] = {0x7f, 'E', 'L', 'F'};

    if (memcmp(header->ident, magic, sizeof magic) != 0)
        return "it is no ELF file";
    if (header->ident[4] != ELF_CLASS_64 || header->ident[5] != ELF_LITTLE ||
        header->machine != ELF_MACHINE_X86)
        return "it is not for x86-64";
    if (header->type != ELF_EXECUTABLE)
        return "it is not a static executable";
    if (header->program_size != sizeof(struct elf_program) || header->program_offset > size ||
        header->program_count > (size - header->program_offset) / sizeof(struct elf_program))
        return "its program headers lie outside it";
    return NULL;
}

static const char *read_segment(const struct elf_program *program, const uint8_t *bytes,
                                size_t size, struct elf_image *image)
{
    struct elf_segment *segment = &image->segments[image->segment_count];

    if (image->segment_count == ELF_SEGMENTS_MAX)
        return "it has too many segments";
    if (program->file_size > program->memory_size || program->offset > size ||
        program->file_size > size - program->offset)
        return "a segment's content lies outside it";
    if (program->address % LIMEN_PAGE_SIZE != 0)
        return "a segment does not start at a page";
    if (program->address < LIMEN_SERVER_IMAGE || program->address > LIMEN_SERVER_HEAP ||
        program->memory_size > LIMEN_SERVER_HEAP - program->address)
        return "a segment lies outside the addresses for images";
    if ((program->flags & ELF_FLAG_WRITE) && (program->flags & ELF_FLAG_EXECUTE))
        return "a segment is both writable and executable";
    *segment = (struct elf_segment){
        .address = program->address,
        .pages = (program->memory_size + LIMEN_PAGE_SIZE - 1) / LIMEN_PAGE_SIZE,
        .rights = (program->flags & ELF_FLAG_READ ? LIMEN_RIGHT_READ : 0) |
                  (program->flags & ELF_FLAG_WRITE ? LIMEN_RIGHT_WRITE : 0) |
                  (program->flags & ELF_FLAG_EXECUTE ? LIMEN_RIGHT_EXECUTE : 0),
        .content = bytes + program->offset,
        .content_size = program->file_size,
    };
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *other = &image->segments[i];
        if (segment->address < other->address + other->pages * LIMEN_PAGE_SIZE &&
            other->address < segment->address + segment->pages * LIMEN_PAGE_SIZE)
            return "two segments overlap";
    }
    image->segment_count++;
    return NULL;
}

static const char *check_entry(const struct elf_image *image)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        if ((segment->rights & LIMEN_RIGHT_EXECUTE) && image->entry >= segment->address &&
            image->entry - segment->address < segment->content_size)
            return NULL;
    }
    return "its entry lies in no executable segment";
}

const char *elf_read(const void *bytes, size_t size, struct elf_image *image)
{
    struct elf_header header;
    const char *problem;

    memset(image, 0, sizeof *image);
    if (size < sizeof header)
        return "it is too short";
    memcpy(&header, bytes, sizeof header);
    problem = check_header(&header, size);
    for (unsigned i = 0; problem == NULL && i < header.program_count; i++) {
        struct elf_program program;
        memcpy(&program, (const uint8_t *)bytes + header.program_offset + i * sizeof program,
               sizeof program);
        if (program.type == ELF_LOAD && program.memory_size > 0)
            problem = read_segment(&program, bytes, size, image);
    }
    if (problem != NULL)
        return problem;
    image->entry = header.entry;
    return check_entry(image);
}
