/* SPDX-License-Identifier: MIT */
/* Clients that see to it that the victims always have something to do, and look at all answers. */
#include "roles.h"

#include <protocol/console.h>
#include <protocol/power.h>
#include <protocol/process.h>

void asker(void)
{
    uint64_t ticks = 0;

    for (uint64_t i = 0;; i += 3) {
        unsigned count;
        ask_for_echo("echo", i, 2);
        ask_for_echo("relay", i, LONG_MESSAGE);
        ask_for_echo("echo", i, LONG_MESSAGE);
        limen_must("ticker",
                   limen_transact_again(limen_lookup("ticker"), limen_tag(0, 1, 0), &count));
        limen_assert(count == 1 && limen_message()->words[0] >= ticks);
        ticks = limen_message()->words[0];
    }
}

void bookkeeper(void)
{
    for (uint64_t i = 1;; i++) {
        unsigned count;
        limen_message()->words[0] = i;
        limen_must("ledger",
                   limen_transact_again(limen_lookup("ledger"), limen_tag(0, 1, 0), &count));
        limen_assert(count == 1 && limen_message()->words[0] == i);
    }
}

void spender(void)
{
    for (uint64_t i = 0;; i++)
        ask_for_echo("passive", i, 1 + i % LONG_MESSAGE);
}

/* The reaper does not come back when it has done its work, or found something wrong. */
static bool is_over(char end[PROCESS_GET_REASON_MAX + 1])
{
    static uint64_t position;
    uint64_t id, alive, state, priority, granted, mapped, nanoseconds, starts;
    char name[PROCESS_GET_NAME_MAX + 1];

    for (;; position++) {
        limen_must("asking for the reaper",
                   process_get(limen_lookup("process"), position, &id, name, &alive, &state,
                               &priority, &granted, &mapped, &nanoseconds, &starts, end));
        if (strcmp(name, "reaper") == 0)
            return alive == 0;
    }
}

/* Each line says its number at both ends, so that no part of one can pass for another. */
void scribe(void)
{
    char end[PROCESS_GET_REASON_MAX + 1];
    unsigned long number = 0;

    while (!is_over(end)) {
        char text[64];
        int length =
            snprintf(text, sizeof text, "scribe %06lu and this is line %06lu\n", number, number);
        number++;
        limen_must("writing a line", console_write(limen_lookup("console"), text, (size_t)length));
    }
    printf("the scribe wrote %lu lines, and of the reaper it is said: %s\n", number, end);
    console_flush(limen_lookup("console"));
    power_exit(limen_lookup("power"), 0);
}
