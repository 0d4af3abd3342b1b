/* SPDX-License-Identifier: MIT */
#include "text.h"
#include <stdint.h>
#include <string.h>

struct sink {
    char *buffer;
    size_t size, length;
};

static void put(struct sink *sink, char c)
{
    if (sink->length + 1 < sink->size)
        sink->buffer[sink->length++] = c;
}

static void put_text(struct sink *sink, const char *text)
{
    while (*text != '\0')
        put(sink, *text++);
}

static void put_number(struct sink *sink, uint64_t number, unsigned base)
{
    char digits[20]; /* of 2^64-1 in decimal */
    unsigned count = 0;
    do {
        digits[count++] = "0123456789abcdef"[number % base];
        number /= base;
    } while (number != 0);
    while (count != 0)
        put(sink, digits[--count]);
}

size_t text_format(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {.buffer = buffer, .size = size};
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(&sink, *format);
            continue;
        }
        format++;
        if (*format == 's') {
            put_text(&sink, va_arg(arguments, const char *));
        } else if (*format == 'u') {
            put_number(&sink, va_arg(arguments, unsigned), 10);
        } else if (format[0] == 'l' && format[1] == 'l') {
            format += 2;
            put_number(&sink, va_arg(arguments, unsigned long long), *format == 'x' ? 16 : 10);
        } else {
            put(&sink, *format);
        }
    }
    buffer[sink.length] = '\0';
    return sink.length;
}

static bool is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

bool text_append_words(char *line, size_t size, const char *piece, size_t length)
{
    while (length != 0 && is_blank(piece[length - 1]))
        length--;
    while (length != 0 && is_blank(*piece))
        piece++, length--;
    if (length == 0)
        return true;
    const size_t used = strlen(line);
    const size_t between = used != 0;
    if (length >= size || used + between >= size - length)
        return false;
    if (between)
        line[used] = ' ';
    char *to = line + used + between;
    for (size_t i = 0; i < length; i++)
        to[i] = (char)(is_blank(piece[i]) ? ' ' : piece[i]);
    to[length] = '\0';
    return true;
}

/* Length of a first word that ends in .efi, with the quotes a shell may keep around it. */
static size_t program_name(const char *piece, size_t length)
{
    static const char suffix[] = ".efi";
    size_t end = 0;
    while (end < length && piece[end] != ' ')
        end++;
    size_t name = end;
    while (name != 0 && piece[name - 1] == '"')
        name--;
    if (name < sizeof suffix - 1)
        return 0;
    for (size_t i = 0; i < sizeof suffix - 1; i++) {
        if ((piece[name - (sizeof suffix - 1) + i] | 0x20) != (suffix[i] | 0x20))
            return 0;
    }
    return end;
}

size_t text_from_load_options(const void *options, size_t options_size, char *piece, size_t size)
{
    const unsigned char *bytes = options;
    size_t length = 0;
    if (options_size % 2 != 0)
        return 0;
    for (size_t i = 0; i < options_size && (bytes[i] | bytes[i + 1]) != 0; i += 2) {
        if (bytes[i + 1] != 0 || bytes[i] < ' ' || bytes[i] > '~' || length == size)
            return 0;
        piece[length++] = (char)bytes[i];
    }
    const size_t name = program_name(piece, length);
    length -= name;
    for (size_t i = 0; i < length; i++)
        piece[i] = piece[i + name];
    return length;
}
