/* SPDX-License-Identifier: MIT */
/* The C library's names for moving memory, as the compiler itself expects them. */
#ifndef ARCH_STRING_H
#define ARCH_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

#endif
