/* SPDX-License-Identifier: MIT */
#include "context.h"

#include "assert.h"
#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/fault.h>

void context_create(struct context *context)
{
    list_init(&context->guests);
    list_init(&context->parked);
    context->refill_at = UINT64_MAX;
    context->refill.is_refill = true;
    context->handler_slot.holder = HOLDER_CONTEXT_HANDLER;
}

void context_create_root(struct context *context)
{
    context_create(context);
    context->budget = LIMEN_CONTEXT_UNLIMITED;
    this_cpu->root_context = context;
}

static bool is_unlimited(const struct context *context)
{
    return context->budget == LIMEN_CONTEXT_UNLIMITED;
}

/* -- the clock -- */

/* Begins a new period if the last is over.  Periods are counted from their first use, so whoever
 * slept long gets one budget, not all those it missed.  An overrun is paid for, but no more than a
 * budget: it is longer only when the whole machine stood still, a virtual one on a host asleep. */
static void refill(struct context *context, uint64_t now)
{
    int64_t budget = (int64_t)context->budget;

    if (now < context->refill_at)
        return;
    if (context->left < -budget)
        context->left = -budget;
    context->left = context->left < 0 ? budget + context->left : budget;
    context->refill_at = now + context->period;
}

void context_charge(struct cpu *cpu, uint64_t now)
{
    struct context *payer = cpu->current->payer;
    uint64_t used = now - cpu->charged_at;

    cpu->charged_at = now;
    if (!payer)
        return;
    payer->consumed += used;
    if (!is_unlimited(payer))
        payer->left -= (int64_t)used;
}

uint64_t context_end(struct context *payer, uint64_t now)
{
    if (!payer || is_unlimited(payer))
        return UINT64_MAX;
    refill(payer, now);
    return payer->left > 0 ? now + (uint64_t)payer->left : now;
}

bool context_has_left(struct context *context)
{
    refill(context, arch_ticks());
    return context->left > 0;
}

/* The account that the current thread draws on is another now, or has changed. */
static void begin_account(struct cpu *cpu, struct context *payer, uint64_t now)
{
    cpu->budget_end = context_end(payer, now);
    scheduler_set_timer(cpu);
}

/* -- waiting for the next period -- */

void context_park(struct thread *thread)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct context *payer = thread->payer;

    thread->state = LIMEN_THREAD_PARKED;
    list_init(&thread->queue);
    if (!payer)
        return;
    list_append(&payer->parked, &thread->queue);
    payer->parked_count++;
    if (!deadline_is_set(&payer->refill)) {
        payer->refill.tick = payer->refill_at;
        deadline_insert(&cpu->deadlines, &payer->refill);
        scheduler_set_timer(cpu);
    }
}

void context_unpark(struct thread *thread)
{
    struct context *payer = thread->payer;

    ASSERT(thread->state == LIMEN_THREAD_PARKED);
    list_remove(&thread->queue);
    if (payer && --payer->parked_count == 0)
        deadline_remove(&this_cpu->arch.self->deadlines, &payer->refill);
}

static void wake_at(struct context *context, uint64_t tick)
{
    struct cpu *cpu = this_cpu->arch.self;
    deadline_remove(&cpu->deadlines, &context->refill);
    context->refill.tick = tick;
    deadline_insert(&cpu->deadlines, &context->refill);
}

/* The new period may have begun, and be used up, before the timer came. */
void context_wake(struct context *context)
{
    struct thread *thread = thread_of_queue(context->parked.next);

    if (context_can_pay(thread)) {
        context_unpark(thread);
        scheduler_ready(thread);
    } else {
        wake_at(context, context->refill_at);
    }
}

struct limen_regs *context_timeout(struct thread *thread)
{
    thread_note_fault(thread, LIMEN_FAULT_TIMEOUT, arch_ticks_to_ns(thread->payer->consumed), 0, 0,
                      0);
    return ipc_fault(thread, &thread->payer->handler_slot);
}

/* -- who pays -- */

void context_join(struct thread *thread, struct context *payer)
{
    struct cpu *cpu = this_cpu->arch.self;
    bool running = thread == cpu->current;
    bool parked = thread->state == LIMEN_THREAD_PARKED;
    uint64_t now = running ? arch_ticks() : 0;

    if (running)
        context_charge(cpu, now);
    if (parked)
        context_unpark(thread);
    context_set_payer(thread, payer);
    if (payer && payer != own_context(thread))
        list_append(&payer->guests, &thread->guest);
    if (parked)
        scheduler_ready(thread);
    if (running)
        begin_account(cpu, payer, now);
}

