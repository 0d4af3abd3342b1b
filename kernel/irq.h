/* SPDX-License-Identifier: MIT */
/* Interrupt lines as objects: an interrupt becomes bits in a notification. */
#ifndef KERNEL_IRQ_H
#define KERNEL_IRQ_H

#include "slot.h"

struct irq {
    struct object object;
    uint32_t line;
    struct slot notification_slot; /* a copy of the capability it was bound to */
};
_Static_assert(sizeof(struct irq) <= 1u << LIMEN_IRQ_ORDER, "irq");

/* The notification was taken away: the line is masked again. */
void irq_lost(struct slot *slot);

/* The last capability to the line is gone. */
void irq_reap(struct irq *irq);

#endif
