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

/* What outlives this server.  A record makes one with its store whatever cannot be taken back: a
 * byte sent or received, a client answered. */
struct state {
    uint64_t version; /* STATE_VERSION once the rest is in order */
    struct limen_record record;
    struct terminal_store terminal;
};
#define STATE_VERSION 1u

static struct state *state;
static struct terminal terminal;
static struct uart uart;
static uint32_t kernel; /* whose log is shown */
static bool quiet;      /* or not */

static struct limen_record *record(struct position step, uint64_t *result)
{
    state->record = (struct limen_record){result, step.where, step.value, 0};
    return &state->record;
}

/* -- requests -- */

static enum limen_error write_text(struct limen_request *request, const void *text, size_t size)
{
    uint32_t ticket = limen_defer(request);

    if (ticket == 0)
        return LIMEN_LIMIT;
    if (!output_add(&terminal.output, request->badge, ticket, text, size))
        console_write_answer(ticket, LIMEN_BUSY);
    return LIMEN_OK; /* the answer comes later: answer_ready() */
}

static enum limen_error read_line(struct limen_request *request, const char *prompt, char *line)
{
    uint32_t ticket = limen_defer(request);

    (void)line; /* the answer comes later: deliver() */
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

static bool deliver(uint32_t ticket, bool abandoned, const char *text, struct position used)
{
    enum limen_error verdict = abandoned ? LIMEN_CANCELLED : LIMEN_OK;

    if (used.where == NULL)
        return console_read_line_answer(ticket, verdict, text) == LIMEN_OK;
    return limen_answer_and_record(ticket, console_read_line_encode(verdict, text),
                                   record(used, NULL)) == LIMEN_OK;
}

/* Answers who can be answered; says whether there is text to send by it.  A client whose text could
 * not be answered for is gone, and its text is shown all the same. */
static bool answer_ready(void)
{
    struct position accepted;
    uint32_t ticket;
    bool took_text = false;
    bool idle = uart_is_idle(&uart);

    while ((ticket = output_ready(&terminal.output, idle, &accepted)) != 0) {
        took_text |= accepted.where != NULL;
        if (accepted.where == NULL)
            console_flush_answer(ticket, LIMEN_OK);
        else if (limen_answer_and_record(ticket, console_write_encode(LIMEN_OK),
                                         record(accepted, NULL)) != LIMEN_OK)
            limen_commit(accepted.where, accepted.value);
    }
    return took_text;
}

/* -- the kernel's log -- */

/* The log may have grown since it was read to its end. */
static bool log_grew = true;

/* Reads on in the log, as far as there is room. */
static void read_log(void)
{
    while (log_grew) {
        uint64_t position = output_log_position(&terminal.output);
        char text[LIMEN_LOG_READ_MAX];
        size_t length;
        log_grew = limen_log_read(kernel, &position, text, &length) == LIMEN_OK && length > 0;
        if (log_grew && !output_log(&terminal.output, position, text, length))
            return;
    }
}

/* Goes to the log's end without showing it. */
static void skip_log(void)
{
    uint64_t position = output_log_position(&terminal.output);
    char text[LIMEN_LOG_READ_MAX];
    size_t length;

    while (limen_log_read(kernel, &position, text, &length) == LIMEN_OK && length > 0)
        ;
    output_log(&terminal.output, position, text, 0);
}

/* -- the port -- */

static void receive(void)
{
    struct position typed;
    uint64_t *place;

    while ((place = terminal_key(&terminal, &typed)) != NULL &&
           uart_receive_and_record(&uart, record(typed, place)))
        terminal_typed(&terminal);
    while (place == NULL && uart_receive(&uart)) /* nobody reads them: they are lost */
        ;
}

static void send_pending(void)
{
    char bytes[UART_FIFO];

    while (uart_can_send(&uart)) {
        struct position sent;
        if (!quiet)
            read_log(); /* first, for where output ends, a prompt begins */
        size_t count = terminal_next(&terminal, bytes, sizeof bytes, &sent);
        if (count == 0)
            break;
        if (sent.where == NULL)
            uart_send(&uart, bytes, count);
        else
            uart_send_and_record(&uart, bytes, count, record(sent, NULL));
        terminal_sent(&terminal);
    }
}

/* The line is edge-triggered: only when the port has withdrawn every cause can it rise again. */
static void drain_port(void)
{
    do {
        receive();
        send_pending();
    } while (uart_interrupted(&uart));
}

static uint64_t deadline(void)
{
    return terminal_is_busy(&terminal) ? limen_now() + INTERRUPT_PATIENCE_NS : LIMEN_FOREVER;
}

/* Takes up the state of the last life; says whether this is the first that has it. */
static bool take_up(void)
{
    state = limen_state(sizeof *state);
    bool first = state->version != STATE_VERSION;

    if (first)
        memset(state, 0, sizeof *state);
    if (!terminal_init(&terminal, &state->terminal, deliver))
        printf("the last life left disorder; its output and input are forgotten\n");
    return first;
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

    if (ports == NULL || irq == NULL || log == NULL)
        limen_panic("the manifest must grant the console ports and an interrupt named uart, and "
                    "the kernel's log");
    kernel = log->slot;
    quiet = limen_boot_option("quiet", ignored, sizeof ignored);
    bool first = take_up();
    if (first || quiet) /* what was logged up to here, the kernel has shown itself */
        skip_log();
    uart_init(&uart, ports->slot, (uint16_t)ports->first, first);
    limen_commit(&state->version, STATE_VERSION);

    for (;;) {
        do
            drain_port();
        while (answer_ready());
        uint64_t bits = limen_server_step(&server, deadline());
        if (bits & LIMEN_NOTIFICATION_LOG)
            log_grew = true;
        if (bits & irq->first)
            limen_irq_ack(irq->slot); /* first: what rises from here on is delivered */
    }
}
