/* SPDX-License-Identifier: MIT */
/* The boot option kills=N: the reaper ends the console N times while the scribe writes. */
#include "roles.h"

#include <limen.h>
#include <protocol/console.h>
#include <protocol/power.h>
#include <protocol/process.h>

#define LIFE_MIN_NS 20000u /* of the console, when the reaper is about */
#define LIFE_MAX_NS 400000u

static unsigned long kills(void)
{
    char text[16];
    unsigned long count = 0;

    if (!limen_boot_option("kills", text, sizeof text))
        idle();
    for (const char *at = text; *at >= '0' && *at <= '9'; at++)
        count = count * 10 + (unsigned long)(*at - '0');
    return count;
}

/* Lives of lengths that look random, so that they end anywhere. */
static uint64_t next_length(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return LIFE_MIN_NS + (*seed >> 33) % (LIFE_MAX_NS - LIFE_MIN_NS);
}

void reaper(void)
{
    uint64_t seed = 1, bits;

    for (unsigned long left = kills(); left > 0; left--) {
        limen_wait_notification(LIMEN_SLOT_NOTIFICATION, limen_now() + next_length(&seed), &bits);
        limen_must("killing the console", process_kill(limen_lookup("process"), "console"));
    }
    idle();
}

static bool reaped(unsigned long count)
{
    uint64_t id, alive, state, priority, granted, mapped, nanoseconds, starts;
    char name[PROCESS_GET_NAME_MAX + 1], reason[PROCESS_GET_REASON_MAX + 1];

    limen_must("asking for the console",
               process_get(limen_lookup("process"), 0, &id, name, &alive, &state, &priority,
                           &granted, &mapped, &nanoseconds, &starts, reason));
    limen_assert(strcmp(name, "console") == 0);
    return starts > count;
}

/* Each line says its number at both ends, so that no part of one can pass for another. */
void scribe(void)
{
    unsigned long count = kills(), number = 0;

    while (!reaped(count)) {
        char line[64];
        int length =
            snprintf(line, sizeof line, "scribe %06lu and this is line %06lu\n", number, number);
        number++;
        limen_must("writing a line", console_write(limen_lookup("console"), line, (size_t)length));
    }
    printf("the scribe wrote %lu lines\n", number);
    console_flush(limen_lookup("console"));
    power_exit(limen_lookup("power"), 0);
}
