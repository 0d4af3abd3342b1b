/* SPDX-License-Identifier: MIT */
/* Servers of several kinds, each of which is killed again and again. */
#include "roles.h"

#define WORK_TURNS 4000u /* of a loop: some of what a client's budget is */

/* Answers each request with its words as `serve` leaves them; the bits of the notification go to
 * `signalled`. */
static _Noreturn void answer_all(void (*serve)(uint64_t *words, unsigned count),
                                 void (*signalled)(uint64_t bits))
{
    uint32_t endpoint = limen_provided(), reply;
    struct limen_received received;
    uint64_t answer;
    bool answering = false;

    limen_must("making a reply object", limen_make(LIMEN_TYPE_REPLY, 0, 1, &reply));
    for (;;) {
        limen_must("waiting", limen_receive(endpoint, reply, answering ? &answer : NULL,
                                            LIMEN_FOREVER, &received));
        answering = !(received.tag & LIMEN_TAG_NOTIFICATION);
        if (answering) {
            unsigned count = limen_tag_words(received.tag);
            serve(limen_message()->words, count);
            answer = limen_tag(LIMEN_OK, count, 0);
        } else if (signalled != NULL) {
            signalled(received.badge);
        }
    }
}

static void add_one(uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        words[i]++;
}

void echo(void)
{
    answer_all(add_one, NULL);
}

/* -- what it has answered for outlives it -- */

static uint64_t *count_kept;

/* A request tells the count it wants to have made.  Made again, because the last life may have died
 * before it answered, it changes nothing. */
static void enter(uint64_t *words, unsigned count)
{
    limen_assert(count == 1);
    if (words[0] == *count_kept + 1)
        limen_commit(count_kept, words[0]);
    words[0] = *count_kept;
}

void ledger(void)
{
    count_kept = limen_state(sizeof *count_kept);
    answer_all(enter, NULL);
}

/* -- on its clients' time -- */

static void work(uint64_t *words, unsigned count)
{
    for (volatile unsigned i = 0; i < WORK_TURNS; i++)
        ;
    add_one(words, count);
}

void passive(void)
{
    limen_must("becoming passive", limen_thread_set_passive(LIMEN_SLOT_THREAD, true));
    answer_all(work, NULL);
}

/* -- woken by interrupts: of the clock with its battery (Motorola MC146818A data sheet) -- */

#define CLOCK_INDEX     0u
#define CLOCK_DATA      1u
#define STATUS_A        0x0au
#define STATUS_B        0x0bu
#define STATUS_C        0x0cu
#define RATE_1024_HZ    0x26u /* with the divider that keeps the time */
#define ENABLE_PERIODIC 0x42u /* and decimal numbers, 24 hours */

static const struct limen_binding *clock, *line;

static void set_clock(unsigned reg, unsigned value)
{
    limen_port_out(clock->slot, (uint16_t)(clock->first + CLOCK_INDEX), 1, reg);
    limen_port_out(clock->slot, (uint16_t)(clock->first + CLOCK_DATA), 1, value);
}

/* Reading register C withdraws the interrupt. */
static void allow_next(void)
{
    uint32_t causes;

    limen_port_out(clock->slot, (uint16_t)(clock->first + CLOCK_INDEX), 1, STATUS_C);
    limen_port_in(clock->slot, (uint16_t)(clock->first + CLOCK_DATA), 1, &causes);
    limen_irq_ack(line->slot);
}

static void tick(uint64_t bits)
{
    if (!(bits & line->first))
        return;
    limen_commit(count_kept, *count_kept + 1);
    allow_next();
}

static void tell_ticks(uint64_t *words, unsigned count)
{
    limen_assert(count == 1);
    words[0] = *count_kept;
}

void ticker(void)
{
    clock = limen_binding("clock", LIMEN_GRANT_PORTS);
    line = limen_binding("clock", LIMEN_GRANT_INTERRUPT);
    count_kept = limen_state(sizeof *count_kept);
    set_clock(STATUS_A, RATE_1024_HZ);
    set_clock(STATUS_B, ENABLE_PERIODIC);
    allow_next();
    answer_all(tell_ticks, tick);
}

/* -- in the middle of a long message -- */

static void hand_on(uint64_t *words, unsigned count)
{
    unsigned returned;
    const char *to = words[0] % 2 ? "echo" : "passive";

    limen_must(to, limen_transact_again(limen_lookup(to), limen_tag(0, count, 0), &returned));
    limen_assert(returned == count);
}

void relay(void)
{
    answer_all(hand_on, NULL);
}

/* -- a client -- */

void caller(void)
{
    for (uint64_t i = 0;; i += 2) {
        ask_for_echo("passive", i, 1 + i % LONG_MESSAGE);
        ask_for_echo("relay", i, LONG_MESSAGE);
    }
}
