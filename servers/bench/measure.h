/* SPDX-License-Identifier: MIT */
/*
 * Taking samples: time stamps, what they cost, and the figures made of many.
 *
 * A sample is the difference of two stamps less the difference of two stamps with nothing between,
 * so it is what the operation itself took: the stubs of the runtime and all that they cause.
 */
#ifndef BENCH_MEASURE_H
#define BENCH_MEASURE_H

#include <limen.h>

#define SAMPLES_MAX 1000u

/* The time-stamp counter, read once all before it is done: LFENCE keeps RDTSC from being executed
 * early (SDM vol. 2, RDTSC).  One piece of assembly, so that each stamp costs the same. */
static inline uint64_t stamp(void)
{
    uint64_t low, high;
    __asm__ volatile("lfence; rdtsc; shl $32, %1; or %1, %0"
                     : "=&a"(low), "=&d"(high)
                     :
                     : "memory");
    return low;
}

/* The cycles that the core ran while it was not halted, by a counter that is left to its own
 * devices: its low 40 bits are right.  False where there is none.  Each guest has a way of its own.
 */
bool core_cycles(uint64_t *cycles);

/* The two clocks of a processor at one time. */
struct moment {
    uint64_t ticks;  /* of the time-stamp counter */
    uint64_t cycles; /* of the core, where `counts_cycles` */
    bool counts_cycles;
};

/* As many samples as are wanted, the first few of which do not count: they fill page tables, caches
 * and predictors. */
struct samples {
    struct moment began;
    unsigned warm_up;
    unsigned wanted;
    unsigned count;
    uint64_t value[SAMPLES_MAX];
};

struct figures {
    uint64_t min, p50, p99, max, n;
};

/* What two stamps differ by when there is nothing between them. */
uint64_t stamp_overhead(void);

void samples_begin(struct samples *samples, unsigned warm_up, unsigned wanted);

/* Where core cycles are counted, makes them of the samples' ticks: as many a tick as there were
 * since the beginning. */
void samples_end(struct samples *samples);

static inline bool samples_wanted(const struct samples *samples)
{
    return samples->count < samples->wanted;
}

static inline void samples_add(struct samples *samples, uint64_t value)
{
    if (samples->warm_up > 0)
        samples->warm_up--;
    else if (samples_wanted(samples))
        samples->value[samples->count++] = value;
}

/* Adds what happened between two stamps. */
static inline void samples_between(struct samples *samples, uint64_t begin, uint64_t end)
{
    uint64_t overhead = stamp_overhead();
    samples_add(samples, end - begin > overhead ? end - begin - overhead : 0);
}

/* Sorts the samples, of which there is at least one. */
struct figures samples_figures(struct samples *samples);

/* How many of the sorted samples, from the one of that rank on, are equal to it. */
unsigned samples_equal(const struct samples *samples, unsigned rank);

/* What samples are in: "instructions", "cycles", "TSC ticks" where the core's cycles are not
 * counted, or "" under an emulator, which has no cycles. */
const char *stamp_unit(void);

#endif
