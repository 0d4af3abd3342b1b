/* SPDX-License-Identifier: MIT */
/*
 * Whether and when a server that ended is started again.  Pure.
 *
 * A server that keeps dying soon after its start is given more time before each new start, and is
 * given up in the end (docs/supervision.md).
 */
#ifndef INIT_RESTART_H
#define INIT_RESTART_H

#include <limen/manifest.h>
#include <stdint.h>

enum server_end {
    END_EXIT,  /* main returned */
    END_FAULT, /* a fault, or a panic */
    END_KILL,  /* somebody with the right to asked for it */
};

/* A life that lasts as long as this was a good one: the count of failures begins anew. */
#define RESTART_GOOD_LIFE_NS 10000000000u

/* Instead of a time to wait. */
#define RESTART_NOT      UINT64_MAX       /* the policy does not want it */
#define RESTART_GIVEN_UP (UINT64_MAX - 1) /* it failed too often */

/* Nanoseconds to wait before the next start.  `failures` counts the lives in a row that ended
 * early; a kill is not a failure of the server, and is followed by a start at once. */
uint64_t restart_delay(enum limen_restart policy, enum server_end end, uint64_t lived_ns,
                       unsigned *failures);

#endif
