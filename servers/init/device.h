/* SPDX-License-Identifier: MIT */
/* Memory that belongs to devices and firmware. */
#ifndef INIT_DEVICE_H
#define INIT_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Takes note of a device untyped capability. */
void device_add(uint32_t untyped, uint64_t address, unsigned order);

/* Copies physical memory out of device untyped memory; false where there is none. */
bool device_read(uint64_t physical, void *buffer, size_t size);

#endif
