/* SPDX-License-Identifier: MIT */
/*
 * The threads that the fuzzer makes and starts at random: each sends, waits, answers and signals
 * without end, by capabilities of the shared table (fuzz_shadow.h).
 *
 * They have no stacks and no memory, so any number of them can run the same code, and none can do
 * harm to the fuzzer in whose address space they run: RSP is the state of their random numbers, RBP
 * a pointer into a list of calls that the fuzzer makes up for all of them.
 */
#ifndef BOOT_FUZZ_THREADS_H
#define BOOT_FUZZ_THREADS_H

#define FUZZ_CALLS_ORDER 8 /* the list has 2^8 calls ... */
#define FUZZ_CALL_SHIFT  5 /* ... of 2^5 bytes */

#ifndef __ASSEMBLER__
#include <limen/message.h>
#include <stdint.h>

struct fuzz_call {
    uint64_t number, target, tag, deadline; /* RAX, RDI, RSI, RBX */
};
_Static_assert(sizeof(struct fuzz_call) == 1u << FUZZ_CALL_SHIFT, "the list's calls");

extern struct fuzz_call fuzz_calls[1u << FUZZ_CALLS_ORDER];
extern volatile uint64_t fuzz_calls_made; /* by all of those threads */

void fuzz_thread(void);

/* Makes up what they call, and what their message pages say, for the next batch. */
void fuzz_instruct(struct limen_message_page *const pages[], unsigned count, uint64_t *state);

/* The shared table's slots that the fuzzer leaves alone. */
#define FUZZ_INTRUDERS 2u
enum { SHARED_NEVER = 1, SHARED_SELF, SHARED_MEMORY }; /* the last for each intruder */

/* An intruder has a higher priority than the fuzzer and wakes in its windows.  It takes from the
 * shared table what messages have left there, makes and destroys objects of its own, and sends. */
void fuzz_intrude(void *which);

uint64_t fuzz_random(uint64_t *state);
unsigned fuzz_below(uint64_t *state, unsigned limit);
#endif

#endif
