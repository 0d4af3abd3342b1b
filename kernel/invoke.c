/* SPDX-License-Identifier: MIT */
#include "invoke.h"

#include "cpu.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/message.h>

static operation *const operations[LIMEN_TYPE_COUNT] = {
    [LIMEN_TYPE_UNTYPED] = untyped_invoke, [LIMEN_TYPE_TABLE] = table_invoke,
    [LIMEN_TYPE_THREAD] = thread_invoke,   [LIMEN_TYPE_SPACE] = space_invoke,
    [LIMEN_TYPE_FRAME] = frame_invoke,     [LIMEN_TYPE_IRQ_CONTROL] = irq_control_invoke,
    [LIMEN_TYPE_IRQ] = irq_invoke,         [LIMEN_TYPE_PORTS] = ports_invoke,
    [LIMEN_TYPE_KERNEL] = kernel_invoke,   [LIMEN_TYPE_CONTEXT] = context_invoke,
};

enum limen_error invoke_argument(const struct invocation *call, uint64_t index,
                                 enum limen_type type, unsigned rights, struct slot **slot)
{
    *slot = table_lookup(call->self, index);
    if (!*slot)
        return LIMEN_BAD_CAPABILITY;
    if ((*slot)->type != type)
        return LIMEN_WRONG_TYPE;
    if (((*slot)->rights & rights) != rights)
        return LIMEN_NO_RIGHT;
    return LIMEN_OK;
}

enum limen_error invoke_place(const struct invocation *call, uint64_t index, struct slot **place)
{
    if (!table_has(call->self, index))
        return LIMEN_OUT_OF_RANGE;
    *place = &call->self->table[index];
    return slot_is_empty(*place) ? LIMEN_OK : LIMEN_SLOT_OCCUPIED;
}

struct limen_regs *invoke(struct slot *slot, struct limen_regs *regs)
{
    struct thread *self = current_thread();
    operation *serve = operations[slot->type];
    struct invocation call = {
        .self = self,
        .slot = slot,
        .index = (uint32_t)regs->rdi,
        .label = limen_tag_label(regs->rsi),
        .words = limen_tag_words(regs->rsi),
        .word = regs->words,
    };
    enum limen_error error = LIMEN_WRONG_TYPE;

    if (call.words > LIMEN_WORDS_IN_REGISTERS && !self->page)
        error = LIMEN_NO_MESSAGE_PAGE;
    else if (serve)
        error = serve(&call);

    regs->rax = LIMEN_OK;
    regs->rdi = 0;
    regs->rsi = limen_tag(error, call.results, 0);
    /* What most operations end with; the scheduler knows the rest. */
    if (scheduler_goes_on(self))
        return regs;
    return scheduler_leave();
}
