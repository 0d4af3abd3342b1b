/* SPDX-License-Identifier: MIT */
/*
 * Endpoints and reply objects.
 */
#ifndef KERNEL_IPC_H
#define KERNEL_IPC_H

#include "list.h"
#include "slot.h"

/* Senders wait here or receivers, never both: whoever comes second meets the first. */
enum endpoint_state {
    ENDPOINT_IDLE = 0,
    ENDPOINT_SENDERS,   /* in the queue */
    ENDPOINT_RECEIVERS, /* in the queue: several, or one that can keep no caller */
    ENDPOINT_SERVER,    /* one receiver that can keep a caller, and is in no queue */
};

struct endpoint {
    struct object object;
    uint32_t state;        /* enum endpoint_state */
    struct thread *server; /* while the state is SERVER */
    struct list queue;
    struct slot grave;
};
_Static_assert(sizeof(struct endpoint) <= 1u << LIMEN_ENDPOINT_ORDER, "endpoint");

struct reply {
    struct object object;
    struct thread *caller;   /* WAITING_REPLY for this object */
    struct thread *receiver; /* RECEIVING, will keep its caller here */
};
_Static_assert(sizeof(struct reply) <= 1u << LIMEN_REPLY_ORDER, "reply");

void endpoint_create(struct endpoint *endpoint);

/* The system calls, on the current thread.  Each returns the frame to leave by. */
struct limen_regs *ipc_call(struct slot *slot, struct limen_regs *regs);
struct limen_regs *ipc_send(struct limen_regs *regs);
struct limen_regs *ipc_wait(struct limen_regs *regs);
struct limen_regs *ipc_reply_wait(struct limen_regs *regs);

/* Makes the current thread a caller on the endpoint of a handler. */
struct limen_regs *ipc_fault(struct thread *thread, struct slot *slot);

/* The same for the handler of its faults, which it has, by the shortest path if that one waits. */
struct limen_regs *fast_fault(struct thread *thread);

/* One step of emptying a dead object's queue; true when nothing is left. */
bool endpoint_reap(struct endpoint *endpoint);
void reply_reap(struct reply *reply);

/* The current thread waits.  A deadline runs if the flags of its call ask for one. */
struct limen_regs *ipc_block(struct thread *thread, enum limen_thread_state state, uint64_t flags);

/* Takes the thread out of whatever it waits in, without waking it. */
void ipc_unwait(struct thread *thread);

#endif
