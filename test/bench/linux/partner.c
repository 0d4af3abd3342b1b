/* SPDX-License-Identifier: MIT */
#include "partner.h"

#include "benchmarks.h"

#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PRIORITY 50

static struct shared *shared;
static pid_t partner;

static int policy;

/* `below`: how much less than the first process's it is. */
static void take_priority(unsigned below)
{
    const struct sched_param parameters = {
        .sched_priority = policy == SCHED_FIFO ? PRIORITY - (int)below : 0,
    };
    int result = sched_setscheduler(0, policy, &parameters);

    must("choosing how it is scheduled", result == 0, result);
}

void partner_prepare(void)
{
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    must("mapping a page to share", shared != MAP_FAILED, -1);

    cpu_set_t first;
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    must("staying on the first processor", sched_setaffinity(0, sizeof first, &first) == 0, -1);
}

void partner_choose(int chosen)
{
    policy = chosen;
    take_priority(0);
}

struct shared *partner_shared(void)
{
    return shared;
}

pid_t partner_start(unsigned below, void (*entry)(struct shared *shared, unsigned words),
                    unsigned words)
{
    memset(shared, 0, sizeof *shared);
    partner = fork();
    must("forking", partner >= 0, partner);
    if (partner == 0) {
        take_priority(below);
        entry(shared, words);
        _exit(1);
    }
    return partner;
}

void partner_stop(void)
{
    must("killing the partner", kill(partner, SIGKILL) == 0, -1);
    must("waiting for its end", waitpid(partner, NULL, __WALL) == partner, -1);
}
