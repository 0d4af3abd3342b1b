/* SPDX-License-Identifier: MIT */
/* Reading the compiled manifest.  Pure. */
#ifndef INIT_MANIFEST_H
#define INIT_MANIFEST_H

#include <limen/manifest.h>
#include <stddef.h>

/* Checks a compiled manifest.  NULL, or what is wrong with it. */
const char *manifest_read(const void *bytes, size_t size,
                          const struct limen_manifest_server **servers, unsigned *count);

#endif
