/* SPDX-License-Identifier: MIT */
/* Untyped memory: what can be made of it, when it is used up, and that it comes back exactly. */
#include "kit.h"

#include <string.h>

static uint64_t used(uint32_t untyped)
{
    struct limen_untyped_info info;
    expect_ok(limen_untyped_info(untyped, &info));
    return info.used;
}

/* RETYPE with every word the caller's own. */
static enum limen_error retype(uint32_t untyped, uint64_t type, uint64_t order, uint64_t table,
                               uint64_t first, uint64_t count)
{
    return invoke(untyped, LIMEN_UNTYPED_RETYPE, (uint64_t[8]){type, order, table, first, count});
}

TEST(untyped, makes_every_type)
{
    static const struct {
        enum limen_type type;
        unsigned order;
        unsigned shown; /* by INSPECT */
    } makable[] = {
        {LIMEN_TYPE_UNTYPED, LIMEN_UNTYPED_ORDER_MIN, LIMEN_UNTYPED_ORDER_MIN},
        {LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN, LIMEN_TABLE_ORDER_MIN},
        {LIMEN_TYPE_THREAD, 0, LIMEN_THREAD_ORDER},
        {LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN, LIMEN_SPACE_ORDER_MIN},
        {LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, LIMEN_PAGE_ORDER},
        {LIMEN_TYPE_ENDPOINT, 0, LIMEN_ENDPOINT_ORDER},
        {LIMEN_TYPE_NOTIFICATION, 0, LIMEN_NOTIFICATION_ORDER},
        {LIMEN_TYPE_REPLY, 0, LIMEN_REPLY_ORDER},
    };
    for (unsigned i = 0; i < sizeof makable / sizeof makable[0]; i++) {
        struct limen_capability made = inspect(make(makable[i].type, makable[i].order));
        expect_equal(made.type, makable[i].type);
        expect_equal(made.rights, LIMEN_RIGHTS_ALL);
        expect_equal(made.badge, 0);
        expect_equal(made.order, makable[i].shown);
    }
}

TEST(untyped, makes_256_at_once)
{
    uint32_t first = make_many(LIMEN_TYPE_ENDPOINT, 0, LIMEN_RETYPE_COUNT_MAX);

    for (unsigned i = 0; i < LIMEN_RETYPE_COUNT_MAX; i++)
        expect_equal(inspect(first + i).type, LIMEN_TYPE_ENDPOINT);
    expect(is_empty(first + LIMEN_RETYPE_COUNT_MAX));
}

TEST(untyped, makes_into_another_table)
{
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    struct limen_capability made;

    expect_ok(retype(ARENA, LIMEN_TYPE_NOTIFICATION, 0, table, 14, 2));
    expect_ok(limen_inspect(table, 15, &made));
    expect_equal(made.type, LIMEN_TYPE_NOTIFICATION);
    expect_error(retype(ARENA, LIMEN_TYPE_NOTIFICATION, 0, table, 16, 1), LIMEN_OUT_OF_RANGE);
    expect_error(retype(ARENA, LIMEN_TYPE_NOTIFICATION, 0, table, 15, 1), LIMEN_SLOT_OCCUPIED);
}

