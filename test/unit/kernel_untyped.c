/* SPDX-License-Identifier: MIT */
/* Retype: its arithmetic, every refusal, reuse, clearing, and others in its windows. */
#include "untyped.h"
#include "world.h"

#define INIT LIMEN_INIT_TABLE

static bool is_empty(unsigned slot)
{
    return slot_is_empty(slot_at(slot));
}

static enum limen_error retype(unsigned untyped, enum limen_type type, uint64_t order,
                               uint64_t table, uint64_t first, uint64_t count)
{
    return OP(untyped, LIMEN_UNTYPED_RETYPE, type, order, table, first, count);
}

static uint64_t used(unsigned untyped)
{
    EXPECT(OK, untyped, LIMEN_UNTYPED_INFO, 0);
    return result(2);
}

static void drop(unsigned slot)
{
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, slot);
}

static void fill_with_dirt(unsigned frame)
{
    memset(object_at(frame), HOST_DIRT, 1ull << slot_at(frame)->order);
}

static bool is_clear(const void *memory, size_t size)
{
    const char *bytes = memory;
    for (size_t i = 0; i < size; i++)
        if (bytes[i])
            return false;
    return true;
}

/* -- arithmetic -- */

static void test_sizes(void **state)
{
    static const struct {
        enum limen_type type;
        uint64_t order;
        unsigned bytes;
    } sizes[] = {
        {LIMEN_TYPE_NONE, 12, 0},        {LIMEN_TYPE_UNTYPED, 5, 0},
        {LIMEN_TYPE_UNTYPED, 6, 6},      {LIMEN_TYPE_UNTYPED, 40, 40},
        {LIMEN_TYPE_UNTYPED, 41, 0},     {LIMEN_TYPE_UNTYPED, UINT64_MAX, 0},
        {LIMEN_TYPE_TABLE, 3, 0},        {LIMEN_TYPE_TABLE, 4, 10},
        {LIMEN_TYPE_TABLE, 16, 22},      {LIMEN_TYPE_TABLE, 17, 0},
        {LIMEN_TYPE_THREAD, 99, 15},     {LIMEN_TYPE_SPACE, 13, 0},
        {LIMEN_TYPE_SPACE, 14, 14},      {LIMEN_TYPE_SPACE, 20, 20},
        {LIMEN_TYPE_SPACE, 21, 0},       {LIMEN_TYPE_FRAME, 11, 0},
        {LIMEN_TYPE_FRAME, 12, 12},      {LIMEN_TYPE_FRAME, 13, 0},
        {LIMEN_TYPE_FRAME, 21, 21},      {LIMEN_TYPE_FRAME, 30, 0},
        {LIMEN_TYPE_FRAME, 1u << 31, 0}, {LIMEN_TYPE_FRAME, (1ull << 32) + 12, 0},
        {LIMEN_TYPE_ENDPOINT, 0, 7},     {LIMEN_TYPE_NOTIFICATION, 0, 7},
        {LIMEN_TYPE_REPLY, 0, 6},        {LIMEN_TYPE_IRQ, 7, 0},
        {LIMEN_TYPE_IRQ_CONTROL, 7, 0},  {LIMEN_TYPE_PORTS, 7, 0},
        {LIMEN_TYPE_KERNEL, 7, 0},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        assert_int_equal(untyped_object_order(sizes[i].type, sizes[i].order), sizes[i].bytes);
}

static void test_places(void **state)
{
    (void)state;
    assert_int_equal(untyped_place(0, 12), 0);
    assert_int_equal(untyped_place(1, 12), 4096);
    assert_int_equal(untyped_place(4096, 12), 4096);
    assert_int_equal(untyped_place(4097, 6), 4160);
    assert_int_equal(untyped_place((1ull << 40) - 1, 40), 1ull << 40);
}

static void test_objects_are_aligned_to_their_size(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 18);
    unsigned reply = make_from(small, LIMEN_TYPE_REPLY, 0);
    unsigned frame = make_from(small, LIMEN_TYPE_FRAME, 12);
    unsigned thread = make_from(small, LIMEN_TYPE_THREAD, 0);
    char *memory = object_at(small);
    assert_ptr_equal(object_at(reply), memory);
    assert_ptr_equal(object_at(frame), memory + 0x1000);
    assert_ptr_equal(object_at(thread), memory + 0x8000);
    assert_int_equal(used(small), 0x10000);
}

