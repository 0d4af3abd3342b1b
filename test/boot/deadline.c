/* SPDX-License-Identifier: MIT */
/* Deadlines: never early, in order, and gone when the wait ends another way. */
#include "kit.h"

#define MILLISECOND 1000000ull
#define SLEEPERS    64u

static uint32_t endpoint, notification;

/* The times below are the guest's own, and only ever compared one way: a late wake is no failure.
 */
static void expect_timeout(uint64_t number, uint32_t slot, uint32_t reply)
{
    uint64_t deadline = now() + MILLISECOND / 2;
    struct message message = {0};

    expect_error(transfer(number, slot, reply, deadline, &message), LIMEN_TIMED_OUT);
    expect(now() >= deadline);
}

TEST(deadline, ends_every_kind_of_wait_not_before_its_time)
{
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_timeout(LIMEN_SYS_CALL, endpoint, 0);
    expect_timeout(LIMEN_SYS_SEND, endpoint, 0);
    expect_timeout(LIMEN_SYS_WAIT, endpoint, 0);
    expect_timeout(LIMEN_SYS_WAIT, endpoint, reply);
    expect_timeout(LIMEN_SYS_REPLY_WAIT, endpoint, reply);
    expect_timeout(LIMEN_SYS_WAIT, notification, 0);
}

TEST(deadline, in_the_past_ends_a_wait_at_once)
{
    static const uint64_t past[] = {0, 1, 1000};
    struct message message = {0};

    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    for (unsigned i = 0; i < 3; i++)
        expect_error(transfer(LIMEN_SYS_WAIT, notification, 0, past[i], &message), LIMEN_TIMED_OUT);
}

/* What is ready is taken, however late it is. */
TEST(deadline, in_the_past_does_not_refuse_what_is_ready)
{
    struct message message = {0};

    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 2)));
    expect_ok(transfer(LIMEN_SYS_WAIT, notification, 0, 0, &message));
    expect_equal(message.badge, 2);
}

TEST(deadline, without_the_flag_rbx_means_nothing)
{
    uint64_t target = make(LIMEN_TYPE_NOTIFICATION, 0), tag = 0, words[8] = {0};

    expect_ok(limen_signal(minted((uint32_t)target, LIMEN_RIGHT_WRITE, 2)));
    expect_ok(limen_syscall8(LIMEN_SYS_WAIT, &target, &tag, 1, words));
    expect_equal(target, 2);
}

/* -- many -- */

static struct {
    uint64_t deadline;
    bool early;
    unsigned order;
} sleepers[SLEEPERS];
static unsigned awake;

static void sleep_until(void *number)
{
    uintptr_t i = (uintptr_t)number;
    struct message message = {0};

    expect_error(transfer(LIMEN_SYS_WAIT, NEVER, 0, sleepers[i].deadline, &message),
                 LIMEN_TIMED_OUT);
    sleepers[i].early = now() < sleepers[i].deadline;
    sleepers[i].order = awake++;
}

/* Lets all sleepers go to sleep before the first deadline.  False when that took too long. */
static bool put_to_sleep(struct worker *workers[], uint64_t margin)
{
    uint64_t base = now() + margin;

    awake = 0;
    for (unsigned i = 0; i < SLEEPERS; i++) {
        /* An order that is neither rising nor falling, and pairs with the same deadline. */
        sleepers[i].deadline = base + (i * 37 % SLEEPERS) / 2 * 10000;
        start(workers[i], sleep_until, (void *)(uintptr_t)i);
    }
    return now() < base;
}

TEST(deadline, many_wake_in_order_and_none_early)
{
    struct worker *workers[SLEEPERS];
    uint64_t margin = MILLISECOND;
    bool in_time = false;

    for (unsigned i = 0; i < SLEEPERS; i++)
        workers[i] = new_worker(HIGHER);
    for (; !in_time; margin *= 2) {
        in_time = put_to_sleep(workers, margin);
        for (unsigned i = 0; i < SLEEPERS; i++)
            join(workers[i]);
    }
    for (unsigned i = 0; i < SLEEPERS; i++) {
        expect(!sleepers[i].early);
        for (unsigned j = 0; j < SLEEPERS; j++)
            if (sleepers[i].deadline < sleepers[j].deadline)
                expect(sleepers[i].order < sleepers[j].order);
    }
}