TEST(untyped, refuses_wrong_arguments_and_changes_nothing)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 20);
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    uint32_t readable = copy_of(table, LIMEN_RIGHT_READ);
    uint32_t to = slots(2);
    uint32_t last = (1u << LIMEN_INIT_TABLE_ORDER) - 1;
    const struct {
        uint64_t type, order, table, first, count;
        enum limen_error error;
    } refused[] = {
        {LIMEN_TYPE_NONE, 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_IRQ_CONTROL, 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_IRQ, 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_PORTS, 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_KERNEL, 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_COUNT, 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_FRAME + (1ull << 32), 12, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_UNTYPED, LIMEN_UNTYPED_ORDER_MIN - 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_UNTYPED, LIMEN_UNTYPED_ORDER_MAX + 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN - 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MAX + 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN - 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MAX + 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER - 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER + 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER + 1, 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_FRAME, 12 + (1ull << 32), 0, to, 1, LIMEN_BAD_ARGUMENT},
        {LIMEN_TYPE_FRAME, 12, 0, to, 0, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, to, LIMEN_RETYPE_COUNT_MAX + 1, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, to, UINT64_MAX, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, 0, 1, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, last + 1, 1, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, last, 2, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, UINT64_MAX, 2, LIMEN_OUT_OF_RANGE},
        {LIMEN_TYPE_FRAME, 12, 0, endpoint, 1, LIMEN_SLOT_OCCUPIED},
        {LIMEN_TYPE_FRAME, 12, to, 1, 1, LIMEN_BAD_CAPABILITY},
        {LIMEN_TYPE_FRAME, 12, NO_SLOT, 1, 1, LIMEN_BAD_CAPABILITY},
        {LIMEN_TYPE_FRAME, 12, endpoint, 1, 1, LIMEN_WRONG_TYPE},
        {LIMEN_TYPE_FRAME, 12, readable, 1, 1, LIMEN_NO_RIGHT},
        {LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, 0, to, 1, LIMEN_NO_MEMORY},
        {LIMEN_TYPE_UNTYPED, LIMEN_UNTYPED_ORDER_MAX, 0, to, 256, LIMEN_NO_MEMORY},
        {LIMEN_TYPE_UNTYPED, 20, 0, to, 2, LIMEN_NO_MEMORY},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum limen_error error = retype(untyped, refused[i].type, refused[i].order,
                                        refused[i].table, refused[i].first, refused[i].count);
        if (error != refused[i].error)
            fail("row %u: error %u, want %u", i, error, refused[i].error);
        expect_equal(used(untyped), 0);
        expect(is_empty(to) && is_empty(last));
    }
    expect_error(invoke(untyped, 0, (uint64_t[8]){0}), LIMEN_BAD_OPERATION);
    expect_error(invoke(untyped, 3, (uint64_t[8]){0}), LIMEN_BAD_OPERATION);
}

/* Some empty, then an occupied slot: all or nothing. */
TEST(untyped, makes_nothing_when_one_slot_is_occupied)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 16);
    uint32_t row = slots(3);

    expect_ok(limen_retype(untyped, LIMEN_TYPE_REPLY, 0, row + 2, 1));
    expect_equal(used(untyped), 64);
    expect_error(limen_retype(untyped, LIMEN_TYPE_REPLY, 0, row, 3), LIMEN_SLOT_OCCUPIED);
    expect(is_empty(row) && is_empty(row + 1));
    expect_equal(used(untyped), 64);
}

static uint64_t address_of(uint32_t frame)
{
    uint64_t words[8] = {0};
    expect_ok(invoke(frame, LIMEN_FRAME_INFO, words));
    return words[0];
}

TEST(untyped, is_used_up_exactly_and_reused_from_the_start)
{
    enum { FRAMES = 16 };
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER + 4);
    uint32_t frames = slots(FRAMES + 1);
    uint64_t first[FRAMES];

    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, FRAMES));
    expect_equal(used(untyped), FRAMES * LIMEN_PAGE_SIZE);
    expect_error(limen_retype(untyped, LIMEN_TYPE_REPLY, 0, frames + FRAMES, 1), LIMEN_NO_MEMORY);
    for (unsigned i = 0; i < FRAMES; i++) {
        first[i] = address_of(frames + i);
        expect_equal(first[i], first[0] + i * LIMEN_PAGE_SIZE);
    }

    /* Not before the last of them is gone. */
    for (unsigned i = 0; i < FRAMES; i++) {
        expect_error(limen_retype(untyped, LIMEN_TYPE_REPLY, 0, frames + FRAMES, 1),
                     LIMEN_NO_MEMORY);
        expect_ok(limen_delete(OWN_TABLE, frames + i));
    }
    expect_equal(used(untyped), 0);
    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, FRAMES));
    for (unsigned i = 0; i < FRAMES; i++)
        expect_equal(address_of(frames + i), first[i]);
}

