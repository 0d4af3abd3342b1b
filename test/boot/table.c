/* SPDX-License-Identifier: MIT */
/* Capability tables: copies, moves, deletion, revocation, and the bounds of a look-up. */
#include "kit.h"

#include <string.h>

TEST(table, copy_has_at_most_the_source_s_rights)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t copy = copy_of(endpoint, LIMEN_RIGHT_READ | LIMEN_RIGHT_GRANT);
    uint32_t second = copy_of(copy, LIMEN_RIGHTS_ALL);

    expect_equal(inspect(copy).rights, LIMEN_RIGHT_READ | LIMEN_RIGHT_GRANT);
    expect_equal(inspect(second).rights, LIMEN_RIGHT_READ | LIMEN_RIGHT_GRANT);
    expect_equal(inspect(copy).type, LIMEN_TYPE_ENDPOINT);
    expect_equal(inspect(copy_of(endpoint, ~0u)).rights, LIMEN_RIGHTS_ALL);
    expect_equal(inspect(copy_of(endpoint, 0)).rights, 0);
}

TEST(table, mint_sets_a_badge_once)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t badged = minted(endpoint, LIMEN_RIGHT_WRITE, 0x123456789abcdef0);
    uint32_t to = slots(1);

    expect_equal(inspect(badged).badge, 0x123456789abcdef0);
    expect_equal(inspect(badged).rights, LIMEN_RIGHT_WRITE);
    expect_equal(inspect(copy_of(badged, LIMEN_RIGHTS_ALL)).badge, 0x123456789abcdef0);
    expect_error(limen_mint(OWN_TABLE, to, 0, badged, LIMEN_RIGHTS_ALL, 7), LIMEN_NO_RIGHT);
    expect(is_empty(to));
    /* A badge of 0 is none, so such a copy can be minted from again. */
    expect_equal(inspect(minted(minted(endpoint, LIMEN_RIGHTS_ALL, 0), 0xf, 5)).badge, 5);
}

TEST(table, mint_is_for_endpoints_and_notifications)
{
    static const struct {
        enum limen_type type;
        unsigned order;
    } others[] = {
        {LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN},
        {LIMEN_TYPE_THREAD, 0},
        {LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN},
        {LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER},
        {LIMEN_TYPE_REPLY, 0},
    };
    uint32_t to = slots(1);

    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        expect_error(limen_mint(OWN_TABLE, to, 0, make(others[i].type, others[i].order),
                                LIMEN_RIGHTS_ALL, 1),
                     LIMEN_WRONG_TYPE);
    expect_error(limen_mint(OWN_TABLE, to, 0, PORTS, LIMEN_RIGHTS_ALL, 1), LIMEN_WRONG_TYPE);
    expect_equal(inspect(minted(make(LIMEN_TYPE_NOTIFICATION, 0), 0xf, 9)).badge, 9);
}

TEST(table, copies_between_tables)
{
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t back = slots(2);

    expect_ok(limen_copy(table, 3, 0, endpoint, LIMEN_RIGHT_READ));
    expect_ok(limen_copy(table, 4, table, 3, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(OWN_TABLE, back, table, 4, LIMEN_RIGHTS_ALL));
    expect_equal(inspect(back).type, LIMEN_TYPE_ENDPOINT);
    expect_equal(inspect(back).rights, LIMEN_RIGHT_READ);
    expect_ok(limen_move(OWN_TABLE, back + 1, table, 3));
    expect_error(limen_copy(OWN_TABLE, slots(1), table, 3, LIMEN_RIGHTS_ALL), LIMEN_BAD_CAPABILITY);
}

/* COPY, MINT and MOVE check their arguments alike. */
TEST(table, refuses_wrong_arguments)
{
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    uint32_t readable = copy_of(table, LIMEN_RIGHT_READ);
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t to = slots(1);
    const struct {
        uint32_t table;
        uint64_t to, from_table, from;
        enum limen_error error;
    } refused[] = {
        {table, 0, 0, endpoint, LIMEN_OUT_OF_RANGE},
        {table, 16, 0, endpoint, LIMEN_OUT_OF_RANGE},
        {table, UINT64_MAX, 0, endpoint, LIMEN_OUT_OF_RANGE},
        {table, 1ull << 32 | 1, 0, endpoint, LIMEN_OUT_OF_RANGE},
        {OWN_TABLE, endpoint, 0, endpoint, LIMEN_SLOT_OCCUPIED},
        {table, 1, 0, 0, LIMEN_BAD_CAPABILITY},
        {table, 1, 0, to, LIMEN_BAD_CAPABILITY},
        {table, 1, 0, NO_SLOT, LIMEN_BAD_CAPABILITY},
        {table, 1, 0, 1ull << 32 | endpoint, LIMEN_BAD_CAPABILITY},
        {table, 1, table, 2, LIMEN_BAD_CAPABILITY},
        {table, 1, table, 16, LIMEN_BAD_CAPABILITY},
        {table, 1, table, 0, LIMEN_BAD_CAPABILITY},
        {table, 1, to, 1, LIMEN_BAD_CAPABILITY},
        {table, 1, endpoint, 1, LIMEN_WRONG_TYPE},
        {table, 1, readable, 1, LIMEN_NO_RIGHT},
        {readable, 1, 0, endpoint, LIMEN_NO_RIGHT},
    };
    static const uint32_t operations[] = {LIMEN_TABLE_COPY, LIMEN_TABLE_MINT, LIMEN_TABLE_MOVE};

    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++)
        for (unsigned j = 0; j < sizeof operations / sizeof operations[0]; j++) {
            uint64_t words[8] = {refused[i].to, refused[i].from_table, refused[i].from,
                                 LIMEN_RIGHTS_ALL, 1};
            enum limen_error error = invoke(refused[i].table, operations[j], words);
            if (error != refused[i].error)
                fail("row %u, operation %u: error %u, want %u", i, operations[j], error,
                     refused[i].error);
        }
    expect_equal(inspect(endpoint).type, LIMEN_TYPE_ENDPOINT);
    for (uint32_t i = 1; i < 16; i++) {
        struct limen_capability capability;
        expect_ok(limen_inspect(table, i, &capability));
        expect_equal(capability.type, LIMEN_TYPE_NONE);
    }
}

