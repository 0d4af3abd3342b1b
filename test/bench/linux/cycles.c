/* SPDX-License-Identifier: MIT */
/* The core's cycles, as Linux counts them for all processes on the first processor. */
#include "benchmarks.h"

#include <linux/perf_event.h>
#include <sys/syscall.h>
#include <unistd.h>

static long counter = -1;

void cycles_open(void)
{
    struct perf_event_attr cycles = {
        .type = PERF_TYPE_HARDWARE,
        .size = sizeof cycles,
        .config = PERF_COUNT_HW_CPU_CYCLES,
        .pinned = 1,
    };

    counter = syscall(SYS_perf_event_open, &cycles, -1, 0, -1, 0);
}

bool core_cycles(uint64_t *cycles)
{
    return counter >= 0 && read((int)counter, cycles, sizeof *cycles) == sizeof *cycles;
}
