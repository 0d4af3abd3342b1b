/* SPDX-License-Identifier: MIT */
/*
 * The general path of message passing: rendezvous at an endpoint, replies, faults as messages.
 *
 * Whoever comes second does the work: a sender that finds a receiver waiting hands its message over
 * at once, a receiver that finds a sender waiting takes it.  Both sides' registers are their user
 * frames, and words beyond the eighth go from message page to message page through the physical
 * map, so nothing here can fault.
 */
#include "ipc.h"
#include "notification.h"

#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "invoke.h"
#include "scheduler.h"
#include <limen/fault.h>
#include <limen/message.h>
#include <limen/syscall.h>

static struct thread *first_in(struct list *queue)
{
    return thread_of_queue(queue->next);
}

static void finish(struct thread *thread, enum limen_error error)
{
    thread->arch.regs->rax = error;
}

void endpoint_create(struct endpoint *endpoint)
{
    list_init(&endpoint->queue);
}

/* Copies of the capabilities the sender names go to the slots the receiver set aside, in order,
 * until one cannot.  Returns how many did. */
static unsigned transfer_caps(struct thread *from, struct thread *to, unsigned count)
{
    unsigned done = 0;
    if (!from->page || !to->page || !to->table)
        return 0;
    /* Each index is read once: the pages are shared with ring 3. */
    const volatile struct limen_message_page *source = from->page;
    const volatile struct limen_message_page *target = to->page;
    uint64_t first = target->receive_first;
    uint64_t room = target->receive_count;
    while (done < count && done < room) {
        struct slot *given = table_lookup(from, source->send_caps[done]);
        struct slot *place = table_place(to, first + done);
        if (!given || !place || slot_copy(place, given, given->rights) != LIMEN_OK)
            break;
        done++;
    }
    return done;
}

/* Words of a message, from wherever they stand, to the receiver's registers and page.  Returns how
 * many arrived: a receiver without a page gets eight. */
static unsigned deliver_words(struct thread *to, unsigned count, const uint64_t *registers,
                              const uint64_t *rest)
{
    struct limen_regs *target = to->arch.regs;
    unsigned direct = count < LIMEN_WORDS_IN_REGISTERS ? count : LIMEN_WORDS_IN_REGISTERS;

    for (unsigned i = 0; i < direct; i++)
        target->words[i] = registers[i];
    if (count > direct && to->page) {
        arch_copy_words(&to->page->words[direct], &rest[direct], count - direct);
        return count;
    }
    return direct;
}

/* A fault message: what happened, and the whole frame. */
static void deliver_fault(struct thread *from, struct thread *to)
{
    const unsigned details = LIMEN_FAULT_DETAIL_WORDS, direct = LIMEN_WORDS_IN_REGISTERS;
    const uint64_t *frame = limen_regs_words(from->arch.regs);
    struct limen_regs *target = to->arch.regs;

    for (unsigned i = 0; i < direct; i++)
        target->words[i] = i < details ? from->fault.detail[i] : frame[i - details];
    if (to->page)
        arch_copy_words(&to->page->words[direct], &frame[direct - details],
                        LIMEN_FAULT_WORDS - direct);
    target->rsi = limen_tag(from->fault.label, to->page ? LIMEN_FAULT_WORDS : direct, 0);
}

static void deliver(struct thread *from, struct thread *to, bool may_grant)
{
    uint64_t tag = from->arch.regs->rsi;
    const uint64_t *rest = from->page ? from->page->words : NULL;
    unsigned words = limen_tag_words(tag);
    unsigned caps = may_grant ? limen_tag_caps(tag) : 0;

    words = deliver_words(to, words, from->arch.regs->words, rest);
    if (caps)
        caps = transfer_caps(from, to, caps);
    to->arch.regs->rsi = limen_tag(limen_tag_label(tag), words, caps);
}

