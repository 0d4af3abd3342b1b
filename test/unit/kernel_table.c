/* SPDX-License-Identifier: MIT */
/* The operations on capability tables: what each refuses, and what it changes then: nothing. */
#include "world.h"

#define INIT LIMEN_INIT_TABLE
#define ALL  LIMEN_RIGHTS_ALL

static struct {
    unsigned table; /* of 16 entries, with an endpoint in its entry 1 */
    unsigned endpoint;
    unsigned readable; /* the table, by capabilities with one right only */
    unsigned grantable;
} scene;

static int scene_setup(void **state)
{
    world_boot(state);
    scene.table = make(LIMEN_TYPE_TABLE, 4);
    scene.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.readable = copy_of(scene.table, LIMEN_RIGHT_READ);
    scene.grantable = copy_of(scene.table, LIMEN_RIGHT_GRANT);
    EXPECT(OK, scene.table, LIMEN_TABLE_COPY, 1, 0, scene.endpoint, ALL);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static void assert_entry(unsigned index, enum limen_type type)
{
    EXPECT(OK, scene.table, LIMEN_TABLE_INSPECT, index);
    assert_int_equal(result(0), type);
}

static void test_between_tables(void **state)
{
    (void)state;
    unsigned other = make(LIMEN_TYPE_TABLE, 5);
    EXPECT(OK, other, LIMEN_TABLE_COPY, 31, scene.table, 1, LIMEN_RIGHT_WRITE);
    EXPECT(OK, other, LIMEN_TABLE_MINT, 1, scene.table, 1, ALL, 5);
    EXPECT(OK, other, LIMEN_TABLE_MOVE, 2, scene.table, 1);
    assert_entry(1, LIMEN_TYPE_NONE);
    EXPECT(OK, scene.table, LIMEN_TABLE_MOVE, 15, other, 31);
    EXPECT(OK, scene.table, LIMEN_TABLE_INSPECT, 15);
    assert_int_equal(result(0), LIMEN_TYPE_ENDPOINT);
    assert_int_equal(result(1), LIMEN_RIGHT_WRITE);
    EXPECT(OK, other, LIMEN_TABLE_INSPECT, 1);
    assert_int_equal(result(2), 5);
}

static void test_destinations(void **state)
{
    static const uint32_t labels[] = {LIMEN_TABLE_COPY, LIMEN_TABLE_MINT, LIMEN_TABLE_MOVE};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        EXPECT(OUT_OF_RANGE, scene.table, labels[i], 0, 0, scene.endpoint, ALL, 1);
        EXPECT(OUT_OF_RANGE, scene.table, labels[i], 16, 0, scene.endpoint, ALL, 1);
        EXPECT(OUT_OF_RANGE, scene.table, labels[i], UINT64_MAX, 0, scene.endpoint, ALL, 1);
        EXPECT(SLOT_OCCUPIED, scene.table, labels[i], 1, 0, scene.endpoint, ALL, 1);
    }
    EXPECT(SLOT_OCCUPIED, scene.table, LIMEN_TABLE_MOVE, 1, scene.table, 1);
}

static void test_sources(void **state)
{
    static const uint32_t labels[] = {LIMEN_TABLE_COPY, LIMEN_TABLE_MINT, LIMEN_TABLE_MOVE};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        const uint32_t label = labels[i];
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, 0, 0, ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, 0, fresh(), ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, 0, 1u << LIMEN_INIT_TABLE_ORDER, ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, 0, UINT64_MAX, ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, fresh(), 1, ALL, 1);
        EXPECT(WRONG_TYPE, scene.table, label, 2, scene.endpoint, 1, ALL, 1);
        EXPECT(NO_RIGHT, scene.table, label, 2, scene.readable, 1, ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, scene.table, 0, ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, scene.table, 5, ALL, 1);
        EXPECT(BAD_CAPABILITY, scene.table, label, 2, scene.table, 16, ALL, 1);
    }
    assert_entry(2, LIMEN_TYPE_NONE);
    assert_entry(1, LIMEN_TYPE_ENDPOINT);
}

static void test_rights(void **state)
{
    (void)state;
    for (uint32_t label = LIMEN_TABLE_COPY; label <= LIMEN_TABLE_INFO; label++) {
        bool reads = label == LIMEN_TABLE_INSPECT || label == LIMEN_TABLE_INFO;
        EXPECT(NO_RIGHT, scene.grantable, label, 1);
        if (reads)
            EXPECT(OK, scene.readable, label, 1);
        else
            EXPECT(NO_RIGHT, scene.readable, label, 1);
    }
    EXPECT(BAD_OPERATION, scene.table, 0, 1);
    EXPECT(BAD_OPERATION, scene.table, LIMEN_TABLE_INFO + 1, 1);
}

