/* SPDX-License-Identifier: MIT */
#include "fast_path.h"

#include "context.h"
#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/message.h>

static inline bool names(const struct slot *slot, enum limen_type type, unsigned right)
{
    return slot->type == type && slot->rights & right;
}

/* A message of words alone, without capabilities or bits a sender may not set, that both threads
 * have the pages for. */
static inline bool is_plain(uint64_t tag, const struct thread *from, const struct thread *to)
{
    uint32_t words = (uint32_t)tag;
    return __builtin_expect(words <= LIMEN_WORDS_IN_REGISTERS, 1) ||
           (words <= LIMEN_WORDS_MAX && from->page && to->page);
}

/* The scheduler would choose this thread once the current one waits. */
static inline bool comes_next(const struct thread *thread)
{
    return __builtin_expect(!this_cpu->ready_words, 1) || (int)thread->priority >= scheduler_top();
}

static inline __attribute__((always_inline)) void hand_over(const struct thread *from,
                                                            const struct thread *to, uint64_t badge)
{
    const unsigned first = LIMEN_WORDS_IN_REGISTERS;
    const struct limen_regs *source = from->arch.regs;
    struct limen_regs *target = to->arch.regs;
    uint64_t tag = source->rsi;
    unsigned words = (unsigned)tag;

    if (__builtin_expect(words > first, 0)) {
        arch_copy_words(&to->page->words[first], &from->page->words[first], words - first);
        words = first;
    }
    for (unsigned i = 0; i < words; i++)
        target->words[i] = source->words[i];
    target->rsi = tag;
    target->rdi = badge;
    target->rax = LIMEN_OK;
}

static inline __attribute__((always_inline)) struct limen_regs *switch_directly(struct thread *from,
                                                                                struct thread *to)
{
    to->state = LIMEN_THREAD_READY;
    to->waits_on = NULL;
    this_cpu->current = to;
    this_cpu->counters[LIMEN_COUNTER_FAST_IPC]++;
    arch_switch(&from->arch, &to->arch);
    return current_thread()->arch.regs; /* `to`: read again, so that no register need keep it */
}

/* Both paths go through here again once the accounts are settled, so that the ordinary case need
 * not save registers for what is called in the other. */
enum accounts { ACCOUNTS_COMPARED, ACCOUNTS_SETTLED };

static __attribute__((noinline)) struct limen_regs *call_across(struct limen_regs *regs,
                                                                struct thread *server);

static inline __attribute__((always_inline)) struct limen_regs *call(struct limen_regs *regs,
                                                                     enum accounts accounts)
{
    struct thread *self = current_thread();
    uint64_t index = (uint32_t)regs->rdi;

    if (!table_has(self, index))
        return NULL;
    const struct slot *slot = &self->table[index];
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
    if (accounts == ACCOUNTS_COMPARED && __builtin_expect(self->payer != server->payer, 0))
        return call_across(regs, server);

    /* Point of no return. */
    if (list_drop_first(&endpoint->queue))
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

static struct limen_regs *call_across(struct limen_regs *regs, struct thread *server)
{
    return context_call(current_thread(), server) ? call(regs, ACCOUNTS_SETTLED) : NULL;
}

struct limen_regs *fast_call(struct limen_regs *regs)
{
    return call(regs, ACCOUNTS_COMPARED);
}

static __attribute__((noinline)) struct limen_regs *answer_across(struct limen_regs *regs,
                                                                  const struct thread *caller);

static inline __attribute__((always_inline)) struct limen_regs *answer(struct limen_regs *regs,
                                                                       enum accounts accounts)
{
    struct thread *self = current_thread();
    uint64_t index = (uint32_t)regs->rdi;
    uint64_t reply_index = regs->rdi >> 32;

    if (!table_has(self, index) || !table_has(self, reply_index))
        return NULL;
    const struct slot *slot = &self->table[index];
    const struct slot *reply_slot = &self->table[reply_index];
    if (!names(slot, LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_READ) || reply_slot->type != LIMEN_TYPE_REPLY)
        return NULL;
    struct endpoint *endpoint = slot->object;
    struct reply *reply = reply_slot->object;
    struct thread *caller = reply->caller;
    if (!caller || caller->faulted || endpoint->state == ENDPOINT_SENDERS ||
        (self->bound && self->bound->bits) || deadline_is_set(&caller->deadline) ||
        !comes_next(caller) || !is_plain(regs->rsi, self, caller))
        return NULL;
    if (accounts == ACCOUNTS_COMPARED && __builtin_expect(self->payer != caller->payer, 0))
        return answer_across(regs, caller);

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

static struct limen_regs *answer_across(struct limen_regs *regs, const struct thread *caller)
{
    return context_answer(caller) ? answer(regs, ACCOUNTS_SETTLED) : NULL;
}

struct limen_regs *fast_reply_wait(struct limen_regs *regs)
{
    return answer(regs, ACCOUNTS_COMPARED);
}