TEST(untyped, too_many_for_the_rest_make_none)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER + 2);
    uint32_t frames = slots(5);

    expect_error(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, 5),
                 LIMEN_NO_MEMORY);
    expect_equal(used(untyped), 0);
    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, 4));
}

TEST(untyped, aligns_each_object_to_its_size)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 22);
    uint32_t row = slots(3);

    expect_ok(limen_retype(untyped, LIMEN_TYPE_REPLY, 0, row, 1));
    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, row + 1, 1));
    expect_equal(used(untyped), 2 * LIMEN_PAGE_SIZE);
    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, row + 2, 1));
    expect_equal(used(untyped), 2ull << LIMEN_LARGE_PAGE_ORDER);
    expect_equal(address_of(row + 2) & ((1ull << LIMEN_LARGE_PAGE_ORDER) - 1), 0);
}

static bool is_clear(const uint64_t *memory, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes / sizeof *memory; i++)
        if (memory[i] != 0)
            return false;
    return true;
}

static void dirty_and_return(uint32_t untyped, uint32_t frame, uint64_t address, unsigned order)
{
    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, order, frame, 1));
    expect_ok(limen_map(frame, OWN_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    expect(is_clear((uint64_t *)address, 1ull << order));
    memset((void *)address, 0xa5, 1ull << order);
    expect_ok(limen_delete(OWN_TABLE, frame));
}

TEST(untyped, frames_are_clear_each_time)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_LARGE_PAGE_ORDER);
    uint32_t frame = slots(1);

    for (unsigned round = 0; round < 3; round++) {
        dirty_and_return(untyped, frame, addresses(LIMEN_PAGE_ORDER), LIMEN_PAGE_ORDER);
        dirty_and_return(untyped, frame, addresses(LIMEN_LARGE_PAGE_ORDER), LIMEN_LARGE_PAGE_ORDER);
    }
}

/* A frame of memory that was handed on as untyped, used, and taken back. */
TEST(untyped, frames_are_clear_after_a_nested_use)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 16);
    uint32_t inner = slots(2);

    expect_ok(limen_retype(untyped, LIMEN_TYPE_UNTYPED, 15, inner, 1));
    dirty_and_return(inner, inner + 1, addresses(LIMEN_PAGE_ORDER), LIMEN_PAGE_ORDER);
    expect_ok(limen_delete(OWN_TABLE, inner));
    dirty_and_return(untyped, inner + 1, addresses(LIMEN_PAGE_ORDER), LIMEN_PAGE_ORDER);
}

/* What a table's memory held before must not look like capabilities. */
TEST(untyped, tables_are_empty_in_used_memory)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 14);
    uint32_t place = slots(1);
    uint64_t address = addresses(LIMEN_PAGE_ORDER);
    struct limen_capability capability;

    dirty_and_return(untyped, place, address, LIMEN_PAGE_ORDER);
    expect_ok(limen_retype(untyped, LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN, place, 1));
    for (uint32_t i = 1; i < 1u << LIMEN_TABLE_ORDER_MIN; i++) {
        expect_ok(limen_inspect(place, i, &capability));
        expect_equal(capability.type, LIMEN_TYPE_NONE);
    }
}

TEST(untyped, cannot_be_copied_but_moved)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 16);
    uint32_t to = slots(2);

    expect_error(limen_copy(OWN_TABLE, to, 0, untyped, LIMEN_RIGHTS_ALL), LIMEN_NOT_SUPPORTED);
    expect_error(limen_mint(OWN_TABLE, to, 0, untyped, LIMEN_RIGHTS_ALL, 1), LIMEN_WRONG_TYPE);
    expect_ok(limen_move(OWN_TABLE, to, 0, untyped));
    expect(is_empty(untyped));
    expect_ok(limen_retype(to, LIMEN_TYPE_REPLY, 0, to + 1, 1));
    expect_equal(used(to), 64);
}

