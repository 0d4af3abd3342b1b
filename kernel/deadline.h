/* SPDX-License-Identifier: MIT */
/*
 * What is to happen at some tick, nearest first: threads that wait with a deadline, contexts whose
 * threads wait for a refill.  A leftist heap linked through them, so that it needs no memory of its
 * own and no operation takes longer than the logarithm of their number.
 */
#ifndef KERNEL_DEADLINE_H
#define KERNEL_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

struct deadline {
    uint64_t tick;
    struct deadline *parent;
    struct deadline *left;
    struct deadline *right;
    uint32_t rank;  /* length of the rightmost path, this node included; 0: not in a heap */
    bool is_refill; /* of a context, where others are of a thread */
};

void deadline_insert(struct deadline **heap, struct deadline *item);
void deadline_remove(struct deadline **heap, struct deadline *item);

static inline bool deadline_is_set(const struct deadline *item)
{
    return item->rank != 0;
}

#endif
