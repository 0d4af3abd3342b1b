/* SPDX-License-Identifier: MIT */
/* The heap of deadlines against a plain array, which finds the nearest by looking at all. */
#include "deadline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define ITEMS 512u

static struct deadline items[ITEMS];
static struct deadline *heap;

static int setup(void **state)
{
    (void)state;
    memset(items, 0, sizeof(items));
    heap = NULL;
    return 0;
}

static unsigned check(const struct deadline *node, const struct deadline *parent)
{
    if (!node)
        return 0;
    unsigned left = node->left ? node->left->rank : 0;
    unsigned right = node->right ? node->right->rank : 0;
    assert_ptr_equal(node->parent, parent);
    assert_true(!parent || node->tick >= parent->tick);
    assert_true(left >= right);
    assert_int_equal(node->rank, right + 1);
    return 1 + check(node->left, node) + check(node->right, node);
}

static void check_against_the_array(void)
{
    const struct deadline *nearest = NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < ITEMS; i++) {
        if (!deadline_is_set(&items[i]))
            continue;
        count++;
        if (!nearest || items[i].tick < nearest->tick)
            nearest = &items[i];
    }
    assert_int_equal(check(heap, NULL), count);
    if (nearest)
        assert_int_equal(heap->tick, nearest->tick);
    else
        assert_null(heap);
}

static void insert(unsigned i, uint64_t tick)
{
    items[i].tick = tick;
    deadline_insert(&heap, &items[i]);
}

static void test_one(void **state)
{
    (void)state;
    assert_false(deadline_is_set(&items[0]));
    insert(0, 7);
    assert_ptr_equal(heap, &items[0]);
    assert_true(deadline_is_set(&items[0]));
    deadline_remove(&heap, &items[0]);
    assert_null(heap);
    assert_false(deadline_is_set(&items[0]));
}

static void test_come_out_in_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ITEMS; i++)
        insert(i, i * 37 % ITEMS);
    for (unsigned i = 0; i < ITEMS; i++) {
        assert_int_equal(heap->tick, i);
        deadline_remove(&heap, heap);
        check_against_the_array();
    }
    assert_null(heap);
}

/* Rising, falling and equal ticks are where an unbalanced tree would show. */
static void test_shapes(void **state)
{
    (void)state;
    for (unsigned shape = 0; shape < 3; shape++) {
        for (unsigned i = 0; i < ITEMS; i++)
            insert(i, shape == 0 ? i : shape == 1 ? ITEMS - i : 5);
        check_against_the_array();
        assert_true(heap->rank <= 10);
        for (unsigned i = 0; i < ITEMS; i++) {
            deadline_remove(&heap, &items[(i * 101 + 3) % ITEMS]);
            check_against_the_array();
        }
    }
}

static void test_extremes(void **state)
{
    (void)state;
    insert(0, UINT64_MAX);
    insert(1, 0);
    insert(2, UINT64_MAX);
    insert(3, 1);
    check_against_the_array();
    deadline_remove(&heap, &items[1]);
    deadline_remove(&heap, &items[3]);
    assert_int_equal(heap->tick, UINT64_MAX);
    check_against_the_array();
}

static void test_random(void **state)
{
    uint64_t seed = 0x243f6a8885a308d3;
    (void)state;
    for (unsigned step = 0; step < 20000; step++) {
        seed = seed * 6364136223846793005ull + 1442695040888963407ull;
        struct deadline *item = &items[seed >> 40 & (ITEMS - 1)];
        if (deadline_is_set(item)) {
            deadline_remove(&heap, item);
        } else {
            item->tick = seed >> 20 & 0xff; /* many equal ones */
            deadline_insert(&heap, item);
        }
        if (step % 16 == 0)
            check_against_the_array();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_one, setup),
        cmocka_unit_test_setup(test_come_out_in_order, setup),
        cmocka_unit_test_setup(test_shapes, setup),
        cmocka_unit_test_setup(test_extremes, setup),
        cmocka_unit_test_setup(test_random, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