/* Checks that the sender can produce the message its tag announces. */
static enum limen_error check_tag(const struct thread *thread, uint64_t tag)
{
    if (tag & ~LIMEN_TAG_SENDER_MASK || limen_tag_words(tag) > LIMEN_WORDS_MAX ||
        limen_tag_caps(tag) > LIMEN_CAPS_MAX)
        return LIMEN_BAD_ARGUMENT;
    if ((limen_tag_words(tag) > LIMEN_WORDS_IN_REGISTERS || limen_tag_caps(tag)) && !thread->page)
        return LIMEN_NO_MESSAGE_PAGE;
    return LIMEN_OK;
}

/* -- waiting -- */

static void add_sender(struct endpoint *endpoint, struct thread *thread)
{
    ASSERT(endpoint->state == ENDPOINT_IDLE || endpoint->state == ENDPOINT_SENDERS);
    endpoint->state = ENDPOINT_SENDERS;
    thread->waits_on = endpoint;
    list_append(&endpoint->queue, &thread->queue);
}

static void add_receiver(struct endpoint *endpoint, struct thread *thread)
{
    ASSERT(endpoint->state != ENDPOINT_SENDERS);
    thread->waits_on = endpoint;
    if (endpoint->state == ENDPOINT_IDLE && thread->reply) {
        endpoint->state = ENDPOINT_SERVER;
        endpoint->server = thread;
        return;
    }
    if (endpoint->state == ENDPOINT_SERVER)
        list_append(&endpoint->queue, &endpoint->server->queue);
    endpoint->state = ENDPOINT_RECEIVERS;
    list_append(&endpoint->queue, &thread->queue);
}

static bool has_receiver(const struct endpoint *endpoint)
{
    return endpoint->state >= ENDPOINT_RECEIVERS;
}

static struct thread *first_at(struct endpoint *endpoint)
{
    return endpoint->state == ENDPOINT_SERVER ? endpoint->server : first_in(&endpoint->queue);
}

static void dequeue(struct endpoint *endpoint, struct thread *thread)
{
    thread->waits_on = NULL;
    if (endpoint->state == ENDPOINT_SERVER) {
        ASSERT(endpoint->server == thread);
        endpoint->state = ENDPOINT_IDLE;
        return;
    }
    list_remove(&thread->queue);
    if (list_is_empty(&endpoint->queue)) {
        endpoint->state = ENDPOINT_IDLE;
        return;
    }
    /* A receiver that is the last one again can be met on the shortest path. */
    struct thread *last = first_in(&endpoint->queue);
    if (endpoint->state == ENDPOINT_RECEIVERS && last->reply &&
        last->queue.next == &endpoint->queue) {
        list_remove(&last->queue);
        endpoint->server = last;
        endpoint->state = ENDPOINT_SERVER;
    }
}

static void let_go_of_reply(struct thread *thread)
{
    if (thread->reply)
        thread->reply->receiver = NULL;
    thread->reply = NULL;
}

void ipc_unwait(struct thread *thread)
{
    scheduler_forget_deadline(thread);
    switch (thread->state) {
    case LIMEN_THREAD_SENDING:
        dequeue(thread->waits_on, thread);
        break;
    case LIMEN_THREAD_RECEIVING:
        dequeue(thread->waits_on, thread);
        let_go_of_reply(thread);
        context_return(thread); /* no message, so nobody else to pay */
        break;
    case LIMEN_THREAD_WAITING:
        list_remove(&thread->queue);
        break;
    case LIMEN_THREAD_WAITING_REPLY:
        if (thread->waits_on)
            ((struct reply *)thread->waits_on)->caller = NULL;
        break;
    default:
        break;
    }
    thread->waits_on = NULL;
}

/* A thread's wait has ended well. */
static void wake(struct thread *thread)
{
    scheduler_forget_deadline(thread);
    scheduler_ready(thread);
}

struct limen_regs *ipc_block(struct thread *thread, enum limen_thread_state state, uint64_t flags)
{
    thread->state = (uint8_t)state;
    arch_note_frame(&thread->arch);
    if (flags & LIMEN_DEADLINE)
        scheduler_set_deadline(thread, thread->arch.regs->rbx);
    return scheduler_leave();
}

static uint64_t flags_of(const struct limen_regs *regs)
{
    return regs->rax & (LIMEN_NONBLOCK | LIMEN_DEADLINE);
}

