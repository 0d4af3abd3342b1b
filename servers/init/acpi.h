/* SPDX-License-Identifier: MIT */
/*
 * The little of ACPI that turning a machine off takes: the FADT's power registers and the sleep
 * types of the DSDT's \_S5_ package.  Pure: physical memory is read through a function.
 */
#ifndef INIT_ACPI_H
#define INIT_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef bool acpi_reader(uint64_t physical, void *buffer, size_t size);

struct acpi_power {
    uint16_t pm1a_control; /* port */
    uint16_t pm1b_control; /* port; 0: none */
    uint8_t sleep_a;       /* SLP_TYP values of S5 */
    uint8_t sleep_b;
    uint16_t smi_command; /* port; 0: the machine is in ACPI mode from the start */
    uint8_t acpi_enable;  /* the value that turns ACPI mode on there */
};

/* Finds out how to turn the machine off.  NULL, or why it cannot be found. */
const char *acpi_read_power(acpi_reader *read, uint64_t rsdp, struct acpi_power *power);

#endif