TEST(untyped, revoking_the_root_takes_the_whole_tree)
{
    uint32_t row = slots(4);

    expect_ok(limen_retype(ARENA, LIMEN_TYPE_UNTYPED, 20, row, 1));
    for (unsigned i = 0; i < 3; i++)
        expect_ok(limen_retype(row + i, LIMEN_TYPE_UNTYPED, 19 - i, row + i + 1, 1));
    expect_ok(limen_revoke(OWN_TABLE, row));
    expect(is_empty(row + 1) && is_empty(row + 2) && is_empty(row + 3));
    expect_equal(inspect(row).type, LIMEN_TYPE_UNTYPED);
    expect_equal(used(row), 0);
}

static uint32_t device_untyped(unsigned *order)
{
    for (unsigned i = 0; i < machine->untyped_count; i++)
        if (machine->untyped[i].device && machine->untyped[i].order >= LIMEN_PAGE_ORDER) {
            *order = machine->untyped[i].order;
            return LIMEN_INIT_UNTYPED + i;
        }
    fail("this machine has no device memory to test with");
}

TEST(untyped, device_memory_yields_only_frames_and_untyped)
{
    unsigned order;
    uint32_t device = device_untyped(&order);
    uint32_t to = slots(1);
    struct limen_untyped_info info;

    expect_ok(limen_untyped_info(device, &info));
    expect(info.device);
    expect_equal(info.order, order);
    for (enum limen_type type = LIMEN_TYPE_TABLE; type <= LIMEN_TYPE_REPLY; type++)
        if (type != LIMEN_TYPE_FRAME)
            expect_error(limen_retype(device, type,
                                      type == LIMEN_TYPE_SPACE ? LIMEN_SPACE_ORDER_MIN
                                                               : LIMEN_TABLE_ORDER_MIN,
                                      to, 1),
                         LIMEN_WRONG_TYPE);
    expect_ok(limen_retype(device, LIMEN_TYPE_UNTYPED, order, to, 1));
    expect_ok(limen_untyped_info(to, &info));
    expect(info.device);
    expect_ok(limen_delete(OWN_TABLE, to));

    uint64_t words[8] = {0};
    expect_ok(limen_retype(device, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, to, 1));
    expect_ok(invoke(to, LIMEN_FRAME_INFO, words));
    expect_equal(words[0], info.address);
    expect_equal(words[2], 1);
    expect_error(limen_thread_set_message_page(LIMEN_INIT_THREAD, to), LIMEN_BAD_ARGUMENT);
    expect_ok(limen_delete(OWN_TABLE, to));
}

/* The pieces that init is given do not overlap and name what the kernel says they do. */
TEST(untyped, init_gets_memory_that_does_not_overlap)
{
    expect(machine->untyped_count > 0);
    for (unsigned i = 0; i < machine->untyped_count; i++) {
        struct limen_untyped_info info;
        uint64_t size = 1ull << machine->untyped[i].order;
        expect_ok(limen_untyped_info(LIMEN_INIT_UNTYPED + i, &info));
        expect_equal(info.address, machine->untyped[i].address);
        expect_equal(info.order, machine->untyped[i].order);
        expect_equal(info.device, machine->untyped[i].device);
        expect_equal(info.address & (size - 1), 0);
        for (unsigned j = 0; j < i; j++) {
            const struct limen_init_untyped *other = &machine->untyped[j];
            if (other->address + (1ull << other->order) > info.address &&
                info.address + size > other->address)
                fail("2^%u bytes at 0x%lx and 2^%u at 0x%lx overlap", other->order, other->address,
                     info.order, info.address);
        }
    }
    expect(memcmp((const void *)machine->archive, "070701", 6) == 0);
}

/* The interrupt controllers are the kernel's own: whoever could write to them could do anything. */
TEST(untyped, interrupt_controllers_are_nobody_s)
{
    static const uint64_t controllers[] = {0xfec00000, 0xfee00000}; /* where every PC has them */

    for (unsigned i = 0; i < machine->untyped_count; i++)
        for (unsigned j = 0; j < 2; j++)
            expect(controllers[j] < machine->untyped[i].address ||
                   controllers[j] - machine->untyped[i].address >=
                       1ull << machine->untyped[i].order);
}
