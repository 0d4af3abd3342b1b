/* SPDX-License-Identifier: MIT */
/* The block of one processor: all that it touches on its own, reached through GS. */
#ifndef KERNEL_CPU_H
#define KERNEL_CPU_H

#include "thread.h"

#define IRQ_LINES 128u

/* Keeps messages and switches off the shortest paths, on ring 3's wish; in arch.unusual. */
#define CPU_GENERAL_PATH (ARCH_CPU_KERNEL << 0)

struct cpu {
    struct arch_cpu arch; /* first: assembly knows its offsets */
    struct thread *current;
    struct thread *next;  /* ready, in no queue, and comes before all that are; or NULL */
    int top;              /* the highest priority of those ready besides the current, or -1 */
    int queue_top;        /* the highest in the queues, or -1 */
    uint64_t ready_words; /* a bit for each word of `ready` that is not zero */
    uint64_t ready[PRIORITIES / 64];
    struct list queues[PRIORITIES];
    struct deadline *deadlines;
    uint64_t slice;       /* ticks of a thread's turn among equals */
    uint64_t slice_end;   /* tick; UINT64_MAX while nobody else wants the processor */
    uint64_t budget_end;  /* tick at which the current thread's payer will have nothing left */
    uint64_t charged_at;  /* tick up to which its payer has been charged */
    uint64_t timer;       /* tick the timer is set to, at the latest; 0: its interrupt is served */
    uint64_t switched_at; /* tick of the last general switch, to account time */
    struct slot *dying;   /* objects without capabilities that still have to be taken apart */
    struct irq *irqs[IRQ_LINES];
    uint64_t counters[LIMEN_COUNTER_COUNT];
    bool waking;                  /* kernel_timer() is at work */
    struct context *root_context; /* of threads that pay no heed to time */
    struct slot *init_table;      /* for debuggers: every object of the machine is found from it */
    struct thread idle;
};

static inline struct thread *current_thread(void)
{
    return this_cpu->current;
}

#endif
