/* SPDX-License-Identifier: MIT */
/*
 * What the kernel wants from ACPI: how interrupts are wired, which the MADT tells
 * (ACPI 6.5, 5.2.12). Tables come from the firmware and are believed only as far as they check out.
 */
#ifndef ARCH_ACPI_H
#define ARCH_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_IO_APICS_MAX 8u
#define ISA_LINES         16u
#define ACPI_NO_LINT      0xffu

struct acpi_io_apic {
    uint32_t address; /* physical */
    uint32_t first;   /* the global system interrupt of its first pin */
};

struct acpi_isa_line {
    uint32_t gsi; /* the global system interrupt the line is wired to */
    bool level;   /* level-triggered rather than by edge */
    bool low;     /* active low */
};

struct acpi_interrupts {
    uint64_t local_apic; /* physical */
    unsigned io_apic_count;
    struct acpi_io_apic io_apics[ACPI_IO_APICS_MAX];
    struct acpi_isa_line isa[ISA_LINES];
    uint8_t nmi_lint; /* the local APIC's pin for NMI, 0 or 1; ACPI_NO_LINT: none named */
};

/* Bytes at a physical address, or NULL when not all of them can be read. */
typedef const void *acpi_reader(uint64_t physical, size_t size);

/* What a PC without tables has: one I/O APIC at its usual place, and NMI on LINT1. */
void acpi_defaults(struct acpi_interrupts *interrupts);

/* Reads the MADT that the root pointer leads to.  NULL, or what was wrong; then `interrupts` holds
 * the defaults. */
const char *acpi_read(uint64_t root, acpi_reader *reader, struct acpi_interrupts *interrupts);

#endif
