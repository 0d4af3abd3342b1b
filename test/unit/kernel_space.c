/* SPDX-License-Identifier: MIT */
/* Address spaces and frames: mapping, the memory of page tables, donations. */
#include "world.h"

#define INIT LIMEN_INIT_TABLE
#define R    LIMEN_RIGHT_READ
#define W    LIMEN_RIGHT_WRITE
#define X    LIMEN_RIGHT_EXECUTE

static struct {
    unsigned space, frame;
    struct space *object;
} scene;

/* A space of two table pages: one mapping needs three. */
static int scene_setup(void **state)
{
    world_boot(state);
    scene.space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    scene.frame = make(LIMEN_TYPE_FRAME, 12);
    scene.object = object_at(scene.space);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static enum limen_error map(unsigned frame, unsigned space, uint64_t address, uint64_t rights,
                            uint64_t cache)
{
    return OP(frame, LIMEN_FRAME_MAP, space, address, rights, cache);
}

static unsigned roomy_space(void)
{
    return make(LIMEN_TYPE_SPACE, 16);
}

static void assert_space(unsigned space, uint64_t held, uint64_t free, uint64_t mapped)
{
    EXPECT(OK, space, LIMEN_SPACE_INFO, 0);
    assert_int_equal(result(0), held);
    assert_int_equal(result(1), free);
    assert_int_equal(result(2), mapped);
}

static void assert_mapped(unsigned space, uint64_t address, unsigned frame, unsigned rights)
{
    const struct space *object = object_at(space);
    struct host_mapping found;
    assert_true(host_translate(&object->arch, address, &found));
    assert_int_equal(found.physical, virt_to_phys(object_at(frame)));
    assert_int_equal(found.rights, rights);
}

/* -- mapping -- */

static void test_map_and_unmap(void **state)
{
    struct host_mapping found;
    (void)state;
    unsigned space = roomy_space();
    assert_int_equal(map(scene.frame, space, 0x400000, R | W, 0), LIMEN_OK);
    assert_mapped(space, 0x400000, scene.frame, R | W);
    EXPECT(OK, scene.frame, LIMEN_FRAME_INFO, 0);
    assert_int_equal(result(0), virt_to_phys(object_at(scene.frame)));
    assert_int_equal(result(1), 12);
    assert_int_equal(result(2), 0);
    assert_int_equal(result(3), 0x400000);
    assert_space(space, 14, 11, 4096);
    EXPECT(OK, scene.frame, LIMEN_FRAME_UNMAP, 0);
    assert_false(host_translate(&((struct space *)object_at(space))->arch, 0x400000, &found));
    EXPECT(OK, scene.frame, LIMEN_FRAME_INFO, 0);
    assert_int_equal(result(3), 0);
    EXPECT(NOT_MAPPED, scene.frame, LIMEN_FRAME_UNMAP, 0);
    assert_space(space, 14, 11, 0); /* tables come back all at once, when the space is emptied */
}

static void test_map_refuses(void **state)
{
    (void)state;
    unsigned space = roomy_space(), frame = scene.frame;
    unsigned large = make(LIMEN_TYPE_FRAME, 21);
    const uint64_t last = LIMEN_USER_END - LIMEN_PAGE_SIZE;

    assert_int_equal(map(frame, fresh(), 0x1000, R, 0), LIMEN_BAD_CAPABILITY);
    assert_int_equal(map(frame, frame, 0x1000, R, 0), LIMEN_WRONG_TYPE);
    assert_int_equal(map(frame, copy_of(space, R), 0x1000, R, 0), LIMEN_NO_RIGHT);
    assert_int_equal(map(frame, space, 0x1000, 0, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1000, W | X, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1000, R | W | X, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1000, LIMEN_RIGHT_GRANT, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1000, R | 1ull << 32, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1000, R, LIMEN_CACHE_NONE), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1000, R, 2), LIMEN_BAD_ARGUMENT);
    assert_int_equal(map(frame, space, 0x1001, R, 0), LIMEN_MISALIGNED);
    assert_int_equal(map(large, space, 0x1000, R, 0), LIMEN_MISALIGNED);
    assert_int_equal(map(frame, space, 0, R, 0), LIMEN_OUT_OF_RANGE);
    assert_int_equal(map(frame, space, LIMEN_USER_END, R, 0), LIMEN_OUT_OF_RANGE);
    assert_int_equal(map(frame, space, LIMEN_PHYSMAP_BASE, R, 0), LIMEN_OUT_OF_RANGE);
    assert_int_equal(map(frame, space, ~(LIMEN_PAGE_SIZE - 1), R, 0), LIMEN_OUT_OF_RANGE);
    assert_int_equal(map(large, space, 0x00007fffffe00000, R, 0), LIMEN_OUT_OF_RANGE);
    assert_int_equal(map(large, space, 0x00007fffffc00000, R, 0), LIMEN_OK);
    assert_space(space, 14, 12, 1u << 21);
    assert_int_equal(map(frame, space, last, R, 0), LIMEN_OK);
    assert_int_equal(map(frame, space, 0x1000, R, 0), LIMEN_ALREADY_MAPPED);
    EXPECT(BAD_OPERATION, frame, 99, 0);
}

