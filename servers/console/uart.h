/* SPDX-License-Identifier: MIT */
/* A 16550 serial port, reached through a capability for its eight ports. */
#ifndef CONSOLE_UART_H
#define CONSOLE_UART_H

#include <runtime/state.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UART_FIFO 16u

struct uart {
    uint32_t ports; /* slot of the capability */
    uint16_t base;
    bool present;
};

/* Finds out whether there is a port.  In the server's first life, sets it to 115200 baud, 8 bits,
 * no parity, FIFOs on; in a later one it may be sending still, and stays as it is.  Interrupts are
 * on in both directions. */
void uart_init(struct uart *uart, uint32_t ports, uint16_t base, bool first);

/* Reads the cause of an interrupt, which also withdraws it; false when there was none. */
bool uart_interrupted(struct uart *uart);

/* Takes the next byte received, and drops it; false when there is none. */
bool uart_receive(struct uart *uart);

/* Takes the next byte received, and makes the record, which says where it goes: both or none. */
bool uart_receive_and_record(struct uart *uart, struct limen_record *record);

/* Whether the transmit FIFO is empty, and takes UART_FIFO bytes. */
bool uart_can_send(struct uart *uart);

/* Whether the last bit has left. */
bool uart_is_idle(struct uart *uart);

void uart_send(struct uart *uart, const char *bytes, size_t count);

/* Sends, and makes the record: both or none. */
void uart_send_and_record(struct uart *uart, const char *bytes, size_t count,
                          struct limen_record *record);

#endif
