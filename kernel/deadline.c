/* SPDX-License-Identifier: MIT */
#include "deadline.h"

#include <stddef.h>

static uint32_t rank(const struct deadline *node)
{
    return node ? node->rank : 0;
}

/* Restores the leftist property of one node, and says whether its rank changed. */
static bool settle(struct deadline *node)
{
    if (rank(node->left) < rank(node->right)) {
        struct deadline *swap = node->left;
        node->left = node->right;
        node->right = swap;
    }
    uint32_t before = node->rank;
    node->rank = rank(node->right) + 1;
    return node->rank != before;
}

/* Merges two heaps along their right spines, each at most logarithmically long: first down, linking
 * the smaller root in, then up again, settling. */
static struct deadline *merge(struct deadline *a, struct deadline *b)
{
    struct deadline *root = NULL;
    struct deadline *last = NULL;

    while (a && b) {
        if (b->tick < a->tick) {
            struct deadline *swap = a;
            a = b;
            b = swap;
        }
        a->parent = last;
        if (last)
            last->right = a;
        else
            root = a;
        last = a;
        a = a->right;
    }
    struct deadline *rest = a ? a : b;
    if (!last)
        return rest;
    last->right = rest;
    if (rest)
        rest->parent = last;
    for (; last; last = last->parent)
        settle(last);
    return root;
}

void deadline_insert(struct deadline **heap, struct deadline *item)
{
    item->parent = NULL;
    item->left = NULL;
    item->right = NULL;
    item->rank = 1;
    *heap = merge(*heap, item);
    (*heap)->parent = NULL;
}

void deadline_remove(struct deadline **heap, struct deadline *item)
{
    struct deadline *parent = item->parent;

    if (item->left)
        item->left->parent = NULL;
    if (item->right)
        item->right->parent = NULL;
    struct deadline *joined = merge(item->left, item->right);
    if (joined)
        joined->parent = parent;
    if (!parent)
        *heap = joined;
    else if (parent->left == item)
        parent->left = joined;
    else
        parent->right = joined;
    while (parent && settle(parent))
        parent = parent->parent;
    item->rank = 0;
}