TEST(table, other_operations_check_their_index_and_right)
{
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    uint32_t readable = copy_of(table, LIMEN_RIGHT_READ);
    uint32_t writable = copy_of(table, LIMEN_RIGHT_WRITE);
    static const uint32_t operations[] = {LIMEN_TABLE_DELETE, LIMEN_TABLE_REVOKE,
                                          LIMEN_TABLE_INSPECT};
    static const uint64_t outside[] = {0, 16, NO_SLOT, UINT64_MAX};

    for (unsigned i = 0; i < 3; i++) {
        for (unsigned j = 0; j < 4; j++)
            expect_error(invoke(table, operations[i], (uint64_t[8]){outside[j]}),
                         LIMEN_OUT_OF_RANGE);
        bool reads = operations[i] == LIMEN_TABLE_INSPECT;
        expect_error(invoke(readable, operations[i], (uint64_t[8]){1}),
                     reads ? LIMEN_OK : LIMEN_NO_RIGHT);
        expect_error(invoke(writable, operations[i], (uint64_t[8]){1}),
                     reads ? LIMEN_NO_RIGHT : LIMEN_OK);
    }
    uint64_t words[8] = {0};
    expect_ok(invoke(readable, LIMEN_TABLE_INFO, words));
    expect_equal(words[0], 16);
    expect_error(invoke(writable, LIMEN_TABLE_INFO, words), LIMEN_NO_RIGHT);
    expect_error(invoke(table, 0, words), LIMEN_BAD_OPERATION);
    expect_error(invoke(table, LIMEN_TABLE_INFO + 1, words), LIMEN_BAD_OPERATION);
}

TEST(table, inspect_of_an_empty_slot_says_none)
{
    struct limen_capability capability = inspect(slots(1));
    expect_equal(capability.type, LIMEN_TYPE_NONE);
    expect_equal(capability.rights, 0);
    expect_equal(capability.badge, 0);
}

/* Kernel addresses never leave: the badge's place holds pointers for some types. */
TEST(table, inspect_shows_no_kernel_address)
{
    uint32_t frame;
    map_new(LIMEN_PAGE_ORDER, &frame);
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 16);
    expect_ok(limen_retype(untyped, LIMEN_TYPE_REPLY, 0, slots(1), 1));
    const uint32_t all[] = {frame, untyped, KERNEL, OWN_TABLE, OWN_SPACE, UNLIMITED, IRQ_CONTROL};

    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++)
        expect_equal(inspect(all[i]).badge, 0);
}

TEST(table, delete_hands_children_on)
{
    uint32_t a = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t b = copy_of(a, LIMEN_RIGHTS_ALL);
    uint32_t c = copy_of(b, LIMEN_RIGHTS_ALL);
    uint32_t d = copy_of(b, LIMEN_RIGHTS_ALL);

    expect_ok(limen_delete(OWN_TABLE, b));
    expect(is_empty(b));
    expect(!is_empty(a) && !is_empty(c) && !is_empty(d));
    expect_ok(limen_revoke(OWN_TABLE, a));
    expect(!is_empty(a) && is_empty(c) && is_empty(d));
}

