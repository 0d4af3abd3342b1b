/* SPDX-License-Identifier: MIT */
/* The other side of a measurement: a process of its own, forked from this one. */
#ifndef LINUX_PARTNER_H
#define LINUX_PARTNER_H

#include <stdint.h>
#include <sys/types.h>

#define WORDS_MAX 64u

/* One page, at the same address on both sides. */
struct shared {
    uint64_t stamp;            /* of the partner, when its part began */
    uint32_t turn;             /* the futex */
    uint64_t words[WORDS_MAX]; /* a message */
};

/* Makes the page, and keeps this process and its partners on one processor.  To be called once,
 * first. */
void partner_prepare(void);

/* From here on this process and its partners are of SCHED_OTHER, with fair shares and no
 * priorities, or of SCHED_FIFO. */
void partner_choose(int policy);

struct shared *partner_shared(void);

/* Starts the one partner at an entry that never returns.  `below`: how much its priority is less
 * than this process's, where there are priorities. */
pid_t partner_start(unsigned below, void (*entry)(struct shared *shared, unsigned words),
                    unsigned words);

/* Ends the partner, wherever it is. */
void partner_stop(void);

#endif
