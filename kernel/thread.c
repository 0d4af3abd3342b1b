/* SPDX-License-Identifier: MIT */
#include "thread.h"

#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "notification.h"
#include "scheduler.h"
#include "space.h"
#include "table.h"
#include <limen/fault.h>
#include <limen/message.h>

void thread_create(struct thread *thread)
{
    thread->slots = 1; /* no table: only the entry that is never a capability */
    thread->state = LIMEN_THREAD_STOPPED;
    thread->space_slot.holder = HOLDER_THREAD_SPACE;
    thread->table_slot.holder = HOLDER_THREAD_TABLE;
    thread->fault_slot.holder = HOLDER_THREAD_FAULT;
    thread->page_slot.holder = HOLDER_THREAD_PAGE;
    thread->notification_slot.holder = HOLDER_THREAD_NOTIFICATION;
    thread->context_slot.holder = HOLDER_THREAD_CONTEXT;
    list_init(&thread->guest);
    arch_thread_create(&thread->arch, thread);
    thread->arch.flags |= THREAD_METERED; /* no payer yet */
}

void thread_stop(struct thread *thread, enum limen_error error)
{
    switch (thread->state) {
    case LIMEN_THREAD_STOPPED:
        return;
    case LIMEN_THREAD_READY:
        if (thread != current_thread())
            scheduler_unready(thread);
        break;
    case LIMEN_THREAD_PARKED:
        context_unpark(thread);
        break;
    default:
        ipc_unwait(thread);
        if (!thread_is_faulted(thread))
            thread->arch.regs->rax = error;
        break;
    }
    thread->state = LIMEN_THREAD_STOPPED;
}

void thread_end(struct thread *thread, const char *lost)
{
    if (thread->essential)
        arch_panic(thread->arch.regs, "%.16s lost its %s, and nothing can run without it",
                   (const char *)thread->name, lost);
    thread_stop(thread, LIMEN_CANCELLED);
}

/* -- what the thread holds -- */

static struct thread *holder_thread(struct slot *slot)
{
    switch ((enum holder)slot->holder) {
    case HOLDER_THREAD_SPACE:
        return container_of(slot, struct thread, space_slot);
    case HOLDER_THREAD_TABLE:
        return container_of(slot, struct thread, table_slot);
    case HOLDER_THREAD_FAULT:
        return container_of(slot, struct thread, fault_slot);
    case HOLDER_THREAD_PAGE:
        return container_of(slot, struct thread, page_slot);
    case HOLDER_THREAD_CONTEXT:
        return container_of(slot, struct thread, context_slot);
    default:
        return container_of(slot, struct thread, notification_slot);
    }
}

void thread_lost(struct slot *slot)
{
    struct thread *thread = holder_thread(slot);

    switch ((enum holder)slot->holder) {
    case HOLDER_THREAD_SPACE:
        thread_end(thread, "address space");
        arch_space_set(&thread->arch, NULL);
        break;
    case HOLDER_THREAD_TABLE:
        thread_end(thread, "capability table");
        thread->table = NULL;
        thread->slots = 1;
        break;
    case HOLDER_THREAD_PAGE:
        thread->page = NULL;
        break;
    case HOLDER_THREAD_NOTIFICATION:
        thread->bound->bound = NULL;
        thread->bound = NULL;
        thread->arch.flags &= ~THREAD_SIGNALLED;
        break;
    case HOLDER_THREAD_CONTEXT:
        thread_stop(thread, LIMEN_CANCELLED);
        context_join(thread, NULL);
        break;
    default:
        break;
    }
}

/* The thread runs in the space it holds, names things by the table it holds, and draws on the
 * context it holds. */
static void run_in(struct thread *thread)
{
    thread->passive = false;
    context_set_payer(thread, own_context(thread));
    arch_space_set(&thread->arch, &((struct space *)thread->space_slot.object)->arch);
    thread->table = table_of(&thread->table_slot);
    thread->slots = table_slots(&thread->table_slot);
}

enum limen_error thread_configure(struct thread *thread, struct slot *space, struct slot *table,
                                  struct slot *fault, struct slot *context)
{
    if (thread->state != LIMEN_THREAD_STOPPED || thread->resume)
        return LIMEN_BUSY;

    slot_hold(&thread->space_slot, space);
    slot_hold(&thread->table_slot, table);
    slot_hold(&thread->fault_slot, fault);
    slot_hold(&thread->context_slot, NULL);
    if (context)
        slot_share(&thread->context_slot, context);
    run_in(thread);
    return LIMEN_OK;
}

/* What served somebody goes on doing so at his expense.  The old capability goes last, and from a
 * place of its own, for to lose its context would stop the thread. */
