/* SPDX-License-Identifier: MIT */
/* Objects that die: nested, in circles, with the thread that deletes them, and interrupted. */
#include "world.h"

#define INIT  LIMEN_INIT_TABLE
#define ORDER 4u /* of the small tables here */

static bool is_empty(unsigned slot)
{
    return slot_is_empty(slot_at(slot));
}

static void drop(unsigned slot)
{
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, slot);
}

static void move_into(unsigned table, unsigned index, unsigned slot)
{
    EXPECT(OK, table, LIMEN_TABLE_MOVE, index, 0, slot);
}

/* Whether all of world.untyped can be given out again. */
static bool all_memory_is_back(void)
{
    EXPECT(OK, world.untyped, LIMEN_UNTYPED_INFO, 0);
    return result(2) == 0;
}

static void test_table_takes_its_capabilities_along(void **state)
{
    (void)state;
    unsigned table = make(LIMEN_TYPE_TABLE, ORDER);
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned kept = make(LIMEN_TYPE_ENDPOINT, 0);
    struct endpoint *object = object_at(kept);
    for (unsigned i = 1; i < 8; i++)
        EXPECT(OK, table, LIMEN_TABLE_COPY, i, 0, kept, LIMEN_RIGHTS_ALL);
    move_into(table, 15, endpoint);
    assert_int_equal(object->object.references, 8);
    unsigned seen = check_seen();
    drop(table);
    assert_int_equal(object->object.references, 1);
    assert_int_equal(check_seen(), seen - 9);
    assert_null(host_cpu->dying);
}

/* Each table holds the last capability to the next. */
static void test_tables_in_tables(void **state)
{
    (void)state;
    unsigned tables[20];
    for (unsigned i = 0; i < 20; i++)
        tables[i] = make(LIMEN_TYPE_TABLE, ORDER);
    for (unsigned i = 19; i > 0; i--)
        move_into(tables[i - 1], 1 + i % 15, tables[i]);
    unsigned seen = check_seen();
    drop(tables[0]);
    assert_int_equal(check_seen(), seen - 20);
    assert_null(host_cpu->dying);
}

static void test_circle_goes_with_its_memory(void **state)
{
    (void)state;
    unsigned a = make(LIMEN_TYPE_TABLE, ORDER), b = make(LIMEN_TYPE_TABLE, ORDER);
    unsigned own = make(LIMEN_TYPE_TABLE, ORDER);
    unsigned keep_b = copy_of(b, LIMEN_RIGHTS_ALL);
    move_into(b, 3, a);
    EXPECT(OK, b, LIMEN_TABLE_INSPECT, 3);
    assert_int_equal(result(0), LIMEN_TYPE_TABLE);
    /* a is in b; now b into a, by way of b. */
    unsigned again = fresh();
    EXPECT(OK, INIT, LIMEN_TABLE_COPY, again, keep_b, 3, LIMEN_RIGHTS_ALL);
    move_into(again, 5, b);
    drop(again);
    drop(keep_b);
    move_into(own, 7, own);
    assert_true(is_empty(own));
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, world.untyped);
    assert_true(all_memory_is_back());
    assert_null(host_cpu->dying);
}

/* An untyped capability inside a table that is made of its own memory. */
static void test_memory_that_holds_its_own_capability(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 16);
    unsigned table = make_from(small, LIMEN_TYPE_TABLE, ORDER);
    move_into(table, 2, small);
    unsigned seen = check_seen();
    drop(table);
    assert_int_equal(check_seen(), seen - 2);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, world.untyped);
    assert_true(all_memory_is_back());
}

/* The capability that names the target's table is derived from the target itself. */
static void test_revocation_that_takes_its_own_name(void **state)
{
    (void)state;
    unsigned master = make(LIMEN_TYPE_TABLE, ORDER);
    struct slot *table = object_at(master);
    unsigned before = copy_of(master, LIMEN_RIGHTS_ALL);
    unsigned name = copy_of(master, LIMEN_RIGHTS_ALL);
    unsigned after = copy_of(master, LIMEN_RIGHTS_ALL);
    EXPECT(OK, INIT, LIMEN_TABLE_COPY, fresh(), 0, name, LIMEN_RIGHTS_ALL);
    move_into(name, 3, master);
    EXPECT(OK, name, LIMEN_TABLE_REVOKE, 3);
    assert_true(is_empty(before) && is_empty(name) && is_empty(after));
    assert_true(is_empty(world.next_slot - 1));
    assert_int_equal(table[3].type, LIMEN_TYPE_TABLE);
    assert_null(table[3].child);
    assert_int_equal(table->header.references, 1);
}

static void test_revocation_that_takes_its_own_table(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 16);
    make_from(small, LIMEN_TYPE_ENDPOINT, 0);
    unsigned table = make_from(small, LIMEN_TYPE_TABLE, ORDER);
    unsigned after = make_from(small, LIMEN_TYPE_ENDPOINT, 0);
    move_into(table, 2, small);
    EXPECT(OK, table, LIMEN_TABLE_REVOKE, 2);
    assert_true(is_empty(table) && is_empty(after) && is_empty(after - 2));
    assert_null(host_cpu->dying);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, world.untyped);
    assert_true(all_memory_is_back());
}