TEST(table, revoke_takes_all_that_is_derived_and_nothing_else)
{
    uint32_t root = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t sibling = copy_of(root, LIMEN_RIGHTS_ALL);
    uint32_t child = copy_of(root, LIMEN_RIGHTS_ALL);
    uint32_t grandchild[4];
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    struct limen_capability capability;

    grandchild[0] = copy_of(child, LIMEN_RIGHTS_ALL);
    grandchild[1] = copy_of(child, LIMEN_RIGHTS_ALL);
    grandchild[2] = copy_of(grandchild[0], LIMEN_RIGHTS_ALL);
    grandchild[3] = slots(1);
    expect_ok(limen_copy(table, 5, 0, grandchild[2], LIMEN_RIGHTS_ALL));
    /* What is moved stays derived from the same. */
    expect_ok(limen_move(OWN_TABLE, grandchild[3], 0, grandchild[1]));

    expect_ok(limen_revoke(OWN_TABLE, child));
    for (unsigned i = 0; i < 4; i++)
        expect(is_empty(grandchild[i]));
    expect_ok(limen_inspect(table, 5, &capability));
    expect_equal(capability.type, LIMEN_TYPE_NONE);
    expect(!is_empty(root) && !is_empty(sibling) && !is_empty(child));
}

TEST(table, moved_parent_keeps_its_children)
{
    uint32_t root = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t first = copy_of(root, LIMEN_RIGHTS_ALL);
    uint32_t second = copy_of(root, LIMEN_RIGHTS_ALL);
    uint32_t to = slots(1);

    expect_ok(limen_move(OWN_TABLE, to, 0, root));
    expect(is_empty(root) && !is_empty(to));
    expect_ok(limen_revoke(OWN_TABLE, to));
    expect(is_empty(first) && is_empty(second) && !is_empty(to));
}

/* Deep and wide, in an order that leaves no link of the tree untried. */
TEST(table, revoke_of_a_large_tree)
{
    enum { COUNT = 600 };
    uint32_t root = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t first = slots(COUNT);

    for (uint32_t i = 0; i < COUNT; i++) {
        uint32_t from = i == 0 ? root : first + (i * 7919u) % i;
        expect_ok(limen_copy(OWN_TABLE, first + i, 0, from, LIMEN_RIGHTS_ALL));
    }
    for (uint32_t i = 3; i < COUNT; i += 7)
        expect_ok(limen_delete(OWN_TABLE, first + i));
    for (uint32_t i = 0; i < COUNT; i++)
        expect_equal(is_empty(first + i), i >= 3 && (i - 3) % 7 == 0);
    expect_ok(limen_revoke(OWN_TABLE, root));
    for (uint32_t i = 0; i < COUNT; i++)
        expect(is_empty(first + i));
}

TEST(table, delete_of_an_empty_slot_is_fine)
{
    expect_ok(limen_delete(OWN_TABLE, slots(1)));
}

static uint64_t bytes_used(uint32_t untyped)
{
    struct limen_untyped_info info;
    expect_ok(limen_untyped_info(untyped, &info));
    return info.used;
}

TEST(table, object_dies_with_its_last_capability)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 20);
    static const struct {
        enum limen_type type;
        unsigned order;
    } types[] = {
        {LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN},
        {LIMEN_TYPE_THREAD, 0},
        {LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN},
        {LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER},
        {LIMEN_TYPE_REPLY, 0},
        {LIMEN_TYPE_ENDPOINT, 0},
        {LIMEN_TYPE_NOTIFICATION, 0},
        {LIMEN_TYPE_UNTYPED, 12},
    };
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        uint32_t row = slots(2);
        expect_ok(limen_retype(untyped, types[i].type, types[i].order, row, 1));
        uint64_t used = bytes_used(untyped);
        expect(used != 0);
        if (types[i].type != LIMEN_TYPE_UNTYPED) {
            expect_ok(limen_copy(OWN_TABLE, row + 1, 0, row, LIMEN_RIGHTS_ALL));
            expect_ok(limen_delete(OWN_TABLE, row));
            expect_equal(bytes_used(untyped), used);
            expect_ok(limen_delete(OWN_TABLE, row + 1));
        } else {
            expect_ok(limen_delete(OWN_TABLE, row));
        }
        expect_equal(bytes_used(untyped), 0);
    }
}

