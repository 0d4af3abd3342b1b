/* SPDX-License-Identifier: MIT */
/* What the checks of the kernel's data (test/check/) stand on in a unit test. */
#ifndef HOST_GROUND_H
#define HOST_GROUND_H

#include "irq.h"
#include "space.h"
#include "world.h"

#define ground_mapping      host_mapping
#define ground_translate    host_translate
#define ground_mapped_bytes host_mapped_bytes
#define ground_tables       host_tables

/* Whether the kernel mapped pages in the space at boot that no capability names. */
static inline bool ground_has_fixed_mappings(const struct space *space)
{
    return space == world.init_space;
}

static inline bool ground_runs_in(const struct thread *thread, const struct space *space)
{
    return thread->arch.space == (space ? &space->arch : NULL);
}

static inline bool ground_timer_is_set(uint64_t tick)
{
    return host.timer <= tick;
}

static inline bool ground_irq_is_sound(const struct irq *irq)
{
    return host.irqs[irq->line].attached &&
           !(host.irqs[irq->line].unmasked && slot_is_empty(&irq->notification_slot));
}

#endif
