/* SPDX-License-Identifier: MIT */
/*
 * The console server: lines in, text out, over a serial port.
 *
 * One thread waits for requests and for the port's interrupt at once.  It never waits for a client:
 * answers that must wait are kept as reply objects, which are the tickets of terminal.h.
 */
#include "terminal.h"
#include "uart.h"

#include <limen.h>
#include <protocol/console.h>

/* While bytes wait to be sent, how often the port is looked at though no interrupt came: none
 * tells that the last bit has left, and some emulators lose the one for an empty FIFO. */
#define INTERRUPT_PATIENCE_NS 5000000u

/* Whose badge no client has: the kernel's log is queued under it. */
#define LOG_BADGE UINT64_MAX

static struct terminal terminal;
static struct uart uart;

/* -- requests -- */

static enum limen_error write_text(struct limen_request *request, const void *text, size_t size)
{
    switch (output_add(&terminal.output, request->badge, text, size)) {
    case OUTPUT_REFUSED:
        return LIMEN_BUSY;
    case OUTPUT_WAIT: {
        uint32_t ticket = limen_defer(request);
        if (ticket != 0 && !output_wait(&terminal.output, request->badge, ticket))
            console_write_answer(ticket, LIMEN_OK);
        break;
    }
    case OUTPUT_TAKEN:
        break;
    }
    return LIMEN_OK;
}

static enum limen_error read_line(struct limen_request *request, const char *prompt, char *line)
{
    uint32_t ticket = limen_defer(request);

    (void)line; /* the answer comes later */
    if (ticket == 0)
        return LIMEN_LIMIT;
    if (!terminal_read(&terminal, request->badge, ticket, prompt))
        console_read_line_answer(ticket, LIMEN_LIMIT, "");
    return LIMEN_OK;
}

static enum limen_error flush(struct limen_request *request)
{
    uint32_t ticket = limen_defer(request);

    if (ticket == 0)
        return LIMEN_LIMIT;
    if (!output_flush(&terminal.output, request->badge, ticket))
        console_flush_answer(ticket, LIMEN_BUSY);
    return LIMEN_OK;
}

static bool deliver(uint32_t ticket, bool abandoned, const char *text)
{
    enum limen_error verdict = abandoned ? LIMEN_CANCELLED : LIMEN_OK;
    return console_read_line_answer(ticket, verdict, text) == LIMEN_OK;
}

/* -- the kernel's log -- */

/* Shows what was added to the log since the last time; what does not fit waits for the next. */
static void show_log(uint32_t kernel, uint64_t *position, bool show)
{
    char text[LIMEN_LOG_READ_MAX];
    size_t length;

    for (;;) {
        uint64_t next = *position;
        if (limen_log_read(kernel, &next, text, &length) != LIMEN_OK || length == 0)
            return;
        if (show && output_add(&terminal.output, LOG_BADGE, text, length) == OUTPUT_REFUSED)
            return;
        *position = next;
    }
}

/* -- the port -- */

static void send_pending(void)
{
    char bytes[UART_FIFO];

    while (uart_can_send(&uart)) {
        size_t count = terminal_next(&terminal, bytes, sizeof bytes);
        if (count == 0)
            break;
        uart_send(&uart, bytes, count);
    }
}

static void answer_ready(void)
{
    bool is_flush;
    uint32_t ticket;
    bool idle = uart_is_idle(&uart);

    while ((ticket = output_ready(&terminal.output, idle, &is_flush)) != 0) {
        if (is_flush)
            console_flush_answer(ticket, LIMEN_OK);
        else
            console_write_answer(ticket, LIMEN_OK);
    }
}

/* The line is edge-triggered: only when the port has withdrawn every cause can it rise again. */
static void drain_port(void)
{
    unsigned char byte;

    do {
        while (uart_receive(&uart, &byte))
            terminal_type(&terminal, byte);
        send_pending();
    } while (uart_interrupted(&uart));
}

static uint64_t deadline(void)
{
    return terminal_is_busy(&terminal) ? limen_now() + INTERRUPT_PATIENCE_NS : LIMEN_FOREVER;
}

int main(void)
{
    static const struct console_handlers handlers = {write_text, read_line, flush};
    const struct limen_protocol protocol = console_protocol(&handlers);
    const struct limen_binding *ports = limen_binding("uart", LIMEN_GRANT_PORTS);
    const struct limen_binding *irq = limen_binding("uart", LIMEN_GRANT_INTERRUPT);
    const struct limen_binding *log = limen_binding("log", LIMEN_GRANT_KERNEL);
    struct limen_server server = {
        .endpoint = limen_provided(), .protocols = &protocol, .protocol_count = 1};
    char ignored[1];
    bool quiet = limen_boot_option("quiet", ignored, sizeof ignored);
    uint64_t log_position = 0;

    if (ports == NULL || irq == NULL || log == NULL)
        limen_panic("the manifest must grant the console ports and an interrupt named uart, and "
                    "the kernel's log");
    terminal_init(&terminal, deliver);
    show_log(log->slot, &log_position, false); /* the kernel has shown that itself */
    uart_init(&uart, ports->slot, (uint16_t)ports->first);

    for (;;) {
        uint64_t bits = limen_server_step(&server, deadline());
        if (bits & LIMEN_NOTIFICATION_LOG)
            show_log(log->slot, &log_position, !quiet);
        if (bits & irq->first)
            limen_irq_ack(irq->slot); /* first: what rises from here on is delivered */
        drain_port();
        answer_ready();
    }
}
