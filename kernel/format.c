/* SPDX-License-Identifier: MIT */
/*
 * The little of printf that a kernel's messages need: %s %u %x %% with l, z, a width and zero fill
 * for numbers, and a precision for strings.
 */
#include "arch.h"

struct output {
    char *buffer;
    size_t size;
    size_t length;
};

static void put(struct output *out, char c)
{
    if (out->length + 1 < out->size)
        out->buffer[out->length++] = c;
}

static void put_number(struct output *out, uint64_t value, unsigned base, size_t width, char fill)
{
    char digits[20]; /* of 2^64 - 1, to the base of ten */
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    for (size_t i = sizeof(digits) - at; i < width; i++)
        put(out, fill);
    while (at < sizeof(digits))
        put(out, digits[at++]);
}

static size_t read_number(const char **format)
{
    size_t number = 0;
    for (; **format >= '0' && **format <= '9'; ++*format)
        number = number * 10 + (size_t)(**format - '0');
    return number;
}

size_t kernel_format(char *buffer, size_t size, const char *format, __builtin_va_list arguments)
{
    struct output out = {.buffer = buffer, .size = size};

    for (; *format; format++) {
        if (*format != '%') {
            put(&out, *format);
            continue;
        }
        format++;
        char fill = *format == '0' ? '0' : ' ';
        size_t width = read_number(&format), precision = SIZE_MAX;
        if (*format == '.') {
            format++;
            precision = read_number(&format);
        }
        bool wide = false;
        for (; *format == 'l' || *format == 'z'; format++)
            wide = true;
        if (*format == 's') {
            const char *text = __builtin_va_arg(arguments, const char *);
            for (size_t i = 0; i < precision && text[i]; i++)
                put(&out, text[i]);
        } else if (*format == 'u' || *format == 'x') {
            uint64_t value = wide ? __builtin_va_arg(arguments, uint64_t)
                                  : __builtin_va_arg(arguments, unsigned);
            put_number(&out, value, *format == 'x' ? 16 : 10, width, fill);
        } else { /* the compiler's check lets through more than is known here */
            put(&out, '%');
            if (!*format)
                break;
            if (*format != '%')
                put(&out, *format);
        }
    }
    if (size)
        buffer[out.length] = '\0';
    return out.length;
}