void thread_set_context(struct thread *thread, struct slot *context)
{
    bool lent = thread->payer && thread->payer != own_context(thread);
    struct slot old = {.holder = HOLDER_TABLE};

    if (!slot_is_empty(&thread->context_slot))
        slot_move(&old, &thread->context_slot);
    slot_hold(&thread->context_slot, context);
    context_join(thread, lent ? thread->payer : own_context(thread));
    slot_hold(&old, NULL);
    if (thread->bound)
        notification_signal(thread->bound, 0); /* bits that waited for somebody to pay */
}

/* It is stopped, and what it holds has nothing derived from it: all that depends on that is who
 * pays, and the notification, which knows it. */
void thread_reap(struct thread *thread)
{
    struct slot *const held[] = {&thread->space_slot,        &thread->table_slot,
                                 &thread->fault_slot,        &thread->page_slot,
                                 &thread->notification_slot, &thread->context_slot};

    context_set_payer(thread, NULL);
    if (thread->bound)
        thread->bound->bound = NULL;
    for (unsigned i = 0; i < sizeof(held) / sizeof(held[0]); i++)
        if (!slot_is_empty(held[i]))
            slot_release(held[i]);
    arch_thread_destroy(&thread->arch);
}

/* -- operations -- */

static enum limen_error configure(struct invocation *call, struct thread *thread)
{
    struct slot *space = NULL, *table = NULL, *fault = NULL;
    enum limen_error error =
        invoke_argument(call, call->word[0], LIMEN_TYPE_SPACE, LIMEN_RIGHT_WRITE, &space);
    if (!error)
        error = invoke_argument(call, call->word[1], LIMEN_TYPE_TABLE, LIMEN_RIGHT_WRITE, &table);
    if (!error && call->word[2])
        error =
            invoke_argument(call, call->word[2], LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_WRITE, &fault);
    if (error)
        return error;
    struct slot *context = &call->self->context_slot;
    return thread_configure(thread, space, table, fault, slot_is_empty(context) ? NULL : context);
}

static enum limen_error check_priority(const struct invocation *call, uint64_t priority)
{
    if (priority >= PRIORITIES)
        return LIMEN_OUT_OF_RANGE;
    return priority > call->self->priority ? LIMEN_NO_RIGHT : LIMEN_OK;
}

/* Changes the priority of a thread in whatever state it is. */
static enum limen_error set_priority(const struct invocation *call, struct thread *thread)
{
    uint64_t priority = call->word[0];
    enum limen_error error = check_priority(call, priority);

    if (error)
        return error;
    bool queued = thread->state == LIMEN_THREAD_READY && thread != current_thread();
    if (queued)
        scheduler_unready(thread);
    thread->priority = (uint8_t)priority;
    if (queued)
        scheduler_ready(thread);
    return LIMEN_OK;
}

/* Message word i of the caller, wherever it is. */
static uint64_t word_of(const struct invocation *call, unsigned i)
{
    return i < LIMEN_WORDS_IN_REGISTERS ? call->word[i] : call->self->page->words[i];
}

static enum limen_error set_regs(const struct invocation *call, struct thread *thread)
{
    struct limen_regs frame;

    if (call->words < LIMEN_REGS_WORDS || call->words > LIMEN_WORDS_MAX)
        return LIMEN_BAD_ARGUMENT;
    if (thread == call->self || thread->resume || thread->state == LIMEN_THREAD_READY)
        return LIMEN_BUSY;
    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++)
        limen_regs_words(&frame)[i] = word_of(call, i);
    arch_regs_set(&thread->arch, &frame);
    return LIMEN_OK;
}

static enum limen_error get_regs(struct invocation *call, const struct thread *thread)
{
    const uint64_t *frame = limen_regs_words(thread->arch.regs);

    if (!call->self->page)
        return LIMEN_NO_MESSAGE_PAGE;
    if (thread == call->self || thread->resume || thread->state == LIMEN_THREAD_READY)
        return LIMEN_BUSY;
    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++) {
        if (i < LIMEN_WORDS_IN_REGISTERS)
            call->word[i] = frame[i];
        else
            call->self->page->words[i] = frame[i];
    }
    call->results = LIMEN_REGS_WORDS;
    return LIMEN_OK;
}

static enum limen_error check_resume(const struct thread *thread)
{
    if (slot_is_empty(&thread->space_slot) || slot_is_empty(&thread->table_slot) || !thread->payer)
        return LIMEN_NOT_CONFIGURED;
    return thread->state == LIMEN_THREAD_STOPPED ? LIMEN_OK : LIMEN_BUSY;
}

static enum limen_error resume(struct thread *thread)
{
    enum limen_error error = check_resume(thread);

    if (error)
        return error;
    thread->arch.flags &= ~THREAD_FAULTED;
    scheduler_ready(thread);
    return LIMEN_OK;
}

