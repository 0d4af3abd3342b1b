/* SPDX-License-Identifier: MIT */
#include "scheduler.h"

#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "ipc.h"

#define BITS 64u

/* Threads to park with interrupts off. */
#define PARK_MAX 8u

void scheduler_init(struct cpu *cpu)
{
    for (unsigned i = 0; i < PRIORITIES; i++)
        list_init(&cpu->queues[i]);
    cpu->slice = arch_ns_to_ticks(SLICE_NS);
    cpu->slice_end = UINT64_MAX;
    cpu->budget_end = UINT64_MAX;
    cpu->timer = UINT64_MAX;
    cpu->idle.state = LIMEN_THREAD_READY;
    list_init(&cpu->idle.queue);
    list_init(&cpu->idle.guest);
    cpu->current = &cpu->idle;
}

/* The one-shot timer must not stand later than the end of the slice or of the budget, or the next
 * deadline.  It may stand earlier, where what it was set for has gone: setting
 * it costs more than an interrupt now and then that finds nothing to do. */
static void set_timer(struct cpu *cpu)
{
    uint64_t tick = cpu->slice_end < cpu->budget_end ? cpu->slice_end : cpu->budget_end;
    if (cpu->deadlines && cpu->deadlines->tick < tick)
        tick = cpu->deadlines->tick;
    if (tick < cpu->timer) {
        cpu->timer = tick;
        arch_timer_set(tick);
    }
}

void scheduler_set_timer(void)
{
    set_timer(this_cpu->arch.self);
}

/* Begins the current thread's turn, or what is left of it.  A slice runs only while somebody else
 * is ready, so an undisturbed thread sees no ticks.  It begins where the kernel leaves for the
 * thread, not where another becomes ready: most of those are switched to at once. */
static void start_slice(struct cpu *cpu, uint64_t left)
{
    cpu->slice_end = UINT64_MAX;
    if (cpu->ready_words)
        cpu->slice_end = arch_ticks() + (left ? left : cpu->slice);
    set_timer(cpu);
}

static void enqueue(struct cpu *cpu, struct thread *thread, bool first)
{
    unsigned word = thread->priority / BITS;
    cpu->ready[word] |= 1ull << thread->priority % BITS;
    cpu->ready_words |= 1ull << word;
    cpu->arch.unusual |= CPU_READY;
    if (first)
        list_prepend(&cpu->queues[thread->priority], &thread->queue);
    else
        list_append(&cpu->queues[thread->priority], &thread->queue);
}

/* The current thread makes room for a more important one, and will go on with what is left of its
 * turn: a fresh turn after each interruption would let it keep its equals out for ever. */
static void enqueue_preempted(struct cpu *cpu)
{
    struct thread *thread = cpu->current;
    uint64_t now = arch_ticks();
    bool unfinished = cpu->slice_end > now;
    bool begun = cpu->slice_end != UINT64_MAX;

    thread->slice = unfinished && begun ? cpu->slice_end - now : 0;
    enqueue(cpu, thread, unfinished);
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

static struct thread *first_ready(struct cpu *cpu)
{
    int top = scheduler_top();
    return top < 0 ? NULL : thread_of_queue(cpu->queues[top].next);
}

static void dequeue(struct cpu *cpu, struct thread *thread)
{
    list_remove(&thread->queue);
    if (list_is_empty(&cpu->queues[thread->priority])) {
        unsigned word = thread->priority / BITS;
        cpu->ready[word] &= ~(1ull << thread->priority % BITS);
        if (!cpu->ready[word])
            cpu->ready_words &= ~(1ull << word);
        if (!cpu->ready_words)
            cpu->arch.unusual &= ~CPU_READY;
    }
}

void scheduler_unready(struct thread *thread)
{
    struct cpu *cpu = this_cpu->arch.self;
    ASSERT(thread != cpu->current && thread->state == LIMEN_THREAD_READY);
    dequeue(cpu, thread);
}

struct limen_regs *scheduler_switch(struct thread *to)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct thread *from = cpu->current;
    ASSERT(to->state == LIMEN_THREAD_READY);

    if (to != from) {
        uint64_t now = arch_ticks();
        from->ran += now - cpu->switched_at;
        cpu->switched_at = now;
        if (to->payer != from->payer) {
            context_charge(cpu, now);
            cpu->budget_end = context_end(to->payer, now);
        }
        cpu->current = to;
        cpu->counters[LIMEN_COUNTER_SWITCHES]++;
        arch_switch(&from->arch, &to->arch);
    }
    start_slice(cpu, to->slice);
    to->slice = 0;
    struct limen_regs *resume = to->resume;
    if (resume) {
        to->resume = NULL;
        return resume;
    }
    return to->arch.regs;
}

