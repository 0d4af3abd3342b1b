/* SPDX-License-Identifier: MIT */
/*
 * Threads.
 *
 * What a thread holds (space, table, fault endpoint, message page, notification, scheduling
 * context) are capabilities in slots of its own, copies derived from those it was given: revoking
 * the originals takes them from the thread like from anyone else.
 *
 * A thread that is blocked or in ring 3 has nothing on its kernel stack but its user frame.  Only a
 * thread preempted in a window has more, and then `resume` points at the frame it goes on from.
 */
#ifndef KERNEL_THREAD_H
#define KERNEL_THREAD_H

#include "deadline.h"
#include "list.h"
#include "slot.h"
#include <limen/fault.h>

#define PRIORITIES 256u

/* What keeps a message or a switch to or from a thread off the shortest path; in arch.flags. */
#define THREAD_DEADLINE  (ARCH_THREAD_KERNEL << 0) /* one runs */
#define THREAD_FAULTED   (ARCH_THREAD_KERNEL << 1) /* SENDING, WAITING_REPLY, STOPPED: by a fault */
#define THREAD_SIGNALLED (ARCH_THREAD_KERNEL << 2) /* its notification has bits */
#define THREAD_METERED   (ARCH_THREAD_KERNEL << 3) /* its payer is not the first context */
#define THREAD_IN_KERNEL (ARCH_THREAD_KERNEL << 4) /* preempted in a window: `resume` is set */

struct thread {
    struct arch_thread arch; /* first: the threshold finds it there */
    struct object object;
    struct limen_regs *resume;       /* frame of a kernel preemption, or NULL: the user frame */
    struct slot *table;              /* its capability table, or NULL */
    uint64_t slots;                  /* entries of that table */
    struct limen_message_page *page; /* or NULL */
    uint8_t priority;
    uint8_t state;         /* enum limen_thread_state */
    bool calling;          /* SENDING: wants an answer */
    bool passive;          /* draws on the account of whoever it serves */
    bool essential;        /* init: its death is the machine's */
    bool may_grant;        /* SENDING: by a capability with the right to send capabilities along */
    struct list queue;     /* of those ready, or of an endpoint, a notification or a context */
    struct context *payer; /* the account its time is charged to, or NULL */
    struct list guest;     /* of the payer's guests, where that is not its own context */
    void *waits_on;        /* endpoint, notification or reply object */
    struct reply *reply;   /* RECEIVING: where a caller will be kept */
    uint64_t badge;        /* SENDING: of the capability it sends by */
    struct deadline deadline;
    struct notification *bound;
    struct { /* the last fault */
        uint32_t label;
        uint64_t detail[LIMEN_FAULT_DETAIL_WORDS];
        uint64_t rip;
    } fault;
    struct { /* where foreign system calls continue; entry 0: nowhere */
        uint64_t entry;
        uint64_t stack;
    } reflection;
    uint64_t name[2];
    uint64_t slice; /* ticks left of the turn in which it was preempted; 0: none */
    uint64_t ran;   /* ticks, up to the last switch */
    struct slot space_slot;
    struct slot table_slot;
    struct slot fault_slot;
    struct slot page_slot;
    struct slot notification_slot;
    struct slot context_slot;
    struct slot grave;
};

static inline struct thread *thread_of_queue(struct list *item)
{
    return container_of(item, struct thread, queue);
}

static inline bool thread_is_faulted(const struct thread *thread)
{
    return thread->arch.flags & THREAD_FAULTED;
}

/* The current thread was preempted in a window, and will go on by that frame. */
static inline void thread_set_resume(struct thread *thread, struct limen_regs *frame)
{
    thread->resume = frame;
    thread->arch.flags |= THREAD_IN_KERNEL;
}

void thread_create(struct thread *thread);

/* Keeps in mind what fault the thread raised, for its handler and for people: its label and the
 * words that describe it (fault.h). */
static inline void thread_note_fault(struct thread *thread, uint32_t label, uint64_t word0,
                                     uint64_t word1, uint64_t word2, uint64_t word3)
{
    thread->fault.label = label;
    thread->fault.detail[0] = word0;
    thread->fault.detail[1] = word1;
    thread->fault.detail[2] = word2;
    thread->fault.detail[3] = word3;
    thread->fault.rip = thread->arch.regs->rip;
}

/* Ends whatever the thread waits for, with an error code in RAX unless it waits for a fault
 * handler.  It is in no queue afterwards, and STOPPED. */
void thread_stop(struct thread *thread, enum limen_error error);

/* The thread has lost for good what it cannot run without.  init's end is the machine's. */
void thread_end(struct thread *thread, const char *lost);

/* Takes a dead thread apart, which is one step. */
void thread_reap(struct thread *thread);

/* The holder of one of a thread's own slots lost it. */
void thread_lost(struct slot *slot);

/* Gives the thread its space, table and fault endpoint (the last may be NULL), and the context of
 * another thread, if that has one. */
enum limen_error thread_configure(struct thread *thread, struct slot *space, struct slot *table,
                                  struct slot *fault, struct slot *context);

/* Makes the thread draw on the context, which may be NULL. */
void thread_set_context(struct thread *thread, struct slot *context);

#endif
