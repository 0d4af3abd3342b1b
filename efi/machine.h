/* SPDX-License-Identifier: MIT */
/* Judges what firmware and processor say about the machine; asks neither. */
#ifndef EFI_MACHINE_H
#define EFI_MACHINE_H

#include <efi.h>
#include <limen/boot.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* CPUID's EDX of leaves 1 and 0x80000001. */
struct machine_features {
    uint32_t standard, extended;
};

/* Whether this device path, as the variable ConOut holds it, leads to a serial port as well. */
bool machine_console_is_serial(const void *path, size_t size);

/* Writes the names of the features Limen needs and does not find, with commas; "" if all are
 * there. */
void machine_missing_features(struct machine_features features, char *names, size_t size);

/* Whether this is an ACPI root pointer of the given revision, with the right sums. */
bool machine_rsdp_valid(const void *rsdp, bool extended);

/* Seconds since 1970-01-01 UTC; 0 for a time that no calendar has. */
uint64_t machine_unix_seconds(const EFI_TIME *time);

/* A mode whose pixels the processor can write; address 0 for all others. */
struct limen_boot_framebuffer machine_framebuffer(const EFI_GRAPHICS_OUTPUT_PROTOCOL_MODE *mode);

#endif
