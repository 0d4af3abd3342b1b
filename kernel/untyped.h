/* SPDX-License-Identifier: MIT */
/* Untyped memory, from which all objects are made. */
#ifndef KERNEL_UNTYPED_H
#define KERNEL_UNTYPED_H

#include "slot.h"

/* The size of an object, as a power of two; 0 where type and order do not go together.  For tables
 * `order` counts entries, for the others bytes; it is ignored where the size is fixed. */
unsigned untyped_object_order(enum limen_type type, uint64_t order);

/* The first byte an object of 2^order bytes can have in untyped memory of which `used` are taken.
 */
uint64_t untyped_place(uint64_t used, unsigned order);

/* Whether objects of this type can be made of the memory at all. */
enum limen_error untyped_check(const struct slot *untyped, enum limen_type type);

/* Starts again from the first byte where nothing derived is left. */
void untyped_reclaim(struct slot *untyped);

/* Makes one object of memory that is cleared where it must be, and its first capability. */
void untyped_make(struct slot *slot, struct slot *untyped, enum limen_type type, unsigned order,
                  void *memory);

#endif
