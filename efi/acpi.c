/* SPDX-License-Identifier: MIT */
#include "acpi.h"
#include <stdbool.h>

#define ROOT_SIZE           20u /* of a version 1 root pointer; its checksum covers these */
#define ROOT_SIZE_2         36u
#define HEADER_SIZE         36u
#define TABLE_SIZE_MAX      0x100000u
#define MADT_FIXED_SIZE     44u
#define DEFAULT_IO_APIC     0xfec00000u
#define TIMER_PIN           2u /* where PCs wire the 8254, line 2 being taken by the cascade */
#define MADT_IO_APIC        1u
#define MADT_OVERRIDE       2u
#define MADT_LOCAL_NMI      4u
#define POLARITY_MASK       0x3u
#define POLARITY_ACTIVE_LOW 0x3u
#define TRIGGER_MASK        0xcu
#define TRIGGER_LEVEL       0xcu

/* The tables are packed and at any alignment: all fields are read a byte at a time. */
static uint64_t field(const uint8_t *bytes, size_t offset, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = size; i-- > 0;)
        value = value << 8 | bytes[offset + i];
    return value;
}

static bool sums_to_zero(const uint8_t *bytes, size_t size)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + bytes[i]);
    return sum == 0;
}

static bool starts_with(const uint8_t *bytes, const char *signature)
{
    for (size_t i = 0; signature[i]; i++)
        if (bytes[i] != (uint8_t)signature[i])
            return false;
    return true;
}

struct source {
    acpi_reader *reader;
    const void *context;
};

static const uint8_t *read_bytes(const struct source *source, uint64_t physical, size_t size)
{
    return source->reader(source->context, physical, size);
}

/* A whole table, with its checksum right, or NULL. */
static const uint8_t *read_table(const struct source *source, uint64_t physical, size_t *size)
{
    const uint8_t *header = read_bytes(source, physical, HEADER_SIZE);
    if (!header)
        return NULL;
    *size = field(header, 4, 4);
    if (*size < HEADER_SIZE || *size > TABLE_SIZE_MAX)
        return NULL;
    const uint8_t *table = read_bytes(source, physical, *size);
    return table && sums_to_zero(table, *size) ? table : NULL;
}

static const char *read_madt(const uint8_t *madt, size_t size, struct limen_boot_interrupts *out)
{
    if (size < MADT_FIXED_SIZE)
        return "the MADT is shorter than its fixed part";
    for (size_t at = MADT_FIXED_SIZE; at < size;) {
        const uint8_t *entry = madt + at;
        size_t length = size - at >= 2 ? entry[1] : 0;
        if (length < 2 || length > size - at)
            return "an entry of the MADT does not fit the table";
        if (entry[0] == MADT_IO_APIC && length >= 12) {
            if (out->io_apic_count == LIMEN_BOOT_IO_APICS_MAX)
                return "the MADT names more I/O APICs than there is room for";
            out->io_apics[out->io_apic_count].address = (uint32_t)field(entry, 4, 4);
            out->io_apics[out->io_apic_count++].first = (uint32_t)field(entry, 8, 4);
        } else if (entry[0] == MADT_OVERRIDE && length >= 10) {
            uint64_t flags = field(entry, 8, 2);
            if (entry[3] >= LIMEN_BOOT_ISA_LINES)
                return "the MADT overrides an interrupt that is not of the ISA bus";
            out->isa[entry[3]].gsi = (uint32_t)field(entry, 4, 4);
            out->isa[entry[3]].low = (flags & POLARITY_MASK) == POLARITY_ACTIVE_LOW;
            out->isa[entry[3]].level = (flags & TRIGGER_MASK) == TRIGGER_LEVEL;
        } else if (entry[0] == MADT_LOCAL_NMI && length >= 6) {
            if (entry[5] > 1)
                return "the MADT names a local interrupt pin that does not exist";
            out->nmi_lint = entry[5];
        }
        at += length;
    }
    return out->io_apic_count ? NULL : "the MADT names no I/O APIC";
}

/* What the MADT need not say: an ISA line is wired to the pin of its own number. */
static void identity(struct limen_boot_interrupts *interrupts)
{
    *interrupts = (struct limen_boot_interrupts){.nmi_lint = LIMEN_BOOT_NO_LINT};
    for (unsigned i = 0; i < LIMEN_BOOT_ISA_LINES; i++)
        interrupts->isa[i].gsi = i;
}

static void defaults(struct limen_boot_interrupts *interrupts)
{
    identity(interrupts);
    interrupts->isa[0].gsi = TIMER_PIN;
    interrupts->io_apic_count = 1;
    interrupts->io_apics[0].address = DEFAULT_IO_APIC;
    interrupts->nmi_lint = 1;
    interrupts->assumed = 1;
}

static const char *read_root(const struct source *source, uint64_t root,
                             struct limen_boot_interrupts *out)
{
    const uint8_t *pointer = root ? read_bytes(source, root, ROOT_SIZE) : NULL;
    if (!pointer)
        return "there is no ACPI root pointer";
    if (!starts_with(pointer, "RSD PTR ") || !sums_to_zero(pointer, ROOT_SIZE))
        return "the ACPI root pointer is damaged";

    /* From revision 2 on there are 64-bit addresses, in an XSDT. */
    uint64_t list_address = field(pointer, 16, 4);
    unsigned width = 4;
    const char *signature = "RSDT";
    if (pointer[15] >= 2) {
        pointer = read_bytes(source, root, ROOT_SIZE_2);
        if (!pointer || !sums_to_zero(pointer, ROOT_SIZE_2))
            return "the extended ACPI root pointer is damaged";
        if (field(pointer, 24, 8) != 0) {
            list_address = field(pointer, 24, 8);
            width = 8;
            signature = "XSDT";
        }
    }

    size_t list_size;
    const uint8_t *list = read_table(source, list_address, &list_size);
    if (!list || !starts_with(list, signature))
        return "the list of ACPI tables is damaged";
    for (size_t at = HEADER_SIZE; at + width <= list_size; at += width) {
        uint64_t address = field(list, at, width);
        const uint8_t *header = read_bytes(source, address, HEADER_SIZE);
        if (!header || !starts_with(header, "APIC"))
            continue;
        size_t size;
        const uint8_t *madt = read_table(source, address, &size);
        return madt ? read_madt(madt, size, out) : "the MADT is damaged";
    }
    return "there is no MADT";
}

const char *acpi_read(uint64_t root, acpi_reader *reader, const void *context,
                      struct limen_boot_interrupts *interrupts)
{
    const struct source source = {reader, context};
    identity(interrupts);
    const char *wrong = read_root(&source, root, interrupts);
    if (wrong)
        defaults(interrupts);
    return wrong;
}
