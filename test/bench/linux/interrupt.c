/* SPDX-License-Identifier: MIT */
/*
 * From the timer's interrupt to the process that waited for it.
 *
 * Meanwhile the partner, one priority lower, reads the time-stamp counter over and over: when the
 * interrupt has stopped it, its registers, read with ptrace, hold the last stamp it took and its
 * RIP tells how many of its two instructions came after that.
 */
#include "benchmarks.h"
#include "partner.h"
#include "system_call.h"

#include <sys/ptrace.h>
#include <sys/timerfd.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Long before this the partner is in its loop. */
#define SLEEP_NS 200000l
#define SECOND   1000000000l

__attribute__((naked)) static void read_stamps(struct shared *shared, unsigned words)
{
    __asm__("1: rdtsc\n\t"
            "jmp 1b");
}

static pid_t start_reader(void)
{
    pid_t reader = partner_start(1, read_stamps, 0);

    must("attaching to the partner", ptrace(PTRACE_SEIZE, reader, NULL, NULL) == 0, -1);
    return reader;
}

/* The tick of the instruction that the partner would have executed next. */
static uint64_t delivery(pid_t reader)
{
    struct user_regs_struct regs;

    must("stopping the partner", ptrace(PTRACE_INTERRUPT, reader, NULL, NULL) == 0, -1);
    must("waiting until it stops", waitpid(reader, NULL, __WALL) == reader, -1);
    must("reading its registers", ptrace(PTRACE_GETREGS, reader, NULL, &regs) == 0, -1);
    must("letting it go on", ptrace(PTRACE_CONT, reader, NULL, NULL) == 0, -1);
    return (regs.rdx << 32 | (uint32_t)regs.rax) + (regs.rip == (uint64_t)read_stamps ? 2 : 1);
}

/* -- clock_nanosleep() -- */

static struct timespec soon(void)
{
    struct timespec at;

    must("reading the clock", clock_gettime(CLOCK_MONOTONIC, &at) == 0, -1);
    at.tv_nsec += SLEEP_NS;
    if (at.tv_nsec >= SECOND) {
        at.tv_nsec -= SECOND;
        at.tv_sec++;
    }
    return at;
}

void bench_nanosleep_wake(struct samples *samples, unsigned words)
{
    pid_t reader = start_reader();

    (void)words;
    while (samples_wanted(samples)) {
        const struct timespec at = soon();
        long result =
            system_call4(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, (long)&at, 0);
        uint64_t end = stamp();
        must("sleeping", result == 0, result);
        samples_add(samples, end - delivery(reader));
    }
    partner_stop();
}

/* -- read() of a timerfd -- */

void bench_timerfd_wake(struct samples *samples, unsigned words)
{
    const struct itimerspec once = {.it_value.tv_nsec = SLEEP_NS};
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    pid_t reader = start_reader();

    (void)words;
    must("making a timer", timer >= 0, timer);
    while (samples_wanted(samples)) {
        uint64_t count;
        must("setting the timer", timerfd_settime(timer, 0, &once, NULL) == 0, -1);
        long result = system_call3(SYS_read, timer, (long)&count, sizeof count);
        uint64_t end = stamp();
        must("reading the timer", result == sizeof count, result);
        samples_add(samples, end - delivery(reader));
    }
    partner_stop();
    close(timer);
}