/* -- refusals, each of which changes nothing -- */

#define REFUSED(error, ...)                                                                        \
    do {                                                                                           \
        assert_int_equal(retype(__VA_ARGS__), LIMEN_##error);                                      \
        assert_int_equal(result(0), 0);                                                            \
    } while (0)

static void test_refusals(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 14);
    unsigned table = make(LIMEN_TYPE_TABLE, 4);
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned to = fresh();

    REFUSED(BAD_ARGUMENT, small, LIMEN_TYPE_NONE, 12, 0, to, 1);
    REFUSED(BAD_ARGUMENT, small, LIMEN_TYPE_COUNT, 12, 0, to, 1);
    REFUSED(BAD_ARGUMENT, small, LIMEN_TYPE_KERNEL, 12, 0, to, 1);
    REFUSED(BAD_ARGUMENT, small, LIMEN_TYPE_FRAME, 13, 0, to, 1);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, 0, to, 0);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, 0, to, LIMEN_RETYPE_COUNT_MAX + 1);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, 0, to, UINT64_MAX);
    REFUSED(NO_MEMORY, small, LIMEN_TYPE_FRAME, 12, 0, to, 5);
    REFUSED(NO_MEMORY, small, LIMEN_TYPE_FRAME, 21, 0, to, 1);
    REFUSED(NO_MEMORY, small, LIMEN_TYPE_UNTYPED, 40, 0, to, 256);
    REFUSED(BAD_CAPABILITY, small, LIMEN_TYPE_FRAME, 12, to, 1, 1);
    REFUSED(WRONG_TYPE, small, LIMEN_TYPE_FRAME, 12, endpoint, 1, 1);
    REFUSED(NO_RIGHT, small, LIMEN_TYPE_FRAME, 12, copy_of(table, LIMEN_RIGHT_READ), 1, 1);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, 0, 0, 1);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, 0, 1u << LIMEN_INIT_TABLE_ORDER, 1);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, 0, UINT64_MAX, 2);
    REFUSED(OUT_OF_RANGE, small, LIMEN_TYPE_FRAME, 12, table, 14, 3);
    REFUSED(SLOT_OCCUPIED, small, LIMEN_TYPE_FRAME, 12, 0, endpoint, 1);
    REFUSED(SLOT_OCCUPIED, small, LIMEN_TYPE_FRAME, 12, 0, LIMEN_INIT_TABLE, 3);
    REFUSED(BAD_CAPABILITY, small, LIMEN_TYPE_FRAME, 12, UINT64_MAX, 1, 1);
    assert_int_equal(used(small), 0);
    assert_int_equal(retype(small, LIMEN_TYPE_FRAME, 12, table, 13, 3), LIMEN_OK);
    assert_int_equal(result(0), 3);
    EXPECT(BAD_OPERATION, small, 99, 0);
}

static void test_needs_the_right_to_write(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 14);
    slot_at(small)->rights = LIMEN_RIGHT_READ;
    assert_int_equal(retype(small, LIMEN_TYPE_FRAME, 12, 0, fresh(), 1), LIMEN_NO_RIGHT);
    EXPECT(OK, small, LIMEN_UNTYPED_INFO, 0);
}

static void test_a_late_occupied_slot_refuses_all(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 20);
    unsigned table = make(LIMEN_TYPE_TABLE, 10);
    EXPECT(OK, table, LIMEN_TABLE_COPY, 256, 0, LIMEN_INIT_KERNEL, 1);
    REFUSED(SLOT_OCCUPIED, small, LIMEN_TYPE_FRAME, 12, table, 1, 256);
    assert_int_equal(used(small), 0);
}

