/* SPDX-License-Identifier: MIT */
/*
 * How interrupts are wired, from the firmware's tables, which are believed only as far as they
 * check out.
 */
#ifndef EFI_ACPI_H
#define EFI_ACPI_H

#include <limen/boot.h>
#include <stddef.h>

/* Bytes at a physical address, or NULL when not all of them can be read. */
typedef const void *acpi_reader(const void *context, uint64_t physical, size_t size);

/* Reads the MADT that the root pointer leads to.  NULL, or what was wrong; then `interrupts` holds
 * what a PC without tables has: one I/O APIC at its usual place, and NMI on LINT1. */
const char *acpi_read(uint64_t root, acpi_reader *reader, const void *context,
                      struct limen_boot_interrupts *interrupts);

#endif
