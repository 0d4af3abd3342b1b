/* SPDX-License-Identifier: MIT */
/* Notifications: words of bits that threads wait for. */
#ifndef KERNEL_NOTIFICATION_H
#define KERNEL_NOTIFICATION_H

#include "list.h"
#include "slot.h"

struct notification {
    struct object object;
    uint64_t bits;
    struct list waiters;
    struct thread *bound; /* whose waits on endpoints also take the bits */
    struct slot grave;
};
_Static_assert(sizeof(struct notification) <= 1u << LIMEN_NOTIFICATION_ORDER, "notification");

void notification_create(struct notification *notification);

/* Sets bits, and wakes who waits for them.  A thread without a context of its own could not run
 * then: it finds them when it waits again. */
void notification_signal(struct notification *notification, uint64_t bits);

/* Gives the bits to a thread that asks for them, and clears them. */
void notification_take(struct thread *thread, struct notification *notification);

/* The system calls, on the current thread: one that sets the badge's bits, and one that waits. */
struct limen_regs *notification_send(const struct slot *slot, struct limen_regs *regs);
struct limen_regs *notification_wait(struct thread *self, struct notification *notification,
                                     uint64_t flags);

/* One step of emptying a dead notification's queue; true when nothing is left. */
bool notification_reap(struct notification *notification);

#endif
