/* SPDX-License-Identifier: MIT */
/* What is measured of Linux, each by one function, which takes the samples that are wanted.
 * docs/benchmark.md tells which operation of Limen's each one stands beside. */
#ifndef LINUX_BENCHMARKS_H
#define LINUX_BENCHMARKS_H

#include "../../../servers/bench/measure.h"

/* `words`: of a message, for those that send one. */
typedef void benchmark(struct samples *samples, unsigned words);

/* roundtrip.c */
benchmark bench_getppid;
benchmark bench_pipe_roundtrip;
benchmark bench_futex_roundtrip;

/* switch.c */
benchmark bench_eventfd_wake;
benchmark bench_futex_wake;
benchmark bench_yield;

/* fault.c */
benchmark bench_sigsegv;

/* interrupt.c */
benchmark bench_nanosleep_wake;
benchmark bench_timerfd_wake;

/* memory.c */
benchmark bench_map_memfd;
benchmark bench_map_anonymous;
benchmark bench_map_untouched;
benchmark bench_pthread;

/* cycles.c: from here on core_cycles() counts, where the processor does. */
void cycles_open(void);

/* Ends the machine, saying what failed, when `fine` is false.  errno tells why where `result`, of a
 * call to the C library, is -1, and `result` itself where it is less. */
void must(const char *what, bool fine, long result);

#endif
