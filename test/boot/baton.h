/* SPDX-License-Identifier: MIT */
/* Threads of one priority that take turns, by yielding or by being preempted. */
#ifndef BOOT_BATON_H
#define BOOT_BATON_H

#include <stdbool.h>
#include <stdint.h>

#define BATON_RUNNERS_MAX 8u

void reset_baton(void);

/* Waits until it is one's turn: spinning, so that only the end of a time slice helps, or yielding.
 */
void take_baton(uintptr_t me, bool spinning);

/* Hands on to the next of `count` that is still there. */
void pass_baton(uintptr_t me, unsigned count);

/* Takes no more turns. */
void leave_baton(uintptr_t me, unsigned count);

#endif
