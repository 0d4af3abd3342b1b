/* SPDX-License-Identifier: MIT */
/*
 * The direct switch: a call or a fault that finds its server waiting, and an answer whose caller
 * goes on at once.  All do what the general path (ipc.c) would do, for the one case that matters
 * most, and hand every other over to it, having changed nothing.
 *
 * The system calls are entered by a jump from the entry file, with the whole frame on the stack and
 * no register to keep, and left by a jump.  docs/fast-path.md goes through it line by line.
 */
#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/fault.h>
#include <limen/message.h>

static inline bool names(const struct slot *slot, enum limen_type type, unsigned right)
{
    return slot->type == type && slot->rights & right;
}

/* Whether a call or an answer by that frame takes more than the shortest path. */
static inline bool is_unusual(const struct thread *from, const struct thread *to)
{
    return __builtin_expect(unusual(from, to), 0) || arch_flags_need_iret(from->arch.regs);
}

/* The scheduler would choose this thread once the current one waits. */
static inline bool comes_next(const struct thread *thread)
{
    return thread->priority >= this_cpu->top;
}

/* The frames that the receiver's message registers are to be loaded from.  Four words or eight stay
 * in the sender's; others are put into the receiver's, without a loop. */
struct frames {
    const struct limen_regs *low;  /* words 0 to 3 */
    const struct limen_regs *high; /* words 4 to 7 */
};

static inline void put_words(struct limen_regs *to, const struct limen_regs *from, unsigned first,
                             unsigned end)
{
    to->words[first] = from->words[first];
    if (end >= first + 2)
        to->words[first + 1] = from->words[first + 1];
    if (end >= first + 3)
        to->words[first + 2] = from->words[first + 2];
}

/* False, and nothing done, if the message is longer than the registers. */
static inline __attribute__((always_inline)) bool place_words(const struct limen_regs *from,
                                                              struct limen_regs *to, unsigned count,
                                                              struct frames *frames)
{
    const unsigned half = LIMEN_WORDS_IN_REGISTERS / 2;

    frames->low = to;
    frames->high = to;
    if (count < half) {
        if (count)
            put_words(to, from, 0, count);
        return true;
    }
    if (count > LIMEN_WORDS_IN_REGISTERS)
        return false;
    frames->low = from;
    if (count == LIMEN_WORDS_IN_REGISTERS)
        frames->high = from;
    else if (count > half)
        put_words(to, from, half, count);
    return true;
}

/* -- what a call and an answer change -- */

static inline void go_on(struct thread *thread)
{
    thread->state = LIMEN_THREAD_READY;
    this_cpu->current = thread;
    if (LIMEN_CHECKS)
        kernel_count(LIMEN_COUNTER_FAST_IPC);
}

static inline void commit_call(struct thread *self, struct endpoint *endpoint,
                               struct thread *server)
{
    struct reply *reply = server->reply;
    ASSERT(!reply->caller && reply->receiver == server);
    endpoint->state = ENDPOINT_IDLE;
    server->reply = NULL;
    reply->receiver = NULL;
    reply->caller = self;
    self->waits_on = reply;
    self->state = LIMEN_THREAD_WAITING_REPLY;
    go_on(server);
}

static inline void commit_answer(struct thread *self, struct endpoint *endpoint,
                                 struct reply *reply, struct thread *caller)
{
    reply->caller = NULL;
    reply->receiver = self;
    self->reply = reply;
    self->waits_on = endpoint;
    self->state = LIMEN_THREAD_RECEIVING;
    endpoint->server = self;
    endpoint->state = ENDPOINT_SERVER;
    go_on(caller);
}

/* -- messages longer than the registers, the rest of which goes from page to page -- */

static inline bool copy_pages(const struct thread *from, const struct thread *to, unsigned count)
{
    const unsigned first = LIMEN_WORDS_IN_REGISTERS;

    if (count > LIMEN_WORDS_MAX || !from->page || !to->page)
        return false;
    arch_copy_words(&to->page->words[first], &from->page->words[first], count - first);
    return true;
}

static __attribute__((noinline)) struct limen_regs *
call_with_pages(struct limen_regs *regs, struct thread *self, const struct slot *slot)
{
    struct endpoint *endpoint = slot->object;
    struct thread *server = endpoint->server;

    if (!copy_pages(self, server, (unsigned)regs->rsi))
        return arch_syscall_general();

    /* Point of no return. */
    commit_call(self, endpoint, server);
    return arch_fast_exit(slot->badge, regs->rsi, regs, regs, &self->arch, &server->arch);
}