/* The frame that is to be a message page: NULL where the index is 0. */
static enum limen_error find_page(const struct invocation *call, uint64_t index,
                                  struct slot **frame)
{
    *frame = NULL;
    if (index == 0)
        return LIMEN_OK;
    enum limen_error error =
        invoke_argument(call, index, LIMEN_TYPE_FRAME, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE, frame);
    if (error)
        return error;
    return (*frame)->order == LIMEN_PAGE_ORDER && !(*frame)->device ? LIMEN_OK : LIMEN_BAD_ARGUMENT;
}

static void hold_page(struct thread *thread, struct slot *frame)
{
    slot_hold(&thread->page_slot, frame);
    thread->page = frame ? frame->object : NULL;
}

static enum limen_error set_page(const struct invocation *call, struct thread *thread)
{
    struct slot *frame;
    enum limen_error error = find_page(call, call->word[0], &frame);

    if (!error)
        hold_page(thread, frame);
    return error;
}

/* A thread that nobody configured becomes one of the caller's process. */
static bool is_new(const struct thread *thread)
{
    return slot_is_empty(&thread->space_slot) && slot_is_empty(&thread->table_slot) &&
           slot_is_empty(&thread->fault_slot) && slot_is_empty(&thread->context_slot);
}

static void inherit(struct thread *thread, struct thread *from)
{
    ASSERT(thread->state == LIMEN_THREAD_STOPPED);
    slot_share(&thread->space_slot, &from->space_slot);
    slot_share(&thread->table_slot, &from->table_slot);
    if (!slot_is_empty(&from->fault_slot))
        slot_share(&thread->fault_slot, &from->fault_slot);
    slot_share(&thread->context_slot, &from->context_slot);
    run_in(thread);
}

static enum limen_error launch(const struct invocation *call, struct thread *thread)
{
    struct slot *page;
    enum limen_error error = find_page(call, call->word[4], &page);
    bool inherits = is_new(thread);

    if (!error)
        error = check_priority(call, call->word[5]);
    if (!error && !inherits)
        error = check_resume(thread);
    if (error)
        return error;
    if (thread->resume)
        return LIMEN_BUSY;
    if (inherits && slot_is_empty(&call->self->context_slot))
        return LIMEN_NOT_CONFIGURED;
    if (!arch_bases_set(&thread->arch, call->word[3], 0))
        return LIMEN_BAD_ARGUMENT;

    /* Point of no return. */
    if (inherits)
        inherit(thread, call->self);
    hold_page(thread, page);
    arch_regs_clear(&thread->arch);
    thread->arch.regs->rip = call->word[0];
    thread->arch.regs->rsp = call->word[1];
    thread->arch.regs->rdi = call->word[2];
    thread->priority = (uint8_t)call->word[5];
    thread->name[0] = call->word[6];
    thread->name[1] = call->word[7];
    thread->arch.flags &= ~THREAD_FAULTED;
    scheduler_ready(thread);
    return LIMEN_OK;
}

static enum limen_error bind(const struct invocation *call, struct thread *thread)
{
    struct slot *slot = NULL;

    if (call->word[0]) {
        enum limen_error error =
            invoke_argument(call, call->word[0], LIMEN_TYPE_NOTIFICATION, LIMEN_RIGHT_READ, &slot);
        if (error)
            return error;
        if (((struct notification *)slot->object)->bound)
            return LIMEN_BUSY;
    }
    slot_hold(&thread->notification_slot, slot);
    thread->bound = slot ? slot->object : NULL;
    if (thread->bound) {
        thread->bound->bound = thread;
        notification_signal(thread->bound, 0); /* bits that are set end a wait under way */
    }
    return LIMEN_OK;
}

static enum limen_error set_context(const struct invocation *call, struct thread *thread)
{
    struct slot *context = NULL;

    if (call->word[0]) {
        enum limen_error error =
            invoke_argument(call, call->word[0], LIMEN_TYPE_CONTEXT, LIMEN_RIGHT_WRITE, &context);
        if (error)
            return error;
    }
    thread_set_context(thread, context);
    return LIMEN_OK;
}

static enum limen_error set_passive(const struct invocation *call, struct thread *thread)
{
    if (call->word[0] > 1)
        return LIMEN_BAD_ARGUMENT;
    thread->passive = call->word[0];
    if (!thread->passive)
        context_return(thread);
    return LIMEN_OK;
}

static enum limen_error info(struct invocation *call, const struct thread *thread)
{
    call->word[0] = thread->state;
    call->word[1] = thread->priority;
    call->word[2] = thread->name[0];
    call->word[3] = thread->name[1];
    call->word[4] = thread->fault.label;
    call->word[5] = thread->fault.detail[0];
    call->word[6] = thread->fault.rip;
    call->word[7] = arch_ticks_to_ns(thread->ran);
    call->results = 8;
    return LIMEN_OK;
}

