/* SPDX-License-Identifier: MIT */
/* init's readers, on the boot archive that was built and on spoiled copies of it. */
#include "efi_cmocka.h"
#include "init/cpio.h"
#include "init/elf.h"
#include "init/manifest.h"
#include "init/symbols.h"
#include <elf.h>
#include <limen/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARCHIVE     "build/boot.cpio"
#define CPIO_HEADER 110

static char *archive;
static size_t archive_size;

static int setup(void **state)
{
    FILE *file = fopen(ARCHIVE, "rb");

    (void)state;
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    archive_size = (size_t)ftell(file);
    rewind(file);
    archive = malloc(archive_size);
    assert_int_equal(fread(archive, 1, archive_size, file), archive_size);
    fclose(file);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(archive);
    return 0;
}

/* A copy with an end of its own, so that reading past it is caught. */
static char *copy_of(const void *content, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);

    memcpy(copy, content, size);
    return copy;
}

static void files_are_found(void **state)
{
    struct cpio_file file;

    (void)state;
    assert_true(cpio_find(archive, archive_size, "manifest", &file));
    assert_true(cpio_find(archive, archive_size, "console", &file));
    assert_memory_equal(file.content, "\177ELF", 4);
    assert_true(cpio_find(archive, archive_size, "shell.sym", &file));
    assert_false(cpio_find(archive, archive_size, "nosuch", &file));
    assert_false(cpio_find(archive, archive_size, "TRAILER!!!", &file));
    assert_false(cpio_find(archive, archive_size, "", &file));
    assert_false(cpio_find(archive, 0, "manifest", &file));
}

static void a_cut_archive_is_not_read_past_its_end(void **state)
{
    struct cpio_file file;

    (void)state;
    for (size_t size = 0; size < 600; size++) {
        char *cut = copy_of(archive, size);
        cpio_find(cut, size, "no such file", &file);
        if (cpio_find(cut, size, "bench", &file))
            assert_true((const char *)file.content + file.size <= cut + size);
        free(cut);
    }
}

static void content_that_would_lie_behind_the_end_is_refused(void **state)
{
    const size_t size = CPIO_HEADER + sizeof "console";
    const size_t padded = (size + 3) / 4 * 4;
    struct cpio_file file;

    (void)state;
    assert_true(padded > size);
    assert_true(cpio_find(archive, archive_size, "console", &file));
    char *cut = copy_of((const char *)file.content - padded, size);
    assert_false(cpio_find(cut, size, "console", &file));
    free(cut);
}

static void spoiled_headers_are_refused(void **state)
{
    struct cpio_file file;

    (void)state;
    for (size_t at = 0; at < CPIO_HEADER; at++) {
        for (const char *digit = "xF8"; *digit != '\0'; digit++) {
            char *spoiled = copy_of(archive, archive_size);
            spoiled[at] = *digit;
            cpio_find(spoiled, archive_size, "no such file", &file);
            free(spoiled);
        }
    }
    char *spoiled = copy_of(archive, archive_size);
    spoiled[0] = '1';
    assert_false(cpio_find(spoiled, archive_size, "bench", &file));
    spoiled[0] = '0';
    assert_true(cpio_find(spoiled, archive_size, "console", &file));
    spoiled[CPIO_HEADER + strlen("bench")] = 'x'; /* a name without an end */
    assert_false(cpio_find(spoiled, archive_size, "console", &file));
    free(spoiled);
}

static void the_manifest_is_read(void **state)
{
    const struct limen_manifest_server *servers;
    struct cpio_file file;
    unsigned count;

    (void)state;
    assert_true(cpio_find(archive, archive_size, "manifest", &file));
    assert_null(manifest_read(file.content, file.size, &servers, &count));
    assert_true(count >= 2);
    assert_string_equal(servers[0].name, "console");
    assert_string_equal(servers[0].binary, "console");
    assert_int_equal(servers[0].memory_order, 17);
    assert_int_equal(servers[0].restart, LIMEN_RESTART_ALWAYS);
    assert_int_equal(servers[0].grants[0].kind, LIMEN_GRANT_PORTS);
    assert_string_equal(servers[0].grants[0].name, "uart");
    assert_int_equal(servers[0].grants[0].first, 0x3f8);
    assert_int_equal(servers[0].grants[0].last, 0x3ff);
    assert_int_equal(servers[0].grants[1].kind, LIMEN_GRANT_INTERRUPT);
    assert_int_equal(servers[0].grants[1].first, 4);
    assert_int_equal(servers[0].grants[2].kind, LIMEN_GRANT_PROVIDES);
    assert_int_equal(servers[0].grants[3].kind, LIMEN_GRANT_KERNEL);
    assert_int_equal(servers[0].grants[3].first, LIMEN_KERNEL_GRANT_LOG);
    assert_string_equal(servers[1].name, "shell");
}