/* -- sending -- */

/* The sender's message reaches a receiver that is waiting (or that is just now).  A caller is kept
 * in the receiver's reply object; without one it is told so, and the receiver goes on waiting. */
static void meet(struct thread *sender, struct thread *receiver)
{
    context_serve(receiver, sender);
    if (thread_is_faulted(sender))
        deliver_fault(sender, receiver);
    else
        deliver(sender, receiver, sender->may_grant);
    receiver->arch.regs->rdi = sender->badge;
    finish(receiver, LIMEN_OK);
    if (sender->calling) {
        sender->state = LIMEN_THREAD_WAITING_REPLY;
        sender->waits_on = receiver->reply;
        receiver->reply->caller = sender;
    }
    let_go_of_reply(receiver);
}

static bool can_keep_caller(const struct thread *receiver)
{
    return receiver->reply && !receiver->reply->caller;
}

static struct limen_regs *send_to(struct endpoint *endpoint, struct thread *sender, uint64_t flags)
{
    if (!has_receiver(endpoint)) {
        if (flags & LIMEN_NONBLOCK) {
            finish(sender, LIMEN_WOULD_BLOCK);
            return scheduler_leave();
        }
        add_sender(endpoint, sender);
        return ipc_block(sender, LIMEN_THREAD_SENDING, flags);
    }
    struct thread *receiver = first_at(endpoint);
    if (sender->calling && !can_keep_caller(receiver)) {
        finish(sender, LIMEN_NO_CALLER);
        return scheduler_leave();
    }

    /* Point of no return. */
    dequeue(endpoint, receiver);
    if (sender->calling) {
        meet(sender, receiver);
        arch_note_frame(&sender->arch);
        if (flags & LIMEN_DEADLINE)
            scheduler_set_deadline(sender, sender->arch.regs->rbx);
    } else {
        meet(sender, receiver);
        finish(sender, LIMEN_OK);
    }
    wake(receiver);
    return scheduler_leave();
}

static struct limen_regs *refuse(struct limen_regs *regs, enum limen_error error)
{
    regs->rax = error;
    return scheduler_leave();
}

static struct limen_regs *send_message(struct slot *slot, struct limen_regs *regs, bool calling)
{
    struct thread *sender = current_thread();
    uint64_t flags = flags_of(regs);

    if (!(slot->rights & LIMEN_RIGHT_WRITE))
        return refuse(regs, LIMEN_NO_RIGHT);
    enum limen_error error = check_tag(sender, regs->rsi);
    if (error)
        return refuse(regs, error);
    sender->badge = slot->badge;
    sender->calling = calling;
    sender->may_grant = slot->rights & LIMEN_RIGHT_GRANT;
    return send_to(slot->object, sender, flags);
}

struct limen_regs *ipc_call(struct slot *slot, struct limen_regs *regs)
{
    return send_message(slot, regs, true);
}

struct limen_regs *ipc_fault(struct thread *thread, struct slot *slot)
{
    thread->arch.flags |= THREAD_FAULTED;
    if (slot_is_empty(slot)) {
        thread->state = LIMEN_THREAD_STOPPED;
        return scheduler_leave();
    }
    thread->badge = slot->badge;
    thread->calling = true;
    thread->may_grant = false;
    struct endpoint *endpoint = slot->object;
    /* A handler that keeps no caller could not answer. */
    if (has_receiver(endpoint) && !can_keep_caller(first_at(endpoint))) {
        thread->state = LIMEN_THREAD_STOPPED;
        return scheduler_leave();
    }
    return send_to(endpoint, thread, 0);
}

/* -- replying -- */

