/* SPDX-License-Identifier: MIT */
/*
 * Who runs next, beside a model: a list of those ready for each priority, and no shortcut.
 *
 * Threads wait, wake each other, yield, end their turns and are interrupted at random.  Time stands
 * still but when a turn ends, so whoever is preempted has his turn still before him.
 */
#include "world.h"

#define ACTORS 12u
#define LEVELS 4u
#define FIRST  60u /* their priorities: on both sides of a word's end in the bit map */
#define STEPS  20000u
#define SLICE  (SLICE_NS * HOST_TICKS_A_NS)
#define NOBODY ACTORS

static struct actor actors[ACTORS];
static unsigned bits[ACTORS];
static uint64_t seed;

static struct {
    unsigned level[ACTORS];
    bool waits[ACTORS];
    unsigned ready[LEVELS][ACTORS]; /* in the order in which they will run */
    unsigned count[LEVELS];
    unsigned current;
} model;

static unsigned below(unsigned limit)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)((seed >> 33) % limit);
}

/* -- the model -- */

static void put(unsigned actor, bool first)
{
    unsigned level = model.level[actor];
    unsigned *ready = model.ready[level];
    unsigned at = first ? 0 : model.count[level];

    for (unsigned i = model.count[level]; i > at; i--)
        ready[i] = ready[i - 1];
    ready[at] = actor;
    model.count[level]++;
}

static void take(unsigned actor)
{
    unsigned level = model.level[actor];
    unsigned *ready = model.ready[level];
    unsigned at = 0;

    while (ready[at] != actor)
        at++;
    model.count[level]--;
    for (unsigned i = at; i < model.count[level]; i++)
        ready[i] = ready[i + 1];
}

/* The highest level of one that is ready besides the current, or -1. */
static int top(void)
{
    int level = LEVELS - 1;
    while (level >= 0 && model.count[level] == 0)
        level--;
    return level;
}

static void choose(void)
{
    int level = top();
    model.current = level < 0 ? NOBODY : model.ready[level][0];
    if (level >= 0)
        take(model.current);
}

/* Somebody more important may have become ready. */
static void give_way(void)
{
    if (model.current != NOBODY && top() <= (int)model.level[model.current])
        return;
    if (model.current != NOBODY)
        put(model.current, true);
    choose();
}

/* -- the kernel, and the model after it -- */

static void wait_for_bits(void)
{
    unsigned self = model.current;
    enter(LIMEN_SYS_WAIT, bits[self], 0);
    model.waits[self] = true;
    choose();
}

static unsigned some_waiter(void)
{
    unsigned start = below(ACTORS);
    for (unsigned i = 0; i < ACTORS; i++)
        if (model.waits[(start + i) % ACTORS])
            return (start + i) % ACTORS;
    return NOBODY;
}

static void wakes(unsigned actor)
{
    model.waits[actor] = false;
    put(actor, false);
}

static void signal_somebody(void)
{
    unsigned waiter = some_waiter();
    if (waiter == NOBODY)
        return;
    enter(LIMEN_SYS_SEND, bits[waiter], 0);
    wakes(waiter);
    give_way();
}

/* One interrupt can wake more than one. */
static void interrupt(void)
{
    for (unsigned i = below(3); i < 3; i++) {
        unsigned waiter = some_waiter();
        if (waiter == NOBODY)
            break;
        notification_signal(object_at(bits[waiter]), 1);
        wakes(waiter);
    }
    interrupt_at(host.now);
    give_way();
}

static void yield(void)
{
    unsigned self = model.current;
    enter(LIMEN_SYS_YIELD, 0, 0);
    if (top() < (int)model.level[self])
        return;
    put(self, false);
    choose();
}

static void end_turn(void)
{
    unsigned self = model.current;
    interrupt_at(host.now + SLICE);
    if (top() != (int)model.level[self])
        return;
    put(self, false);
    choose();
}

static void change_priority(void)
{
    unsigned other = below(ACTORS);
    unsigned level = below(model.level[model.current] + 1);

    if (other == model.current)
        return;
    EXPECT(OK, actors[other].slot, LIMEN_THREAD_SET_PRIORITY, FIRST + level);
    if (!model.waits[other])
        take(other);
    model.level[other] = level;
    if (!model.waits[other])
        put(other, false);
}

static void run(bool general_path)
{
    void (*const acts[])(void) = {wait_for_bits, signal_somebody, interrupt,
                                  yield,         end_turn,        change_priority};

    memset(&model, 0, sizeof(model));
    if (general_path)
        host_cpu->arch.unusual |= CPU_GENERAL_PATH;
    for (unsigned i = 0; i < ACTORS; i++) {
        model.level[i] = i % LEVELS;
        model.waits[i] = false;
        bits[i] = minted(make(LIMEN_TYPE_NOTIFICATION, 0), 1);
        actors[i] = make_actor(FIRST + model.level[i], false);
        put(i, false);
    }
    world_init_waits();
    choose();
    for (unsigned i = 0; i < STEPS; i++) {
        if (model.current == NOBODY)
            interrupt();
        else
            acts[below(sizeof acts / sizeof acts[0])]();
        const struct thread *expected =
            model.current == NOBODY ? &host_cpu->idle : actors[model.current].thread;
        if (current() != expected)
            fail_msg("step %u: another thread runs than in the model", i);
    }
}

static void test_order(void **state)
{
    (void)state;
    seed = 1;
    run(false);
}

static void test_order_on_the_general_path(void **state)
{
    (void)state;
    seed = 2;
    run(true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_order),
        WORLD_TEST(test_order_on_the_general_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