static void test_badges_are_set_once(void **state)
{
    (void)state;
    EXPECT(OK, scene.table, LIMEN_TABLE_MINT, 2, 0, scene.endpoint, ALL, UINT64_MAX);
    EXPECT(NO_RIGHT, scene.table, LIMEN_TABLE_MINT, 3, scene.table, 2, ALL, 7);
    EXPECT(WRONG_TYPE, scene.table, LIMEN_TABLE_MINT, 3, 0, scene.table, ALL, 7);
    EXPECT(WRONG_TYPE, scene.table, LIMEN_TABLE_MINT, 3, 0, world.untyped, ALL, 7);
    EXPECT(WRONG_TYPE, scene.table, LIMEN_TABLE_MINT, 3, 0, make(LIMEN_TYPE_REPLY, 0), ALL, 7);
    EXPECT(OK, scene.table, LIMEN_TABLE_INSPECT, 2);
    assert_int_equal(result(2), UINT64_MAX);
    assert_entry(3, LIMEN_TYPE_NONE);
}

static void test_rights_mask_has_no_more_than_four_bits(void **state)
{
    (void)state;
    EXPECT(OK, scene.table, LIMEN_TABLE_COPY, 2, 0, scene.endpoint, UINT64_MAX);
    EXPECT(OK, scene.table, LIMEN_TABLE_INSPECT, 2);
    assert_int_equal(result(1), ALL);
}

/* What the kernel keeps in a slot besides the badge is not shown: it holds its own addresses. */
static void test_inspect_shows_no_addresses(void **state)
{
    (void)state;
    unsigned frame = make(LIMEN_TYPE_FRAME, 12);
    EXPECT(OK, frame, LIMEN_FRAME_MAP, LIMEN_INIT_SPACE, 0x4000000, LIMEN_RIGHT_READ, 0);
    EXPECT(OK, INIT, LIMEN_TABLE_INSPECT, frame);
    assert_int_equal(result(0), LIMEN_TYPE_FRAME);
    assert_int_equal(result(2), 0);
    assert_int_equal(result(3), 12);
    EXPECT(OK, INIT, LIMEN_TABLE_INSPECT, world.untyped);
    assert_int_equal(result(2), 0);
    EXPECT(OK, INIT, LIMEN_TABLE_INSPECT, scene.table);
    assert_int_equal(result(2), 0);
}

static void test_inspect_tells_ports_and_lines_apart(void **state)
{
    (void)state;
    unsigned ports = fresh(), irq = fresh();
    EXPECT(OK, LIMEN_INIT_PORTS, LIMEN_PORTS_NARROW, 0x3f8, 0x3ff, ports);
    EXPECT(OK, INIT, LIMEN_TABLE_INSPECT, ports);
    assert_int_equal(result(2), 0x03ff03f8);
    EXPECT(OK, LIMEN_INIT_IRQ_CONTROL, LIMEN_IRQ_CONTROL_ISSUE, 11, LIMEN_IRQ_DEFAULT,
           world.untyped, irq);
    EXPECT(OK, INIT, LIMEN_TABLE_INSPECT, irq);
    assert_int_equal(result(0), LIMEN_TYPE_IRQ);
    assert_int_equal(result(2), 11);
}

static void test_inspect_and_info(void **state)
{
    (void)state;
    EXPECT(OUT_OF_RANGE, scene.table, LIMEN_TABLE_INSPECT, 0);
    EXPECT(OUT_OF_RANGE, scene.table, LIMEN_TABLE_INSPECT, 16);
    EXPECT(OUT_OF_RANGE, scene.table, LIMEN_TABLE_INSPECT, UINT64_MAX);
    EXPECT(OK, scene.table, LIMEN_TABLE_INFO, 0);
    assert_int_equal(result(0), 16);
    EXPECT(OK, INIT, LIMEN_TABLE_INFO, 0);
    assert_int_equal(result(0), 1u << LIMEN_INIT_TABLE_ORDER);
}

/* A thread with a small table reaches nothing beyond it. */
static void test_look_up_stops_at_the_end_of_the_table(void **state)
{
    (void)state;
    struct actor actor = make_actor(255, true);
    become(actor.thread);
    const uint64_t indices[] = {0, 63, 64, 65, 1u << 16, UINT32_MAX, 1ull << 32};
    for (unsigned i = 0; i < sizeof(indices) / sizeof(indices[0]); i++) {
        enter(LIMEN_SYS_CALL, indices[i], limen_tag(LIMEN_TABLE_INFO, 0, 0));
        assert_int_equal(regs_of(actor.thread)->rax, LIMEN_BAD_CAPABILITY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_between_tables),
        SCENE_TEST(test_destinations),
        SCENE_TEST(test_sources),
        SCENE_TEST(test_rights),
        SCENE_TEST(test_badges_are_set_once),
        SCENE_TEST(test_rights_mask_has_no_more_than_four_bits),
        SCENE_TEST(test_inspect_shows_no_addresses),
        SCENE_TEST(test_inspect_tells_ports_and_lines_apart),
        SCENE_TEST(test_inspect_and_info),
        SCENE_TEST(test_look_up_stops_at_the_end_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
