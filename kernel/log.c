/* SPDX-License-Identifier: MIT */
#include "log.h"

#include "arch.h"

/* The registers of the first serial port, which the panic console and a driver share. */
#define COM1_FIRST 0x3f8u
#define COM1_LAST  0x3ffu

#define LINE_MAX 256u

/* The object that every kernel capability names: there is one kernel, and this is its state. */
static struct {
    struct log log;
    bool silent; /* the console belongs to ring 3, or is to stay quiet */
} kernel;

void log_append(struct log *log, const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        log->bytes[(log->written + i) & (LOG_SIZE - 1)] = text[i];
    log->written += length;
}

size_t log_read(const struct log *log, uint64_t *position, char *out, size_t size)
{
    uint64_t oldest = log->written > LOG_SIZE ? log->written - LOG_SIZE : 0;
    uint64_t from = *position < oldest ? oldest : *position;

    if (from > log->written)
        from = log->written;
    size_t count = log->written - from < size ? (size_t)(log->written - from) : size;
    /* Up to the end of the ring, and from its start. */
    size_t at = from & (LOG_SIZE - 1);
    size_t first = count < LOG_SIZE - at ? count : LOG_SIZE - at;
    memcpy(out, &log->bytes[at], first);
    memcpy(out + first, log->bytes, count - first);
    *position = from + count;
    return count;
}

void log_port_written(uint16_t port)
{
    if (port >= COM1_FIRST && port <= COM1_LAST)
        kernel.silent = true;
}

void log_silence(void)
{
    kernel.silent = true;
}

void log_write(const char *text, size_t length)
{
    log_append(&kernel.log, text, length);
    if (!kernel.silent)
        arch_console_write(text, length);
}

struct log *kernel_log_ring(void)
{
    return &kernel.log;
}

void kernel_log(const char *format, ...)
{
    char line[LINE_MAX];
    __builtin_va_list arguments;

    __builtin_va_start(arguments, format);
    size_t length = kernel_format(line, sizeof(line), format, arguments);
    __builtin_va_end(arguments);
    log_write(line, length);
}
