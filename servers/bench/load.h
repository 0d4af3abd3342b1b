/* SPDX-License-Identifier: MIT */
/*
 * What else there is while something is measured, for costs must not grow with it.  Boot options
 * say how much; a server with the manifest's usual grant has memory for little.
 *
 *   bench-threads=N       threads that wait for what never comes, every other one until a deadline
 *   bench-capabilities=N  copies of the capabilities that the measured calls name
 *   bench-ready=N         threads ready to run, in turn at each priority below those at work
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <limen.h>

/* Makes it, once. */
enum limen_error load_prepare(void);

/* Before and after a benchmark.  Only between the two are threads ready: others would not get the
 * processor. */
void load_begin(void);
void load_end(void);

#endif