/* A handler's answer to a fault: resume, perhaps with another frame, or stay stopped. */
static void answer_fault(struct thread *from, struct thread *to)
{
    uint64_t tag = from->arch.regs->rsi;
    uint32_t label = limen_tag_label(tag);

    to->arch.flags &= ~THREAD_FAULTED;
    if (label == LIMEN_FAULT_SET_REGS && limen_tag_words(tag) >= LIMEN_FAULT_WORDS) {
        struct limen_regs frame;
        const unsigned in_registers = LIMEN_WORDS_IN_REGISTERS - LIMEN_FAULT_DETAIL_WORDS;
        for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++) {
            unsigned word = LIMEN_FAULT_DETAIL_WORDS + i;
            limen_regs_words(&frame)[i] =
                i < in_registers ? from->arch.regs->words[word] : from->page->words[word];
        }
        arch_regs_set(&to->arch, &frame);
    } else if (label != LIMEN_FAULT_RESUME) {
        to->state = LIMEN_THREAD_STOPPED;
        return;
    }
    wake(to);
}

/* Answers the caller kept in a reply object. */
static enum limen_error answer(struct reply *reply, struct thread *from, bool may_grant)
{
    struct thread *to = reply->caller;
    if (!to)
        return LIMEN_NO_CALLER;
    enum limen_error error = check_tag(from, from->arch.regs->rsi);
    if (error)
        return error;

    /* Point of no return. */
    reply->caller = NULL;
    to->waits_on = NULL;
    if (thread_is_faulted(to)) {
        scheduler_forget_deadline(to);
        answer_fault(from, to);
    } else {
        deliver(from, to, may_grant);
        to->arch.regs->rdi = 0;
        finish(to, LIMEN_OK);
        wake(to);
    }
    return LIMEN_OK;
}

struct limen_regs *ipc_send(struct limen_regs *regs)
{
    struct thread *self = current_thread();
    struct slot *slot = table_lookup(self, (uint32_t)regs->rdi);

    if (!slot)
        return refuse(regs, LIMEN_BAD_CAPABILITY);
    switch (slot->type) {
    case LIMEN_TYPE_ENDPOINT:
        return send_message(slot, regs, false);
    case LIMEN_TYPE_NOTIFICATION:
        return notification_send(slot, regs);
    case LIMEN_TYPE_REPLY:
        return refuse(regs, answer(slot->object, self, slot->rights & LIMEN_RIGHT_GRANT));
    default:
        return refuse(regs, LIMEN_WRONG_TYPE);
    }
}

/* -- receiving -- */

/* What forbids to take the message of a sender that waited: nobody could answer its call, or since
 * its tag was checked it lost its message page or had its registers set, or it lost its payer and
 * whoever served it would have none either. */
static enum limen_error objection(const struct thread *self, const struct thread *sender,
                                  const struct reply *reply)
{
    if (sender->calling && !reply)
        return LIMEN_NO_CALLER;
    if (self->passive && !sender->payer)
        return LIMEN_CANCELLED;
    return thread_is_faulted(sender) ? LIMEN_OK : check_tag(sender, sender->arch.regs->rsi);
}

static void turn_away(struct endpoint *endpoint, struct thread *sender, enum limen_error error)
{
    dequeue(endpoint, sender);
    scheduler_forget_deadline(sender);
    if (thread_is_faulted(sender)) {
        sender->state = LIMEN_THREAD_STOPPED;
        return;
    }
    finish(sender, error);
    scheduler_ready(sender);
}

/* Takes the first sender.  Its wait ends here unless it is a caller. */
static void take_sender(struct thread *self, struct endpoint *endpoint, struct thread *sender)
{
    dequeue(endpoint, sender);
    meet(sender, self);
    if (sender->calling)
        return;
    finish(sender, LIMEN_OK);
    wake(sender);
}

/* Returns NULL when a sender had to be turned away and the wait must begin again. */
static struct limen_regs *wait_for_message(struct thread *self, struct endpoint *endpoint,
                                           struct reply *reply, uint64_t flags)
{
    if (self->bound && self->bound->bits) {
        notification_take(self, self->bound);
        return scheduler_leave();
    }
    if (endpoint->state == ENDPOINT_SENDERS) {
        struct thread *sender = first_in(&endpoint->queue);
        enum limen_error error = objection(self, sender, reply);
        if (error) {
            turn_away(endpoint, sender, error);
            return NULL;
        }
        self->reply = reply;
        take_sender(self, endpoint, sender);
        return scheduler_leave();
    }
    if (flags & LIMEN_NONBLOCK) {
        finish(self, LIMEN_WOULD_BLOCK);
        return scheduler_leave();
    }
    self->reply = reply;
    if (reply)
        reply->receiver = self;
    add_receiver(endpoint, self);
    return ipc_block(self, LIMEN_THREAD_RECEIVING, flags);
}