static void test_everything_goes_with_the_memory(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        struct actor actor = make_actor(10 + i, i & 1);
        unsigned notification = make(LIMEN_TYPE_NOTIFICATION, 0);
        EXPECT(OK, actor.slot, LIMEN_THREAD_BIND, notification);
        EXPECT(OK, LIMEN_INIT_IRQ_CONTROL, LIMEN_IRQ_CONTROL_ISSUE, i, 0, world.untyped, fresh());
        EXPECT(OK, world.next_slot - 1, LIMEN_IRQ_BIND, notification);
    }
    make(LIMEN_TYPE_SPACE, 14);
    make(LIMEN_TYPE_REPLY, 0);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, world.untyped);
    assert_true(all_memory_is_back());
    assert_null(world.init->page);
    assert_int_equal(host_cpu->top, -1);
    for (unsigned i = 0; i < HOST_IRQS; i++)
        assert_false(host.irqs[i].attached);
}

/* -- the deleting thread itself -- */

static void test_thread_that_deletes_itself(void **state)
{
    (void)state;
    struct actor actor = make_actor(255, true);
    move_into(actor.table, 1, actor.slot);
    EXPECT(OK, actor.table, LIMEN_TABLE_COPY, 2, 0, actor.table, LIMEN_RIGHTS_ALL);
    become(actor.thread);
    enter(LIMEN_SYS_CALL, 2, limen_tag(LIMEN_TABLE_DELETE, 1, 0)); /* words[0] is 0 */
    assert_int_equal(limen_tag_label(regs_of(actor.thread)->rsi), LIMEN_OUT_OF_RANGE);
    regs_of(actor.thread)->words[0] = 1;
    enter(LIMEN_SYS_CALL, 2, limen_tag(LIMEN_TABLE_DELETE, 1, 0));
    assert_ptr_equal(current(), world.init);
    assert_non_null(host_cpu->dying);
    drop(fresh()); /* any deletion finishes it */
    assert_null(host_cpu->dying);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, world.untyped);
    assert_true(all_memory_is_back());
}

static void test_thread_that_revokes_its_own_memory(void **state)
{
    (void)state;
    unsigned mine = make(LIMEN_TYPE_UNTYPED, 17);
    unsigned thread = make_from(mine, LIMEN_TYPE_THREAD, 0);
    struct thread *self = object_at(thread);
    unsigned table = make(LIMEN_TYPE_TABLE, ORDER);
    move_into(table, 3, mine);
    EXPECT(OK, table, LIMEN_TABLE_COPY, 4, 0, table, LIMEN_RIGHTS_ALL);
    EXPECT(OK, thread, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, table, 0);
    EXPECT(OK, thread, LIMEN_THREAD_SET_PRIORITY, 255);
    EXPECT(OK, thread, LIMEN_THREAD_RESUME);
    become(self);
    regs_of(self)->words[0] = 3;
    enter(LIMEN_SYS_CALL, 4, limen_tag(LIMEN_TABLE_REVOKE, 1, 0));
    assert_ptr_not_equal(current(), self);
    assert_int_equal(self->state, LIMEN_THREAD_STOPPED);
    assert_true(is_empty(thread));
    become(world.init);
    drop(table);
    assert_null(host_cpu->dying);
}

static void test_thread_that_takes_its_space_away(void **state)
{
    (void)state;
    unsigned space = make(LIMEN_TYPE_SPACE, 14);
    struct actor actor = make_actor(255, true);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, actor.slot, LIMEN_THREAD_CONFIGURE, space, actor.table, 0);
    EXPECT(OK, actor.slot, LIMEN_THREAD_RESUME);
    move_into(actor.table, 1, space);
    EXPECT(OK, actor.table, LIMEN_TABLE_COPY, 2, 0, actor.table, LIMEN_RIGHTS_ALL);
    become(actor.thread);
    regs_of(actor.thread)->words[0] = 1;
    enter(LIMEN_SYS_CALL, 2, limen_tag(LIMEN_TABLE_REVOKE, 1, 0));
    assert_ptr_equal(current(), world.init);
    assert_int_equal(actor.thread->state, LIMEN_THREAD_STOPPED);
    assert_null(actor.thread->resume);
    EXPECT(NOT_CONFIGURED, actor.slot, LIMEN_THREAD_RESUME);
    EXPECT(OK, actor.slot, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, actor.table, 0);
    EXPECT(OK, actor.slot, LIMEN_THREAD_RESUME);
}

/* -- others in the windows -- */