static void test_as_many_as_one_call_can_make(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 20);
    unsigned table = make(LIMEN_TYPE_TABLE, 10);
    assert_int_equal(retype(small, LIMEN_TYPE_FRAME, 12, table, 1, 256), LIMEN_OK);
    assert_int_equal(result(0), 256);
    assert_int_equal(used(small), 1u << 20);
    REFUSED(NO_MEMORY, small, LIMEN_TYPE_REPLY, 0, table, 300, 1);
}

static void test_info(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 14);
    EXPECT(OK, small, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(0), virt_to_phys(object_at(small)));
    assert_int_equal(result(1), 14);
    assert_int_equal(result(2), 0);
    assert_int_equal(result(3), 0);
    EXPECT(OK, world.device, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(0), WORLD_DEVICE);
    assert_int_equal(result(3), 1);
}

/* -- device memory -- */

static void test_device_memory_makes_frames_only(void **state)
{
    (void)state;
    for (unsigned type = LIMEN_TYPE_TABLE; type <= LIMEN_TYPE_REPLY; type++)
        if (type != LIMEN_TYPE_FRAME)
            REFUSED(WRONG_TYPE, world.device, type, type == LIMEN_TYPE_TABLE ? 4 : 14, 0, fresh(),
                    1);
    /* There is no memory behind the address in this program: any access would be seen. */
    unsigned part = make_from(world.device, LIMEN_TYPE_UNTYPED, 13);
    unsigned frame = make_from(part, LIMEN_TYPE_FRAME, 12);
    assert_int_equal(slot_at(frame)->device, 1);
    REFUSED(WRONG_TYPE, part, LIMEN_TYPE_ENDPOINT, 0, 0, fresh(), 1);
    EXPECT(OK, frame, LIMEN_FRAME_INFO, 0);
    assert_int_equal(result(0), WORLD_DEVICE);
    assert_int_equal(result(2), 1);
}

/* -- reuse and clearing -- */

static void test_memory_comes_back_with_the_last_child(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 14);
    unsigned frames[4];
    for (unsigned i = 0; i < 4; i++) {
        frames[i] = make_from(small, LIMEN_TYPE_FRAME, 12);
        fill_with_dirt(frames[i]);
    }
    for (unsigned i = 0; i < 4; i++) {
        REFUSED(NO_MEMORY, small, LIMEN_TYPE_FRAME, 12, 0, fresh(), 1);
        drop(frames[i]);
    }
    assert_int_equal(used(small), 0);
    unsigned table = make_from(small, LIMEN_TYPE_TABLE, 8);
    assert_true(
        is_clear((char *)object_at(table) + sizeof(struct slot), (1u << 14) - sizeof(struct slot)));
}

static void test_everything_ring_3_sees_is_clear(void **state)
{
    (void)state;
    unsigned frame = make(LIMEN_TYPE_FRAME, 12);
    unsigned large = make(LIMEN_TYPE_FRAME, 21);
    assert_true(is_clear(object_at(frame), 1u << 12));
    assert_true(is_clear(object_at(large), 1u << 21));
}

/* Clearing goes on where it was, also for an object that is the first of its memory. */
static void test_clearing_takes_a_window_a_page(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 21);
    unsigned before = host.windows;
    make_from(small, LIMEN_TYPE_FRAME, 21);
    unsigned pages = 1u << (21 - 12);
    assert_in_range(host.windows - before, pages - 1, pages);
}

/* Before anything is made all slots are looked at, which for many takes long too. */
static void test_many_slots_are_looked_at_in_steps(void **state)
{
    (void)state;
    unsigned first = world.next_slot;
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_COPY, first + 255, 0, LIMEN_INIT_KERNEL, 1);
    unsigned before = host.windows;
    EXPECT(SLOT_OCCUPIED, world.untyped, LIMEN_UNTYPED_RETYPE, LIMEN_TYPE_REPLY, 0, 0, first, 256);
    assert_true(host.windows - before >= 255 / 16);
    assert_true(slot_is_empty(slot_at(first)));
}

