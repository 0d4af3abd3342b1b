/* SPDX-License-Identifier: MIT */
/*
 * Notifications: bits that are set without waiting, and wake who waits for them.
 *
 * As long as somebody waits, no bit is set: whoever sets one ends the first thread's wait with it.
 */
#include "notification.h"

#include "context.h"
#include "cpu.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/message.h>
#include <limen/syscall.h>

void notification_create(struct notification *notification)
{
    list_init(&notification->waiters);
}

static struct thread *first_waiter(const struct notification *notification)
{
    return thread_of_queue(notification->waiters.next);
}

/* Ends a thread's wait with bits. */
static inline void give(struct thread *thread, uint64_t bits)
{
    struct limen_regs *regs = thread->arch.regs;

    regs->rdi = bits;
    regs->rsi = LIMEN_TAG_NOTIFICATION;
    regs->rax = LIMEN_OK;
}

void notification_take(struct thread *thread, struct notification *notification)
{
    give(thread, notification->bits);
    notification->bits = 0;
    if (notification->bound)
        notification->bound->arch.flags &= ~THREAD_SIGNALLED;
}

/* The thread that is bound gets the bits now if it waits at an endpoint and somebody would pay for
 * what it does then, or else when it waits again. */
static __attribute__((noinline)) void tell_bound(struct notification *notification, uint64_t bits)
{
    struct thread *bound = notification->bound;

    notification->bits = bits;
    if (!bound)
        return;
    bound->arch.flags |= THREAD_SIGNALLED;
    if (bound->state == LIMEN_THREAD_RECEIVING && own_context(bound)) {
        ipc_unwait(bound);
        notification_take(bound, notification);
        scheduler_ready(bound);
    }
}

void notification_signal(struct notification *notification, uint64_t bits)
{
    struct thread *waiter = first_waiter(notification);

    bits |= notification->bits;
    if (!bits)
        return;
    if (list_is_empty(&notification->waiters)) {
        tell_bound(notification, bits);
        return;
    }
    list_drop_first(&notification->waiters);
    waiter->waits_on = NULL;
    give(waiter, bits);
    scheduler_forget_deadline(waiter);
    scheduler_ready(waiter);
}

struct limen_regs *notification_send(const struct slot *slot, struct limen_regs *regs)
{
    regs->rax = slot->rights & LIMEN_RIGHT_WRITE ? LIMEN_OK : LIMEN_NO_RIGHT;
    if (regs->rax == LIMEN_OK)
        notification_signal(slot->object, slot->badge);
    return scheduler_leave();
}

struct limen_regs *notification_wait(struct thread *self, struct notification *notification,
                                     uint64_t flags)
{
    if (notification->bits) {
        notification_take(self, notification);
        return scheduler_leave();
    }
    if (flags & LIMEN_NONBLOCK) {
        self->arch.regs->rax = LIMEN_WOULD_BLOCK;
        return scheduler_leave();
    }
    self->waits_on = notification;
    list_append(&notification->waiters, &self->queue);
    return ipc_block(self, LIMEN_THREAD_WAITING, flags);
}

bool notification_reap(struct notification *notification)
{
    if (list_is_empty(&notification->waiters))
        return true;
    struct thread *thread = first_waiter(notification);
    thread_stop(thread, LIMEN_CANCELLED);
    scheduler_ready(thread);
    return false;
}
