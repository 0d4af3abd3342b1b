/* SPDX-License-Identifier: MIT */
/* Compiled with -fno-builtin, or the compiler would make each loop a call of its own function. */
#include "string.h"
#include <stdint.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *cursor = to;
    __asm__ volatile("rep movsb" : "+D"(cursor), "+S"(from), "+c"(size) : : "memory");
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *cursor = to;
    size_t words = size / sizeof(uint64_t);
    size_t rest = size % sizeof(uint64_t);
    const uint64_t pattern = (uint8_t)byte * 0x0101010101010101ull;
    __asm__ volatile("rep stosq" : "+D"(cursor), "+c"(words) : "a"(pattern) : "memory");
    __asm__ volatile("rep stosb" : "+D"(cursor), "+c"(rest) : "a"(pattern) : "memory");
    return to;
}

int memcmp(const void *left, const void *right, size_t size)
{
    const unsigned char *l = left, *r = right;
    for (size_t i = 0; i < size; i++) {
        if (l[i] != r[i])
            return l[i] < r[i] ? -1 : 1;
    }
    return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
    const unsigned char *cursor = bytes;
    for (size_t i = 0; i < size; i++) {
        if (cursor[i] == (unsigned char)byte)
            return (void *)(uintptr_t)&cursor[i];
    }
    return NULL;
}

char *strchr(const char *text, int character)
{
    for (;; text++) {
        if (*text == (char)character)
            return (char *)(uintptr_t)text;
        if (*text == '\0')
            return NULL;
    }
}

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right)
        left++, right++;
    return (unsigned char)*left - (unsigned char)*right;
}

size_t strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}
