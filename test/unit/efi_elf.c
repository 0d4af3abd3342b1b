/* SPDX-License-Identifier: MIT */
#include "../../efi/elf.h"
#include "efi_cmocka.h"
#include "efi_fixtures.h"
#include <stdlib.h>

#define LIMIT 0xfffffffffffff000ull

static uint8_t elf[FIXTURE_ELF_SIZE];
static struct elf_image image;

/* In memory of exactly its size, so that the sanitizer sees a read past the end. */
static struct defect check_size(size_t size)
{
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, elf, size);
    const struct defect defect = elf_check(copy, size, FIXTURE_BASE, LIMIT, &image);
    free(copy);
    return defect;
}

static void assert_defect(struct defect defect, const char *what, uint64_t offset)
{
    assert_non_null(defect.what);
    assert_string_equal(defect.what, what);
    assert_int_equal(defect.offset, offset);
}

#define ASSERT_DEFECT(what, offset) assert_defect(check_size(sizeof elf), what, offset)

static int setup(void **state)
{
    (void)state;
    fixture_elf(elf);
    return 0;
}

static void good(void **state)
{
    (void)state;
    assert_null(check_size(sizeof elf).what);
    assert_int_equal(image.entry, FIXTURE_BASE + 0x10);
    assert_int_equal(image.count, 3);
    assert_int_equal(image.segments[0].address, FIXTURE_BASE);
    assert_int_equal(image.segments[0].pages, 1);
    assert_int_equal(image.segments[0].rights, LIMEN_SEGMENT_READ | LIMEN_SEGMENT_EXECUTE);
    assert_int_equal(image.segments[1].address, FIXTURE_BASE + 0x1000);
    assert_int_equal(image.segments[1].lead, 0x800);
    assert_int_equal(image.segments[1].rights, LIMEN_SEGMENT_READ);
    assert_int_equal(image.segments[2].address, FIXTURE_BASE + 0x3000);
    assert_int_equal(image.segments[2].pages, 3);
    assert_int_equal(image.segments[2].rights, LIMEN_SEGMENT_READ | LIMEN_SEGMENT_WRITE);
}

static void laid_out(void **state)
{
    (void)state;
    assert_null(check_size(sizeof elf).what);
    uint8_t *memory = calloc(3, PAGE_SIZE);
    assert_non_null(memory);
    elf_lay_out(elf, &image.segments[2], memory);
    for (size_t i = 0; i < 3 * PAGE_SIZE; i++)
        assert_int_equal(memory[i], i >= 0x10 && i < 0x30 ? elf[0x2000 + i] : 0);
    free(memory);
}

static void cut_short_anywhere(void **state)
{
    (void)state;
    const size_t last_byte_used = 0x2030;
    assert_null(check_size(last_byte_used).what);
    for (size_t size = 0; size < last_byte_used; size++)
        assert_non_null(check_size(size).what);
    assert_defect(check_size(63), "is too short to be an ELF file", 63);
    assert_defect(check_size(0x1900), "is cut short: the bytes of a segment lie past its end",
                  ph(2, PH_OFFSET));
}

static void wrong_header(void **state)
{
    static const struct {
        size_t at;
        uint16_t value;
        const char *what;
        uint64_t offset;
    } cases[] = {
        {0, 0x4500, "is not an ELF file", 0},
        {ELF_IDENT_CLASS, 0x0101, "is not a 64-bit ELF file", 0},
        {ELF_IDENT_CLASS, 0x0202, "is not a little-endian ELF file", 0},
        {ELF_IDENT_VERSION, 0x0002, "has an unknown ELF version", ELF_VERSION},
        {ELF_VERSION, 2, "has an unknown ELF version", ELF_VERSION},
        {ELF_MACHINE, 183, "is built for another machine than x86-64", ELF_MACHINE},
        {ELF_TYPE, 3, "is not a static executable linked to fixed addresses", ELF_TYPE},
        {ELF_FLAGS, 1, "has ELF flags that x86-64 does not define", ELF_FLAGS},
        {ELF_EHSIZE, 52, "has an ELF header of the wrong size", ELF_EHSIZE},
        {ELF_PHENTSIZE, 32, "has program headers of the wrong size", ELF_PHENTSIZE},
        {ELF_PHNUM, 0, "has no program headers", ELF_PHNUM},
        {ELF_PHNUM, 0xffff, "is cut short: its program headers lie past its end", ELF_PHOFF},
        {ELF_PHOFF, 65, "has misaligned program headers", ELF_PHOFF},
        {ELF_PHOFF, 0x3008, "is cut short: its program headers lie past its end", ELF_PHOFF},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup(state);
        put16(elf, cases[i].at, cases[i].value);
        ASSERT_DEFECT(cases[i].what, cases[i].offset);
    }
}

static void headers_that_wrap(void **state)
{
    (void)state;
    put64(elf, ELF_PHOFF, UINT64_MAX - 7);
    ASSERT_DEFECT("is cut short: its program headers lie past its end", ELF_PHOFF);
}

