/* SPDX-License-Identifier: MIT */
/* Stands in for runtime/state.h, so that a test can end a life at any store. */
#ifndef RUNTIME_STATE_H
#define RUNTIME_STATE_H

#include <stddef.h>
#include <stdint.h>

void limen_commit(uint64_t *where, uint64_t value);

#endif
