/* SPDX-License-Identifier: MIT */
/*
 * A terminal whose server dies again and again: at every store that counts, and on both sides of
 * every system call that cannot be taken back.  What outlives it must be enough to go on as if
 * nothing had been.
 */
#include "console/terminal.h"
#include "efi_cmocka.h"
#include "servers_commit.h"
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS 3u
#define LINES   60u
#define KEYS    "first line\rsecond \x7f one\rab\x1b[DX\rend\r"
#define READ    "first line|second one|aXb|end|"

/* -- what no life takes along -- */

static struct terminal_store store;
static char wire[65536]; /* what came out of the port */
static size_t wire_length;
static unsigned accepted[CLIENTS]; /* lines whose write was answered */
static char delivered[256];        /* lines that the reader got */
static size_t keys_taken;          /* from the port */
static unsigned deaths;

static unsigned steps_to_death;
static jmp_buf death;

static void step(void)
{
    if (--steps_to_death == 0)
        longjmp(death, 1);
}

void limen_commit(uint64_t *where, uint64_t value)
{
    step();
    *where = value;
    step();
}

/* A call that is made, and a store that goes with it: the runtime makes it up when the life ended
 * in between. */
static struct position recorded;
static void record(struct position position)
{
    recorded = position;
    step();
    *position.where = position.value;
    recorded.where = NULL;
    step();
}

static void recover(void)
{
    if (recorded.where != NULL)
        *recorded.where = recorded.value;
    recorded.where = NULL;
}

/* -- one life -- */

static struct terminal terminal;
static bool waits[CLIENTS]; /* the client's call is in the server's hands */
static bool reads;

static bool deliver(uint32_t ticket, bool abandoned, const char *text, struct position used)
{
    assert_int_equal(ticket, 99);
    assert_false(abandoned);
    step();
    strcat(delivered, text);
    strcat(delivered, "|");
    reads = false;
    record(used);
    return true;
}

/* A client writes its next line, or the same again when nobody answered. */
static void clients_write(void)
{
    char line[64];

    for (unsigned i = 0; i < CLIENTS; i++) {
        if (waits[i] || accepted[i] == LINES)
            continue;
        int length = snprintf(line, sizeof line, "client %u says line number %u\n", i, accepted[i]);
        assert_true(output_add(&terminal.output, i + 1, i + 1, line, (size_t)length));
        waits[i] = true;
    }
    if (!reads) {
        assert_true(terminal_read(&terminal, 77, 99, "$ "));
        reads = true;
    }
}

static void answer(void)
{
    struct position position;
    uint32_t ticket;

    while ((ticket = output_ready(&terminal.output, true, &position)) != 0) {
        step();
        accepted[ticket - 1]++;
        record(position);
        waits[ticket - 1] = false;
    }
}

static void receive(void)
{
    struct position position;
    uint64_t *place = terminal_key(&terminal, &position);

    if (keys_taken == strlen(KEYS))
        return;
    assert_non_null(place);
    step();
    *place = (unsigned char)KEYS[keys_taken++];
    record(position);
    terminal_typed(&terminal);
}

static bool send(void)
{
    struct position position;
    char bytes[16];
    size_t count = terminal_next(&terminal, bytes, sizeof bytes, &position);

    if (count == 0)
        return false;
    if (position.where != NULL) {
        step();
        memcpy(wire + wire_length, bytes, count);
        wire_length += count;
        assert_true(wire_length < sizeof wire);
        record(position);
    }
    terminal_sent(&terminal);
    return true;
}

static void live(void)
{
    bool busy = true;

    memset(waits, 0, sizeof waits);
    reads = false;
    recover();
    assert_true(terminal_init(&terminal, &store, deliver));
    while (busy) {
        clients_write();
        answer();
        receive();
        busy = send();
        for (unsigned i = 0; i < CLIENTS; i++)
            busy |= accepted[i] < LINES;
        busy |= keys_taken < strlen(KEYS);
    }
}

/* Each line whole, each client's in order, none missing, none twice. */
static void check_wire(void)
{
    unsigned next[CLIENTS] = {0};
    unsigned client, number;
    char *at = wire;

    wire[wire_length] = '\0';
    for (char *end; (end = strstr(at, "\r\n")) != NULL; at = end + 2) {
        char expected[64];
        *end = '\0';
        assert_int_equal(sscanf(at, "client %u says line number %u", &client, &number), 2);
        assert_true(client < CLIENTS);
        assert_int_equal(number, next[client]++);
        snprintf(expected, sizeof expected, "client %u says line number %u", client, number);
        assert_string_equal(at, expected);
    }
    assert_string_equal(at, "");
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(next[i], LINES);
}

/* -- tests -- */

static void die_every(unsigned steps)
{
    static volatile unsigned length; /* of the lives, in steps */

    memset(&store, 0, sizeof store);
    memset(accepted, 0, sizeof accepted);
    memset(delivered, 0, sizeof delivered);
    wire_length = keys_taken = deaths = 0;
    recorded.where = NULL;
    length = steps;
    if (setjmp(death) != 0)
        deaths++;
    /* Not always the same, or a life could end where the one before it did for ever. */
    steps_to_death = length + deaths % 7;
    live();
    steps_to_death = 0;
    check_wire();
    assert_string_equal(delivered, READ);
}

static void nothing_is_lost_nor_twice(void **state)
{
    unsigned total = 0;

    (void)state;
    for (unsigned steps = 40; steps < 400; steps++) {
        die_every(steps);
        total += deaths;
    }
    assert_true(total > 5000);
}

static void a_life_without_end_needs_no_other(void **state)
{
    (void)state;
    die_every(1u << 30);
    assert_int_equal(deaths, 0);
}

static void what_makes_no_sense_is_forgotten(void **state)
{
    (void)state;
    memset(&store, 0xa5, sizeof store);
    steps_to_death = 1u << 30;
    assert_false(terminal_init(&terminal, &store, deliver));
    assert_false(output_pending(&terminal.output));
    assert_int_equal(store.used, store.typed);
    assert_true(output_add(&terminal.output, 1, 1, "x", 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_lost_nor_twice),
        cmocka_unit_test(a_life_without_end_needs_no_other),
        cmocka_unit_test(what_makes_no_sense_is_forgotten),
    };
    return cmocka_run_group_tests_name("servers: lives", tests, NULL, NULL);
}
