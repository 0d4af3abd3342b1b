/* SPDX-License-Identifier: MIT */
/* Section numbers are those of the ACPI specification, version 6.4. */
#include "acpi.h"

#include <string.h>

#define TABLE_SIZE_MAX 0x100000u /* larger than any real table */

/* 5.2.5.3 */
struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} __attribute__((packed));

/* 5.2.6 */
struct table_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));

/* 5.2.9, up to the fields used here. */
struct fadt {
    struct table_header header;
    uint32_t firmware_control, dsdt;
    uint8_t reserved, profile;
    uint16_t sci_interrupt;
    uint32_t smi_command;
    uint8_t acpi_enable, acpi_disable, s4bios, pstate;
    uint32_t pm1a_event, pm1b_event, pm1a_control, pm1b_control;
} __attribute__((packed));

static bool read_header(acpi_reader *read, uint64_t table, struct table_header *header)
{
    return read(table, header, sizeof *header) && header->length <= TABLE_SIZE_MAX;
}

/* The physical address of the table with that signature, or 0. */
static uint64_t find_table(acpi_reader *read, const struct rsdp *rsdp, const char *signature)
{
    bool wide = rsdp->revision >= 2 && rsdp->xsdt != 0;
    uint64_t root = wide ? rsdp->xsdt : rsdp->rsdt;
    size_t entry_size = wide ? sizeof(uint64_t) : sizeof(uint32_t);
    struct table_header header;

    if (!read_header(read, root, &header))
        return 0;
    for (size_t at = sizeof header; at + entry_size <= header.length; at += entry_size) {
        struct table_header table;
        uint64_t address = 0;
        if (read(root + at, &address, entry_size) && read_header(read, address, &table) &&
            memcmp(table.signature, signature, sizeof table.signature) == 0)
            return address;
    }
    return 0;
}

/* -- \_S5_ in the DSDT's byte code (20.2) -- */

#define AML_NAME       0x08
#define AML_PACKAGE    0x12
#define AML_ZERO       0x00
#define AML_ONE        0x01
#define AML_BYTE       0x0a
#define AML_ROOT       '\\'
#define S5_BYTES       16u /* enough for the name, the package's head and two byte constants */
#define PKG_LENGTH_TOP 6   /* bits 7:6 of PkgLength count its further bytes (20.2.4) */

/* Reads one element of the package; its size, or 0 for one of another kind. */
static size_t read_element(const uint8_t *code, uint8_t *value)
{
    if (code[0] == AML_ZERO || code[0] == AML_ONE) {
        *value = code[0];
        return 1;
    }
    if (code[0] == AML_BYTE) {
        *value = code[1];
        return 2;
    }
    return 0;
}

/* `code` follows the name's four characters. */
static bool read_package(const uint8_t *code, struct acpi_power *power)
{
    size_t size;

    if (code[0] != AML_PACKAGE)
        return false;
    code += 2 + (code[1] >> PKG_LENGTH_TOP); /* opcode and PkgLength */
    if (*code++ < 2)                         /* NumElements */
        return false;
    size = read_element(code, &power->sleep_a);
    return size != 0 && read_element(code + size, &power->sleep_b) != 0;
}

static bool find_s5(acpi_reader *read, uint64_t dsdt, struct acpi_power *power)
{
    static uint8_t code[4096];
    struct table_header header;
    const size_t overlap = 2 + 4 + S5_BYTES;

    if (!read_header(read, dsdt, &header))
        return false;
    for (size_t at = sizeof header; at < header.length; at += sizeof code - overlap) {
        size_t size = header.length - at < sizeof code ? header.length - at : sizeof code;
        memset(code, 0xff, sizeof code);
        if (!read(dsdt + at, code, size))
            return false;
        for (size_t i = 2; i + 4 + S5_BYTES <= sizeof code; i++) {
            bool named =
                code[i - 1] == AML_NAME || (code[i - 1] == AML_ROOT && code[i - 2] == AML_NAME);
            if (named && memcmp(&code[i], "_S5_", 4) == 0 && read_package(&code[i + 4], power))
                return true;
        }
        if (size < sizeof code)
            break;
    }
    return false;
}

const char *acpi_read_power(acpi_reader *read, uint64_t rsdp_address, struct acpi_power *power)
{
    struct rsdp rsdp;
    struct fadt fadt;
    uint64_t table;

    memset(power, 0, sizeof *power);
    if (rsdp_address == 0)
        return "the firmware has no ACPI tables";
    if (!read(rsdp_address, &rsdp, sizeof rsdp) ||
        memcmp(rsdp.signature, "RSD PTR ", sizeof rsdp.signature) != 0)
        return "the ACPI root pointer cannot be read";
    table = find_table(read, &rsdp, "FACP");
    if (table == 0 || !read(table, &fadt, sizeof fadt) || fadt.header.length < sizeof fadt)
        return "ACPI has no readable FADT";
    if (fadt.pm1a_control == 0 || fadt.pm1a_control > UINT16_MAX ||
        fadt.pm1b_control > UINT16_MAX || fadt.smi_command > UINT16_MAX)
        return "the FADT names no power register that is a port";
    if (!find_s5(read, fadt.dsdt, power))
        return "the DSDT has no \\_S5_ package";
    power->pm1a_control = (uint16_t)fadt.pm1a_control;
    power->pm1b_control = (uint16_t)fadt.pm1b_control;
    power->smi_command = (uint16_t)fadt.smi_command;
    power->acpi_enable = fadt.acpi_enable;
    return NULL;
}
