/* SPDX-License-Identifier: MIT */
#include "scheduler.h"

#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "ipc.h"

#define BITS 64u

/* Threads to park with interrupts off. */
#define PARK_MAX 8u

/* In cpu->timer: it has fired, and will be set anew when its interrupt is done. */
#define TIMER_FIRED 0

void scheduler_init(struct cpu *cpu)
{
    for (unsigned i = 0; i < PRIORITIES; i++)
        list_init(&cpu->queues[i]);
    cpu->top = -1;
    cpu->queue_top = -1;
    cpu->slice = arch_ns_to_ticks(SLICE_NS);
    cpu->slice_end = UINT64_MAX;
    cpu->budget_end = UINT64_MAX;
    cpu->timer = UINT64_MAX;
    cpu->idle.state = LIMEN_THREAD_READY;
    cpu->idle.arch.flags = THREAD_METERED;
    list_init(&cpu->idle.queue);
    list_init(&cpu->idle.guest);
    cpu->current = &cpu->idle;
}

/* -- the timer -- */

void scheduler_set_timer(struct cpu *cpu)
{
    uint64_t tick = cpu->slice_end < cpu->budget_end ? cpu->slice_end : cpu->budget_end;
    if (cpu->deadlines && cpu->deadlines->tick < tick)
        tick = cpu->deadlines->tick;
    if (tick < cpu->timer) {
        cpu->timer = tick;
        arch_timer_set(tick);
    }
}

/* -- the threads that are ready -- */

static __attribute__((noinline)) void put_in_queue(struct cpu *cpu, struct thread *thread,
                                                   bool first)
{
    struct list *queue = &cpu->queues[thread->priority];

    if (list_is_empty(queue)) {
        unsigned word = thread->priority / BITS;
        cpu->ready[word] |= 1ull << thread->priority % BITS;
        cpu->ready_words |= 1ull << word;
        if (thread->priority > cpu->queue_top)
            cpu->queue_top = thread->priority;
    }
    if (first)
        list_prepend(queue, &thread->queue);
    else
        list_append(queue, &thread->queue);
}

/* A thread more important than all that are ready is `next`, and in no queue: it is about to run,
 * and that should cost the same whatever else is ready. */
static inline void enqueue(struct cpu *cpu, struct thread *thread, bool first)
{
    if (thread->priority > cpu->top) {
        struct thread *next = cpu->next;
        cpu->top = thread->priority;
        if (next || !(cpu->arch.unusual & CPU_GENERAL_PATH)) {
            cpu->next = thread;
            if (!next)
                return;
            thread = next;
            first = true;
        }
    }
    put_in_queue(cpu, thread, first);
}

/* The last thread of the priority has left its queue. */
static void queue_is_empty(struct cpu *cpu, unsigned priority)
{
    unsigned word = priority / BITS;

    cpu->ready[word] &= ~(1ull << priority % BITS);
    if (!cpu->ready[word])
        cpu->ready_words &= ~(1ull << word);
    cpu->queue_top = -1;
    if (cpu->ready_words) {
        word = BITS - 1 - (unsigned)__builtin_clzll(cpu->ready_words);
        cpu->queue_top =
            (int)(word * BITS + BITS - 1 - (unsigned)__builtin_clzll(cpu->ready[word]));
    }
}

/* Takes out the one to run next: the idle thread if none is ready. */
static inline struct thread *take_first(struct cpu *cpu)
{
    struct thread *thread = cpu->next;

    if (thread) {
        cpu->next = NULL;
    } else if (cpu->top < 0) {
        return &cpu->idle;
    } else {
        thread = thread_of_queue(cpu->queues[cpu->top].next);
        if (!list_drop_first(&cpu->queues[cpu->top]))
            return thread;
        queue_is_empty(cpu, thread->priority);
    }
    cpu->top = cpu->queue_top;
    return thread;
}

void scheduler_ready(struct thread *thread)
{
    ASSERT(thread != current_thread());
    if (!thread->payer) {
        context_park(thread);
        return;
    }
    thread->state = LIMEN_THREAD_READY;
    enqueue(this_cpu->arch.self, thread, false);
}

void scheduler_unready(struct thread *thread)
{
    struct cpu *cpu = this_cpu->arch.self;
    ASSERT(thread != cpu->current && thread->state == LIMEN_THREAD_READY);

    if (thread == cpu->next) {
        cpu->next = NULL;
    } else {
        list_remove(&thread->queue);
        if (list_is_empty(&cpu->queues[thread->priority]))
            queue_is_empty(cpu, thread->priority);
    }
    if (!cpu->next)
        cpu->top = cpu->queue_top;
}

/* -- switching -- */

/* Begins the thread's turn, or what is left of it.  A slice runs only while somebody else is ready,
 * so an undisturbed thread sees no ticks.  It begins where the kernel leaves for the thread, not
 * where another becomes ready: most of those are switched to at once.  True if the timer stands
 * later than its end. */
