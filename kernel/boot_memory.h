/* SPDX-License-Identifier: MIT */
/*
 * Memory before there are objects: the few pages the kernel needs for itself and for init, taken
 * from the loader's map.  What is left becomes untyped memory, and this is over.
 */
#ifndef KERNEL_BOOT_MEMORY_H
#define KERNEL_BOOT_MEMORY_H

#include "arch.h"

/* Checks the map and starts to allocate from it. */
void boot_memory_init(const struct limen_boot *boot);

/* Cleared pages at an address that is a multiple of 2^order bytes; panics when there are none. */
void *boot_memory_take(size_t pages, unsigned order);

/* The largest naturally aligned block at the start of [start, end), as a power of two in bytes. */
unsigned boot_block_order(uint64_t start, uint64_t end);

/* Calls `give` for the memory of one kind that is left, in naturally aligned blocks of at least a
 * page, in ascending order. */
void boot_memory_give(enum limen_memory_kind kind,
                      void (*give)(void *context, uint64_t start, unsigned order), void *context);

/* Bytes of ordinary memory, whoever has it. */
uint64_t boot_memory_total(void);

#endif
