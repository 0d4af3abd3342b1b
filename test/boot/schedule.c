/* SPDX-License-Identifier: MIT */
/* Priorities, preemption among equals, and yield. */
#include "kit.h"

#define SLICES_NS 50000000ull /* several time slices */

static volatile uint64_t turns[4];
static volatile bool stop;

/* -- preemption -- */

/* Each of two equals spins until the other has moved on: without preemption neither would end. */
#define HANDOVERS 6u

static void take_turns(void *number)
{
    uintptr_t me = (uintptr_t)number, other = 1 - me;

    for (unsigned i = 1; i <= HANDOVERS; i++) {
        turns[me] = i;
        while (turns[other] < i)
            ;
    }
}

TEST(schedule, equals_preempt_each_other)
{
    turns[0] = turns[1] = 0;
    struct worker *one = spawn(LOWER, take_turns, (void *)0);
    struct worker *two = spawn(LOWER, take_turns, (void *)1);

    join(one);
    join(two);
    expect_equal(turns[0], HANDOVERS);
    expect_equal(turns[1], HANDOVERS);
}

static void count_turns(void *number)
{
    while (!stop)
        turns[(uintptr_t)number]++;
}

/* Round robin leaves nobody out: each of four gets on while the others spin. */
TEST(schedule, round_robin_reaches_everybody)
{
    struct message message = {0};
    uint64_t before[4];

    stop = false;
    for (uintptr_t i = 0; i < 4; i++) {
        turns[i] = 0;
        spawn(LOWER, count_turns, (void *)i);
    }
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 4; i++)
            before[i] = turns[i];
        /* How long a slice lasts is the kernel's business: wait until all have moved. */
        bool all = false;
        while (!all) {
            transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + SLICES_NS / 10, &message);
            all = true;
            for (unsigned i = 0; i < 4; i++)
                all = all && turns[i] != before[i];
        }
    }
    stop = true;
}

TEST(schedule, lower_priority_does_not_run)
{
    stop = false;
    turns[0] = 0;
    spawn(LOWER, count_turns, (void *)0);
    uint64_t end = now() + SLICES_NS;
    while (now() < end)
        ;
    expect_equal(turns[0], 0);
    stop = true;
}

/* -- a more important thread runs at once -- */

static uint32_t notification, endpoint;

static void note_bits(void *number)
{
    struct message message = {0};

    expect_ok(transfer(LIMEN_SYS_WAIT, notification, 0, LIMEN_FOREVER, &message));
    turns[(uintptr_t)number] = message.badge;
}

TEST(schedule, signal_to_a_higher_priority_preempts_at_once)
{
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    uint32_t signal = minted(notification, LIMEN_RIGHT_WRITE, 3);

    turns[0] = 0;
    spawn(HIGHER, note_bits, (void *)0);
    expect_ok(limen_signal(signal));
    expect_equal(turns[0], 3);
}

TEST(schedule, signal_to_an_equal_or_lower_priority_does_not)
{
    static const unsigned priorities[] = {TEST_PRIORITY, LOWER};

    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    uint32_t signal = minted(notification, LIMEN_RIGHT_WRITE, 3);
    for (unsigned i = 0; i < 2; i++) {
        turns[0] = 0;
        struct worker *worker = spawn(HIGHER, note_bits, (void *)0);
        expect_ok(limen_thread_set_priority(worker->thread, priorities[i]));
        expect_ok(limen_signal(signal));
        expect_equal(turns[0], 0);
        join(worker);
        expect_equal(turns[0], 3);
    }
}

static void note_it_ran(void *number)
{
    turns[(uintptr_t)number]++;
}

TEST(schedule, resume_of_a_higher_priority_preempts_at_once)
{
    turns[0] = 0;
    spawn(HIGHER, note_it_ran, (void *)0);
    expect_equal(turns[0], 1);
    spawn(TEST_PRIORITY, note_it_ran, (void *)0);
    expect_equal(turns[0], 1);
}

TEST(schedule, raising_a_ready_thread_runs_it)
{
    turns[0] = 0;
    struct worker *worker = spawn(LOWER, note_it_ran, (void *)0);
    expect_equal(turns[0], 0);
    set_priority(worker->thread, HIGHER);
    expect_equal(turns[0], 1);
}

static uint32_t own_thread;

static void lower_itself(void *number)
{
    expect_ok(limen_thread_set_priority(own_thread, LOWER));
    turns[(uintptr_t)number]++;
}