static void wrong_segment(void **state)
{
    static const char outside[] = "has a segment outside the addresses it may use";
    static const char past_end[] = "is cut short: the bytes of a segment lie past its end";
    static const char shared[] = "has segments that overlap, share a page or are out of order";
    static const struct {
        unsigned header;
        size_t field;
        uint64_t value;
        const char *what;
    } cases[] = {
        {2, PH_OFFSET, 0x3010, past_end},
        {2, PH_OFFSET, UINT64_MAX - 0xfef, past_end},
        {2, PH_FILESZ, 0x1000, past_end},
        {2, PH_MEMSZ, 0x1f, "has a segment with more bytes in the file than in memory"},
        {0, PH_VADDR, FIXTURE_BASE - 0x1000, outside},
        {2, PH_VADDR, LIMIT + 0x10, outside},
        {2, PH_VADDR, LIMIT - 0xff0, outside},
        {2, PH_MEMSZ, UINT64_MAX, outside},
        {2, PH_ALIGN, 0x1800, "has a segment whose alignment is not a power of two"},
        {2, PH_ALIGN, 0x4000, "has a segment that breaks its own alignment"},
        {2, PH_VADDR, FIXTURE_BASE + 0x3000, "has a segment that breaks its own alignment"},
        {1, PH_VADDR, FIXTURE_BASE + 0x800, shared},
        {0, PH_VADDR, FIXTURE_BASE + 0x10000, shared},
        {0, PH_MEMSZ, 0x1001, shared},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setup(state);
        put64(elf, ph(cases[i].header, cases[i].field), cases[i].value);
        const struct defect defect = check_size(sizeof elf);
        assert_non_null(defect.what);
        assert_string_equal(defect.what, cases[i].what);
    }
}

static void not_aligned_to_pages(void **state)
{
    (void)state;
    put64(elf, ph(2, PH_ALIGN), 0);
    assert_null(check_size(sizeof elf).what);
    put64(elf, ph(2, PH_VADDR), FIXTURE_BASE + 0x3000);
    ASSERT_DEFECT("has a segment that is not aligned to pages", ph(2, PH_VADDR));
}

static void wrong_rights(void **state)
{
    (void)state;
    put32(elf, ph(2, PH_FLAGS), 7);
    ASSERT_DEFECT("has a segment that is both writable and executable", ph(2, PH_FLAGS));
    put32(elf, ph(2, PH_FLAGS), 0);
    ASSERT_DEFECT("has a segment that may be neither read, written nor executed", ph(2, PH_FLAGS));
    put32(elf, ph(2, PH_FLAGS), 0x100006);
    ASSERT_DEFECT("has a segment with flags that x86-64 does not define", ph(2, PH_FLAGS));
}

static void other_headers(void **state)
{
    (void)state;
    put32(elf, ph(2, PH_TYPE), 2);
    ASSERT_DEFECT("needs a dynamic linker: link it statically", ph(2, PH_TYPE));
    put32(elf, ph(2, PH_TYPE), 3);
    ASSERT_DEFECT("needs a dynamic linker: link it statically", ph(2, PH_TYPE));
    put32(elf, ph(2, PH_TYPE), 0x6474e551);
    assert_null(check_size(sizeof elf).what);
    assert_int_equal(image.count, 2);
    put32(elf, ph(2, PH_FLAGS), 7);
    ASSERT_DEFECT("asks for an executable stack", ph(2, PH_FLAGS));
    put32(elf, ph(2, PH_TYPE), 4); /* a note: whatever it says is of no interest */
    assert_null(check_size(sizeof elf).what);
}

static void entry_outside_code(void **state)
{
    static const uint64_t entries[] = {0,
                                       FIXTURE_BASE - 1,
                                       FIXTURE_BASE + 0x800,
                                       FIXTURE_BASE + 0x1800,
                                       FIXTURE_BASE + 0x3010,
                                       UINT64_MAX};
    (void)state;
    for (size_t i = 0; i < sizeof entries / sizeof *entries; i++) {
        put64(elf, ELF_ENTRY, entries[i]);
        ASSERT_DEFECT("does not start inside its own code", ELF_ENTRY);
    }
    put64(elf, ELF_ENTRY, FIXTURE_BASE + 0x7ff);
    assert_null(check_size(sizeof elf).what);
}

static void nothing_to_load(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FIXTURE_SEGMENTS; i++)
        put32(elf, ph(i, PH_TYPE), 4);
    ASSERT_DEFECT("has no segment to load", ELF_PHOFF);
    setup(state);
    for (unsigned i = 0; i < FIXTURE_SEGMENTS; i++) {
        put64(elf, ph(i, PH_FILESZ), 0);
        put64(elf, ph(i, PH_MEMSZ), 0);
    }
    ASSERT_DEFECT("has no segment to load", ELF_PHOFF);
}

static void too_many_segments(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 9; i++)
        fixture_segment(elf, i, 5, 0x1000, FIXTURE_BASE + i * PAGE_SIZE, 0x100, 0x100);
    put16(elf, ELF_PHNUM, 8);
    assert_null(check_size(sizeof elf).what);
    assert_int_equal(image.count, 8);
    put16(elf, ELF_PHNUM, 9);
    ASSERT_DEFECT("has more than 8 segments to load", ph(8, PH_TYPE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good, setup),
        cmocka_unit_test_setup(laid_out, setup),
        cmocka_unit_test_setup(cut_short_anywhere, setup),
        cmocka_unit_test_setup(wrong_header, setup),
        cmocka_unit_test_setup(headers_that_wrap, setup),
        cmocka_unit_test_setup(wrong_segment, setup),
        cmocka_unit_test_setup(not_aligned_to_pages, setup),
        cmocka_unit_test_setup(wrong_rights, setup),
        cmocka_unit_test_setup(other_headers, setup),
        cmocka_unit_test_setup(entry_outside_code, setup),
        cmocka_unit_test_setup(nothing_to_load, setup),
        cmocka_unit_test_setup(too_many_segments, setup),
    };
    return cmocka_run_group_tests_name("efi elf", tests, NULL, NULL);
}
