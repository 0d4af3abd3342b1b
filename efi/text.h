/* SPDX-License-Identifier: MIT */
/* Text in fixed buffers: messages, and the command line from its three sources. */
#ifndef EFI_TEXT_H
#define EFI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* As vsnprintf() for %s, %u, %llu, %llx and %%; ends with a zero byte and returns the length, cut
 * to fit.  `size` is not 0. */
size_t text_format(char *buffer, size_t size, const char *format, va_list arguments);

/* Appends a piece to the command line in `line`: control characters become blanks, blanks at the
 * ends go, one blank stays between the pieces.  False, and `line` unchanged, if it does not fit. */
bool text_append_words(char *line, size_t size, const char *piece, size_t length);

/* Turns UEFI load options, UTF-16 text of any origin, into a piece of command line.  Options that
 * are no plain text (boot managers store private data there) count as none; the program's own name,
 * with which the UEFI shell starts them, goes.  Returns the length, at most `size`. */
size_t text_from_load_options(const void *options, size_t options_size, char *piece, size_t size);

#endif
