/* SPDX-License-Identifier: MIT */
/* Reading a boot archive: cpio of the "newc" kind.  Pure; nothing in the archive is trusted. */
#ifndef INIT_CPIO_H
#define INIT_CPIO_H

#include <stdbool.h>
#include <stddef.h>

struct cpio_file {
    const void *content;
    size_t size;
};

/* Finds the file of that name; false when there is none, or the archive is broken before it. */
bool cpio_find(const void *archive, size_t size, const char *name, struct cpio_file *file);

#endif
