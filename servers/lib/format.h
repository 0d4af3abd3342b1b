/* SPDX-License-Identifier: MIT */
#ifndef LIB_FORMAT_H
#define LIB_FORMAT_H

#include <stdarg.h>
#include <stddef.h>

/* What vsnprintf does, for d i u x X p s c %, the flags - 0 #, width, precision and h l z lengths.
 */
size_t limen_format(char *buffer, size_t size, const char *format, va_list arguments);

#endif
