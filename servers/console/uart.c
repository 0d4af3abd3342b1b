/* SPDX-License-Identifier: MIT */
/* The 16550's registers (National Semiconductor PC16550D data sheet, section 8). */
#include "uart.h"

#include <limen.h>

enum uart_register {
    UART_DATA = 0,
    UART_INTERRUPT_ENABLE = 1,
    UART_INTERRUPT_ID = 2, /* reading */
    UART_FIFO_CONTROL = 2, /* writing */
    UART_LINE_CONTROL = 3,
    UART_MODEM_CONTROL = 4,
    UART_LINE_STATUS = 5,
    UART_SCRATCH = 7,
    UART_DIVISOR_LOW = 0, /* while LINE_DIVISOR is set */
    UART_DIVISOR_HIGH = 1,
};

#define ENABLE_RECEIVED 0x01u
#define ENABLE_SENT     0x02u

#define ID_NONE 0x01u

/* The receiver's interrupt comes with the first byte: no trigger level. */
#define FIFO_ENABLE 0x01u

#define LINE_8_BITS  0x03u
#define LINE_DIVISOR 0x80u

#define MODEM_READY 0x03u /* data terminal ready, request to send */
#define MODEM_OUT2  0x08u /* on a PC, lets the interrupt through to its line */

#define STATUS_RECEIVED   0x01u
#define STATUS_FIFO_EMPTY 0x20u
#define STATUS_IDLE       0x40u

#define DIVISOR_115200 1u
#define SCRATCH_TEST   0x5au

static uint8_t get(struct uart *uart, enum uart_register reg)
{
    uint32_t value;

    limen_port_in(uart->ports, (uint16_t)(uart->base + reg), 1, &value);
    return (uint8_t)value;
}

static void set(struct uart *uart, enum uart_register reg, uint32_t value)
{
    limen_port_out(uart->ports, (uint16_t)(uart->base + reg), 1, value);
}

static void set_line(struct uart *uart)
{
    set(uart, UART_LINE_CONTROL, LINE_DIVISOR | LINE_8_BITS);
    set(uart, UART_DIVISOR_LOW, DIVISOR_115200);
    set(uart, UART_DIVISOR_HIGH, 0);
    set(uart, UART_LINE_CONTROL, LINE_8_BITS);
    set(uart, UART_FIFO_CONTROL, FIFO_ENABLE);
    set(uart, UART_MODEM_CONTROL, MODEM_READY | MODEM_OUT2);
}

void uart_init(struct uart *uart, uint32_t ports, uint16_t base, bool first)
{
    *uart = (struct uart){ports, base, false};
    set(uart, UART_SCRATCH, SCRATCH_TEST);
    if (get(uart, UART_SCRATCH) != SCRATCH_TEST)
        return; /* nothing there: reads of an empty bus give all ones */
    uart->present = true;
    if (first)
        set_line(uart);
    set(uart, UART_INTERRUPT_ENABLE, ENABLE_RECEIVED | ENABLE_SENT);
}

bool uart_interrupted(struct uart *uart)
{
    return uart->present && (get(uart, UART_INTERRUPT_ID) & ID_NONE) == 0;
}

static bool has_received(struct uart *uart)
{
    return uart->present && (get(uart, UART_LINE_STATUS) & STATUS_RECEIVED) != 0;
}

bool uart_receive(struct uart *uart)
{
    if (!has_received(uart))
        return false;
    get(uart, UART_DATA);
    return true;
}

bool uart_receive_and_record(struct uart *uart, struct limen_record *record)
{
    const uint64_t words[8] = {uart->base + UART_DATA, 1};

    if (!has_received(uart))
        return false;
    limen_call_and_record(record, LIMEN_SYS_CALL, uart->ports, limen_tag(LIMEN_PORTS_IN, 2, 0),
                          words);
    return true;
}

bool uart_can_send(struct uart *uart)
{
    return !uart->present || (get(uart, UART_LINE_STATUS) & STATUS_FIFO_EMPTY) != 0;
}

bool uart_is_idle(struct uart *uart)
{
    return !uart->present || (get(uart, UART_LINE_STATUS) & STATUS_IDLE) != 0;
}

void uart_send(struct uart *uart, const char *bytes, size_t count)
{
    if (uart->present)
        limen_port_out_bytes(uart->ports, (uint16_t)(uart->base + UART_DATA), bytes, count);
}

void uart_send_and_record(struct uart *uart, const char *bytes, size_t count,
                          struct limen_record *record)
{
    uint64_t words[8] = {uart->base + UART_DATA, count};

    if (!uart->present) {
        limen_commit(record->where, record->value);
        return;
    }
    memcpy(&words[2], bytes, count);
    limen_call_and_record(record, LIMEN_SYS_CALL, uart->ports,
                          limen_tag(LIMEN_PORTS_OUT_BYTES, 8, 0), words);
}