/* The reply object a wait names: *reply is NULL where the index is 0. */
static enum limen_error find_reply(struct thread *self, uint64_t index, struct reply **reply)
{
    *reply = NULL;
    if (index == 0)
        return LIMEN_OK;
    struct slot *slot = table_lookup(self, index);
    if (!slot)
        return LIMEN_BAD_CAPABILITY;
    if (slot->type != LIMEN_TYPE_REPLY)
        return LIMEN_WRONG_TYPE;
    *reply = slot->object;
    return LIMEN_OK;
}

/* The endpoint or notification a wait names. */
static enum limen_error find_source(struct thread *self, uint64_t index, struct slot **slot)
{
    *slot = table_lookup(self, index);
    if (!*slot)
        return LIMEN_BAD_CAPABILITY;
    if ((*slot)->type != LIMEN_TYPE_ENDPOINT && (*slot)->type != LIMEN_TYPE_NOTIFICATION)
        return LIMEN_WRONG_TYPE;
    return (*slot)->rights & LIMEN_RIGHT_READ ? LIMEN_OK : LIMEN_NO_RIGHT;
}

/* One attempt at a wait; NULL when it must begin again. */
static struct limen_regs *try_wait(struct limen_regs *regs)
{
    struct thread *self = current_thread();
    struct slot *slot;
    struct reply *reply;
    enum limen_error error = find_source(self, (uint32_t)regs->rdi, &slot);

    if (error)
        return refuse(regs, error);
    if (slot->type == LIMEN_TYPE_NOTIFICATION)
        return notification_wait(self, slot->object, flags_of(regs));
    error = find_reply(self, regs->rdi >> 32, &reply);
    if (error)
        return refuse(regs, error);
    if (reply && (reply->caller || reply->receiver))
        return refuse(regs, LIMEN_BUSY);
    return wait_for_message(self, slot->object, reply, flags_of(regs));
}

struct limen_regs *ipc_wait(struct limen_regs *regs)
{
    struct limen_regs *out;
    while (!(out = try_wait(regs)))
        arch_window();
    return out;
}

struct limen_regs *ipc_reply_wait(struct limen_regs *regs)
{
    struct thread *self = current_thread();
    struct slot *source;
    struct reply *reply = NULL;
    enum limen_error error = find_source(self, (uint32_t)regs->rdi, &source);

    if (!error)
        error = find_reply(self, regs->rdi >> 32, &reply);
    if (error)
        return refuse(regs, error);
    if (reply) {
        struct slot *slot = table_lookup(self, regs->rdi >> 32);
        error = answer(reply, self, slot->rights & LIMEN_RIGHT_GRANT);
        if (error && error != LIMEN_NO_CALLER)
            return refuse(regs, error);
    }
    return ipc_wait(regs);
}

/* -- destruction -- */

bool endpoint_reap(struct endpoint *endpoint)
{
    if (endpoint->state == ENDPOINT_IDLE)
        return true;
    struct thread *thread = first_at(endpoint);
    thread_stop(thread, LIMEN_CANCELLED);
    if (!thread_is_faulted(thread))
        scheduler_ready(thread);
    return false;
}

void reply_reap(struct reply *reply)
{
    if (reply->caller) {
        struct thread *caller = reply->caller;
        thread_stop(caller, LIMEN_CANCELLED);
        if (!thread_is_faulted(caller))
            scheduler_ready(caller);
    }
    struct thread *receiver = reply->receiver;
    if (!receiver)
        return;
    let_go_of_reply(receiver);
    struct endpoint *endpoint = receiver->waits_on;
    if (endpoint->state == ENDPOINT_SERVER) { /* no more: it can keep no caller */
        dequeue(endpoint, receiver);
        add_receiver(endpoint, receiver);
    }
}
