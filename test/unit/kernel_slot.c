/* SPDX-License-Identifier: MIT */
/* Capabilities: filling, copying, moving, deleting and revoking, and the tree they form. */
#include "world.h"

#define INIT LIMEN_INIT_TABLE

static enum limen_type type_at(unsigned slot)
{
    return (enum limen_type)slot_at(slot)->type;
}

static void move(unsigned to, unsigned from)
{
    EXPECT(OK, INIT, LIMEN_TABLE_MOVE, to, 0, from);
}

static void drop(unsigned slot)
{
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, slot);
    assert_int_equal(type_at(slot), LIMEN_TYPE_NONE);
}

static void revoke(unsigned slot)
{
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, slot);
}

static uint32_t references(unsigned slot)
{
    return ((struct object *)object_at(slot))->references;
}

static void test_copy_has_at_most_the_rights(void **state)
{
    (void)state;
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned some = copy_of(endpoint, LIMEN_RIGHT_READ | LIMEN_RIGHT_GRANT);
    unsigned less = copy_of(some, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    assert_int_equal(slot_at(endpoint)->rights, LIMEN_RIGHTS_ALL);
    assert_int_equal(slot_at(some)->rights, LIMEN_RIGHT_READ | LIMEN_RIGHT_GRANT);
    assert_int_equal(slot_at(less)->rights, LIMEN_RIGHT_READ);
    assert_ptr_equal(object_at(less), object_at(endpoint));
    assert_int_equal(references(endpoint), 3);
}

static void test_copy_keeps_the_badge(void **state)
{
    (void)state;
    unsigned badged = minted(make(LIMEN_TYPE_NOTIFICATION, 0), 0x123456789abcdef0);
    unsigned copy = copy_of(badged, LIMEN_RIGHTS_ALL);
    assert_int_equal(slot_at(copy)->badge, 0x123456789abcdef0);
}

static void test_untyped_is_not_copied(void **state)
{
    (void)state;
    unsigned to = fresh();
    EXPECT(NOT_SUPPORTED, INIT, LIMEN_TABLE_COPY, to, 0, world.untyped, LIMEN_RIGHTS_ALL);
    assert_int_equal(type_at(to), LIMEN_TYPE_NONE);
}

static void test_delete_hands_children_on(void **state)
{
    (void)state;
    unsigned a = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned b = copy_of(a, LIMEN_RIGHTS_ALL);
    unsigned c = copy_of(b, LIMEN_RIGHTS_ALL), d = copy_of(b, LIMEN_RIGHTS_ALL);
    unsigned e = copy_of(d, LIMEN_RIGHTS_ALL);
    drop(b);
    assert_int_equal(references(a), 4);
    revoke(d);
    assert_int_equal(type_at(e), LIMEN_TYPE_NONE);
    assert_int_equal(type_at(c), LIMEN_TYPE_ENDPOINT);
    revoke(a);
    assert_int_equal(type_at(c), LIMEN_TYPE_NONE);
    assert_int_equal(type_at(d), LIMEN_TYPE_NONE);
    assert_int_equal(type_at(a), LIMEN_TYPE_ENDPOINT);
    assert_int_equal(references(a), 1);
}

static void test_delete_of_a_root_makes_roots(void **state)
{
    (void)state;
    unsigned copies[3];
    for (unsigned i = 0; i < 3; i++)
        copies[i] = copy_of(LIMEN_INIT_KERNEL, LIMEN_RIGHTS_ALL);
    unsigned deep = copy_of(copies[1], LIMEN_RIGHTS_ALL);
    drop(LIMEN_INIT_KERNEL);
    for (unsigned i = 0; i < 3; i++) {
        revoke(copies[i]);
        assert_int_equal(type_at(copies[i]), LIMEN_TYPE_KERNEL);
    }
    assert_int_equal(type_at(deep), LIMEN_TYPE_NONE);
    for (unsigned i = 0; i < 3; i++)
        drop(copies[i]);
}

static void test_move_takes_the_place_along(void **state)
{
    (void)state;
    unsigned parent = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned children[3];
    for (unsigned i = 0; i < 3; i++)
        children[i] = copy_of(parent, LIMEN_RIGHTS_ALL);
    unsigned grandchild = copy_of(children[1], LIMEN_RIGHTS_ALL);
    /* The last made comes first in the list, so these are its end, middle and start. */
    for (unsigned i = 0; i < 3; i++) {
        unsigned to = fresh();
        move(to, children[i]);
        assert_int_equal(type_at(children[i]), LIMEN_TYPE_NONE);
        children[i] = to;
    }
    unsigned elsewhere = fresh();
    move(elsewhere, parent);
    revoke(children[1]);
    assert_int_equal(type_at(grandchild), LIMEN_TYPE_NONE);
    revoke(elsewhere);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(type_at(children[i]), LIMEN_TYPE_NONE);
    assert_int_equal(references(elsewhere), 1);
}

static void test_move_keeps_badge_and_rights(void **state)
{
    (void)state;
    unsigned badged = minted(make(LIMEN_TYPE_ENDPOINT, 0), 77);
    unsigned weak = copy_of(badged, LIMEN_RIGHT_WRITE);
    unsigned to = fresh();
    move(to, weak);
    assert_int_equal(slot_at(to)->badge, 77);
    assert_int_equal(slot_at(to)->rights, LIMEN_RIGHT_WRITE);
}

static void test_move_of_an_untyped_keeps_its_watermark(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 14);
    make_from(small, LIMEN_TYPE_FRAME, 12);
    unsigned to = fresh();
    move(to, small);
    unsigned next = make_from(to, LIMEN_TYPE_FRAME, 12);
    assert_ptr_equal(object_at(next), (char *)object_at(to) + LIMEN_PAGE_SIZE);
}