/* The type of the object that a thread in this state waits for. */
static enum limen_type awaited(uint8_t state)
{
    switch ((enum limen_thread_state)state) {
    case LIMEN_THREAD_SENDING:
    case LIMEN_THREAD_RECEIVING:
        return LIMEN_TYPE_ENDPOINT;
    case LIMEN_THREAD_WAITING:
        return LIMEN_TYPE_NOTIFICATION;
    case LIMEN_THREAD_WAITING_REPLY:
        return LIMEN_TYPE_REPLY;
    default:
        return LIMEN_TYPE_NONE;
    }
}

/* The frame of a thread that waits in a system call is still what it called with. */
static enum limen_error wait_info(struct invocation *call, const struct thread *thread)
{
    const struct limen_regs *regs = thread->arch.regs;
    enum limen_type type = awaited(thread->state);
    bool waits = type != LIMEN_TYPE_NONE;
    bool in_call = waits && !thread_is_faulted(thread);
    bool has_deadline = deadline_is_set(&thread->deadline);
    bool sends =
        in_call && thread->state != LIMEN_THREAD_RECEIVING && thread->state != LIMEN_THREAD_WAITING;

    call->word[0] = thread->state;
    call->word[1] = in_call ? (uint32_t)regs->rdi : 0;
    call->word[2] = type;
    call->word[3] = (has_deadline ? LIMEN_WAIT_DEADLINE : 0) |
                    (waits && thread_is_faulted(thread) ? LIMEN_WAIT_FAULTED : 0);
    call->word[4] = has_deadline ? regs->rbx : 0;
    call->word[5] = sends ? regs->rsi : 0;
    call->word[6] = thread->fault.detail[1];
    call->word[7] = thread->fault.detail[2];
    call->results = 8;
    return LIMEN_OK;
}

static bool only_reads(uint32_t label)
{
    return label == LIMEN_THREAD_GET_REGS || label == LIMEN_THREAD_INFO ||
           label == LIMEN_THREAD_WAIT_INFO;
}

enum limen_error thread_invoke(struct invocation *call)
{
    struct thread *thread = call->slot->object;
    bool reads = only_reads(call->label);

    if (!(call->slot->rights & (reads ? LIMEN_RIGHT_READ : LIMEN_RIGHT_WRITE)))
        return LIMEN_NO_RIGHT;
    switch (call->label) {
    case LIMEN_THREAD_CONFIGURE:
        return configure(call, thread);
    case LIMEN_THREAD_SET_PRIORITY:
        return set_priority(call, thread);
    case LIMEN_THREAD_SET_REGS:
        return set_regs(call, thread);
    case LIMEN_THREAD_GET_REGS:
        return get_regs(call, thread);
    case LIMEN_THREAD_RESUME:
        return resume(thread);
    case LIMEN_THREAD_SUSPEND:
        thread_stop(thread, LIMEN_CANCELLED);
        return LIMEN_OK;
    case LIMEN_THREAD_SET_MESSAGE_PAGE:
        return set_page(call, thread);
    case LIMEN_THREAD_BIND:
        return bind(call, thread);
    case LIMEN_THREAD_SET_BASES:
        return arch_bases_set(&thread->arch, call->word[0], call->word[1]) ? LIMEN_OK
                                                                           : LIMEN_BAD_ARGUMENT;
    case LIMEN_THREAD_SET_DEBUG:
        return arch_debug_set(&thread->arch, &call->word[0], call->word[4]) ? LIMEN_OK
                                                                            : LIMEN_BAD_ARGUMENT;
    case LIMEN_THREAD_SET_REFLECTION:
        if (call->word[0] >= LIMEN_USER_END || call->word[1] >= LIMEN_USER_END)
            return LIMEN_OUT_OF_RANGE;
        thread->reflection.entry = call->word[0];
        thread->reflection.stack = call->word[1];
        return LIMEN_OK;
    case LIMEN_THREAD_SET_NAME:
        thread->name[0] = call->word[0];
        thread->name[1] = call->word[1];
        return LIMEN_OK;
    case LIMEN_THREAD_INFO:
        return info(call, thread);
    case LIMEN_THREAD_WAIT_INFO:
        return wait_info(call, thread);
    case LIMEN_THREAD_SET_CONTEXT:
        return set_context(call, thread);
    case LIMEN_THREAD_SET_PASSIVE:
        return set_passive(call, thread);
    case LIMEN_THREAD_LAUNCH:
        return launch(call, thread);
    default:
        return LIMEN_BAD_OPERATION;
    }
}
