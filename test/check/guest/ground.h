/* SPDX-License-Identifier: MIT */
/* What the checks of the kernel's data (test/check/) stand on in the kernel itself. */
#ifndef GUEST_GROUND_H
#define GUEST_GROUND_H

#include "cpu.h"
#include "internal.h"
#include "irq.h"
#include "space.h"

#include <limen/init.h>

#define fail_msg(...)                    panic(__VA_ARGS__)
#define assert_true(condition)           ASSERT(condition)
#define assert_false(condition)          ASSERT(!(condition))
#define assert_null(pointer)             ASSERT(!(pointer))
#define assert_non_null(pointer)         ASSERT(pointer)
#define assert_int_equal(one, other)     ASSERT((uint64_t)(one) == (uint64_t)(other))
#define assert_ptr_equal(one, other)     ASSERT((one) == (other))
#define assert_ptr_not_equal(one, other) ASSERT((one) != (other))

struct ground_mapping {
    uint64_t physical;
    unsigned order, rights;
};

/* What the page tables say of an address: false when nothing is mapped there. */
bool ground_translate(const struct arch_space *space, uint64_t address,
                      struct ground_mapping *found);

/* Pages that translations reach in all of a space. */
uint64_t ground_mapped_bytes(const struct arch_space *space);

/* How many tables there are below the top one. */
uint64_t ground_tables(const struct arch_space *space);

/* Whether the kernel mapped pages in the space at boot that no capability names. */
bool ground_has_fixed_mappings(const struct space *space);

static inline bool ground_runs_in(const struct thread *thread, const struct space *space)
{
    return thread->arch.cr3 == (space ? space->arch.cr3 : 0);
}

/* What the timer was set to, only the processor knows. */
static inline bool ground_timer_is_set(uint64_t tick)
{
    return tick != 0;
}

/* Whether a line is masked, only the interrupt controller knows. */
static inline bool ground_irq_is_sound(const struct irq *irq)
{
    return irq->line < IRQ_LINES;
}

#endif