static inline bool begin_turn(struct cpu *cpu, struct thread *thread, uint64_t now)
{
    uint64_t left = thread->slice ? thread->slice : cpu->slice;

    thread->slice = 0;
    cpu->slice_end = UINT64_MAX;
    if (cpu->top < 0)
        return false;
    cpu->slice_end = now + left;
    return now + left < cpu->timer;
}

static inline void change_current(struct cpu *cpu, struct thread *to, uint64_t now)
{
    cpu->current->ran += now - cpu->switched_at;
    cpu->switched_at = now;
    cpu->current = to;
    cpu->counters[LIMEN_COUNTER_SWITCHES]++;
}

/* To where the current thread goes on. */
static __attribute__((noinline)) struct limen_regs *leave_with_timer(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    struct limen_regs *resume = thread->resume;

    scheduler_set_timer(cpu);
    if (!resume)
        return thread->arch.regs;
    thread->resume = NULL;
    thread->arch.flags &= ~THREAD_IN_KERNEL;
    return resume;
}

/* A switch in which accounts of time play a part, or the idle thread, or registers that not every
 * thread has.
 *
 * A thread for whom nobody can pay is parked now that its turn has come.  After some of them the
 * processor idles for a tick, and goes on from the interrupt that this ends with: any number can
 * share an account that is used up. */
static __attribute__((noinline)) struct limen_regs *switch_longer(struct cpu *cpu,
                                                                  struct thread *to, uint64_t now)
{
    struct thread *from = cpu->current;

    for (unsigned parked = 0; to != &cpu->idle && !context_can_pay(to); parked++) {
        if (parked == PARK_MAX) {
            enqueue(cpu, to, true);
            cpu->idle.slice = 1;
            to = &cpu->idle;
        } else {
            context_park(to);
            to = take_first(cpu);
        }
    }
    if (to != from) {
        if (to->payer != from->payer) {
            context_charge(cpu, now);
            cpu->budget_end = context_end(to->payer, now);
        }
        change_current(cpu, to, now);
        arch_switch(&from->arch, &to->arch);
    }
    begin_turn(cpu, to, now);
    return leave_with_timer(cpu);
}

static __attribute__((noinline)) struct limen_regs *switch_to(struct cpu *cpu, struct thread *to,
                                                              uint64_t now)
{
    struct thread *from = cpu->current;
    ASSERT(to->state == LIMEN_THREAD_READY);

    const uint32_t longer =
        ARCH_SWITCH_LONGER | THREAD_METERED | THREAD_IN_KERNEL | CPU_GENERAL_PATH;
    if (arch_switch_is_longer(unusual(from, to) & longer))
        return switch_longer(cpu, to, now);
    ASSERT(to != from && to->payer == from->payer);
    change_current(cpu, to, now);
    arch_switch_usual(&from->arch, &to->arch);
    if (begin_turn(cpu, to, now))
        return leave_with_timer(cpu);
    return to->arch.regs;
}

struct limen_regs *scheduler_switch(struct thread *to)
{
    return switch_to(this_cpu->arch.self, to, arch_ticks());
}

static inline struct limen_regs *switch_to_first(struct cpu *cpu)
{
    return switch_to(cpu, take_first(cpu), arch_ticks());
}

/* The current thread makes room for a more important one, and will go on with what is left of its
 * turn: a fresh turn after each interruption would let it keep its equals out for ever. */
static __attribute__((noinline)) struct limen_regs *preempt_longer(struct cpu *cpu, uint64_t now)
{
    struct thread *thread = cpu->current;
    bool unfinished = cpu->slice_end > now;

    if (!unfinished)
        thread->slice = 0;
    enqueue(cpu, thread, unfinished);
    return switch_to(cpu, take_first(cpu), now);
}

/* It was the most important until now, so mostly it just changes places with the other. */
static inline struct limen_regs *preempt(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    struct thread *next = cpu->next;
    uint64_t now = arch_ticks();

    thread->slice = cpu->slice_end == UINT64_MAX ? 0 : cpu->slice_end - now;
    if (!next || cpu->slice_end <= now || thread->priority < cpu->queue_top)
        return preempt_longer(cpu, now);
    cpu->next = thread;
    cpu->top = thread->priority;
    return switch_to(cpu, next, now);
}

struct limen_regs *scheduler_leave(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct thread *current = cpu->current;

    if (current->state != LIMEN_THREAD_READY || current == &cpu->idle)
        return switch_to_first(cpu);
    if (!current->payer || cpu->top > current->priority)
        return preempt(cpu);
    if (cpu->slice_end == UINT64_MAX && begin_turn(cpu, current, arch_ticks()))
        return leave_with_timer(cpu);
    return current->arch.regs;
}

static __attribute__((noinline)) struct limen_regs *yield_longer(struct cpu *cpu)
{
    struct thread *current = cpu->current;

    if (cpu->top < current->priority)
        return current->arch.regs;
    enqueue(cpu, current, false);
    return switch_to_first(cpu);
}

