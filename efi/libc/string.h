/* SPDX-License-Identifier: MIT */
/* The few functions of C's <string.h> that the loader and its compiler call. */
#ifndef EFI_LIBC_STRING_H
#define EFI_LIBC_STRING_H

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *left, const void *right, size_t size);
void *memchr(const void *bytes, int byte, size_t size);
char *strchr(const char *text, int character);
int strcmp(const char *left, const char *right);
size_t strlen(const char *text);

#endif
