/* SPDX-License-Identifier: MIT */
/* What the kernel told init at the start, and the boot archive. */
#ifndef INIT_ARCHIVE_H
#define INIT_ARCHIVE_H

#include "cpio.h"

#include <limen/init.h>

const struct limen_init_info *init_info(void);

/* Finds a file of the boot archive. */
bool archive_find(const char *name, struct cpio_file *file);

#endif
