/* SPDX-License-Identifier: MIT */
/*
 * The other side of a measurement: a thread of this program in this address space, or in a second
 * one that is a copy of this program, as after a fork.  Both threads use one capability table, so a
 * slot has the same number on either side; the kernel does for each look-up what it would for two.
 */
#ifndef BENCH_PARTNER_H
#define BENCH_PARTNER_H

#include <limen.h>

/* One page, at the same address on both sides. */
struct shared {
    uint64_t stamp;        /* of the partner, when its part began */
    uint32_t endpoint;     /* where a partner serves ... */
    uint32_t reply;        /* ... and keeps its caller */
    uint32_t notification; /* with a badge of 1 */
};

enum partner_place {
    PARTNER_HERE,
    PARTNER_ELSEWHERE,
};

/* Makes what all partners share.  To be called once, first. */
enum limen_error partner_prepare(void);

struct shared *partner_shared(void);

/* The priority of this server's first thread. */
unsigned partner_priority(void);

/* Starts the one partner at an entry that never returns.  `below`: how much its priority is less
 * than this thread's.  Its faults go to the endpoint `faults`. */
enum limen_error partner_start(enum partner_place place, unsigned below, uint32_t faults,
                               void (*entry)(struct shared *shared));

/* The slot of its thread object. */
uint32_t partner_thread(void);

/* Ends the partner, wherever it is. */
void partner_stop(void);

#endif
