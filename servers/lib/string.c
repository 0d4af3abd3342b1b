/* SPDX-License-Identifier: MIT */
/* The string functions that servers and the compiler itself rely on. */
#include <stdint.h>
#include <string.h>

/* The processor's own bulk copy (SDM vol. 1, 7.3.9.3), by words and then what is left by bytes. */
void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
    void *result = to;
    size_t words = size / sizeof(uint64_t);

    __asm__ volatile("rep movsq; mov %3, %2; rep movsb"
                     : "+D"(to), "+S"(from), "+c"(words)
                     : "r"(size % sizeof(uint64_t))
                     : "memory");
    return result;
}

void *memset(void *to, int byte, size_t size)
{
    void *result = to;
    size_t words = size / sizeof(uint64_t);

    __asm__ volatile("rep stosq; mov %2, %1; rep stosb"
                     : "+D"(to), "+c"(words)
                     : "r"(size % sizeof(uint64_t)), "a"((uint8_t)byte * 0x0101010101010101ull)
                     : "memory");
    return result;
}

void *memmove(void *to, const void *from, size_t size)
{
    unsigned char *out = to;
    const unsigned char *in = from;

    if ((uintptr_t)out - (uintptr_t)in >= size)
        return memcpy(to, from, size);
    while (size-- > 0)
        out[size] = in[size];
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *left = a, *right = b;

    for (size_t i = 0; i < size; i++)
        if (left[i] != right[i])
            return left[i] - right[i];
    return 0;
}

void *memchr(const void *bytes, int byte, size_t size)
{
    const unsigned char *in = bytes;

    for (size_t i = 0; i < size; i++)
        if (in[i] == (unsigned char)byte)
            return (void *)(uintptr_t)&in[i];
    return NULL;
}

size_t strlen(const char *string)
{
    return strnlen(string, SIZE_MAX);
}

size_t strnlen(const char *string, size_t limit)
{
    size_t length = 0;

    while (length < limit && string[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t limit)
{
    for (size_t i = 0; i < limit; i++) {
        if (a[i] != b[i])
            return (unsigned char)a[i] - (unsigned char)b[i];
        if (a[i] == '\0')
            break;
    }
    return 0;
}

char *strchr(const char *string, int character)
{
    for (;; string++) {
        if (*string == (char)character)
            return (char *)(uintptr_t)string;
        if (*string == '\0')
            return NULL;
    }
}
