/* SPDX-License-Identifier: MIT */
/* What is measured, each by one function, which takes the samples that are wanted or says why it
 * cannot.  docs/benchmark.md tells what each figure includes. */
#ifndef BENCH_BENCHMARKS_H
#define BENCH_BENCHMARKS_H

#include "measure.h"

typedef enum limen_error benchmark(struct samples *samples);

/* roundtrip.c */
benchmark bench_null_syscall;
benchmark bench_roundtrip_0;
benchmark bench_roundtrip_4;
benchmark bench_roundtrip_8;
benchmark bench_roundtrip_10;
benchmark bench_roundtrip_64;
benchmark bench_roundtrip_same_0;

/* switch.c */
benchmark bench_notify_wake;
benchmark bench_context_switch;
benchmark bench_fault_roundtrip;

/* interrupt.c */
benchmark bench_irq_to_user;

/* Ends whatever the firmware had the timer do, so that it interrupts only where it is measured. */
void timer_silence(void);

/* memory.c */
benchmark bench_map_unmap;
benchmark bench_thread_create_join;

/* The frame that bench_map_unmap maps. */
enum limen_error frame_to_map(uint32_t *slot);

/* counters.c */
benchmark bench_boot_to_init;
benchmark bench_max_irqs_off;

/* Instructions of the boot that were spent waiting for a clock to compare with. */
uint64_t calibration_ticks(void);

struct benchmark_entry {
    const char *name; /* as in build/bench.json */
    benchmark *measure;
    unsigned laps; /* 1: a figure of the kernel's own, without samples */
};

/* Ends with an entry without a name. */
extern const struct benchmark_entry benchmarks[];

/* Runs one. */
enum limen_error benchmark_run(const struct benchmark_entry *entry, struct samples *samples);

#endif