static void test_rights_of_the_frame_bound_those_of_the_mapping(void **state)
{
    (void)state;
    unsigned space = roomy_space();
    unsigned read = copy_of(scene.frame, R), run = copy_of(scene.frame, R | X);
    assert_int_equal(map(read, space, 0x1000, R | W, 0), LIMEN_NO_RIGHT);
    assert_int_equal(map(read, space, 0x1000, X, 0), LIMEN_NO_RIGHT);
    assert_int_equal(map(run, space, 0x1000, R | W, 0), LIMEN_NO_RIGHT);
    assert_int_equal(map(run, space, 0x1000, R | X, 0), LIMEN_OK);
    assert_mapped(space, 0x1000, run, R | X);
}

/* The processor cannot let a page be written or executed and not read. */
static void test_a_frame_that_may_not_be_read_is_not_mapped(void **state)
{
    (void)state;
    unsigned space = roomy_space();
    assert_int_equal(map(copy_of(scene.frame, W), space, 0x1000, W, 0), LIMEN_NO_RIGHT);
    assert_int_equal(map(copy_of(scene.frame, X), space, 0x1000, X, 0), LIMEN_NO_RIGHT);
    assert_int_equal(map(scene.frame, space, 0x1000, W, 0), LIMEN_OK);
}

static void test_occupied_addresses(void **state)
{
    (void)state;
    unsigned space = roomy_space();
    unsigned other = make(LIMEN_TYPE_FRAME, 12), large = make(LIMEN_TYPE_FRAME, 21);
    assert_int_equal(map(scene.frame, space, 0x200000, R, 0), LIMEN_OK);
    assert_int_equal(map(other, space, 0x200000, R, 0), LIMEN_ALREADY_MAPPED);
    assert_int_equal(map(large, space, 0x200000, R, 0), LIMEN_ALREADY_MAPPED);
    assert_int_equal(map(large, space, 0x400000, R, 0), LIMEN_OK);
    assert_int_equal(map(other, space, 0x401000, R, 0), LIMEN_ALREADY_MAPPED);
    assert_null(slot_at(other)->space);
}

static void test_device_frames_may_be_uncached(void **state)
{
    struct host_mapping found;
    (void)state;
    unsigned space = roomy_space();
    unsigned device = make_from(world.device, LIMEN_TYPE_FRAME, 12);
    assert_int_equal(map(device, space, 0x1000, R | W, LIMEN_CACHE_NONE), LIMEN_OK);
    assert_true(host_translate(&((struct space *)object_at(space))->arch, 0x1000, &found));
    assert_int_equal(found.physical, WORLD_DEVICE);
    assert_int_equal(found.cache, LIMEN_CACHE_NONE);
}

/* -- page tables -- */

