/* SPDX-License-Identifier: MIT */
/* What the runner and the kit know of each other. */
#ifndef BOOT_RUNNER_H
#define BOOT_RUNNER_H

#include "kit.h"

#define REASON_MAX 240u

/* Why the test failed; empty as long as it has not. */
extern char reason[REASON_MAX];

/* The runner is at work, and no thread of a test can be. */
extern bool runner_works;

/* The runner itself cannot go on. */
_Noreturn void runner_failed(const char *what);

/* What a test may ask of the runner, on the endpoint that its faults go to: words 0 slot of a
 * thread, 1 priority. */
#define RUNNER_SET_PRIORITY 1u

/* Forgets the slots, addresses and threads of the test before. */
void kit_reset(void);

/* A worker of the lowest priority. */
struct worker *kit_make_worker(void);

/* The first slot no test has taken. */
uint32_t kit_slots_end(void);

#endif
