/* SPDX-License-Identifier: MIT */
/* What one process causes in another, one way. */
#include "benchmarks.h"
#include "partner.h"
#include "system_call.h"

#include <linux/futex.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* -- a process of higher priority is woken through an eventfd -- */

static int event;

static void write_again_and_again(struct shared *shared, unsigned words)
{
    const uint64_t one = 1;

    (void)words;
    for (;;) {
        shared->stamp = stamp();
        system_call3(SYS_write, event, (long)&one, sizeof one);
    }
}

void bench_eventfd_wake(struct samples *samples, unsigned words)
{
    const struct shared *shared = partner_shared();

    (void)words;
    event = eventfd(0, 0);
    must("making an eventfd", event >= 0, event);
    partner_start(1, write_again_and_again, 0);
    while (samples_wanted(samples)) {
        uint64_t count;
        long result = system_call3(SYS_read, event, (long)&count, sizeof count);
        uint64_t end = stamp();
        must("reading the eventfd", result == sizeof count, result);
        samples_between(samples, shared->stamp, end);
    }
    partner_stop();
    close(event);
}

/* -- through a futex -- */

static void wake_again_and_again(struct shared *shared, unsigned words)
{
    (void)words;
    for (;;) {
        shared->stamp = stamp();
        __atomic_store_n(&shared->turn, 1, __ATOMIC_RELEASE);
        system_call3(SYS_futex, (long)&shared->turn, FUTEX_WAKE, 1);
    }
}

void bench_futex_wake(struct samples *samples, unsigned words)
{
    struct shared *shared = partner_shared();

    (void)words;
    partner_start(1, wake_again_and_again, 0);
    while (samples_wanted(samples)) {
        __atomic_store_n(&shared->turn, 0, __ATOMIC_RELEASE);
        long result = system_call4(SYS_futex, (long)&shared->turn, FUTEX_WAIT, 0, 0);
        uint64_t end = stamp();
        must("waiting on the futex", result == 0, result);
        samples_between(samples, shared->stamp, end);
    }
    partner_stop();
}

/* -- equals take turns -- */

static void yield_again_and_again(struct shared *shared, unsigned words)
{
    (void)words;
    for (;;) {
        shared->stamp = stamp();
        system_call0(SYS_sched_yield);
    }
}

void bench_yield(struct samples *samples, unsigned words)
{
    struct shared *shared = partner_shared();

    (void)words;
    partner_start(0, yield_again_and_again, 0);
    while (samples_wanted(samples)) {
        shared->stamp = 0;
        system_call0(SYS_sched_yield);
        uint64_t end = stamp();
        must("switching to the partner and back", shared->stamp != 0, 0);
        samples_between(samples, shared->stamp, end);
    }
    partner_stop();
}