struct limen_regs *scheduler_yield(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct thread *current = cpu->current;
    struct list *queue = &cpu->queues[current->priority];
    struct thread *to = thread_of_queue(queue->next);
    ASSERT(current->state == LIMEN_THREAD_READY);

    if (cpu->next || cpu->top != current->priority || cpu->arch.unusual & CPU_GENERAL_PATH)
        return yield_longer(cpu);
    /* Equals alone: their queue goes round, and it is the same ones that are empty. */
    list_drop_first(queue);
    list_append(queue, &current->queue);
    return switch_to(cpu, to, arch_ticks());
}

/* The current thread's payer has something left, of this period or because a new one begins. */
static bool budget_lasts(struct cpu *cpu)
{
    if (cpu->budget_end == UINT64_MAX)
        return true;
    uint64_t now = arch_ticks();
    if (now < cpu->budget_end)
        return true;
    context_charge(cpu, now);
    cpu->budget_end = context_end(cpu->current->payer, now);
    return now < cpu->budget_end;
}

/* The current thread is told, or goes behind its equals, as at the end of its turn, and is parked
 * once it comes to the front: so those who share an account take turns.  A thread that runs on a
 * loan is not told, for its registers are none of the lender's business. */
static struct limen_regs *out_of_budget(struct cpu *cpu, struct limen_regs *regs)
{
    struct thread *thread = cpu->current;
    bool in_ring_3 = regs == thread->arch.regs;

    if (in_ring_3 && thread->payer == own_context(thread) &&
        !slot_is_empty(&thread->payer->handler_slot))
        return context_timeout(thread);
    if (!in_ring_3)
        thread_set_resume(thread, regs);
    enqueue(cpu, thread, false);
    return switch_to_first(cpu);
}

static struct limen_regs *reschedule(struct cpu *cpu, struct limen_regs *regs)
{
    struct thread *current = cpu->current;
    bool runnable = current->state == LIMEN_THREAD_READY;
    int top = cpu->top;

    if (current == &cpu->idle)
        return top < 0 ? regs : switch_to_first(cpu);
    if (runnable && !budget_lasts(cpu))
        return out_of_budget(cpu, regs);
    if (runnable && top <= current->priority) {
        bool counted = cpu->slice_end != UINT64_MAX;
        bool over = counted && arch_ticks() >= cpu->slice_end;
        if (!over || top < current->priority) {
            if ((over || (!counted && cpu->top >= 0)) && begin_turn(cpu, current, arch_ticks()))
                scheduler_set_timer(cpu);
            return regs;
        }
    }
    if (regs != current->arch.regs)
        thread_set_resume(current, regs);
    return runnable ? preempt(cpu) : switch_to_first(cpu);
}

static __attribute__((noinline)) struct limen_regs *reschedule_after_timer(struct cpu *cpu,
                                                                           struct limen_regs *regs)
{
    struct limen_regs *chosen = reschedule(cpu, regs);

    cpu->timer = UINT64_MAX;
    scheduler_set_timer(cpu);
    return chosen;
}

struct limen_regs *kernel_reschedule(struct limen_regs *regs)
{
    struct cpu *cpu = this_cpu->arch.self;

    if (__builtin_expect(cpu->timer == TIMER_FIRED, 0))
        return reschedule_after_timer(cpu, regs);
    return reschedule(cpu, regs);
}

void scheduler_set_deadline(struct thread *thread, uint64_t ns)
{
    struct cpu *cpu = this_cpu->arch.self;
    thread->deadline.tick = cpu->counters[LIMEN_COUNTER_BOOT_TSC] + arch_ns_to_ticks(ns);
    if (thread->deadline.tick < cpu->counters[LIMEN_COUNTER_BOOT_TSC])
        thread->deadline.tick = UINT64_MAX;
    deadline_insert(&cpu->deadlines, &thread->deadline);
    thread->arch.flags |= THREAD_DEADLINE;
    scheduler_set_timer(cpu);
}

void scheduler_drop_deadline(struct thread *thread)
{
    deadline_remove(&this_cpu->arch.self->deadlines, &thread->deadline);
    thread->arch.flags &= ~THREAD_DEADLINE;
}

static void time_out(struct thread *thread)
{
    scheduler_forget_deadline(thread);
    thread_stop(thread, LIMEN_TIMED_OUT);
    scheduler_ready(thread);
}

/* Wakes whoever's deadline has passed or whose account is refilled, one at a time, with a window
 * after each, so that a thousand sleepers do not hold off a device.  A timer interrupt in such a
 * window leaves the work to the loop it interrupted, so interrupts nest no deeper than two. */
void kernel_timer(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    cpu->timer = TIMER_FIRED;
    if (cpu->waking)
        return;
    cpu->waking = true;
    while (cpu->deadlines && cpu->deadlines->tick <= arch_ticks()) {
        if (cpu->deadlines->is_refill)
            context_wake(container_of(cpu->deadlines, struct context, refill));
        else
            time_out(container_of(cpu->deadlines, struct thread, deadline));
        arch_window();
    }
    cpu->waking = false;
}
