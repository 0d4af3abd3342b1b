/* SPDX-License-Identifier: MIT */
/*
 * 256 fixed priorities, round robin within one, O(1) to pick.  The thread that runs is in no queue.
 */
#ifndef KERNEL_SCHEDULER_H
#define KERNEL_SCHEDULER_H

#include "cpu.h"

/* A thread's turn among equals, in nanoseconds. */
#define SLICE_NS 10000000ull

void scheduler_init(struct cpu *cpu);

/* Makes a thread that waits for nothing READY, at the end of its queue; or PARKED, if there is
 * nobody to pay for it. */
void scheduler_ready(struct thread *thread);

/* Takes a ready thread that is not running out of its queue. */
void scheduler_unready(struct thread *thread);

/* Whether the current thread may go on as it is: nobody more important is ready, and where anybody
 * is, its turn has begun. */
static inline bool scheduler_goes_on(const struct thread *current)
{
    int top = this_cpu->top;
    return current->state == LIMEN_THREAD_READY && current->payer && top <= current->priority &&
           (top < 0 || this_cpu->slice_end != UINT64_MAX);
}

/* What the two threads and the processor have that is out of the ordinary. */
static inline uint32_t unusual(const struct thread *from, const struct thread *to)
{
    return from->arch.flags | to->arch.flags | this_cpu->arch.unusual;
}

/* Goes on with the current thread if it may run and nobody more important can; else switches.
 * Returns the frame to leave by. */
struct limen_regs *scheduler_leave(void);

/* The same, but lets equals go first. */
struct limen_regs *scheduler_yield(void);

/* Switches to a thread that is READY and in no queue. */
struct limen_regs *scheduler_switch(struct thread *to);

/* Lets pending interrupts in for an instant.  True if another thread ran meanwhile: then whatever
 * was known about objects must be looked up again.  Interrupts themselves change no capability. */
static inline bool scheduler_window(void)
{
    uint64_t switches = this_cpu->counters[LIMEN_COUNTER_SWITCHES];
    arch_window();
    return this_cpu->counters[LIMEN_COUNTER_SWITCHES] != switches;
}

/* The one-shot timer must not stand later than the end of the slice or of the budget, or the next
 * deadline.  It may stand earlier, where what it was set for has gone: setting it costs more than
 * an interrupt now and then that finds nothing to do. */
void scheduler_set_timer(struct cpu *cpu);

/* The deadline of a thread that starts to wait, in nanoseconds on the monotonic clock. */
void scheduler_set_deadline(struct thread *thread, uint64_t ns);
void scheduler_drop_deadline(struct thread *thread);

static inline void scheduler_forget_deadline(struct thread *thread)
{
    if (thread->arch.flags & THREAD_DEADLINE)
        scheduler_drop_deadline(thread);
}

#endif
