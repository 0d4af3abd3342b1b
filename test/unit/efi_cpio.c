/* SPDX-License-Identifier: MIT */
#include "../../efi/cpio.h"
#include "efi_cmocka.h"
#include "efi_fixtures.h"
#include <stdlib.h>

static char archive[FIXTURE_CPIO_MAX];
static size_t size;

/* Entries of the fixture, and fields of a header. */
enum { FOLDER = 0, MANIFEST = 112, SHELL = 240, TRAILER = 376, END = 500 };
enum { MODE = 14, FILE_SIZE = 54, NAME_SIZE = 94, NAME = 110 };

static struct defect check_size(size_t length)
{
    char *copy = malloc(length == 0 ? 1 : length);
    assert_non_null(copy);
    memcpy(copy, archive, length);
    const struct defect defect = cpio_check(copy, length);
    free(copy);
    return defect;
}

static void assert_defect(const char *what, uint64_t offset)
{
    const struct defect defect = check_size(size);
    assert_non_null(defect.what);
    assert_string_equal(defect.what, what);
    assert_int_equal(defect.offset, offset);
}

static int setup(void **state)
{
    (void)state;
    size = fixture_cpio(archive);
    return 0;
}

static void good(void **state)
{
    (void)state;
    assert_null(check_size(size).what);
    assert_memory_equal(archive + MANIFEST + NAME, "manifest", 9);
    assert_memory_equal(archive + SHELL + NAME, "servers/", 8);
    assert_memory_equal(archive + TRAILER + NAME, "TRAILER!!!", 11);
    memcpy(archive + MANIFEST + NAME_SIZE, "0000000A", 8);
    assert_defect("is corrupt: a name does not end where its length says", MANIFEST + NAME_SIZE);
}

static void cut_short_anywhere(void **state)
{
    (void)state;
    const size_t last_byte_used = TRAILER + NAME + sizeof "TRAILER!!!";
    assert_null(check_size(last_byte_used).what);
    for (size_t length = 0; length < last_byte_used; length++)
        assert_non_null(check_size(length).what);
    size = MANIFEST;
    assert_defect("is cut short: it ends without the entry TRAILER!!!", MANIFEST);
    size = MANIFEST + NAME + 5;
    assert_defect("is cut short: the name of an entry lies past its end", MANIFEST + NAME_SIZE);
    size = MANIFEST + NAME + 12;
    assert_defect("is cut short: the contents of a file lie past its end", MANIFEST + FILE_SIZE);
}

static void wrong_numbers(void **state)
{
    static const struct {
        size_t at;
        const char *what;
    } cases[] = {
        {MODE, "is corrupt: the mode of an entry is not hexadecimal"},
        {FILE_SIZE, "is corrupt: the size of a file is not hexadecimal"},
        {NAME_SIZE, "is corrupt: the length of a name is not hexadecimal"},
    };
    static const char wrong[] = {'g', 'G', '/', ':', '@', '`', ' ', '-', '\0'};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        for (size_t j = 0; j < sizeof wrong; j++) {
            setup(state);
            archive[MANIFEST + cases[i].at + 7] = wrong[j];
            assert_defect(cases[i].what, MANIFEST + cases[i].at);
        }
    }
}

static void upper_case_digits(void **state)
{
    (void)state;
    char data[0xab] = {0};
    size = fixture_entry(archive, 0, "f", 0100644, data, sizeof data);
    memcpy(archive + FILE_SIZE, "000000AB", 8);
    size = fixture_entry(archive, size, "TRAILER!!!", 0, NULL, 0);
    assert_null(check_size(size).what);
}

static void wrong_magic(void **state)
{
    (void)state;
    archive[MANIFEST + 5] = '2'; /* the variant with check sums, which nobody would check */
    assert_defect("is corrupt: no newc entry starts where one should", MANIFEST);
}

static void wrong_sizes(void **state)
{
    (void)state;
    memcpy(archive + MANIFEST + FILE_SIZE, "ffffffff", 8);
    assert_defect("is cut short: the contents of a file lie past its end", MANIFEST + FILE_SIZE);
    setup(state);
    memcpy(archive + MANIFEST + FILE_SIZE, "00000009", 8);
    assert_defect("is corrupt: no newc entry starts where one should", SHELL + 4);
    setup(state);
    memcpy(archive + MANIFEST + NAME_SIZE, "ffffffff", 8);
    assert_defect("is cut short: the name of an entry lies past its end", MANIFEST + NAME_SIZE);
    memcpy(archive + MANIFEST + NAME_SIZE, "00000000", 8);
    assert_defect("is corrupt: a name does not end where its length says", MANIFEST + NAME_SIZE);
    memcpy(archive + MANIFEST + NAME_SIZE, "00000008", 8);
    assert_defect("is corrupt: a name does not end where its length says", MANIFEST + NAME_SIZE);
}

static void names_that_lead_out(void **state)
{
    static const char *const names[] = {"", "/etc", "..", "../a", "a/..", "a/../b", "a/b/../../.."};
    static const char *const plain[] = {"...", "a..", "..a", "a/.../b", ".", "./a", "a//b", "a/"};
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size = fixture_entry(archive, 0, names[i], 0100644, NULL, 0);
        size = fixture_entry(archive, size, "TRAILER!!!", 0, NULL, 0);
        assert_defect("has an entry whose name leads out of the archive", NAME_SIZE);
    }
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        size = fixture_entry(archive, 0, plain[i], 0100644, NULL, 0);
        size = fixture_entry(archive, size, "TRAILER!!!", 0, NULL, 0);
        assert_null(check_size(size).what);
    }
}

static void neither_file_nor_folder(void **state)
{
    static const unsigned modes[] = {0120777, 0020600, 0060600, 0010600, 0140600, 0};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        size = fixture_entry(archive, 0, "x", modes[i], NULL, 0);
        size = fixture_entry(archive, size, "TRAILER!!!", 0, NULL, 0);
        assert_defect("has an entry that is neither a file nor a directory", MODE);
    }
}

static void after_the_trailer(void **state)
{
    (void)state;
    archive[size - 1] = 1;
    assert_defect("has bytes after the entry that ends it", size - 1);
    setup(state);
    memcpy(archive + TRAILER + FILE_SIZE, "00000004", 8);
    assert_defect("is corrupt: the entry that ends it has contents", TRAILER + FILE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(good, setup),
        cmocka_unit_test_setup(cut_short_anywhere, setup),
        cmocka_unit_test_setup(wrong_numbers, setup),
        cmocka_unit_test_setup(upper_case_digits, setup),
        cmocka_unit_test_setup(wrong_magic, setup),
        cmocka_unit_test_setup(wrong_sizes, setup),
        cmocka_unit_test_setup(names_that_lead_out, setup),
        cmocka_unit_test_setup(neither_file_nor_folder, setup),
        cmocka_unit_test_setup(after_the_trailer, setup),
    };
    return cmocka_run_group_tests_name("efi cpio", tests, NULL, NULL);
}
