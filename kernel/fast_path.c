/* SPDX-License-Identifier: MIT */
#include "fast_path.h"

#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/message.h>

static bool names(const struct slot *slot, enum limen_type type, unsigned right)
{
    return slot && slot->type == type && slot->rights & right;
}

/* A message of words alone, without capabilities or bits a sender may not set, that both threads
 * have the pages for. */
static bool is_plain(uint64_t tag, const struct thread *from, const struct thread *to)
{
    uint32_t words = (uint32_t)tag;
    return words <= LIMEN_WORDS_IN_REGISTERS ||
           (words <= LIMEN_WORDS_MAX && from->page && to->page);
}

/* The scheduler would choose this thread once the current one waits. */
static bool comes_next(const struct thread *thread)
{
    return !this_cpu->ready_words || (int)thread->priority >= scheduler_top();
}

static void hand_over(const struct thread *from, const struct thread *to, uint64_t badge)
{
    const struct limen_regs *source = from->arch.regs;
    struct limen_regs *target = to->arch.regs;
    uint64_t tag = source->rsi;
    unsigned words = limen_tag_words(tag);

    for (unsigned i = 0; i < words && i < LIMEN_WORDS_IN_REGISTERS; i++)
        target->words[i] = source->words[i];
    if (words > LIMEN_WORDS_IN_REGISTERS)
        memcpy(&to->page->words[LIMEN_WORDS_IN_REGISTERS],
               &from->page->words[LIMEN_WORDS_IN_REGISTERS],
               (words - LIMEN_WORDS_IN_REGISTERS) * sizeof(uint64_t));
    target->rsi = tag;
    target->rdi = badge;
    target->rax = LIMEN_OK;
}

static struct limen_regs *switch_directly(struct thread *from, struct thread *to)
{
    to->state = LIMEN_THREAD_READY;
    to->waits_on = NULL;
    this_cpu->current = to;
    this_cpu->counters[LIMEN_COUNTER_FAST_IPC]++;
    arch_switch(&from->arch, &to->arch);
    return to->arch.regs;
}

struct limen_regs *fast_call(struct limen_regs *regs)
{
    struct thread *self = current_thread();
    const struct slot *slot = table_at(self, (uint32_t)regs->rdi);

    if (!names(slot, LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_WRITE))
        return NULL;
    struct endpoint *endpoint = slot->object;
    if (endpoint->state != ENDPOINT_RECEIVERS)
        return NULL;
    struct thread *server = thread_of_queue(endpoint->queue.next);
    struct reply *reply = server->reply;
    if (!reply || reply->caller || deadline_is_set(&server->deadline) || !comes_next(server) ||
        !is_plain(regs->rsi, self, server))
        return NULL;

    /* Point of no return. */
    list_remove(&server->queue);
    if (list_is_empty(&endpoint->queue))
        endpoint->state = ENDPOINT_IDLE;
    hand_over(self, server, slot->badge);
    reply->caller = self;
    reply->receiver = NULL;
    server->reply = NULL;
    self->state = LIMEN_THREAD_WAITING_REPLY;
    self->waits_on = reply;
    self->faulted = false;
    return switch_directly(self, server);
}

struct limen_regs *fast_reply_wait(struct limen_regs *regs)
{
    struct thread *self = current_thread();
    const struct slot *slot = table_at(self, (uint32_t)regs->rdi);
    const struct slot *reply_slot = table_at(self, regs->rdi >> 32);

    if (!names(slot, LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_READ) ||
        !names(reply_slot, LIMEN_TYPE_REPLY, LIMEN_RIGHTS_ALL))
        return NULL;
    struct endpoint *endpoint = slot->object;
    struct reply *reply = reply_slot->object;
    struct thread *caller = reply->caller;
    if (!caller || caller->faulted || endpoint->state == ENDPOINT_SENDERS ||
        (self->bound && self->bound->bits) || deadline_is_set(&caller->deadline) ||
        !comes_next(caller) || !is_plain(regs->rsi, self, caller))
        return NULL;

    /* Point of no return. */
    hand_over(self, caller, 0);
    reply->caller = NULL;
    reply->receiver = self;
    self->reply = reply;
    self->state = LIMEN_THREAD_RECEIVING;
    self->waits_on = endpoint;
    endpoint->state = ENDPOINT_RECEIVERS;
    list_append(&endpoint->queue, &self->queue);
    return switch_directly(self, caller);
}
