/* SPDX-License-Identifier: MIT */
/* The firmware's tables, in a memory that is all there is.  To get past their checksums, which no
 * fuzzer guesses, each table that it made is given the right one. */
#include "../../efi/acpi.h"
#include "fuzz.h"

/* Where in a table its checksum is: in the root pointer, in its extension, in all others. */
enum { ROOT_CHECKSUM = 8, EXTENDED_CHECKSUM = 32, TABLE_CHECKSUM = 9 };

enum { ROOT = 1, ROOT_SIZE = 20, HEADER_SIZE = 36 };

struct memory {
    uint8_t *bytes;
    size_t size;
};

static void make_sum(uint8_t *bytes, size_t size, size_t checksum)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    bytes[checksum] = (uint8_t)(bytes[checksum] - sum);
}

/* What is read is a copy of just that size, so that the sanitizer sees what is read beyond it. */
static uint8_t *copies[1 << 13];
static unsigned copy_count;

static const void *reader(const void *context, uint64_t physical, size_t size)
{
    const struct memory *memory = context;
    if (physical < ROOT || physical - ROOT > memory->size ||
        size > memory->size - (physical - ROOT))
        return NULL;
    uint8_t *bytes = memory->bytes + (physical - ROOT);
    if (physical == ROOT)
        make_sum(bytes, size, size == ROOT_SIZE ? ROOT_CHECKSUM : EXTENDED_CHECKSUM);
    else if (size >= HEADER_SIZE)
        make_sum(bytes, size, TABLE_CHECKSUM);
    require(copy_count < sizeof copies / sizeof *copies);
    uint8_t *copy = malloc(size);
    require(copy != NULL);
    copies[copy_count++] = copy;
    return memcpy(copy, bytes, size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct limen_boot_interrupts wiring;
    struct memory memory = {malloc(size + 1), size};
    require(memory.bytes != NULL);
    memcpy(memory.bytes, data, size);
    const char *wrong = acpi_read(ROOT, reader, &memory, &wiring);
    require((wrong != NULL) == (wiring.assumed == 1));
    require(wiring.io_apic_count >= 1 && wiring.io_apic_count <= LIMEN_BOOT_IO_APICS_MAX);
    require(wiring.nmi_lint <= 1 || wiring.nmi_lint == LIMEN_BOOT_NO_LINT);
    while (copy_count > 0)
        free(copies[--copy_count]);
    free(memory.bytes);
    return 0;
}
