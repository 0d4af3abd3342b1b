/* SPDX-License-Identifier: MIT */
#include "restart.h"

#define MS 1000000u

/* Before the second life, the third, and so on. */
static const uint64_t delays[] = {0, 10 * MS, 100 * MS, 1000 * MS};
#define DELAYS (sizeof delays / sizeof delays[0])

uint64_t restart_delay(enum limen_restart policy, enum server_end end, uint64_t lived_ns,
                       unsigned *failures)
{
    if (policy == LIMEN_RESTART_NEVER || (policy == LIMEN_RESTART_ON_FAULT && end != END_FAULT))
        return RESTART_NOT;
    if (end == END_KILL)
        return 0;
    if (lived_ns >= RESTART_GOOD_LIFE_NS)
        *failures = 0;
    return (*failures)++ < DELAYS ? delays[*failures - 1] : RESTART_GIVEN_UP;
}