/* A table full of capabilities lets go of them all when it dies. */
TEST(table, dying_table_empties_itself)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 20);
    uint32_t endpoint = slots(1), table = make(LIMEN_TYPE_TABLE, 8);

    expect_ok(limen_retype(untyped, LIMEN_TYPE_ENDPOINT, 0, endpoint, 1));
    for (uint32_t i = 1; i < 256; i++)
        expect_ok(limen_copy(table, i, 0, endpoint, LIMEN_RIGHTS_ALL));
    expect_ok(limen_delete(OWN_TABLE, endpoint));
    expect(bytes_used(untyped) != 0);
    expect_ok(limen_delete(OWN_TABLE, table));
    expect_equal(bytes_used(untyped), 0);
}

/* Tables that hold themselves and each other would never die by counting; revocation ends them. */
TEST(table, revoke_breaks_circles)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 20);
    uint32_t one = slots(2), two = one + 1;

    expect_ok(limen_retype(untyped, LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN, one, 2));
    expect_ok(limen_copy(one, 1, 0, one, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(one, 2, 0, two, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(two, 1, 0, one, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(two, 15, 0, two, LIMEN_RIGHTS_ALL));
    expect_ok(limen_delete(OWN_TABLE, one));
    expect_ok(limen_delete(OWN_TABLE, two));
    expect(bytes_used(untyped) != 0);
    expect_ok(limen_revoke(OWN_TABLE, untyped));
    expect_equal(bytes_used(untyped), 0);
}

/* -- look-ups, from a thread with a table of 16 -- */

static struct {
    uint32_t table;
    uint64_t fate[20]; /* RAX of a call on that index */
} lookup;

/* In a small table only the raw call can be made; its end is a signal by slot 14. */
static void look_up_all(void *unused)
{
    (void)unused;
    for (uint32_t index = 0; index < 20; index++) {
        uint64_t target = index, tag = limen_tag(LIMEN_TABLE_INFO, 0, 0);
        uint64_t words[8] = {0};
        lookup.fate[index] = limen_syscall8(LIMEN_SYS_CALL, &target, &tag, 0, words);
    }
    limen_signal(14);
    for (;;) {
        uint64_t target = 13, tag = 0;
        uint64_t words[8] = {0};
        limen_syscall8(LIMEN_SYS_WAIT, &target, &tag, 0, words);
    }
}

TEST(table, lookups_stay_within_the_table)
{
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    uint32_t signal = minted(notification, LIMEN_RIGHTS_ALL, 1);
    struct worker *worker = new_worker(LOWER);
    struct message message = {0};

    expect_ok(limen_copy(table, 1, 0, KERNEL, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(table, 15, 0, KERNEL, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(table, 14, 0, signal, LIMEN_RIGHTS_ALL));
    expect_ok(limen_copy(table, 13, 0, NEVER, LIMEN_RIGHTS_ALL));
    expect_ok(limen_thread_configure(worker->thread, OWN_SPACE, table, FAULTS));
    start(worker, look_up_all, NULL);
    expect_ok(transfer(LIMEN_SYS_WAIT, notification, 0, LIMEN_FOREVER, &message));
    for (uint32_t index = 0; index < 20; index++) {
        bool there = index == 1 || (index >= 13 && index <= 15);
        expect_equal(lookup.fate[index], there ? LIMEN_OK : LIMEN_BAD_CAPABILITY);
    }
}

TEST(table, calls_name_capabilities_by_32_bits)
{
    uint64_t words[8] = {0}, target = limen_target(OWN_TABLE, 0xffffffff);
    uint64_t tag = limen_tag(LIMEN_TABLE_INFO, 0, 0);

    expect_ok(limen_syscall8(LIMEN_SYS_CALL, &target, &tag, 0, words));
    expect_equal(words[0], 1u << LIMEN_INIT_TABLE_ORDER);
    expect_equal(target, 0);
    static const uint32_t missing[] = {0, NO_SLOT, 0xffffffff, 1u << LIMEN_INIT_TABLE_ORDER};
    for (unsigned i = 0; i < 4; i++) {
        target = missing[i];
        expect_error(limen_syscall8(LIMEN_SYS_CALL, &target, &tag, 0, words), LIMEN_BAD_CAPABILITY);
    }
}

/* Replies are answered, not called; notifications are signalled. */
TEST(table, calls_on_objects_without_operations_are_refused)
{
    uint64_t words[8] = {0};
    expect_error(invoke(make(LIMEN_TYPE_REPLY, 0), 1, words), LIMEN_WRONG_TYPE);
    expect_error(invoke(make(LIMEN_TYPE_NOTIFICATION, 0), 1, words), LIMEN_WRONG_TYPE);
}