static void test_no_tables_left(void **state)
{
    (void)state;
    assert_space(scene.space, 2, 2, 0);
    assert_int_equal(map(scene.frame, scene.space, 0x400000, R, 0), LIMEN_NO_TABLES);
    assert_null(slot_at(scene.frame)->space);
    assert_space(scene.space, 2, 0, 0);
}

static void test_donation(void **state)
{
    (void)state;
    unsigned memory = make(LIMEN_TYPE_UNTYPED, 13);
    EXPECT(OK, scene.space, LIMEN_SPACE_DONATE, memory);
    assert_true(slot_is_empty(slot_at(memory)));
    assert_space(scene.space, 4, 4, 0);
    assert_int_equal(map(scene.frame, scene.space, 0x400000, R, 0), LIMEN_OK);
    assert_space(scene.space, 4, 1, 4096);
}

static void test_donation_refuses(void **state)
{
    const uint32_t donate = LIMEN_SPACE_DONATE;
    (void)state;
    unsigned used = make(LIMEN_TYPE_UNTYPED, 13), small = make(LIMEN_TYPE_UNTYPED, 11);
    make_from(used, LIMEN_TYPE_FRAME, 12);
    EXPECT(BAD_CAPABILITY, scene.space, donate, fresh());
    EXPECT(WRONG_TYPE, scene.space, donate, scene.frame);
    EXPECT(BUSY, scene.space, donate, used);
    EXPECT(BUSY, scene.space, donate, world.untyped);
    EXPECT(BUSY, scene.space, donate, world.device);
    EXPECT(OUT_OF_RANGE, scene.space, donate, small);
    EXPECT(NO_RIGHT, copy_of(scene.space, R), donate, small);
    EXPECT(NO_RIGHT, copy_of(scene.space, W), LIMEN_SPACE_INFO, 0);
    EXPECT(BAD_OPERATION, scene.space, 3, 0);
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
        EXPECT(OK, scene.space, donate, make(LIMEN_TYPE_UNTYPED, 12));
    unsigned one_more = make(LIMEN_TYPE_UNTYPED, 12);
    EXPECT(LIMIT, scene.space, donate, one_more);
    assert_int_equal(slot_at(one_more)->type, LIMEN_TYPE_UNTYPED);
}

static void test_donation_that_is_taken_back(void **state)
{
    struct host_mapping found;
    unsigned frames[10];
    (void)state;
    unsigned parent = make(LIMEN_TYPE_UNTYPED, 14);
    EXPECT(OK, scene.space, LIMEN_SPACE_DONATE, make_from(parent, LIMEN_TYPE_UNTYPED, 13));
    for (unsigned i = 0; i < 10; i++) {
        frames[i] = make(LIMEN_TYPE_FRAME, 12);
        assert_int_equal(map(frames[i], scene.space, 0x400000 + i * 4096, R, 0), LIMEN_OK);
    }
    unsigned before = host.windows;
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, parent);
    assert_true(host.windows - before >= 10);
    assert_space(scene.space, 2, 2, 0);
    assert_false(host_translate(&scene.object->arch, 0x400000, &found));
    EXPECT(NOT_MAPPED, frames[3], LIMEN_FRAME_UNMAP, 0);
    EXPECT(OK, parent, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(2), 0);
    /* The space goes on with the tables of its own. */
    EXPECT(OK, scene.space, LIMEN_SPACE_DONATE, make(LIMEN_TYPE_UNTYPED, 12));
    assert_int_equal(map(frames[3], scene.space, 0x400000, R, 0), LIMEN_OK);
}

static void map_in_between(void)
{
    if (!scene.object->emptying)
        return;
    host.window = NULL;
    unsigned frame = make(LIMEN_TYPE_FRAME, 12);
    assert_int_equal(map(frame, scene.space, 0x800000, R, 0), LIMEN_BUSY);
}