static void a_spoiled_manifest_is_refused(void **state)
{
    const struct limen_manifest_server *servers;
    struct cpio_file file;
    unsigned count;

    (void)state;
    assert_true(cpio_find(archive, archive_size, "manifest", &file));
    for (size_t size = 0; size < file.size; size += size < 64 ? 1 : 97) {
        char *cut = copy_of(file.content, size);
        assert_non_null(manifest_read(cut, size, &servers, &count));
        free(cut);
    }
    const struct {
        size_t at;
        int byte;
    } spoils[] = {
        {0, 'x'}, /* magic */
        {4, 9},   /* version */
        {9, 9},   /* count */
        {12, 9},  /* size of a server */
        {LIMEN_MANIFEST_HEADER_SIZE + offsetof(struct limen_manifest_server, memory_order), 63},
        {LIMEN_MANIFEST_HEADER_SIZE + offsetof(struct limen_manifest_server, memory_order), 5},
        {LIMEN_MANIFEST_HEADER_SIZE + offsetof(struct limen_manifest_server, state_order), 11},
        {LIMEN_MANIFEST_HEADER_SIZE + offsetof(struct limen_manifest_server, state_order), 21},
        {LIMEN_MANIFEST_HEADER_SIZE + offsetof(struct limen_manifest_server, grant_count), 25},
    };
    for (size_t i = 0; i < sizeof spoils / sizeof spoils[0]; i++) {
        char *spoiled = copy_of(file.content, file.size);
        spoiled[spoils[i].at] = (char)spoils[i].byte;
        assert_non_null(manifest_read(spoiled, file.size, &servers, &count));
        free(spoiled);
    }
    const size_t names[] = {
        offsetof(struct limen_manifest_server, name),
        offsetof(struct limen_manifest_server, grants[2].name),
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char *spoiled = copy_of(file.content, file.size);
        memset(spoiled + LIMEN_MANIFEST_HEADER_SIZE + names[i], 'n', LIMEN_NAME_MAX);
        assert_non_null(manifest_read(spoiled, file.size, &servers, &count));
        free(spoiled);
    }
}

static void binaries_are_read(void **state)
{
    const char *const names[] = {"console", "shell"};

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct cpio_file file;
        struct elf_image image;
        assert_true(cpio_find(archive, archive_size, names[i], &file));
        assert_null(elf_read(file.content, file.size, &image));
        assert_true(image.segment_count >= 2);
        assert_in_range(image.segments[0].address, LIMEN_SERVER_IMAGE, LIMEN_SERVER_HEAP - 1);
    }
}

/* An image with one executable and one writable segment. */
static struct image_file {
    Elf64_Ehdr header;
    Elf64_Phdr programs[2];
    char text[64];
} make_image(void)
{
    struct image_file image = {
        .header = {.e_type = ET_EXEC,
                   .e_machine = EM_X86_64,
                   .e_entry = 0x400010,
                   .e_phoff = offsetof(struct image_file, programs),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 2},
        .programs = {{.p_type = PT_LOAD,
                      .p_flags = PF_R | PF_X,
                      .p_offset = offsetof(struct image_file, text),
                      .p_vaddr = 0x400000,
                      .p_filesz = 64,
                      .p_memsz = 64},
                     {.p_type = PT_LOAD,
                      .p_flags = PF_R | PF_W,
                      .p_offset = offsetof(struct image_file, text),
                      .p_vaddr = 0x401000,
                      .p_filesz = 8,
                      .p_memsz = 0x1001}},
    };
    memcpy(image.header.e_ident, ELFMAG, SELFMAG);
    image.header.e_ident[EI_CLASS] = ELFCLASS64;
    image.header.e_ident[EI_DATA] = ELFDATA2LSB;
    return image;
}

static const char *problem_of(const struct image_file *file)
{
    struct elf_image image;
    char *copy = copy_of(file, sizeof *file);
    const char *problem = elf_read(copy, sizeof *file, &image);

    free(copy);
    return problem;
}

