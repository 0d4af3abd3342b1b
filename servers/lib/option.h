/* SPDX-License-Identifier: MIT */
#ifndef LIB_OPTION_H
#define LIB_OPTION_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the word `name` or `name=value` on a command line.  Words are parted by spaces; only the
 * value of "cmd" takes the rest of the line. */
bool limen_option(const char *line, const char *name, char *value, size_t size);

#endif
