/* SPDX-License-Identifier: MIT */
#include "baton.h"

#include <runtime/ipc.h>

static volatile uintptr_t holder;
static volatile bool left[BATON_RUNNERS_MAX];

void reset_baton(void)
{
    holder = 0;
    for (unsigned i = 0; i < BATON_RUNNERS_MAX; i++)
        left[i] = false;
}

void take_baton(uintptr_t me, bool spinning)
{
    while (holder != me)
        if (!spinning)
            limen_yield();
}

void pass_baton(uintptr_t me, unsigned count)
{
    uintptr_t next = me;

    do
        next = (next + 1) % count;
    while (left[next] && next != me);
    holder = next;
}

void leave_baton(uintptr_t me, unsigned count)
{
    left[me] = true;
    if (holder == me)
        pass_baton(me, count);
}