/* Those ready for whom nobody can pay are parked when their turn comes.  After some of them the
 * processor idles for a tick, and goes on from the interrupt that this ends with: any number can
 * share an account that is used up. */
static __attribute__((noinline)) struct thread *park_unpaid(struct cpu *cpu)
{
    for (unsigned parked = 0; parked < PARK_MAX; parked++) {
        struct thread *first = first_ready(cpu);
        if (!first || context_can_pay(first))
            return first;
        dequeue(cpu, first);
        context_park(first);
    }
    cpu->idle.slice = 1;
    return NULL;
}

/* Inlined, because it stands on most ways to another thread. */
static inline __attribute__((always_inline)) struct limen_regs *switch_to_first(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct thread *first = first_ready(cpu);

    if (first && !context_can_pay(first))
        first = park_unpaid(cpu);
    if (!first)
        return scheduler_switch(&cpu->idle);
    dequeue(cpu, first);
    return scheduler_switch(first);
}

static bool runs_on(struct cpu *cpu, int top)
{
    return cpu->current->state == LIMEN_THREAD_READY && cpu->current->payer &&
           top <= (int)cpu->current->priority;
}

struct limen_regs *scheduler_leave(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    if (runs_on(cpu, scheduler_top())) {
        if (cpu->ready_words && cpu->slice_end == UINT64_MAX)
            start_slice(cpu, 0);
        return cpu->current->arch.regs;
    }
    if (cpu->current->state == LIMEN_THREAD_READY && cpu->current != &cpu->idle)
        enqueue_preempted(cpu);
    return switch_to_first();
}

struct limen_regs *scheduler_yield(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    ASSERT(cpu->current->state == LIMEN_THREAD_READY);
    if (scheduler_top() < (int)cpu->current->priority)
        return cpu->current->arch.regs;
    enqueue(cpu, cpu->current, false);
    return switch_to_first();
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
        thread->resume = regs;
    enqueue(cpu, thread, false);
    return switch_to_first();
}

struct limen_regs *kernel_reschedule(struct limen_regs *regs)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct thread *current = cpu->current;
    int top = scheduler_top();

    if (current == &cpu->idle && top >= 0)
        return switch_to_first();

    bool runnable = current->state == LIMEN_THREAD_READY;
    if (runnable && !budget_lasts(cpu))
        return out_of_budget(cpu, regs);
    bool slice_over = cpu->slice_end != UINT64_MAX && arch_ticks() >= cpu->slice_end;
    if (runnable && (top < (int)current->priority || (top == current->priority && !slice_over))) {
        if (slice_over || (cpu->ready_words && cpu->slice_end == UINT64_MAX))
            start_slice(cpu, 0);
        else
            set_timer(cpu);
        return regs;
    }
    if (regs != current->arch.regs)
        current->resume = regs;
    if (runnable)
        enqueue_preempted(cpu);
    return switch_to_first();
}

void scheduler_set_deadline(struct thread *thread, uint64_t ns)
{
    struct cpu *cpu = this_cpu->arch.self;
    thread->deadline.tick = cpu->counters[LIMEN_COUNTER_BOOT_TSC] + arch_ns_to_ticks(ns);
    if (thread->deadline.tick < cpu->counters[LIMEN_COUNTER_BOOT_TSC])
        thread->deadline.tick = UINT64_MAX;
    deadline_insert(&cpu->deadlines, &thread->deadline);
    thread->arch.flags |= THREAD_DEADLINE;
    set_timer(cpu);
}

void scheduler_forget_deadline(struct thread *thread)
{
    if (!(thread->arch.flags & THREAD_DEADLINE))
        return;
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
    cpu->timer = UINT64_MAX;
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
