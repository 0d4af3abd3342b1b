/* SPDX-License-Identifier: MIT */
/* The printf family.  Output waits in the thread's own block until its line ends, so that lines of
 * several threads do not mix and a line costs one message. */
#include "format.h"

#include <runtime/thread.h>
#include <stdio.h>
#include <string.h>

int vsnprintf(char *restrict buffer, size_t size, const char *restrict format, va_list arguments)
{
    return (int)limen_format(buffer, size, format, arguments);
}

int snprintf(char *restrict buffer, size_t size, const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(buffer, size, format, arguments);
    va_end(arguments);
    return length;
}

void limen_flush(void)
{
    struct limen_thread_block *block = limen_thread_block();
    uint32_t length = block->output_length;

    block->output_length = 0;
    if (length > 0)
        limen_output(block->output, length);
}

int putchar(int character)
{
    struct limen_thread_block *block = limen_thread_block();

    block->output[block->output_length++] = (char)character;
    if (character == '\n' || block->output_length == sizeof block->output)
        limen_flush();
    return (unsigned char)character;
}

int vprintf(const char *restrict format, va_list arguments)
{
    char text[LIMEN_OUTPUT_LINE + 1];
    size_t length = limen_format(text, sizeof text, format, arguments);

    if (length >= sizeof text)
        length = sizeof text - 1;
    for (size_t i = 0; i < length; i++)
        putchar(text[i]);
    return (int)length;
}

int printf(const char *restrict format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vprintf(format, arguments);
    va_end(arguments);
    return length;
}

int puts(const char *string)
{
    return printf("%s\n", string);
}
