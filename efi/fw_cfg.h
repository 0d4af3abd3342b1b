/* SPDX-License-Identifier: MIT */
/*
 * Files that QEMU hands to its guest (-fw_cfg name=opt/...), after QEMU's docs/specs/fw_cfg.
 * With them a test gives its payload to a machine whose disk the firmware has long read.
 */
#ifndef EFI_FW_CFG_H
#define EFI_FW_CFG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fw_cfg_file {
    uint16_t selector;
    uint32_t size;
};

#define FW_CFG_DIRECTORY       0x19u
#define FW_CFG_DIRECTORY_BYTES 0x10000u /* more than QEMU's limit on files needs */

/* Looks `name` up in the directory as QEMU lays it out.  Asks no device. */
bool fw_cfg_find(const void *directory, size_t size, const char *name, struct fw_cfg_file *file);

/* Whether there is a fw_cfg device, with DMA.  Touches its ports only under a hypervisor. */
bool fw_cfg_present(void);

/* Reads an item's first `size` bytes.  False if the device reports an error. */
bool fw_cfg_read(uint16_t selector, void *buffer, uint32_t size);

#endif
