/* SPDX-License-Identifier: MIT */
/*
 * The four functions that the compiler may call of its own accord.  A repeated string instruction
 * counts as one for each element, so words are moved where the size allows it.
 */
#include "arch.h"

#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *at = to;
    size_t words = size / 8;
    __asm__ volatile("rep movsq; mov %3, %2; rep movsb"
                     : "+D"(at), "+S"(from), "+c"(words)
                     : "r"(size & 7)
                     : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    char *last_to = (char *)to + size;
    const char *last_from = (const char *)from + size;
    for (size_t i = 0; i < size; i++)
        *--last_to = *--last_from;
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *at = to;
    size_t words = size / 8;
    uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
    __asm__ volatile("rep stosq; mov %2, %1; rep stosb"
                     : "+D"(at), "+c"(words)
                     : "r"(size & 7), "a"(pattern)
                     : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++)
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    return 0;
}