static struct {
    struct actor other; /* its table is init's: it does what init could */
    unsigned slot, table;
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

static void test_slot_that_is_filled_again(void **state)
{
    (void)state;
    window.slot = make(LIMEN_TYPE_TABLE, 8);
    at_window(window.other.thread, 4, fill_the_slot);
    drop(window.slot);
    assert_null(host.window);
    assert_int_equal(slot_at(window.slot)->type, LIMEN_TYPE_KERNEL);
}

static void drop_the_slot(void)
{
    drop(window.slot);
}

static void test_revoked_slot_that_is_deleted(void **state)
{
    (void)state;
    window.slot = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned copies[10];
    for (unsigned i = 0; i < 10; i++)
        copies[i] = copy_of(window.slot, LIMEN_RIGHTS_ALL);
    at_window(window.other.thread, 3, drop_the_slot);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, window.slot);
    unsigned left = 0;
    for (unsigned i = 0; i < 10; i++)
        left += !is_empty(copies[i]);
    assert_int_equal(left, 7); /* they are nobody's children any more */
}

static void drop_the_table(void)
{
    drop(window.table);
}

static void test_table_that_dies_under_a_revocation(void **state)
{
    (void)state;
    window.table = make(LIMEN_TYPE_TABLE, 8);
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    for (unsigned i = 2; i < 200; i++)
        EXPECT(OK, window.table, LIMEN_TABLE_COPY, i, 0, endpoint, LIMEN_RIGHTS_ALL);
    move_into(window.table, 1, endpoint);
    at_window(window.other.thread, 20, drop_the_table);
    EXPECT(BAD_CAPABILITY, window.table, LIMEN_TABLE_REVOKE, 1);
    assert_null(host_cpu->dying);
}

static void drop_init(void)
{
    drop(LIMEN_INIT_THREAD);
}

/* The thread in the window is deleted: its half-done work stays sound and is finished. */
static void test_deleter_that_is_deleted(void **state)
{
    (void)state;
    unsigned big = make(LIMEN_TYPE_TABLE, 10);
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    for (unsigned i = 1; i < 1000; i += 7)
        EXPECT(OK, big, LIMEN_TABLE_COPY, i, 0, endpoint, LIMEN_RIGHTS_ALL);
    world.init->essential = false; /* as if it were any thread */
    at_window(window.other.thread, 10, drop_init);
    if (!setjmp(abandon)) {
        (void)OP(INIT, LIMEN_TABLE_DELETE, big);
        fail_msg("a dead thread went on");
    }
    check_all();
    assert_ptr_equal(current(), window.other.thread);
    assert_null(host_cpu->dying);
    assert_int_equal(((struct endpoint *)object_at(endpoint))->object.references, 1);
}

static void suspend_init(void)
{
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_SUSPEND);
    EXPECT(BUSY, LIMEN_INIT_THREAD, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, INIT, 0);
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_RESUME);
}

static void test_deleter_that_is_suspended_goes_on(void **state)
{
    (void)state;
    unsigned big = make(LIMEN_TYPE_TABLE, 10);
    at_window(window.other.thread, 10, suspend_init);
    drop(big);
    assert_true(is_empty(big));
    assert_null(host_cpu->dying);
}

/* Both delete at once, the second in a window of the first. */
static void test_two_deleters(void **state)
{
    (void)state;
    unsigned first = make(LIMEN_TYPE_TABLE, 8);
    window.slot = make(LIMEN_TYPE_TABLE, 8);
    at_window(window.other.thread, 5, drop_the_slot);
    drop(first);
    assert_true(is_empty(first));
    assert_true(is_empty(window.slot));
    assert_null(host_cpu->dying);
}

/* Sixteen entries at most between two windows. */
static void test_steps_are_short(void **state)
{
    (void)state;
    unsigned table = make(LIMEN_TYPE_TABLE, 10);
    unsigned before = host.windows;
    drop(table);
    assert_true(host.windows - before >= 1024 / 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_table_takes_its_capabilities_along),
        WORLD_TEST(test_tables_in_tables),
        WORLD_TEST(test_circle_goes_with_its_memory),
        WORLD_TEST(test_memory_that_holds_its_own_capability),
        WORLD_TEST(test_revocation_that_takes_its_own_name),
        WORLD_TEST(test_revocation_that_takes_its_own_table),
        WORLD_TEST(test_everything_goes_with_the_memory),
        WORLD_TEST(test_thread_that_deletes_itself),
        WORLD_TEST(test_thread_that_revokes_its_own_memory),
        WORLD_TEST(test_thread_that_takes_its_space_away),
        WORLD_TEST(test_steps_are_short),
        cmocka_unit_test_setup(test_slot_that_is_filled_again, window_setup),
        cmocka_unit_test_setup(test_revoked_slot_that_is_deleted, window_setup),
        cmocka_unit_test_setup(test_table_that_dies_under_a_revocation, window_setup),
        cmocka_unit_test_setup(test_deleter_that_is_deleted, window_setup),
        cmocka_unit_test_setup(test_deleter_that_is_suspended_goes_on, window_setup),
        cmocka_unit_test_setup(test_two_deleters, window_setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
