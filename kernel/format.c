/* SPDX-License-Identifier: MIT */
/*
 * The little of printf that a kernel's messages need: %s %c %d %u %x %p %% with l, z, a width, zero
 * fill and a precision for strings.
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

static void put_padded(struct output *out, const char *text, size_t length, size_t width, char fill)
{
    for (size_t i = length; i < width; i++)
        put(out, fill);
    for (size_t i = 0; i < length; i++)
        put(out, text[i]);
}

static void put_number(struct output *out, uint64_t value, unsigned base, bool negative,
                       size_t width, char fill)
{
    char digits[24];
    size_t at = sizeof(digits);

    do {
        digits[--at] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    if (negative && fill == '0') { /* the sign stands before the zeros */
        put(out, '-');
        width -= width > 0;
    } else if (negative) {
        digits[--at] = '-';
    }
    put_padded(out, digits + at, sizeof(digits) - at, width, fill);
}

static size_t text_length(const char *text, size_t most)
{
    size_t length = 0;
    while (length < most && text[length])
        length++;
    return length;
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
        size_t width = 0;
        size_t precision = SIZE_MAX;
        while (*format >= '0' && *format <= '9')
            width = width * 10 + (size_t)(*format++ - '0');
        if (*format == '.') {
            format++;
            if (*format == '*') {
                int given = __builtin_va_arg(arguments, int);
                precision = given < 0 ? SIZE_MAX : (size_t)given;
                format++;
            } else {
                for (precision = 0; *format >= '0' && *format <= '9';)
                    precision = precision * 10 + (size_t)(*format++ - '0');
            }
        }
        bool wide = false;
        for (; *format == 'l' || *format == 'z'; format++)
            wide = true;
        switch (*format) {
        case 's': {
            const char *text = __builtin_va_arg(arguments, const char *);
            put_padded(&out, text, text_length(text, precision), width, ' ');
            break;
        }
        case 'c':
            put(&out, (char)__builtin_va_arg(arguments, int));
            break;
        case 'd': {
            int64_t value =
                wide ? __builtin_va_arg(arguments, int64_t) : __builtin_va_arg(arguments, int);
            uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
            put_number(&out, magnitude, 10, value < 0, width, fill);
            break;
        }
        case 'u':
        case 'x': {
            uint64_t value = wide ? __builtin_va_arg(arguments, uint64_t)
                                  : __builtin_va_arg(arguments, unsigned);
            put_number(&out, value, *format == 'x' ? 16 : 10, false, width, fill);
            break;
        }
        case 'p':
            put_number(&out, (uint64_t) __builtin_va_arg(arguments, void *), 16, false, 16, '0');
            break;
        case '%':
            put(&out, '%');
            break;
        default: /* the compiler's check lets through more than is known here */
            put(&out, '%');
            if (*format)
                put(&out, *format);
            else
                format--;
            break;
        }
    }
    if (size)
        buffer[out.length] = '\0';
    return out.length;
}