/* While a space is being emptied, in steps, nothing new gets into it. */
static void test_no_mapping_while_it_is_emptied(void **state)
{
    (void)state;
    unsigned parent = make(LIMEN_TYPE_UNTYPED, 14);
    EXPECT(OK, scene.space, LIMEN_SPACE_DONATE, make_from(parent, LIMEN_TYPE_UNTYPED, 13));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(map(make(LIMEN_TYPE_FRAME, 12), scene.space, 0x400000 + i * 4096, R, 0),
                         LIMEN_OK);
    host.window = map_in_between;
    struct limen_regs before = *regs_of(world.init);
    before.words[0] = parent;
    *regs_of(world.init) = before;
    enter(LIMEN_SYS_CALL, INIT, limen_tag(LIMEN_TABLE_REVOKE, 1, 0));
    assert_null(host.window);
    assert_false(scene.object->emptying);
}

/* -- a mapping that needs tables, in steps -- */

static struct {
    struct actor other; /* its table is init's */
    unsigned memory, space, frame;
} steps;

/* A space of memory of its own, so that what is left of it can be told. */
static int steps_setup(void **state)
{
    world_boot(state);
    steps.other = make_actor(255, false);
    steps.memory = make(LIMEN_TYPE_UNTYPED, 17);
    steps.space = make_from(steps.memory, LIMEN_TYPE_SPACE, 16);
    steps.frame = make(LIMEN_TYPE_FRAME, 12);
    return 0;
}

#define STEPS_TEST(test) cmocka_unit_test_setup(test, steps_setup)

static void test_a_window_after_each_table(void **state)
{
    (void)state;
    unsigned other = make(LIMEN_TYPE_FRAME, 12), large = make(LIMEN_TYPE_FRAME, 21);
    unsigned before = host.windows;
    assert_int_equal(map(steps.frame, steps.space, 0x400000, R, 0), LIMEN_OK);
    assert_int_equal(host.windows - before, 3);
    assert_int_equal(map(other, steps.space, 0x401000, R, 0), LIMEN_OK);
    assert_int_equal(host.windows - before, 3);
    assert_int_equal(map(large, steps.space, 1ull << 39, R, 0), LIMEN_OK);
    assert_int_equal(host.windows - before, 5);
    assert_space(steps.space, 14, 9, (1u << 21) + 2 * 4096);
}

static void delete_the_space(void)
{
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, steps.space);
    EXPECT(OK, steps.memory, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(2), 0);
}

static void test_space_dies_between_two_tables(void **state)
{
    (void)state;
    at_window(steps.other.thread, 2, delete_the_space);
    assert_int_equal(map(steps.frame, steps.space, 0x400000, R, 0), LIMEN_BAD_CAPABILITY);
    assert_null(host.window);
    assert_null(slot_at(steps.frame)->space);
}

/* Another space with as little memory in it comes into the slot. */
static void replace_the_space(void)
{
    delete_the_space();
    EXPECT(OK, steps.memory, LIMEN_UNTYPED_RETYPE, LIMEN_TYPE_SPACE, 16, 0, steps.space, 1);
}

static void test_space_is_replaced_between_two_tables(void **state)
{
    (void)state;
    at_window(steps.other.thread, 2, replace_the_space);
    assert_int_equal(map(steps.frame, steps.space, 0x400000, R, 0), LIMEN_OK);
    assert_mapped(steps.space, 0x400000, steps.frame, R);
    assert_space(steps.space, 14, 11, 4096);
}

static void delete_the_frame(void)
{
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, steps.frame);
}

static void test_frame_dies_between_two_tables(void **state)
{
    (void)state;
    at_window(steps.other.thread, 1, delete_the_frame);
    assert_int_equal(map(steps.frame, steps.space, 0x400000, R, 0), LIMEN_BAD_CAPABILITY);
    assert_space(steps.space, 14, 13, 0);
}

static void map_the_frame(void)
{
    assert_int_equal(map(steps.frame, steps.space, 0x800000, R, 0), LIMEN_OK);
}