TEST(schedule, lowering_oneself_lets_others_run)
{
    turns[0] = 0;
    struct worker *worker = new_worker(HIGHER);
    own_thread = worker->thread;
    start(worker, lower_itself, (void *)0);
    expect_equal(turns[0], 0);
    join(worker);
    expect_equal(turns[0], 1);
}

/* Of the waiting, the most important runs first, whatever the order in which they woke. */
static uint8_t order[4];
static unsigned ran;

static void note_order(void *number)
{
    order[ran++] = (uint8_t)(uintptr_t)number;
}

TEST(schedule, priority_decides_who_is_next)
{
    static const unsigned priorities[4] = {LOWER - 20, LOWER, LOWER - 30, LOWER - 10};
    static const uint8_t want[4] = {1, 3, 0, 2};
    struct worker *workers[4];

    ran = 0;
    for (uintptr_t i = 0; i < 4; i++)
        workers[i] = spawn(priorities[i], note_order, (void *)i);
    for (unsigned i = 0; i < 4; i++)
        join(workers[i]);
    for (unsigned i = 0; i < 4; i++)
        expect_equal(order[i], want[i]);
}

/* In each word of the ready bit map, and at its borders. */
TEST(schedule, all_priorities_are_in_order)
{
    static const uint8_t priorities[] = {64, 1, 99, 31, 63, 0, 65, 62, 32};
    static const uint8_t sorted[] = {99, 65, 64, 63, 62, 32, 31, 1, 0};
    enum { COUNT = sizeof priorities };
    struct worker *workers[100];

    turns[1] = 0;
    for (unsigned i = 0; i < COUNT; i++)
        workers[priorities[i]] = spawn(priorities[i], note_it_ran, (void *)1);
    /* Each wait for the next lets exactly one more through. */
    for (unsigned i = 0; i < COUNT; i++) {
        join(workers[sorted[i]]);
        expect_equal(turns[1], i + 1);
    }
}

/* -- yield -- */

static void yield_and_count(void *number)
{
    for (unsigned i = 0; i < 100; i++) {
        turns[(uintptr_t)number]++;
        limen_yield();
        uint64_t mine = turns[(uintptr_t)number], other = turns[1 - (uintptr_t)number];
        /* The end of a time slice may come in between, but not twice so soon. */
        if (!stop)
            expect(other + 2 >= mine && mine + 2 >= other);
    }
    stop = true;
}

TEST(schedule, yield_alternates_among_equals)
{
    stop = false;
    turns[0] = turns[1] = 0;
    struct worker *one = spawn(LOWER, yield_and_count, (void *)0);
    struct worker *two = spawn(LOWER, yield_and_count, (void *)1);
    join(one);
    join(two);
}

TEST(schedule, yield_does_not_let_lower_priorities_run)
{
    turns[0] = 0;
    spawn(LOWER, note_it_ran, (void *)0);
    for (unsigned i = 0; i < 100; i++)
        limen_yield();
    expect_equal(turns[0], 0);
}

/* A wake by deadline preempts whoever runs. */
static void note_time(void *deadline)
{
    struct message message = {0};
    expect_error(transfer(LIMEN_SYS_WAIT, NEVER, 0, *(uint64_t *)deadline, &message),
                 LIMEN_TIMED_OUT);
    turns[0] = 1;
}

TEST(schedule, deadline_of_a_higher_priority_preempts_a_spinner)
{
    static uint64_t deadline;

    turns[0] = 0;
    deadline = now() + 1000000;
    spawn(HIGHER, note_time, &deadline);
    while (turns[0] == 0)
        ; /* ends only by preemption */
    expect(now() >= deadline);
}

/* A server of lower priority than a ready third party does not run first, on the fast path too. */
static void serve_once(void *reply)
{
    struct message message = {0};
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, *(uint32_t *)reply, LIMEN_FOREVER, &message));
    order[ran++] = 's';
    message.tag = 0;
    expect_ok(transfer(LIMEN_SYS_SEND, *(uint32_t *)reply, 0, LIMEN_FOREVER, &message));
}

TEST(schedule, call_does_not_run_a_server_before_its_turn)
{
    static uint32_t reply;
    struct message message = {.tag = limen_tag(1, 0, 0)};

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    reply = make(LIMEN_TYPE_REPLY, 0);
    ran = 0;
    struct worker *server = spawn(HIGHER, serve_once, &reply);
    expect_ok(limen_thread_set_priority(server->thread, LOWER - 10));
    spawn(LOWER, note_order, (void *)'t'); /* ready, above the server, below us */
    expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message));
    expect_equal(order[0], 't');
    expect_equal(order[1], 's');
}