static void map(unsigned frame, uint64_t address)
{
    EXPECT(OK, frame, LIMEN_FRAME_MAP, LIMEN_INIT_SPACE, address, LIMEN_RIGHT_READ, 0);
}

static void test_mapped_frames_move_and_go(void **state)
{
    const struct space *space = world.init_space;
    unsigned frames[3];
    struct host_mapping found;
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        frames[i] = make(LIMEN_TYPE_FRAME, 12);
        map(frames[i], 0x1000000 + i * LIMEN_PAGE_SIZE);
    }
    for (unsigned i = 0; i < 3; i++) {
        unsigned to = fresh();
        move(to, frames[i]);
        assert_true(host_translate(&space->arch, 0x1000000 + i * LIMEN_PAGE_SIZE, &found));
        frames[i] = to;
    }
    drop(frames[1]);
    assert_false(host_translate(&space->arch, 0x1001000, &found));
    EXPECT(OK, frames[2], LIMEN_FRAME_UNMAP);
    assert_false(host_translate(&space->arch, 0x1002000, &found));
    assert_true(host_translate(&space->arch, 0x1000000, &found));
    revoke(world.untyped);
    assert_false(host_translate(&space->arch, 0x1000000, &found));
    assert_int_equal(space->mapped_bytes, 0);
}

static void test_copy_of_a_mapped_frame_is_not_mapped(void **state)
{
    (void)state;
    unsigned frame = make(LIMEN_TYPE_FRAME, 12);
    map(frame, 0x1000000);
    unsigned copy = copy_of(frame, LIMEN_RIGHTS_ALL);
    EXPECT(NOT_MAPPED, copy, LIMEN_FRAME_UNMAP);
    map(copy, 0x1001000);
    drop(frame);
    assert_int_equal(world.init_space->mapped_bytes, LIMEN_PAGE_SIZE);
}

static void test_revoke_of_a_long_chain(void **state)
{
    unsigned chain[100];
    (void)state;
    chain[0] = make(LIMEN_TYPE_NOTIFICATION, 0);
    for (unsigned i = 1; i < 100; i++)
        chain[i] = copy_of(chain[i - 1], LIMEN_RIGHTS_ALL);
    unsigned before = host.windows;
    revoke(chain[50]);
    assert_true(host.windows - before >= 49);
    for (unsigned i = 1; i < 100; i++)
        assert_int_equal(type_at(chain[i]), i <= 50 ? LIMEN_TYPE_NOTIFICATION : LIMEN_TYPE_NONE);
    assert_int_equal(references(chain[0]), 51);
}

static void test_revoke_of_a_wide_tree(void **state)
{
    unsigned wide[100];
    (void)state;
    unsigned root = make(LIMEN_TYPE_NOTIFICATION, 0);
    for (unsigned i = 0; i < 100; i++)
        wide[i] = copy_of(i % 3 ? wide[i / 3] : root, LIMEN_RIGHTS_ALL);
    revoke(root);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(type_at(wide[i]), LIMEN_TYPE_NONE);
    assert_int_equal(references(root), 1);
}

static void test_last_capability_frees_the_memory(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 7);
    unsigned endpoint = make_from(small, LIMEN_TYPE_ENDPOINT, 0);
    unsigned copy = copy_of(endpoint, LIMEN_RIGHTS_ALL);
    unsigned to = fresh();
    drop(endpoint);
    EXPECT(NO_MEMORY, small, LIMEN_UNTYPED_RETYPE, LIMEN_TYPE_ENDPOINT, 0, 0, to, 1);
    drop(copy);
    EXPECT(OK, small, LIMEN_UNTYPED_RETYPE, LIMEN_TYPE_ENDPOINT, 0, 0, to, 1);
    assert_ptr_equal(object_at(to), object_at(small));
}

static void test_deletion_of_what_is_not_there(void **state)
{
    (void)state;
    unsigned empty = fresh();
    drop(empty);
    revoke(empty);
    EXPECT(OUT_OF_RANGE, INIT, LIMEN_TABLE_DELETE, 0);
    EXPECT(OUT_OF_RANGE, INIT, LIMEN_TABLE_REVOKE, 1u << LIMEN_INIT_TABLE_ORDER);
    EXPECT(OUT_OF_RANGE, INIT, LIMEN_TABLE_DELETE, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_copy_has_at_most_the_rights),
        WORLD_TEST(test_copy_keeps_the_badge),
        WORLD_TEST(test_untyped_is_not_copied),
        WORLD_TEST(test_delete_hands_children_on),
        WORLD_TEST(test_delete_of_a_root_makes_roots),
        WORLD_TEST(test_move_takes_the_place_along),
        WORLD_TEST(test_move_keeps_badge_and_rights),
        WORLD_TEST(test_move_of_an_untyped_keeps_its_watermark),
        WORLD_TEST(test_mapped_frames_move_and_go),
        WORLD_TEST(test_copy_of_a_mapped_frame_is_not_mapped),
        WORLD_TEST(test_revoke_of_a_long_chain),
        WORLD_TEST(test_revoke_of_a_wide_tree),
        WORLD_TEST(test_last_capability_frees_the_memory),
        WORLD_TEST(test_deletion_of_what_is_not_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
