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

int main(int argc, char **argv)
{
    static uint8_t elf[FIXTURE_ELF_SIZE];
    static char archive[FIXTURE_CPIO_MAX];
    if (argc != 3) {
        fprintf(stderr, "usage: %s ELF-SEED CPIO-SEED\n", argv[0]);
        return EXIT_FAILURE;
    }
    fixture_elf(elf);
    const size_t archive_size = fixture_cpio(archive);
    return write_seed(argv[1], elf, sizeof elf) | write_seed(argv[2], archive, archive_size);
}
