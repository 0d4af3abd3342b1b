/* SPDX-License-Identifier: MIT */
/* Checks the boot archive. */
#ifndef EFI_CPIO_H
#define EFI_CPIO_H

#include "defect.h"
#include <stddef.h>

/* Walks the whole archive: after this, init may trust every length and offset in it. */
struct defect cpio_check(const void *archive, size_t size);

#endif
