/* SPDX-License-Identifier: MIT */
/*
 * Operations on kernel objects: a call on anything but an endpoint.
 *
 * Each object's operations are decoded in its own file, in three parts: check everything; point of
 * no return; change.  Arguments and results are the message words of the caller's own frame.
 */
#ifndef KERNEL_INVOKE_H
#define KERNEL_INVOKE_H

#include "thread.h"

struct invocation {
    struct thread *self;
    struct slot *slot; /* the capability invoked; stale after a window */
    uint64_t index;    /* where it is in the caller's table, to find it again */
    uint32_t label;
    unsigned words;   /* how many the caller sent */
    uint64_t *word;   /* words 0 to 7, in and out */
    unsigned results; /* how many come back */
};

typedef enum limen_error operation(struct invocation *call);

operation untyped_invoke;
operation table_invoke;
operation thread_invoke;
operation space_invoke;
operation frame_invoke;
operation irq_control_invoke;
operation irq_invoke;
operation ports_invoke;
operation kernel_invoke;
operation context_invoke;

struct limen_regs *invoke(struct slot *slot, struct limen_regs *regs);

/* Whether the thread's table has an entry, empty or not, at the index.  Entry 0 is the table's
 * header and no capability; `slots` is at least 1. */
static inline bool table_has(const struct thread *thread, uint64_t index)
{
    return index - 1 < thread->slots - 1;
}

/* The capability at an index of the thread's table, or NULL.  Entry 0 needs no test: it is empty as
 * long as a thread uses the table. */
static inline struct slot *table_lookup(const struct thread *thread, uint64_t index)
{
    return index < thread->slots && !slot_is_empty(&thread->table[index]) ? &thread->table[index]
                                                                          : NULL;
}

/* The empty slot at an index of the thread's table, or NULL. */
static inline struct slot *table_place(const struct thread *thread, uint64_t index)
{
    return table_has(thread, index) && slot_is_empty(&thread->table[index]) ? &thread->table[index]
                                                                            : NULL;
}

/* The capability of the given type and rights at an index of the caller's table. */
enum limen_error invoke_argument(const struct invocation *call, uint64_t index,
                                 enum limen_type type, unsigned rights, struct slot **slot);

/* The empty slot at an index of the caller's table. */
enum limen_error invoke_place(const struct invocation *call, uint64_t index, struct slot **place);

#endif