/* A worker that can be started again, whether or not somebody joined it. */
static struct worker *renewed(struct worker *worker)
{
    struct message message = {0};
    expect_ok(limen_thread_suspend(worker->thread));
    transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, worker->done, 0, LIMEN_FOREVER, &message);
    return worker;
}

/* Deadlines that are cancelled from the middle leave the others as they were. */
static bool cancel_a_third(struct worker *workers[], uint64_t margin)
{
    bool asleep = put_to_sleep(workers, margin);

    for (unsigned i = 0; asleep && i < SLEEPERS; i += 3)
        expect_ok(limen_thread_suspend(workers[i]->thread));
    bool in_time = asleep && awake == 0;
    for (unsigned i = 0; i < SLEEPERS; i++)
        if (!asleep || i % 3 != 0)
            join(workers[i]);
    return in_time;
}

TEST(deadline, cancelled_ones_do_not_disturb_the_rest)
{
    struct worker *workers[SLEEPERS];
    uint64_t margin = MILLISECOND;

    do {
        for (unsigned i = 0; i < SLEEPERS; i++)
            workers[i] = margin == MILLISECOND ? new_worker(HIGHER) : renewed(workers[i]);
        margin *= 2;
    } while (!cancel_a_third(workers, margin));
    expect_equal(awake, SLEEPERS - (SLEEPERS + 2) / 3);
    for (unsigned i = 0; i < SLEEPERS; i++)
        for (unsigned j = 0; j < SLEEPERS; j++)
            if (i % 3 != 0 && j % 3 != 0 && sleepers[i].deadline < sleepers[j].deadline)
                expect(sleepers[i].order < sleepers[j].order);
}

/* -- a wait that ends another way -- */

static struct message got;
static enum limen_error first_fate, second_fate;

static void wait_twice(void *deadline)
{
    struct message message = {0};

    first_fate = transfer(LIMEN_SYS_WAIT, notification, 0, *(uint64_t *)deadline, &got);
    second_fate = transfer(LIMEN_SYS_WAIT, endpoint, 0, LIMEN_FOREVER, &message);
}

TEST(deadline, is_forgotten_when_the_wait_ends_in_time)
{
    static uint64_t deadline;
    struct message message = {.tag = limen_tag(1, 0, 0)};

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    uint32_t signal = minted(notification, LIMEN_RIGHT_WRITE, 1);
    deadline = now() + 5 * MILLISECOND;
    struct worker *worker = spawn(HIGHER, wait_twice, &deadline);
    expect_ok(limen_signal(signal));
    /* Past the first deadline, the second wait is still on, for it has none. */
    while (now() < deadline + MILLISECOND)
        ;
    expect(first_fate == LIMEN_OK || first_fate == LIMEN_TIMED_OUT);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_error(second_fate, LIMEN_OK);
}

/* The deadline of a call also covers the time until its answer. */
static void call_with_deadline(void *deadline)
{
    struct message message = {.tag = limen_tag(1, 0, 0)};
    first_fate = transfer(LIMEN_SYS_CALL, endpoint, 0, *(uint64_t *)deadline, &message);
}

/* The priority decides who waits for whom.  False when the caller gave up before it was heard. */
static bool call_and_never_answer(unsigned priority, uint64_t margin)
{
    static uint64_t deadline;
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);
    struct message message = {0};

    deadline = now() + margin;
    struct worker *worker = spawn(priority, call_with_deadline, &deadline);
    enum limen_error error = transfer(LIMEN_SYS_WAIT, endpoint, reply, deadline, &message);
    join(worker);
    expect_error(first_fate, LIMEN_TIMED_OUT);
    expect(now() >= deadline);
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_SEND, reply, 0, LIMEN_FOREVER, &message), LIMEN_NO_CALLER);
    return error == LIMEN_OK;
}

TEST(deadline, covers_the_answer_of_a_call)
{
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    for (uint64_t margin = MILLISECOND; !call_and_never_answer(LOWER, margin); margin *= 2)
        ;
    for (uint64_t margin = MILLISECOND; !call_and_never_answer(HIGHER, margin); margin *= 2)
        ;
}
