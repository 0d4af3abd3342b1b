/* SPDX-License-Identifier: MIT */
/* A fault, its handler, and back: the handler returns to the instruction that faults again. */
#include "benchmarks.h"

#include <signal.h>
#include <ucontext.h>

#define ADDRESS_NEVER_MAPPED 8ul
#define LOAD_BYTES           2u /* of movl (%rax), %ecx */

static struct samples *taken;
static uint64_t begin;

/* A lap is from the end of the handler to its next beginning. */
static void again(int signal, siginfo_t *information, void *context)
{
    uint64_t end = stamp();
    ucontext_t *interrupted = context;

    (void)signal;
    (void)information;
    if (begin != 0)
        samples_between(taken, begin, end);
    if (!samples_wanted(taken))
        interrupted->uc_mcontext.gregs[REG_RIP] += LOAD_BYTES;
    begin = stamp();
}

void bench_sigsegv(struct samples *samples, unsigned words)
{
    const struct sigaction action = {.sa_sigaction = again, .sa_flags = SA_SIGINFO};

    (void)words;
    taken = samples;
    begin = 0;
    must("handling SIGSEGV", sigaction(SIGSEGV, &action, NULL) == 0, -1);
    __asm__ volatile("movl (%%rax), %%ecx" : : "a"(ADDRESS_NEVER_MAPPED) : "ecx", "memory");
    must("taking the default for SIGSEGV",
         sigaction(SIGSEGV, &(struct sigaction){.sa_handler = SIG_DFL}, NULL) == 0, -1);
}
