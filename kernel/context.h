/* SPDX-License-Identifier: MIT */
/*
 * Scheduling contexts: accounts of processor time (docs/scheduling.md).
 *
 * Any number of threads draw on one account, so what a process gets does not depend on how many
 * threads it makes.  Each thread has a payer, the account its time is charged to: its own context,
 * or, while it is passive and serves somebody, that of whoever sent the message.  The threads to
 * which an account is lent are its guests.  A thread without a payer does not run.
 *
 * Time is charged where the payer changes, not where the thread does, so threads that share an
 * account cost nothing.
 */
#ifndef KERNEL_CONTEXT_H
#define KERNEL_CONTEXT_H

#include "cpu.h"

struct context {
    struct object object;
    uint32_t parked_count;
    uint64_t budget; /* ticks in each period, or LIMEN_CONTEXT_UNLIMITED */
    uint64_t period;
    int64_t left;       /* of this period's; below zero: overrun, which the next one pays for */
    uint64_t refill_at; /* tick from which a new period can begin; UINT64_MAX: never */
    uint64_t consumed;
    struct list guests;
    struct list parked;     /* threads that wait for the next period */
    struct deadline refill; /* set while there are any */
    struct slot handler_slot;
    struct slot grave;
};
_Static_assert(sizeof(struct context) <= 1u << LIMEN_CONTEXT_ORDER, "context");

static inline struct context *own_context(const struct thread *thread)
{
    return thread->context_slot.object;
}

void context_create(struct context *context);

/* The first of all, unlimited. */
void context_create_root(struct context *context);

/* One step of taking a dead context apart; true when nothing is left. */
bool context_reap(struct context *context);

/* -- who pays -- */

/* Makes the thread, in whatever state it is, draw on an account, or with NULL on none. */
void context_join(struct thread *thread, struct context *payer);

/* The same for a thread that is stopped, which its own context pays for or none. */
static inline void context_set_payer(struct thread *thread, struct context *payer)
{
    list_remove(&thread->guest);
    list_init(&thread->guest);
    thread->payer = payer;
    thread->arch.flags |= THREAD_METERED;
    if (payer && payer == this_cpu->root_context)
        thread->arch.flags &= ~THREAD_METERED;
}

/* A passive thread that serves nobody any more goes back to its own context. */
static inline void context_return(struct thread *thread)
{
    if (thread->payer != own_context(thread))
        context_join(thread, own_context(thread));
}

/* A passive thread takes a message, and its sender pays. */
static inline void context_serve(struct thread *receiver, const struct thread *sender)
{
    if (receiver->passive && receiver->payer != sender->payer)
        context_join(receiver, sender->payer);
}

/* For a direct switch from the current thread to one with another payer, with a call or an answer.
 * False, and nothing has changed, when that thread must not run now. */
bool context_call(const struct thread *from, struct thread *to);
bool context_answer(const struct thread *to);

/* -- the clock -- */

/* Charges the current thread's payer for the time since the last charge. */
void context_charge(struct cpu *cpu, uint64_t now);

/* The tick at which the account will be used up if it is drawn on from now: `now` when it is
 * already, UINT64_MAX for never. */
uint64_t context_end(struct context *payer, uint64_t now);

/* Whether a limited account has something left, of this period or because a new one begins. */
bool context_has_left(struct context *context);

/* Whether there is somebody to pay for the thread. */
static inline bool context_can_pay(const struct thread *thread)
{
    struct context *payer = thread->payer;
    return payer && (payer->budget == LIMEN_CONTEXT_UNLIMITED || context_has_left(payer));
}

/* -- waiting for the next period -- */

/* Puts a thread that is in no queue aside until its payer can pay again. */
void context_park(struct thread *thread);

/* Takes a parked thread out of its list. */
void context_unpark(struct thread *thread);

/* One step of beginning a new period for those who wait for it. */
void context_wake(struct context *context);

/* The current thread used its own context up in ring 3, and becomes a caller of the handler. */
struct limen_regs *context_timeout(struct thread *thread);

#endif
