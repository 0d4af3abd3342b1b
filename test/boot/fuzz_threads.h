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
#include <stdint.h>

struct fuzz_call {
    uint64_t number, target, tag, deadline; /* RAX, RDI, RSI, RBX */
};
_Static_assert(sizeof(struct fuzz_call) == 1u << FUZZ_CALL_SHIFT, "the list's calls");

extern struct fuzz_call fuzz_calls[1u << FUZZ_CALLS_ORDER];
extern volatile uint64_t fuzz_calls_made; /* by all of those threads */

void fuzz_thread(void);
#endif

#endif
