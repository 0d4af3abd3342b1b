/* SPDX-License-Identifier: MIT */
/*
 * Kills: a victim chosen at random, at a random instant, kills= times, all by seed=.  Then
 * everybody must be there again, serve, and hold what was held before to the byte.
 */
#include "roles.h"

#include <protocol/process.h>

#define KILLS_DEFAULT 500u
#define SETTLE_NS     60000000u /* for all to have taken up their work */
#define LIFE_MAX_NS   2000000u
#define AT_ONCE       8u  /* one kill in so many comes right after the one before */
#define PATIENCE      50u /* so often is looked for progress */

static const char *const victims[] = {"console", "echo",  "ledger", "passive",
                                      "ticker",  "relay", "caller"};
#define VICTIMS (sizeof victims / sizeof victims[0])

static uint64_t killed[VICTIMS];

/* What there is in the machine. */
struct account {
    uint64_t machine, granted, free, capabilities, objects;
};

static void rest(uint64_t nanoseconds)
{
    uint64_t bits, end = limen_now() + nanoseconds;

    while (limen_wait_notification(LIMEN_SLOT_NOTIFICATION, end, &bits) == LIMEN_OK)
        ;
}

static void kill(size_t victim)
{
    limen_must("killing", process_kill(limen_lookup("process"), victims[victim]));
    killed[victim]++;
}

/* The kernel looks itself over, and panics where something is wrong. */
static struct account look(void)
{
    struct account account = {0};
    uint64_t words[8] = {0};

    rest(SETTLE_NS);
    limen_must("asking for the memory", process_memory(limen_lookup("process"), &account.machine,
                                                       &account.granted, &account.free));
    limen_must("having the kernel check itself",
               limen_call8(limen_lookup("control"), LIMEN_KERNEL_CHECK, words));
    account.capabilities = words[0];
    account.objects = words[1];
    return account;
}

static void expect_equal(const char *what, uint64_t before, uint64_t after)
{
    if (before != after)
        limen_panic("%s: %lu before, %lu after", what, before, after);
}

/* Every server lives, a victim once for each time it was killed and the others for the first. */
static void expect_all_alive(void)
{
    uint64_t id, alive, state, priority, granted, mapped, nanoseconds, starts;
    char name[PROCESS_GET_NAME_MAX + 1], reason[PROCESS_GET_REASON_MAX + 1];

    for (uint64_t position = 0;
         process_get(limen_lookup("process"), position, &id, name, &alive, &state, &priority,
                     &granted, &mapped, &nanoseconds, &starts, reason) == LIMEN_OK;
         position++) {
        uint64_t deaths = 0;
        for (size_t i = 0; i < VICTIMS; i++)
            if (strcmp(victims[i], name) == 0)
                deaths = killed[i];
        if (alive != 1 || starts != deaths + 1)
            limen_panic("%s: alive %lu, started %lu times, killed %lu times: %s", name, alive,
                        starts, deaths, reason);
    }
}

static uint64_t count_of(const char *service)
{
    unsigned count;

    limen_message()->words[0] = 0;
    limen_must(service, limen_transact_again(limen_lookup(service), limen_tag(0, 1, 0), &count));
    return limen_message()->words[0];
}

/* The count goes on, as soon as those who make it get round to it. */
static void expect_progress(const char *service)
{
    uint64_t count = count_of(service);

    for (unsigned i = 0; count_of(service) == count; i++) {
        limen_assert(i < PATIENCE);
        rest(SETTLE_NS);
    }
}

static void expect_all_serve(void)
{
    ask_for_echo("echo", 1, LONG_MESSAGE);
    ask_for_echo("passive", 1, LONG_MESSAGE);
    ask_for_echo("relay", 1, LONG_MESSAGE);
    ask_for_echo("relay", 2, LONG_MESSAGE);
    expect_progress("ledger");
    expect_progress("ticker");
}

void reaper(void)
{
    unsigned long kills = limen_boot_number("kills", KILLS_DEFAULT);
    uint64_t seed = limen_boot_number("seed", 1);

    for (size_t i = 0; i < VICTIMS; i++) /* so that each is in a later life from the beginning */
        kill(i);
    struct account before = look();
    for (unsigned long i = 0; i < kills; i++) {
        if (random_below(&seed, AT_ONCE) != 0)
            rest(random_below(&seed, LIFE_MAX_NS));
        kill(random_below(&seed, VICTIMS));
    }
    struct account after = look();
    expect_all_alive();
    expect_all_serve();
    expect_equal("bytes granted", before.granted, after.granted);
    expect_equal("bytes free", before.free, after.free);
    expect_equal("objects", before.objects, after.objects);
    expect_equal("capabilities", before.capabilities, after.capabilities);
}