/* -- others in the windows -- */

static struct {
    struct actor other;
    unsigned slot, untyped, last;
} window;

static int window_setup(void **state)
{
    world_boot(state);
    memset(&window, 0, sizeof(window));
    window.other = make_actor(255, false);
    return 0;
}

static void fill_the_slot(void)
{
    EXPECT(OK, INIT, LIMEN_TABLE_COPY, window.slot, 0, LIMEN_INIT_KERNEL, LIMEN_RIGHTS_ALL);
}

/* What the alignment of an unfinished object skipped is not taken for clear memory. */
static void test_interrupted_clearing_leaves_nothing_behind(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 22);
    make_from(small, LIMEN_TYPE_ENDPOINT, 0);
    window.slot = fresh();
    at_window(window.other.thread, 600, fill_the_slot);
    assert_int_equal(retype(small, LIMEN_TYPE_FRAME, 21, 0, window.slot, 1), LIMEN_SLOT_OCCUPIED);
    assert_null(host.window);
    for (unsigned i = 0; i < 8; i++) {
        unsigned table = make_from(small, LIMEN_TYPE_TABLE, 6);
        assert_true(is_clear((char *)object_at(table) + sizeof(struct slot),
                             (1u << 12) - sizeof(struct slot)));
    }
    unsigned frame = make_from(small, LIMEN_TYPE_FRAME, 21);
    assert_true(is_clear(object_at(frame), 1u << 21));
}

static void test_says_how_many_it_made(void **state)
{
    (void)state;
    window.slot = fresh() + 5;
    world.next_slot += 10;
    at_window(window.other.thread, 3, fill_the_slot);
    assert_int_equal(retype(world.untyped, LIMEN_TYPE_FRAME, 12, 0, window.slot - 5, 10),
                     LIMEN_SLOT_OCCUPIED);
    assert_int_equal(result(0), 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(slot_at(window.slot - 5 + i)->type, LIMEN_TYPE_FRAME);
    assert_true(is_empty(window.slot + 1));
}

static void take_memory(void)
{
    make_from(window.untyped, LIMEN_TYPE_FRAME, 12);
}

static void test_memory_that_another_takes(void **state)
{
    (void)state;
    unsigned first = fresh();
    world.next_slot += 20;
    window.untyped = make(LIMEN_TYPE_UNTYPED, 15);
    at_window(window.other.thread, 1, take_memory);
    assert_int_equal(retype(window.untyped, LIMEN_TYPE_FRAME, 12, 0, first, 7), LIMEN_OK);
    window.untyped = make(LIMEN_TYPE_UNTYPED, 15);
    at_window(window.other.thread, 1, take_memory);
    assert_int_equal(retype(window.untyped, LIMEN_TYPE_FRAME, 12, 0, first + 10, 8),
                     LIMEN_NO_MEMORY);
    assert_int_equal(result(0), 7);
    assert_true(is_empty(first + 17));
}

static void put_device_memory_there(void)
{
    unsigned aside = fresh();
    EXPECT(OK, INIT, LIMEN_TABLE_MOVE, aside, 0, window.untyped);
    EXPECT(OK, INIT, LIMEN_TABLE_MOVE, window.untyped, 0, world.device);
}

static void test_capability_that_is_replaced_by_device_memory(void **state)
{
    (void)state;
    unsigned first = fresh();
    world.next_slot += 4;
    window.untyped = make(LIMEN_TYPE_UNTYPED, 16);
    at_window(window.other.thread, 2, put_device_memory_there);
    assert_int_equal(retype(window.untyped, LIMEN_TYPE_TABLE, 6, 0, first, 4), LIMEN_WRONG_TYPE);
    assert_null(host.window);
}

static void delete_the_untyped(void)
{
    drop(window.untyped);
}

static void test_capability_that_is_deleted(void **state)
{
    (void)state;
    window.untyped = make(LIMEN_TYPE_UNTYPED, 16);
    unsigned first = fresh();
    world.next_slot += 4;
    at_window(window.other.thread, 2, delete_the_untyped);
    assert_int_equal(retype(window.untyped, LIMEN_TYPE_TABLE, 6, 0, first, 4),
                     LIMEN_BAD_CAPABILITY);
    assert_int_equal(result(0), 2);
}

/* When the last that is derived from it goes, the others still lie there. */
static void use_the_untyped(void)
{
    drop(window.last);
    unsigned frame = fresh();
    unsigned space = make(LIMEN_TYPE_SPACE, 14);
    assert_null(slot_at(window.untyped)->child);
    REFUSED(BUSY, window.untyped, LIMEN_TYPE_FRAME, 12, 0, frame, 1);
    EXPECT(BUSY, LIMEN_INIT_IRQ_CONTROL, LIMEN_IRQ_CONTROL_ISSUE, 1, 0, window.untyped, frame);
    EXPECT(BUSY, space, LIMEN_SPACE_DONATE, window.untyped);
}

/* Its children, handed on one by one, still lie in the memory when it has none left. */
static void test_nothing_is_made_of_memory_being_deleted(void **state)
{
    (void)state;
    window.untyped = make(LIMEN_TYPE_UNTYPED, 14);
    window.last = make_from(window.untyped, LIMEN_TYPE_FRAME, 12);
    for (unsigned i = 0; i < 2; i++)
        make_from(window.untyped, LIMEN_TYPE_FRAME, 12);
    at_window(window.other.thread, 2, use_the_untyped);
    drop(window.untyped);
    assert_null(host.window);
    assert_true(is_empty(window.untyped));
}

static void kill_init(void)
{
    use_the_untyped();
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, LIMEN_INIT_THREAD);
}

