/* SPDX-License-Identifier: MIT */
/*
 * State that outlives the server: the pages of the manifest's key "state", which init gives to each
 * of its lives.
 *
 * A life can end between any two instructions, so state must be of use after any of them.  Write
 * what is new where nothing is looked for yet, and make it valid with limen_commit(): one store of
 * one word.  Where a system call and such a store must both happen or neither, there is
 * limen_call_and_record() (docs/supervision.md).
 */
#ifndef RUNTIME_STATE_H
#define RUNTIME_STATE_H

#include <stddef.h>
#include <stdint.h>

/* The state pages.  Clear in the first life.  Panics when the manifest gives fewer bytes. */
void *limen_state(size_t size);

/* Stores a word after all that was stored before it, and before all that comes after. */
static inline void limen_commit(uint64_t *where, uint64_t value)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    *(volatile uint64_t *)where = value;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* A system call, and what is stored once it was made.  It lies in the state pages itself. */
struct limen_record {
    uint64_t *result; /* gets word 0 of what the call returned, unless NULL */
    uint64_t *where;  /* gets `value` */
    uint64_t value;
    uint64_t unused; /* gets word 0 where nobody wants it */
};

/* Makes a system call that does not wait, and stores what the record says unless the call fails.
 * Should the life end between the two, the next one's runtime stores it before main().  For the
 * server's first thread only, whose last registers are known.  Returns the error of the call. */
uint64_t limen_call_and_record(struct limen_record *record, uint64_t number, uint64_t target,
                               uint64_t tag, const uint64_t words[8]);

/* Does what the end of the last life kept from being done, and says that it is done: a life that
 * ends before leaves it to the next, and does no harm by having done it already. */
void limen_state_recover(void);

#endif
