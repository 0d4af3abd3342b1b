/* SPDX-License-Identifier: MIT */
/* Memory before there are objects: the loader's map, checked, allocated from and given away. */
#include "boot_memory.h"
#include "machine.h"

#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define PAGE LIMEN_PAGE_SIZE

static struct limen_boot boot;

/* Two stretches of free memory with something loaded between, and a device. */
static int setup(void **state)
{
    (void)state;
    host_reset();
    boot = (struct limen_boot){
        .magic = LIMEN_BOOT_MAGIC,
        .version = LIMEN_BOOT_VERSION,
        .size = sizeof(boot),
        .range_count = 4,
        .ranges = {{.start = 0x3000, .pages = 13, .kind = LIMEN_MEMORY_FREE},
                   {.start = 0x10000, .pages = 16, .kind = LIMEN_MEMORY_LOADED},
                   {.start = 0x20000, .pages = 0x40, .kind = LIMEN_MEMORY_FREE},
                   {.start = 0xfe000000, .pages = 3, .kind = LIMEN_MEMORY_DEVICE}},
    };
    return 0;
}

#define MAP_TEST(test) cmocka_unit_test_setup(test, setup)

#define ASSERT_PANICS(statement, text)                                                             \
    do {                                                                                           \
        host.panic_expected = true;                                                                \
        if (!setjmp(host.panic_jump)) {                                                            \
            statement;                                                                             \
            fail_msg("no panic: %s", #statement);                                                  \
        }                                                                                          \
        if (!strstr(host.panic_text, text))                                                        \
            fail_msg("it should say '%s', but says: %s", text, host.panic_text);                   \
    } while (0)

/* -- maps that cannot be -- */

static void test_not_from_the_loader(void **state)
{
    (void)state;
    boot.magic++;
    ASSERT_PANICS(boot_memory_init(&boot), "not started by Limen's loader");
    setup(NULL);
    boot.version++;
    ASSERT_PANICS(boot_memory_init(&boot), "install both from one build");
    setup(NULL);
    boot.size--;
    ASSERT_PANICS(boot_memory_init(&boot), "install both from one build");
}

static void test_counts_beyond_the_structure(void **state)
{
    (void)state;
    boot.range_count = LIMEN_BOOT_RANGES_MAX + 1;
    ASSERT_PANICS(boot_memory_init(&boot), "513 memory ranges");
    setup(NULL);
    boot.segment_count = LIMEN_BOOT_SEGMENTS_MAX + 1;
    ASSERT_PANICS(boot_memory_init(&boot), "9 segments");
}

static void test_bad_ranges(void **state)
{
    static const struct limen_memory_range bad[] = {
        {.start = 0x20800, .pages = 1, .kind = LIMEN_MEMORY_FREE},          /* not aligned */
        {.start = 0x1f000, .pages = 1, .kind = LIMEN_MEMORY_FREE},          /* overlaps */
        {.start = 0x2000, .pages = 1, .kind = LIMEN_MEMORY_FREE},           /* not sorted */
        {.start = 0x20000, .pages = 0, .kind = LIMEN_MEMORY_FREE},          /* empty */
        {.start = 0x20000, .pages = 1ull << 52, .kind = LIMEN_MEMORY_FREE}, /* wraps round */
        {.start = 0x20000, .pages = UINT64_MAX, .kind = LIMEN_MEMORY_DEVICE},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        setup(NULL);
        boot.ranges[2] = bad[i];
        ASSERT_PANICS(boot_memory_init(&boot), "range 2 of the memory map");
    }
}

/* -- allocation -- */

static void test_first_fit_from_the_end(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    assert_int_equal(virt_to_phys(boot_memory_take(1, 12)), 0xf000);
    assert_int_equal(virt_to_phys(boot_memory_take(3, 12)), 0xc000);
    assert_int_equal(virt_to_phys(boot_memory_take(2, 14)), 0x8000);
    assert_int_equal(virt_to_phys(boot_memory_take(6, 12)), 0x5a000);
    assert_int_equal(virt_to_phys(boot_memory_take(5, 12)), 0x3000);
    assert_int_equal(virt_to_phys(boot_memory_take(1, 16)), 0x50000);
}

static void test_what_is_taken_is_clear(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    const char *memory = kernel_boot_alloc(4);
    for (unsigned i = 0; i < 4 * PAGE; i++)
        assert_int_equal(memory[i], 0);
    assert_int_equal((uint8_t)memory[-1], HOST_DIRT);
}

static void test_nothing_left(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    ASSERT_PANICS(boot_memory_take(0x41, 12), "no 65 pages of free memory");
    boot_memory_take(0x40, 12);
    boot_memory_take(13, 12);
    ASSERT_PANICS(boot_memory_take(1, 12), "no 1 pages of free memory");
}

static void test_alignment_that_no_range_has(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    ASSERT_PANICS(boot_memory_take(1, 20), "no 1 pages of free memory");
}

/* -- giving away -- */

static struct {
    unsigned count;
    uint64_t next, bytes;
} given;

static void note(void *context, uint64_t start, unsigned order)
{
    assert_ptr_equal(context, &given);
    assert_true(order >= LIMEN_PAGE_ORDER && order <= LIMEN_UNTYPED_ORDER_MAX);
    assert_int_equal(start % (1ull << order), 0);
    assert_true(start >= given.next);
    given.next = start + (1ull << order);
    given.bytes += 1ull << order;
    given.count++;
}

static void give(enum limen_memory_kind kind, unsigned count, uint64_t bytes)
{
    memset(&given, 0, sizeof(given));
    boot_memory_give(kind, note, &given);
    assert_int_equal(given.count, count);
    assert_int_equal(given.bytes, bytes);
}

static void test_blocks_are_as_large_as_can_be(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    /* 3; 4 to 7; 8 to f; then 20 to 3f; 40 to 5f. */
    give(LIMEN_MEMORY_FREE, 5, 0x4d * PAGE);
    give(LIMEN_MEMORY_LOADED, 1, 16 * PAGE);
    give(LIMEN_MEMORY_DEVICE, 2, 3 * PAGE);
    assert_int_equal(boot_memory_total(), 0x5d * PAGE);
}

static void test_what_was_taken_is_not_given(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    boot_memory_take(0x40, 12);
    give(LIMEN_MEMORY_FREE, 3, 13 * PAGE);
    assert_int_equal(boot_memory_total(), 0x5d * PAGE); /* whoever has it */
}

static void test_block_orders(void **state)
{
    (void)state;
    assert_int_equal(boot_block_order(0, PAGE), 12);
    assert_int_equal(boot_block_order(0, 1ull << 39), 39);
    assert_int_equal(boot_block_order(0, 1ull << 45), LIMEN_UNTYPED_ORDER_MAX);
    assert_int_equal(boot_block_order(PAGE, 1ull << 30), 12);
    assert_int_equal(boot_block_order(0x200000, 0x3ff000), 20);
    assert_int_equal(boot_block_order(0x200000, 0x400000), 21);
}

/* -- what the kernel keeps -- */

static void test_kept_pages_are_given_to_nobody(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    kernel_boot_keep(0xfe001010, 8);
    give(LIMEN_MEMORY_DEVICE, 2, 2 * PAGE);
    kernel_boot_keep(0xfe000000, PAGE);
    give(LIMEN_MEMORY_DEVICE, 1, PAGE);
    kernel_boot_keep(0xfe002fff, 1);
    give(LIMEN_MEMORY_DEVICE, 0, 0);
}

static void test_keeping_across_ranges(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    kernel_boot_keep(0xe000, 0x14000); /* the end of one, all of the next, the start of a third */
    give(LIMEN_MEMORY_LOADED, 0, 0);
    /* 3; 4 to 7; 8 to b; c and d; then 22 and 23; 24 to 27; 28 to 2f; 30 to 3f; 40 to 5f. */
    give(LIMEN_MEMORY_FREE, 9, (11 + 0x3e) * PAGE);
}

static void test_keeping_what_is_in_no_range(void **state)
{
    (void)state;
    boot_memory_init(&boot);
    kernel_boot_keep(0x70000000, 2 * PAGE);
    kernel_boot_keep(0x60000, PAGE); /* just behind a range */
    give(LIMEN_MEMORY_FREE, 5, 0x4d * PAGE);
    give(LIMEN_MEMORY_DEVICE, 2, 3 * PAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        MAP_TEST(test_not_from_the_loader),
        MAP_TEST(test_counts_beyond_the_structure),
        MAP_TEST(test_bad_ranges),
        MAP_TEST(test_first_fit_from_the_end),
        MAP_TEST(test_what_is_taken_is_clear),
        MAP_TEST(test_nothing_left),
        MAP_TEST(test_alignment_that_no_range_has),
        MAP_TEST(test_blocks_are_as_large_as_can_be),
        MAP_TEST(test_what_was_taken_is_not_given),
        MAP_TEST(test_block_orders),
        MAP_TEST(test_kept_pages_are_given_to_nobody),
        MAP_TEST(test_keeping_across_ranges),
        MAP_TEST(test_keeping_what_is_in_no_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