static void test_nothing_is_made_of_memory_half_deleted(void **state)
{
    (void)state;
    window.untyped = make(LIMEN_TYPE_UNTYPED, 14);
    window.last = make_from(window.untyped, LIMEN_TYPE_FRAME, 12);
    for (unsigned i = 0; i < 2; i++)
        make_from(window.untyped, LIMEN_TYPE_FRAME, 12);
    world.init->essential = false; /* as if it were any thread */
    at_window(window.other.thread, 2, kill_init);
    if (!setjmp(abandon)) {
        (void)OP(INIT, LIMEN_TABLE_DELETE, window.untyped);
        fail_msg("a dead thread went on");
    }
    use_the_untyped();
    drop(window.untyped);
    assert_true(is_empty(window.untyped));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_places),
        WORLD_TEST(test_many_slots_are_looked_at_in_steps),
        WORLD_TEST(test_objects_are_aligned_to_their_size),
        WORLD_TEST(test_refusals),
        WORLD_TEST(test_needs_the_right_to_write),
        WORLD_TEST(test_a_late_occupied_slot_refuses_all),
        WORLD_TEST(test_as_many_as_one_call_can_make),
        WORLD_TEST(test_info),
        WORLD_TEST(test_device_memory_makes_frames_only),
        WORLD_TEST(test_memory_comes_back_with_the_last_child),
        WORLD_TEST(test_everything_ring_3_sees_is_clear),
        WORLD_TEST(test_clearing_takes_a_window_a_page),
        cmocka_unit_test_setup(test_interrupted_clearing_leaves_nothing_behind, window_setup),
        cmocka_unit_test_setup(test_says_how_many_it_made, window_setup),
        cmocka_unit_test_setup(test_memory_that_another_takes, window_setup),
        cmocka_unit_test_setup(test_capability_that_is_replaced_by_device_memory, window_setup),
        cmocka_unit_test_setup(test_capability_that_is_deleted, window_setup),
        cmocka_unit_test_setup(test_nothing_is_made_of_memory_being_deleted, window_setup),
        cmocka_unit_test_setup(test_nothing_is_made_of_memory_half_deleted, window_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
