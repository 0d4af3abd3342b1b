/* SPDX-License-Identifier: MIT */
/* Writes the good inputs the fuzzers start from, so that they need not guess a header first. */
#include "../unit/efi_fixtures.h"
#include <stdlib.h>

static int write_seed(const char *path, const void *data, size_t size)
{
    FILE *file = fopen(path, "wb");
    if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
        fprintf(stderr, "cannot write the seed %s\n", path);
        return EXIT_FAILURE;
    }
    return EXIT_SUCCESS;
}

/* A root pointer at address 1, which names a list, which names a MADT with an entry of each kind.
 */
static const uint8_t acpi[] = {
    /* clang-format off */
    'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ', 0, 'l', 'i', 'm', 'e', 'n', ' ', 2,
    0, 0, 0, 0, 36, 0, 0, 0, 37, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    'X', 'S', 'D', 'T', 44, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 81, 0, 0, 0, 0, 0, 0, 0,
    'A', 'P', 'I', 'C', 72, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xe0, 0xfe, 0, 0, 0, 0,
    1, 12, 0, 0, 0, 0, 0xc0, 0xfe, 0, 0, 0, 0,
    2, 10, 0, 9, 20, 0, 0, 0, 0x0f, 0,
    4, 6, 0xff, 0, 0, 1,
    /* clang-format on */
};

int main(int argc, char **argv)
{
    static uint8_t elf[FIXTURE_ELF_SIZE];
    static char archive[FIXTURE_CPIO_MAX];
    if (argc != 4) {
        fprintf(stderr, "usage: %s ELF-SEED CPIO-SEED ACPI-SEED\n", argv[0]);
        return EXIT_FAILURE;
    }
    fixture_elf(elf);
    const size_t archive_size = fixture_cpio(archive);
    return write_seed(argv[1], elf, sizeof elf) | write_seed(argv[2], archive, archive_size) |
           write_seed(argv[3], acpi, sizeof acpi);
}
