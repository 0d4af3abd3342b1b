/* SPDX-License-Identifier: MIT */
/*
 * The kernel's log: a ring of bytes that keeps the latest, for ring 3 to read.
 *
 * A reader names a position in the endless stream of bytes ever written; what the ring no longer
 * holds is skipped.  Until a driver in ring 3 has the serial port, the log is echoed there.
 */
#ifndef KERNEL_LOG_H
#define KERNEL_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LOG_SIZE 32768u /* a power of two: positions wrap by masking */

struct log {
    uint64_t written; /* bytes ever */
    char bytes[LOG_SIZE];
};

void log_append(struct log *log, const char *text, size_t length);

/* Copies up to `size` bytes from *position on, sets *position to the next, returns the count. */
size_t log_read(const struct log *log, uint64_t *position, char *out, size_t size);

/* Ring 3 wrote to a port: if it is the serial port's, the log is echoed there no more. */
void log_port_written(uint16_t port);

/* Text of any length, to the kernel's log and its echo. */
void log_write(const char *text, size_t length);

/* `quiet` on the command line: no echo at all, so that a console carries nothing but output. */
void log_silence(void);

/* The log that ring 3 reads by its kernel capability. */
struct log *kernel_log_ring(void);

#endif
