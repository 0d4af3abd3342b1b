/* SPDX-License-Identifier: MIT */
#include "irq.h"

#include "assert.h"
#include "cpu.h"
#include "invoke.h"
#include "list.h"
#include "notification.h"
#include "untyped.h"

/* A level-triggered line is masked until the driver acknowledges; one triggered by edge may come
 * again before that, and then signals bits that are set already. */
void kernel_irq(unsigned line)
{
    struct irq *irq = line < IRQ_LINES ? this_cpu->irqs[line] : NULL;

    if (!irq || slot_is_empty(&irq->notification_slot)) {
        kernel_count(LIMEN_COUNTER_SPURIOUS_IRQS);
        return;
    }
    notification_signal(irq->notification_slot.object, irq->notification_slot.badge);
}

void irq_lost(struct slot *slot)
{
    struct irq *irq = container_of(slot, struct irq, notification_slot);
    arch_irq_mask(irq->line);
}

void irq_reap(struct irq *irq)
{
    ASSERT(slot_is_empty(&irq->notification_slot));
    arch_irq_detach(irq->line);
    this_cpu->irqs[irq->line] = NULL;
}

static enum limen_error issue(struct invocation *call)
{
    uint64_t line = call->word[0];
    uint64_t mode = call->word[1];
    struct slot *untyped;

    if (line >= arch_irq_count() || line >= IRQ_LINES)
        return LIMEN_OUT_OF_RANGE;
    if (mode > LIMEN_IRQ_LEVEL_LOW)
        return LIMEN_BAD_ARGUMENT;
    if (this_cpu->irqs[line])
        return LIMEN_BUSY;
    enum limen_error error =
        invoke_argument(call, call->word[2], LIMEN_TYPE_UNTYPED, LIMEN_RIGHT_WRITE, &untyped);
    if (error)
        return error;
    error = untyped_check(untyped, LIMEN_TYPE_IRQ);
    if (error)
        return error;
    struct slot *place;
    error = invoke_place(call, call->word[3], &place);
    if (error)
        return error;
    uint64_t start = untyped_place(untyped->child ? untyped->used : 0, LIMEN_IRQ_ORDER);
    uint64_t end = start + (1ull << LIMEN_IRQ_ORDER);
    if (end > 1ull << untyped->order)
        return LIMEN_NO_MEMORY;
    error = arch_irq_attach((unsigned)line, (enum limen_irq_mode)mode);
    if (error)
        return error;

    /* Point of no return. */
    untyped_reclaim(untyped);
    struct irq *irq = (struct irq *)((char *)untyped->object + start);
    memset(irq, 0, sizeof(*irq));
    irq->line = (uint32_t)line;
    irq->notification_slot.holder = HOLDER_IRQ_NOTIFICATION;
    untyped->used = end;
    slot_fill(place, untyped, LIMEN_TYPE_IRQ, LIMEN_RIGHTS_ALL, 0, irq);
    this_cpu->irqs[line] = irq;
    return LIMEN_OK;
}

enum limen_error irq_control_invoke(struct invocation *call)
{
    if (call->label != LIMEN_IRQ_CONTROL_ISSUE)
        return LIMEN_BAD_OPERATION;
    return call->slot->rights & LIMEN_RIGHT_WRITE ? issue(call) : LIMEN_NO_RIGHT;
}

static enum limen_error bind(struct invocation *call, struct irq *irq)
{
    struct slot *slot = NULL;

    if (call->word[0]) {
        enum limen_error error =
            invoke_argument(call, call->word[0], LIMEN_TYPE_NOTIFICATION, LIMEN_RIGHT_WRITE, &slot);
        if (error)
            return error;
    }
    slot_drop_step(&irq->notification_slot);
    if (!slot)
        return LIMEN_OK;
    enum limen_error error = slot_copy(&irq->notification_slot, slot, slot->rights);
    if (!error)
        arch_irq_unmask(irq->line);
    return error;
}

enum limen_error irq_invoke(struct invocation *call)
{
    struct irq *irq = call->slot->object;

    if (!(call->slot->rights & LIMEN_RIGHT_WRITE))
        return LIMEN_NO_RIGHT;
    switch (call->label) {
    case LIMEN_IRQ_BIND:
        return bind(call, irq);
    case LIMEN_IRQ_ACK:
        if (slot_is_empty(&irq->notification_slot))
            return LIMEN_NOT_CONFIGURED;
        arch_irq_unmask(irq->line);
        return LIMEN_OK;
    default:
        return LIMEN_BAD_OPERATION;
    }
}