bool context_answer(const struct thread *to)
{
    struct cpu *cpu = this_cpu->arch.self;
    uint64_t now = arch_ticks();

    if (!context_can_pay(to))
        return false;
    context_charge(cpu, now);
    begin_account(cpu, to->payer, now);
    return true;
}

bool context_call(const struct thread *from, struct thread *to)
{
    if (!to->passive)
        return context_answer(to);
    context_join(to, from->payer);
    return true;
}

bool context_reap(struct context *context)
{
    if (!list_is_empty(&context->guests)) {
        context_return(container_of(context->guests.next, struct thread, guest));
        return false;
    }
    if (!slot_is_empty(&context->handler_slot)) {
        slot_hold(&context->handler_slot, NULL);
        return false;
    }
    return true;
}

/* -- operations -- */

static enum limen_error configure(const struct invocation *call, struct context *context)
{
    struct cpu *cpu = this_cpu->arch.self;
    uint64_t budget = call->word[0], period = call->word[1];
    bool periodic = budget != 0 && budget != LIMEN_CONTEXT_UNLIMITED;
    struct slot *authority;
    enum limen_error error =
        invoke_argument(call, call->word[2], LIMEN_TYPE_CONTEXT, LIMEN_RIGHT_GRANT, &authority);

    if (error)
        return error;
    if (!is_unlimited(authority->object))
        return LIMEN_NO_RIGHT;
    if (context == cpu->root_context)
        return LIMEN_NOT_SUPPORTED;
    if (periodic &&
        (period < LIMEN_CONTEXT_PERIOD_MIN || period > LIMEN_CONTEXT_PERIOD_MAX || budget > period))
        return LIMEN_OUT_OF_RANGE;

    /* Point of no return. */
    uint64_t now = arch_ticks();
    if (call->self->payer == context)
        context_charge(cpu, now);
    context->budget = periodic ? arch_ns_to_ticks(budget) : budget;
    context->period = periodic ? arch_ns_to_ticks(period) : 0;
    context->left = 0;
    context->refill_at = periodic ? now : UINT64_MAX;
    if (deadline_is_set(&context->refill))
        wake_at(context, budget ? now : UINT64_MAX);
    if (call->self->payer == context)
        begin_account(cpu, context, now);
    scheduler_set_timer(cpu);
    return LIMEN_OK;
}

static enum limen_error set_handler(const struct invocation *call, struct context *context)
{
    struct slot *endpoint = NULL;

    if (!(call->slot->rights & LIMEN_RIGHT_GRANT))
        return LIMEN_NO_RIGHT;
    if (call->word[0]) {
        enum limen_error error =
            invoke_argument(call, call->word[0], LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_WRITE, &endpoint);
        if (error)
            return error;
    }
    slot_hold(&context->handler_slot, endpoint);
    return LIMEN_OK;
}

static enum limen_error info(struct invocation *call, struct context *context)
{
    struct cpu *cpu = this_cpu->arch.self;
    uint64_t now = arch_ticks();

    if (call->self->payer == context)
        context_charge(cpu, now);
    bool unlimited = is_unlimited(context);
    uint64_t end = context_end(context, now);
    call->word[0] = unlimited ? LIMEN_CONTEXT_UNLIMITED : arch_ticks_to_ns(context->budget);
    call->word[1] = arch_ticks_to_ns(context->period);
    call->word[2] = unlimited ? LIMEN_CONTEXT_UNLIMITED : arch_ticks_to_ns(end - now);
    call->word[3] = arch_ticks_to_ns(context->consumed);
    call->word[4] = context->parked_count;
    call->results = 5;
    return LIMEN_OK;
}

enum limen_error context_invoke(struct invocation *call)
{
    struct context *context = call->slot->object;
    bool reads = call->label == LIMEN_CONTEXT_INFO;

    if (!(call->slot->rights & (reads ? LIMEN_RIGHT_READ : LIMEN_RIGHT_WRITE)))
        return LIMEN_NO_RIGHT;
    switch (call->label) {
    case LIMEN_CONTEXT_CONFIGURE:
        return configure(call, context);
    case LIMEN_CONTEXT_SET_HANDLER:
        return set_handler(call, context);
    case LIMEN_CONTEXT_INFO:
        return info(call, context);
    default:
        return LIMEN_BAD_OPERATION;
    }
}