static void test_frame_is_mapped_between_two_tables(void **state)
{
    (void)state;
    at_window(steps.other.thread, 1, map_the_frame);
    assert_int_equal(map(steps.frame, steps.space, 0x400000, R, 0), LIMEN_ALREADY_MAPPED);
    assert_mapped(steps.space, 0x800000, steps.frame, R);
    assert_space(steps.space, 14, 11, 4096);
}

static void revoke_the_donation(void)
{
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, steps.memory);
}

/* The tables made so far go with the donation, and are made again of what is left. */
static void test_space_is_emptied_between_two_tables(void **state)
{
    (void)state;
    steps.space = make(LIMEN_TYPE_SPACE, 15);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, steps.memory);
    EXPECT(OK, steps.space, LIMEN_SPACE_DONATE, make_from(steps.memory, LIMEN_TYPE_UNTYPED, 13));
    at_window(steps.other.thread, 2, revoke_the_donation);
    assert_int_equal(map(steps.frame, steps.space, 0x400000, R, 0), LIMEN_OK);
    assert_space(steps.space, 6, 3, 4096);
}

static void delete_init(void)
{
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, LIMEN_INIT_THREAD);
}

static void test_mapper_dies_between_two_tables(void **state)
{
    (void)state;
    world.init->essential = false; /* as if it were any thread */
    at_window(steps.other.thread, 2, delete_init);
    if (!setjmp(abandon)) {
        (void)map(steps.frame, steps.space, 0x400000, R, 0);
        fail_msg("a dead thread went on");
    }
    check_all();
    assert_ptr_equal(current(), steps.other.thread);
    assert_space(steps.space, 14, 12, 0);
}

/* -- death -- */

static void test_space_dies_with_mappings(void **state)
{
    (void)state;
    unsigned space = roomy_space();
    unsigned frames[10];
    for (unsigned i = 0; i < 10; i++) {
        frames[i] = make(LIMEN_TYPE_FRAME, 12);
        assert_int_equal(map(frames[i], space, 0x400000 + i * 4096, R | W, 0), LIMEN_OK);
    }
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, space);
    for (unsigned i = 0; i < 10; i++) {
        assert_null(slot_at(frames[i])->space);
        EXPECT(NOT_MAPPED, frames[i], LIMEN_FRAME_UNMAP, 0);
    }
}

/* Its donations go back to where they came from. */
static void test_space_dies_with_donations(void **state)
{
    (void)state;
    unsigned parent = make(LIMEN_TYPE_UNTYPED, 14);
    for (unsigned i = 0; i < 3; i++)
        EXPECT(OK, scene.space, LIMEN_SPACE_DONATE, make_from(parent, LIMEN_TYPE_UNTYPED, 12));
    assert_int_equal(map(scene.frame, scene.space, 0x400000, R, 0), LIMEN_OK);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, scene.space);
    assert_null(host_cpu->dying);
    EXPECT(OK, parent, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_map_and_unmap),
        SCENE_TEST(test_map_refuses),
        SCENE_TEST(test_rights_of_the_frame_bound_those_of_the_mapping),
        SCENE_TEST(test_a_frame_that_may_not_be_read_is_not_mapped),
        SCENE_TEST(test_occupied_addresses),
        SCENE_TEST(test_device_frames_may_be_uncached),
        SCENE_TEST(test_no_tables_left),
        SCENE_TEST(test_donation),
        SCENE_TEST(test_donation_refuses),
        SCENE_TEST(test_donation_that_is_taken_back),
        SCENE_TEST(test_no_mapping_while_it_is_emptied),
        STEPS_TEST(test_a_window_after_each_table),
        STEPS_TEST(test_space_dies_between_two_tables),
        STEPS_TEST(test_space_is_replaced_between_two_tables),
        STEPS_TEST(test_frame_dies_between_two_tables),
        STEPS_TEST(test_frame_is_mapped_between_two_tables),
        STEPS_TEST(test_space_is_emptied_between_two_tables),
        STEPS_TEST(test_mapper_dies_between_two_tables),
        SCENE_TEST(test_space_dies_with_mappings),
        SCENE_TEST(test_space_dies_with_donations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
