/* SPDX-License-Identifier: MIT */
/*
 * What a server makes of its own grant: slots, addresses, memory, objects.
 *
 * Untyped memory is free again only when nothing derived from it is left, so whoever makes things
 * again and again takes an untyped capability for them (limen_untyped_take), revokes it when they
 * are done with, and gives it back for the next of that size.
 */
#ifndef RUNTIME_MEMORY_H
#define RUNTIME_MEMORY_H

#include <limen/environment.h>
#include <limen/errors.h>
#include <limen/objects.h>
#include <stddef.h>
#include <stdint.h>

/* `count` empty slots in a row; the first, or 0 when there are not as many. */
uint32_t limen_slots_take(unsigned count);
void limen_slots_give(uint32_t first, unsigned count);

/* Addresses for `pages` pages, with nothing mapped there; 0 when they are used up. */
uint64_t limen_addresses_take(size_t pages);
void limen_addresses_give(uint64_t address, size_t pages);

/* Adds memory to what the functions below make objects from. */
enum limen_error limen_memory_add(uint32_t untyped);

/* Makes `count` objects, for good, in slots from *first on. */
enum limen_error limen_make(enum limen_type type, unsigned order, unsigned count, uint32_t *first);

/* Takes 2^order bytes of untyped memory, and gives them back once revoked. */
enum limen_error limen_untyped_take(unsigned order, uint32_t *untyped);
void limen_untyped_give(uint32_t untyped, unsigned order);

/* Cleared memory of `pages` pages, readable and writable, for good.  NULL when there is none. */
void *limen_memory(size_t pages);

/* Bytes of it that nothing is made from. */
uint64_t limen_memory_free(void);

/* Maps `count` frames in a row of slots at addresses in a row. */
enum limen_error limen_map_frames(uint32_t space, uint32_t first, unsigned count, uint64_t address,
                                  unsigned rights);

#endif
