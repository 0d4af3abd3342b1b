/* SPDX-License-Identifier: MIT */
/* Notifications: bits that gather, waiters, and the one that is bound to a thread. */
#include "kit.h"

static uint32_t notification, endpoint;

static uint64_t poll(uint32_t slot)
{
    struct message message = {0};
    enum limen_error error =
        transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, slot, 0, LIMEN_FOREVER, &message);
    if (error == LIMEN_WOULD_BLOCK)
        return 0;
    expect_ok(error);
    expect_equal(message.tag, LIMEN_TAG_NOTIFICATION);
    return message.badge;
}

TEST(notification, bits_gather_until_they_are_taken)
{
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_equal(poll(notification), 0);
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 0x5)));
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 1ull << 63)));
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 0x6)));
    expect_equal(poll(notification), 1ull << 63 | 0x7);
    expect_equal(poll(notification), 0);
}

TEST(notification, signal_without_badge_is_nothing)
{
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_ok(limen_signal(notification));
    expect_equal(poll(notification), 0);
}

static struct message woken[4];

static void wait_for_bits(void *place)
{
    struct message *message = place;
    expect_ok(transfer(LIMEN_SYS_WAIT, notification, 0, LIMEN_FOREVER, message));
}

TEST(notification, wakes_one_waiter_at_a_time_in_order)
{
    struct worker *workers[4];

    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    for (unsigned i = 0; i < 4; i++) {
        woken[i] = (struct message){.words = {1, 2, 3}};
        workers[i] = spawn(HIGHER, wait_for_bits, &woken[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 10 + i)));
        join(workers[i]);
        expect_equal(woken[i].badge, 10 + i);
        expect_equal(woken[i].tag, LIMEN_TAG_NOTIFICATION);
        expect_equal(woken[i].words[2], 3); /* not a word of it is touched */
        for (unsigned j = i + 1; j < 4; j++)
            expect_equal(state_of(workers[j]->thread), LIMEN_THREAD_WAITING);
    }
}

/* -- bound -- */

static struct message received;

static void wait_at_endpoint(void *reply)
{
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, *(uint32_t *)reply, LIMEN_FOREVER, &received));
}

static struct worker *bound_worker(uint32_t *reply)
{
    struct worker *worker = new_worker(HIGHER);

    *reply = make(LIMEN_TYPE_REPLY, 0);
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_ok(limen_thread_bind(worker->thread, notification));
    received = (struct message){0};
    return worker;
}

TEST(notification, bound_ends_a_wait_at_an_endpoint)
{
    static uint32_t reply;
    struct worker *worker = bound_worker(&reply);

    start(worker, wait_at_endpoint, &reply);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 0x30)));
    join(worker);
    expect_equal(received.badge, 0x30);
    expect_equal(received.tag, LIMEN_TAG_NOTIFICATION);

    /* The reply object is free again, and so is the endpoint's queue. */
    struct message message = {.tag = limen_tag(1, 0, 0)};
    expect_error(transfer(LIMEN_SYS_SEND | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_WOULD_BLOCK);
    start(worker, wait_at_endpoint, &reply);
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(limen_tag_label(received.tag), 1);
}

TEST(notification, bound_bits_are_taken_before_a_message)
{
    static uint32_t reply;
    struct worker *worker = bound_worker(&reply);

    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 0x4)));
    start(worker, wait_at_endpoint, &reply);
    join(worker);
    expect_equal(received.badge, 0x4);
}

/* The bound thread may be doing something else: the bits wait. */
TEST(notification, bound_bits_wait_for_the_thread)
{
    static uint32_t reply;
    struct worker *worker = bound_worker(&reply);
    uint32_t mine = minted(notification, LIMEN_RIGHT_WRITE, 0x8);

    expect_ok(limen_signal(mine));
    expect_equal(poll(notification), 0x8); /* anybody with the right can take them */
    expect_ok(limen_signal(mine));
    expect_ok(limen_thread_bind(worker->thread, 0));
    start(worker, wait_at_endpoint, &reply);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
    expect_ok(limen_signal(mine));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
}

/* A waiter of the notification itself comes before the bound thread. */
TEST(notification, waiter_comes_before_the_bound_thread)
{
    static uint32_t reply;
    struct worker *bound = bound_worker(&reply);
    struct worker *waiter = spawn(HIGHER, wait_for_bits, &woken[0]);

    start(bound, wait_at_endpoint, &reply);
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 1)));
    join(waiter);
    expect_equal(woken[0].badge, 1);
    expect_equal(state_of(bound->thread), LIMEN_THREAD_RECEIVING);
}

/* REPLY_WAIT with bits pending gives its answer and takes the bits. */
static void call_it(void *fate)
{
    struct message message = {.tag = limen_tag(2, 1, 0), .words = {1}};
    expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message));
    *(uint64_t *)fate = message.words[0];
}

static void serve_then_take_bits(void *reply)
{
    uint32_t slot = *(uint32_t *)reply;
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, slot, LIMEN_FOREVER, &received));
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 0x70)));
    received.tag = limen_tag(0, 1, 0);
    received.words[0] = 1234;
    expect_ok(transfer(LIMEN_SYS_REPLY_WAIT, endpoint, slot, LIMEN_FOREVER, &received));
}

TEST(notification, reply_wait_answers_and_takes_bound_bits)
{
    static uint32_t reply;
    static uint64_t fate;
    struct worker *server = bound_worker(&reply);

    start(server, serve_then_take_bits, &reply);
    struct worker *client = spawn(HIGHER, call_it, &fate);
    join(client);
    join(server);
    expect_equal(fate, 1234);
    expect_equal(received.badge, 0x70);
    expect_equal(received.tag, LIMEN_TAG_NOTIFICATION);
}

TEST(notification, unbinds_when_it_dies)
{
    static uint32_t reply;
    struct worker *worker = bound_worker(&reply);
    struct message message = {.tag = limen_tag(3, 0, 0)};

    start(worker, wait_at_endpoint, &reply);
    expect_ok(limen_revoke(OWN_TABLE, notification)); /* the thread's own copy */
    expect_ok(limen_delete(OWN_TABLE, notification));
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(limen_tag_label(received.tag), 3);
    expect_ok(limen_thread_bind(worker->thread, make(LIMEN_TYPE_NOTIFICATION, 0)));
}
