/* SPDX-License-Identifier: MIT */
/* Formatted output.  printf writes to the service "console" where the server may reach it, and to
 * the kernel's log, by way of init, where it may not. */
#ifndef STDIO_H
#define STDIO_H

#include <stdarg.h>
#include <stddef.h>

int printf(const char *restrict format, ...) __attribute__((format(printf, 1, 2)));
int vprintf(const char *restrict format, va_list arguments);
int puts(const char *string);
int putchar(int character);
int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
    __attribute__((format(printf, 3, 4)));
int vsnprintf(char *restrict buffer, size_t size, const char *restrict format, va_list arguments);

/* Writes out what waits for the end of its line. */
void limen_flush(void);

/* Where printf's bytes go in the end. */
void limen_output(const char *text, size_t length);

#endif