static __attribute__((noinline)) struct limen_regs *reply_wait_with_pages(struct limen_regs *regs,
                                                                          struct thread *self,
                                                                          struct endpoint *endpoint,
                                                                          struct reply *reply)
{
    struct thread *caller = reply->caller;

    if (!copy_pages(self, caller, (unsigned)regs->rsi))
        return arch_syscall_general();

    /* Point of no return. */
    commit_answer(self, endpoint, reply, caller);
    return arch_fast_exit(0, regs->rsi, regs, regs, &self->arch, &caller->arch);
}

/* -- the longer forms: what is ready may come first, or more than bases has to be switched -- */

static bool place_long(const struct thread *from, const struct thread *to, unsigned count,
                       struct frames *frames)
{
    if (place_words(from->arch.regs, to->arch.regs, count, frames))
        return true;
    frames->low = from->arch.regs;
    frames->high = from->arch.regs;
    return copy_pages(from, to, count);
}

static struct limen_regs *leave(struct thread *from, struct thread *to, uint64_t badge,
                                uint64_t tag, const struct frames *frames)
{
    const unsigned half = LIMEN_WORDS_IN_REGISTERS / 2;
    struct limen_regs *target = to->arch.regs;
    uint32_t flags = unusual(from, to) & ARCH_SWITCH_LONGER;
    flags |= to->arch.flags & ARCH_THREAD_IRET;

    if (!arch_switch_is_longer(flags))
        return arch_fast_exit(badge, tag, frames->low, frames->high, &from->arch, &to->arch);
    for (unsigned i = 0; i < half; i++) {
        target->words[i] = frames->low->words[i];
        target->words[half + i] = frames->high->words[half + i];
    }
    target->rsi = tag;
    target->rdi = badge;
    target->rax = LIMEN_OK;
    arch_switch(&from->arch, &to->arch);
    return arch_exit(target);
}

static __attribute__((noinline)) struct limen_regs *call_longer(struct limen_regs *regs,
                                                                struct thread *self)
{
    const struct slot *slot = &self->table[(uint32_t)regs->rdi];
    struct endpoint *endpoint = slot->object;
    struct thread *server = endpoint->server;
    struct frames words;

    if (unusual(self, server) & (THREAD_DEADLINE | CPU_GENERAL_PATH) || !comes_next(server) ||
        !place_long(self, server, (unsigned)regs->rsi, &words) ||
        (self->payer != server->payer && !context_call(self, server)))
        return arch_syscall_general();

    /* Point of no return. */
    arch_note_frame(&self->arch);
    commit_call(self, endpoint, server);
    return leave(self, server, slot->badge, regs->rsi, &words);
}

/* A handler's answer to a fault that leaves the thread's frame as it is. */
static const uint64_t resume = (uint64_t)LIMEN_FAULT_RESUME << LIMEN_TAG_LABEL_SHIFT;

static __attribute__((noinline)) struct limen_regs *reply_wait_longer(struct limen_regs *regs,
                                                                      struct thread *self,
                                                                      struct endpoint *endpoint,
                                                                      struct reply *reply)
{
    struct thread *caller = reply->caller;
    bool faulted = thread_is_faulted(caller);
    struct frames words;

    if (unusual(self, caller) & (THREAD_DEADLINE | CPU_GENERAL_PATH) ||
        self->arch.flags & THREAD_SIGNALLED || !comes_next(caller) ||
        !(faulted ? regs->rsi == resume : place_long(self, caller, (unsigned)regs->rsi, &words)) ||
        (self->payer != caller->payer && !context_answer(caller)))
        return arch_syscall_general();

    /* Point of no return. */
    arch_note_frame(&self->arch);
    commit_answer(self, endpoint, reply, caller);
    if (!faulted)
        return leave(self, caller, 0, regs->rsi, &words);
    caller->arch.flags &= ~THREAD_FAULTED;
    arch_switch(&self->arch, &caller->arch);
    return arch_exit(caller->arch.regs);
}

/* -- the system calls -- */

/* The kernel serves whatever is not an endpoint. */
static __attribute__((noinline)) struct limen_regs *call_object(struct limen_regs *regs,
                                                                struct thread *self)
{
    struct slot *slot = &self->table[(uint32_t)regs->rdi];

