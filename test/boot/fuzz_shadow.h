/* SPDX-License-Identifier: MIT */
/*
 * What the fuzzer knows of the authority it has: every capability of the tables it plays with,
 * where each is and what it was derived from.
 *
 * An operation that succeeded is carried out here too, by the rules of docs/objects.md; one that
 * failed changes nothing.  Then the kernel must say of every slot what stands here: a capability
 * too much, a right too much or a badge that nobody gave is seen at once, wherever it came from.
 */
#ifndef BOOT_FUZZ_SHADOW_H
#define BOOT_FUZZ_SHADOW_H

#include "kit.h"

/* The part of the fuzzer's own table that it plays with. */
#define AREA_FIRST 3000u
#define AREA_SLOTS 160u
#define AREA_END   (AREA_FIRST + AREA_SLOTS)

/* The table of the threads it plays with (fuzz_threads.h). */
#define SHARED_ORDER 6u
#define SHARED_FIRST 8u  /* from here to SHARED_END the fuzzer keeps account */
#define SHARED_END   32u /* from here to RECEIVED_END messages put copies of what stood before */
#define RECEIVED_END 48u
#define SHARED_TABLE (AREA_FIRST - 1) /* the capability to it */

/* More tables than these must not be made. */
#define SHADOW_TABLES_MAX 12u

void shadow_reset(void);

/* A capability that is given to the fuzzer, at a slot of the area. */
void shadow_give(uint32_t slot, const struct limen_capability *capability);

/* What is known to be in a slot of the area; LIMEN_TYPE_NONE: nothing. */
enum limen_type shadow_type(uint32_t slot);

/* The same of a slot of the shared table; and the first of its slots from `start` on, and round,
 * that holds that type, or `start` if none does. */
enum limen_type shadow_shared_type(uint32_t slot);
uint32_t shadow_shared(enum limen_type type, uint32_t start);

/* The slots of the table that a capability in the area names. */
unsigned shadow_table_slots(uint32_t slot);

/* Carries out what the kernel has just done: words as they were given; `made`, of a retype. */
void shadow_apply(uint32_t slot, uint32_t label, const uint64_t words[8], uint64_t made);

/* Compares every slot with what the kernel says of it; false with the reason. */
bool shadow_compare(char *why, size_t size);

/* How many capabilities, and how many tables besides the two, the shadow knows. */
unsigned shadow_count(void);
unsigned shadow_tables(void);

#endif
