/* SPDX-License-Identifier: MIT */
/*
 * The clock page: read-only to ring 3, written once by the kernel at boot.
 *
 * Monotonic nanoseconds = (RDTSC - tsc_base) * multiplier >> 32, a 128-bit product.
 */
#ifndef LIMEN_CLOCK_H
#define LIMEN_CLOCK_H

#include <stdint.h>

struct limen_clock {
    uint64_t tsc_base;     /* TSC at the kernel's first instruction */
    uint64_t tsc_hz;       /* ticks a second */
    uint64_t multiplier;   /* nanoseconds a tick, times 2^32 */
    uint64_t wall_at_base; /* nanoseconds since 1970-01-01 UTC at tsc_base; 0: unknown */
};

static inline uint64_t limen_clock_ns(const volatile struct limen_clock *clock, uint64_t tsc)
{
    return (uint64_t)((unsigned __int128)(tsc - clock->tsc_base) * clock->multiplier >> 32);
}

#endif
