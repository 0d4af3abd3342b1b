/* SPDX-License-Identifier: MIT */
/* Capability tables: one flat array of slots each, of which entry 0 is the table's own header. */
#ifndef KERNEL_TABLE_H
#define KERNEL_TABLE_H

#include "slot.h"

/* A new table of 2^order entries, in cleared memory. */
void table_create(struct slot *table, unsigned order);

/* One step of taking a dead table apart; true when nothing is left. */
bool table_reap(struct slot *table);

/* The table and number of entries that a capability to a table names. */
static inline struct slot *table_of(const struct slot *slot)
{
    return slot->object;
}

static inline uint64_t table_slots(const struct slot *slot)
{
    return 1ull << slot->order;
}

/* The entry at an index of the table a capability names; NULL beyond its end and for 0. */
static inline struct slot *table_entry(const struct slot *slot, uint64_t index)
{
    return index == 0 || index >= table_slots(slot) ? NULL : table_of(slot) + index;
}

#endif
