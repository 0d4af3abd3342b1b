/* SPDX-License-Identifier: MIT */
/* The formatter behind the printf family. */
#include "format.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

struct sink {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text, also where the buffer ended before it */
};

static void put(struct sink *sink, char character)
{
    if (sink->length + 1 < sink->size)
        sink->buffer[sink->length] = character;
    sink->length++;
}

struct conversion {
    bool left, zero, prefix;
    size_t width;
    size_t precision; /* SIZE_MAX: none given */
    unsigned longs;   /* 1: as wide as a pointer */
};

static void put_padded(struct sink *sink, const struct conversion *c, const char *text,
                       size_t length)
{
    size_t fill = c->width > length ? c->width - length : 0;

    for (size_t i = 0; !c->left && i < fill; i++)
        put(sink, ' ');
    for (size_t i = 0; i < length; i++)
        put(sink, text[i]);
    for (size_t i = 0; c->left && i < fill; i++)
        put(sink, ' ');
}

/* `sign` is "-", "0x" or nothing: what stands before the digits and the zeros that fill up. */
static void put_number(struct sink *sink, const struct conversion *c, const char *sign,
                       uint64_t value, unsigned base, const char *digits)
{
    char text[64];
    size_t at = sizeof text;
    size_t sign_length = strlen(sign);
    size_t least = c->precision != SIZE_MAX ? c->precision : 1;

    if (c->zero && !c->left && c->precision == SIZE_MAX && c->width > sign_length)
        least = c->width - sign_length;
    if (least > sizeof text - sign_length)
        least = sizeof text - sign_length;
    for (; value != 0; value /= base)
        text[--at] = digits[value % base];
    while (sizeof text - at < least)
        text[--at] = '0';
    for (size_t i = sign_length; i > 0; i--)
        text[--at] = sign[i - 1];
    put_padded(sink, c, text + at, sizeof text - at);
}

static size_t read_number(const char **format, va_list *arguments)
{
    size_t value = 0;

    if (**format == '*') {
        int given = va_arg(*arguments, int);
        (*format)++;
        return given > 0 ? (size_t)given : 0;
    }
    for (; **format >= '0' && **format <= '9'; (*format)++)
        value = value * 10 + (size_t)(**format - '0');
    return value;
}

static struct conversion read_conversion(const char **format, va_list *arguments)
{
    struct conversion c = {.precision = SIZE_MAX};

    for (;; (*format)++) {
        if (**format == '-')
            c.left = true;
        else if (**format == '0')
            c.zero = true;
        else if (**format == '#')
            c.prefix = true;
        else
            break;
    }
    c.width = read_number(format, arguments);
    if (**format == '.') {
        (*format)++;
        c.precision = read_number(format, arguments);
    }
    for (; **format == 'l' || **format == 'z' || **format == 'h'; (*format)++)
        c.longs += **format != 'h';
    return c;
}

static void convert(struct sink *sink, const char **format, va_list *arguments)
{
    static const char lower[] = "0123456789abcdef", upper[] = "0123456789ABCDEF";
    struct conversion c = read_conversion(format, arguments);
    char kind = *(*format)++;

    switch (kind) {
    case 'd':
    case 'i': {
        int64_t value = c.longs > 0 ? va_arg(*arguments, long) : va_arg(*arguments, int);
        put_number(sink, &c, value < 0 ? "-" : "",
                   value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, lower);
        break;
    }
    case 'u':
    case 'x':
    case 'X': {
        uint64_t value =
            c.longs > 0 ? va_arg(*arguments, unsigned long) : va_arg(*arguments, unsigned);
        put_number(sink, &c, c.prefix && kind != 'u' ? "0x" : "", value, kind == 'u' ? 10 : 16,
                   kind == 'X' ? upper : lower);
        break;
    }
    case 'p':
        put_number(sink, &c, "0x", (uintptr_t)va_arg(*arguments, void *), 16, lower);
        break;
    case 's': {
        const char *text = va_arg(*arguments, const char *);
        if (text == NULL)
            text = "(null)";
        put_padded(sink, &c, text, strnlen(text, c.precision));
        break;
    }
    case 'c': {
        char character = (char)va_arg(*arguments, int);
        put_padded(sink, &c, &character, 1);
        break;
    }
    case '\0': /* a lone % at the end */
        (*format)--;
        break;
    default: /* % itself; an unknown conversion shows as it was written */
        put(sink, kind);
        break;
    }
}

size_t limen_format(char *buffer, size_t size, const char *format, va_list arguments)
{
    struct sink sink = {buffer, size, 0};
    va_list copy;

    va_copy(copy, arguments);
    while (*format != '\0') {
        char character = *format++;
        if (character == '%')
            convert(&sink, &format, &copy);
        else
            put(&sink, character);
    }
    va_end(copy);
    if (size > 0)
        buffer[sink.length < size ? sink.length : size - 1] = '\0';
    return sink.length;
}
