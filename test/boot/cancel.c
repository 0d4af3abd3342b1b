/* SPDX-License-Identifier: MIT */
/* Waits that are ended from outside: by destroying what is waited for, or the thread, or by hand.
 */
#include "kit.h"

/* What a thread waits for, and how its wait ended. */
struct waiter {
    uint64_t number;
    uint32_t slot, reply;
    enum limen_error fate;
    struct message message;
};

#define UNTOUCHED ((enum limen_error)0x7777)

static void wait_and_note(void *waiter)
{
    struct waiter *self = waiter;
    self->fate = transfer(self->number, self->slot, self->reply, LIMEN_FOREVER, &self->message);
}

static struct worker *waiting(struct waiter *waiter, uint64_t number, uint32_t slot, uint32_t reply)
{
    *waiter = (struct waiter){.number = number, .slot = slot, .reply = reply, .fate = UNTOUCHED};
    waiter->message.tag = number == LIMEN_SYS_WAIT ? 0 : limen_tag(1, 1, 0);
    return spawn(HIGHER, wait_and_note, waiter);
}

static struct waiter waiters[8];

/* -- the object dies -- */

TEST(cancel, endpoint_dies_under_senders)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct worker *workers[4];

    for (unsigned i = 0; i < 4; i++)
        workers[i] = waiting(&waiters[i], i % 2 ? LIMEN_SYS_CALL : LIMEN_SYS_SEND, endpoint, 0);
    expect_ok(limen_delete(OWN_TABLE, endpoint));
    for (unsigned i = 0; i < 4; i++) {
        join(workers[i]);
        expect_error(waiters[i].fate, LIMEN_CANCELLED);
    }
}

TEST(cancel, endpoint_dies_under_receivers)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t replies = make_many(LIMEN_TYPE_REPLY, 0, 4);
    struct worker *workers[4];
    struct message message = {0};

    for (unsigned i = 0; i < 4; i++)
        workers[i] = waiting(&waiters[i], LIMEN_SYS_WAIT, endpoint, replies + i);
    expect_ok(limen_delete(OWN_TABLE, endpoint));
    for (unsigned i = 0; i < 4; i++) {
        join(workers[i]);
        expect_error(waiters[i].fate, LIMEN_CANCELLED);
        /* Their reply objects are free for another wait. */
        expect_error(transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, make(LIMEN_TYPE_ENDPOINT, 0),
                              replies + i, LIMEN_FOREVER, &message),
                     LIMEN_WOULD_BLOCK);
    }
}

/* A capability that is deleted while others remain cancels nothing. */
TEST(cancel, endpoint_lives_with_its_last_capability)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t copy = copy_of(endpoint, LIMEN_RIGHTS_ALL);
    struct worker *worker = waiting(&waiters[0], LIMEN_SYS_WAIT, endpoint, 0);
    struct message message = {0};

    expect_ok(limen_delete(OWN_TABLE, endpoint));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
    expect_ok(transfer(LIMEN_SYS_SEND, copy, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_error(waiters[0].fate, LIMEN_OK);
}

TEST(cancel, notification_dies_under_waiters)
{
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    struct worker *workers[3];

    for (unsigned i = 0; i < 3; i++)
        workers[i] = waiting(&waiters[i], LIMEN_SYS_WAIT, notification, 0);
    expect_ok(limen_delete(OWN_TABLE, notification));
    for (unsigned i = 0; i < 3; i++) {
        join(workers[i]);
        expect_error(waiters[i].fate, LIMEN_CANCELLED);
    }
}

TEST(cancel, reply_object_dies_with_its_caller)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    struct worker *worker = waiting(&waiters[0], LIMEN_SYS_CALL, endpoint, 0);
    struct message message = {0};

    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_WAITING_REPLY);
    expect_ok(limen_delete(OWN_TABLE, reply));
    join(worker);
    expect_error(waiters[0].fate, LIMEN_CANCELLED);
}

/* The receiver goes on waiting, but a caller can no longer be kept. */
TEST(cancel, reply_object_dies_under_its_receiver)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    struct worker *worker = waiting(&waiters[0], LIMEN_SYS_WAIT, endpoint, reply);
    struct message message = {0};

    expect_ok(limen_delete(OWN_TABLE, reply));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
    expect_error(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message), LIMEN_NO_CALLER);
    message.tag = 0;
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_error(waiters[0].fate, LIMEN_OK);
}

/* -- the thread dies -- */

TEST(cancel, thread_dies_while_sending)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct worker *first = waiting(&waiters[0], LIMEN_SYS_SEND, endpoint, 0);
    struct worker *second = waiting(&waiters[1], LIMEN_SYS_SEND, endpoint, 0);
    struct message message = {0};

    expect_ok(limen_delete(OWN_TABLE, first->thread));
    expect_ok(transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message));
    join(second);
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_WOULD_BLOCK);
    expect_error(waiters[0].fate, UNTOUCHED);
}