    if (slot->type == LIMEN_TYPE_ENDPOINT || slot_is_empty(slot))
        return arch_syscall_general();
    if (LIMEN_CHECKS)
        kernel_count(LIMEN_COUNTER_ENTRIES);
    return arch_syscall_invoke(slot, regs);
}

/* The upper half of the target says nothing in a call: where it is not 0, the general path says so.
 */
struct limen_regs *fast_call(uint64_t target, uint64_t tag)
{
    struct thread *self = current_thread();
    struct limen_regs *regs = self->arch.regs;

    if (target >= self->slots)
        return arch_syscall_general();
    const struct slot *slot = &self->table[target];
    if (!names(slot, LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_WRITE))
        return call_object(regs, self);
    struct endpoint *endpoint = slot->object;
    if (endpoint->state != ENDPOINT_SERVER)
        return arch_syscall_general();
    struct thread *server = endpoint->server;
    if (is_unusual(self, server) || !comes_next(server))
        return call_longer(regs, self);
    struct frames words;
    if (!place_words(regs, server->arch.regs, (unsigned)tag, &words))
        return call_with_pages(regs, self, slot);

    /* Point of no return. */
    uint64_t badge = slot->badge;
    commit_call(self, endpoint, server);
    return arch_fast_exit(badge, tag, words.low, words.high, &self->arch, &server->arch);
}

struct limen_regs *fast_reply_wait(uint64_t target, uint64_t tag)
{
    struct thread *self = current_thread();
    struct limen_regs *regs = self->arch.regs;
    uint64_t index = (uint32_t)target;
    uint64_t reply_index = target >> 32;

    if (index >= self->slots || reply_index >= self->slots)
        return arch_syscall_general();
    const struct slot *slot = &self->table[index];
    const struct slot *reply_slot = &self->table[reply_index];
    if (!names(slot, LIMEN_TYPE_ENDPOINT, LIMEN_RIGHT_READ) || reply_slot->type != LIMEN_TYPE_REPLY)
        return arch_syscall_general();
    struct endpoint *endpoint = slot->object;
    struct reply *reply = reply_slot->object;
    struct thread *caller = reply->caller;
    if (!caller || endpoint->state != ENDPOINT_IDLE)
        return arch_syscall_general();
    if (is_unusual(self, caller) || !comes_next(caller))
        return reply_wait_longer(regs, self, endpoint, reply);
    struct frames words;
    if (!place_words(regs, caller->arch.regs, (unsigned)tag, &words))
        return reply_wait_with_pages(regs, self, endpoint, reply);

    /* Point of no return. */
    commit_answer(self, endpoint, reply, caller);
    return arch_fast_exit(0, tag, words.low, words.high, &self->arch, &caller->arch);
}

/* -- faults -- */

/* The words of a fault message are loaded from where they stand: what happened is the first four,
 * the frame all others. */
struct limen_regs *fast_fault(struct thread *self)
{
    const unsigned in_page = LIMEN_WORDS_IN_REGISTERS - LIMEN_FAULT_DETAIL_WORDS;
    const uint64_t *frame = limen_regs_words(self->arch.regs);
    const struct slot *slot = &self->fault_slot;
    const struct endpoint *endpoint = slot->object;

    if (endpoint->state != ENDPOINT_SERVER)
        return ipc_fault(self, &self->fault_slot);
    struct thread *server = endpoint->server;
    if (!server->page || unusual(self, server) & (THREAD_DEADLINE | CPU_GENERAL_PATH) ||
        !comes_next(server) || (self->payer != server->payer && !context_call(self, server)))
        return ipc_fault(self, &self->fault_slot);

    /* Point of no return. */
    arch_note_frame(&self->arch);
    arch_copy_words(&server->page->words[LIMEN_WORDS_IN_REGISTERS], frame + in_page,
                    LIMEN_REGS_WORDS - in_page);
    self->arch.flags |= THREAD_FAULTED;
    commit_call(self, slot->object, server);
    const struct frames words = {
        .low = (const struct limen_regs *)self->fault.detail,
        .high = (const struct limen_regs *)(frame - LIMEN_FAULT_DETAIL_WORDS),
    };
    return leave(self, server, slot->badge, limen_tag(self->fault.label, LIMEN_FAULT_WORDS, 0),
                 &words);
}
