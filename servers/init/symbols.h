/* SPDX-License-Identifier: MIT */
/* Names for addresses, from a list of "hexadecimal-address name" lines in ascending order. */
#ifndef INIT_SYMBOLS_H
#define INIT_SYMBOLS_H

#include <stddef.h>
#include <stdint.h>

struct symbol {
    const char *name; /* not ended by a zero byte */
    size_t length;
    uint64_t offset; /* of the address within it */
};

/* The last symbol at or below an address; length 0 when there is none. */
struct symbol symbol_find(const char *list, size_t size, uint64_t address);

#endif