TEST(cancel, thread_dies_while_receiving)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    struct worker *worker = waiting(&waiters[0], LIMEN_SYS_WAIT, endpoint, reply);
    struct message message = {0};

    expect_ok(limen_delete(OWN_TABLE, worker->thread));
    expect_error(transfer(LIMEN_SYS_SEND | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_WOULD_BLOCK);
    expect_error(
        transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, endpoint, reply, LIMEN_FOREVER, &message),
        LIMEN_WOULD_BLOCK);
}

TEST(cancel, thread_dies_while_waiting_for_bits)
{
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    struct worker *worker = waiting(&waiters[0], LIMEN_SYS_WAIT, notification, 0);
    struct message message = {0};

    expect_ok(limen_delete(OWN_TABLE, worker->thread));
    expect_ok(limen_signal(minted(notification, LIMEN_RIGHT_WRITE, 1)));
    expect_ok(transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, notification, 0, LIMEN_FOREVER, &message));
    expect_equal(message.badge, 1);
}

TEST(cancel, caller_dies_before_its_answer)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    struct worker *worker = waiting(&waiters[0], LIMEN_SYS_CALL, endpoint, 0);
    struct message message = {0};

    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    expect_ok(limen_delete(OWN_TABLE, worker->thread));
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_SEND, reply, 0, LIMEN_FOREVER, &message), LIMEN_NO_CALLER);
    expect_error(
        transfer(LIMEN_SYS_REPLY_WAIT | LIMEN_NONBLOCK, endpoint, reply, LIMEN_FOREVER, &message),
        LIMEN_WOULD_BLOCK);
}

/* -- by hand: suspended, and resumed -- */

static void suspend_and_resume(struct worker *worker, struct waiter *waiter)
{
    expect_ok(limen_thread_suspend(worker->thread));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_error(waiter->fate, UNTOUCHED);
    expect_ok(limen_thread_resume(worker->thread));
    join(worker);
    expect_error(waiter->fate, LIMEN_CANCELLED);
}

TEST(cancel, suspend_ends_every_kind_of_wait)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    struct message message = {0};
    struct waiter *waiter = &waiters[0];

    suspend_and_resume(waiting(waiter, LIMEN_SYS_SEND, endpoint, 0), waiter);
    suspend_and_resume(waiting(waiter, LIMEN_SYS_CALL, endpoint, 0), waiter);
    suspend_and_resume(waiting(waiter, LIMEN_SYS_WAIT, endpoint, reply), waiter);
    suspend_and_resume(waiting(waiter, LIMEN_SYS_REPLY_WAIT, endpoint, reply), waiter);
    suspend_and_resume(waiting(waiter, LIMEN_SYS_WAIT, notification, 0), waiter);

    struct worker *caller = waiting(waiter, LIMEN_SYS_CALL, endpoint, 0);
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    suspend_and_resume(caller, waiter);
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_SEND, reply, 0, LIMEN_FOREVER, &message), LIMEN_NO_CALLER);

    /* Nobody is left in any queue. */
    expect_error(
        transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, endpoint, reply, LIMEN_FOREVER, &message),
        LIMEN_WOULD_BLOCK);
    expect_error(transfer(LIMEN_SYS_SEND | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_WOULD_BLOCK);
}

/* A client's memory, taken back whole while it waits for an answer, leaves the server unharmed. */
TEST(cancel, revoking_a_client_s_memory_frees_the_server)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    uint32_t memory = make(LIMEN_TYPE_UNTYPED, 18), thread = slots(2), frame = thread + 1;
    struct message message = {0};
    struct worker *other = new_worker(HIGHER);
    struct limen_untyped_info info;
    struct limen_regs regs;

    expect_ok(limen_retype(memory, LIMEN_TYPE_THREAD, 0, thread, 1));
    expect_ok(limen_retype(memory, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frame, 1));
    expect_ok(limen_thread_configure(thread, OWN_SPACE, OWN_TABLE, FAULTS));
    expect_ok(limen_thread_set_message_page(thread, frame));

    /* A worker's start, lent to a thread of the client's memory. */
    waiters[0] = (struct waiter){.number = LIMEN_SYS_CALL, .slot = endpoint, .fate = UNTOUCHED};
    start(other, wait_and_note, &waiters[0]);
    expect_ok(limen_thread_suspend(other->thread));
    expect_ok(limen_thread_get_regs(other->thread, &regs));
    regs.rip -= 2; /* back onto the SYSCALL instruction */
    regs.rax = LIMEN_SYS_CALL;
    regs.rdi = endpoint;
    regs.rsi = limen_tag(1, 1, 0);
    expect_ok(limen_thread_set_regs(thread, &regs));
    expect_ok(limen_thread_resume(thread));

    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    expect_equal(state_of(thread), LIMEN_THREAD_WAITING_REPLY);
    expect_ok(limen_revoke(OWN_TABLE, memory));
    expect_ok(limen_untyped_info(memory, &info));
    expect_equal(info.used, 0);
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_SEND, reply, 0, LIMEN_FOREVER, &message), LIMEN_NO_CALLER);
}