static void a_made_image_is_read(void **state)
{
    struct image_file file = make_image();
    struct elf_image image;

    (void)state;
    assert_null(elf_read(&file, sizeof file, &image));
    assert_int_equal(image.entry, 0x400010);
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.segments[0].rights, LIMEN_RIGHT_READ | LIMEN_RIGHT_EXECUTE);
    assert_int_equal(image.segments[1].pages, 2);
    assert_int_equal(image.segments[1].content_size, 8);
    assert_ptr_equal(image.segments[1].content, file.text);
}

#define REFUSED(statement, words)                                                                  \
    do {                                                                                           \
        struct image_file file = make_image();                                                     \
        statement;                                                                                 \
        const char *problem = problem_of(&file);                                                   \
        assert_non_null(problem);                                                                  \
        assert_non_null(strstr(problem, words));                                                   \
    } while (0)

static void spoiled_images_are_refused(void **state)
{
    struct elf_image image;
    struct image_file good = make_image();

    (void)state;
    for (size_t size = 0; size < sizeof good; size++) {
        char *cut = copy_of(&good, size);
        assert_non_null(elf_read(cut, size, &image));
        free(cut);
    }
    REFUSED(file.header.e_ident[0] = 0, "no ELF");
    REFUSED(file.header.e_ident[EI_CLASS] = ELFCLASS32, "x86-64");
    REFUSED(file.header.e_machine = EM_AARCH64, "x86-64");
    REFUSED(file.header.e_type = ET_DYN, "static executable");
    REFUSED(file.header.e_phoff = UINT64_MAX, "program headers");
    REFUSED(file.header.e_phnum = 60000, "program headers");
    REFUSED(file.header.e_phentsize = 40, "program headers");
    REFUSED(file.programs[0].p_offset = UINT64_MAX, "outside it");
    REFUSED(file.programs[0].p_filesz = 65, "outside it");
    REFUSED(file.programs[1].p_memsz = 7, "outside it");
    REFUSED(file.programs[0].p_vaddr = 0x400800, "start at a page");
    REFUSED(file.programs[0].p_vaddr = 0x3ff000, "addresses for images");
    REFUSED(file.programs[0].p_vaddr = LIMEN_SERVER_HEAP, "addresses for images");
    REFUSED(file.programs[1].p_memsz = UINT64_MAX, "addresses for images");
    REFUSED(file.programs[1].p_flags = PF_W | PF_X, "writable and executable");
    REFUSED(file.programs[1].p_vaddr = 0x400000, "overlap");
    REFUSED(file.header.e_entry = 0x401000, "entry");
    REFUSED(file.header.e_entry = 0x400040, "entry");
    REFUSED(file.header.e_phnum = 0, "entry");
}

static void symbols_are_found(void **state)
{
    const char list[] = "0000000000401000 _start\n0000000000401010 main\n0000000000401200 end\n";
    struct symbol symbol;

    (void)state;
    assert_int_equal(symbol_find(list, strlen(list), 0x400fff).length, 0);
    symbol = symbol_find(list, strlen(list), 0x401000);
    assert_int_equal(symbol.length, 6);
    assert_memory_equal(symbol.name, "_start", 6);
    assert_int_equal(symbol.offset, 0);
    symbol = symbol_find(list, strlen(list), 0x4011ff);
    assert_int_equal(symbol.length, 4);
    assert_memory_equal(symbol.name, "main", 4);
    assert_int_equal(symbol.offset, 0x1ef);
    symbol = symbol_find(list, strlen(list), UINT64_MAX);
    assert_memory_equal(symbol.name, "end", 3);
    for (size_t size = 0; size < strlen(list); size++) {
        char *cut = copy_of(list, size);
        symbol_find(cut, size, UINT64_MAX);
        free(cut);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_found),
        cmocka_unit_test(a_cut_archive_is_not_read_past_its_end),
        cmocka_unit_test(content_that_would_lie_behind_the_end_is_refused),
        cmocka_unit_test(spoiled_headers_are_refused),
        cmocka_unit_test(the_manifest_is_read),
        cmocka_unit_test(a_spoiled_manifest_is_refused),
        cmocka_unit_test(binaries_are_read),
        cmocka_unit_test(a_made_image_is_read),
        cmocka_unit_test(spoiled_images_are_refused),
        cmocka_unit_test(symbols_are_found),
    };
    return cmocka_run_group_tests_name("servers: init's readers", tests, setup, teardown);
}
