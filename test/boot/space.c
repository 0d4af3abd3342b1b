/* SPDX-License-Identifier: MIT */
/* Address spaces and frames: mapping, its limits, and the memory that page tables take. */
#include "kit.h"

#include <string.h>

#define READ_WRITE (LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE)
#define LARGE_SIZE (1ull << LIMEN_LARGE_PAGE_ORDER)

struct frame_info {
    uint64_t physical, order, device, address;
};

static struct frame_info frame_info(uint32_t frame)
{
    uint64_t words[8] = {0};
    expect_ok(invoke(frame, LIMEN_FRAME_INFO, words));
    return (struct frame_info){words[0], words[1], words[2], words[3]};
}

struct space_info {
    uint64_t held, free, mapped;
};

static struct space_info space_info(uint32_t space)
{
    uint64_t words[8] = {0};
    expect_ok(invoke(space, LIMEN_SPACE_INFO, words));
    return (struct space_info){words[0], words[1], words[2]};
}

static enum limen_error map(uint32_t frame, uint32_t space, uint64_t address, uint64_t rights,
                            uint64_t cache)
{
    return invoke(frame, LIMEN_FRAME_MAP, (uint64_t[8]){space, address, rights, cache});
}

TEST(space, maps_and_unmaps_a_frame)
{
    uint32_t frame;
    uint64_t before = space_info(OWN_SPACE).mapped;
    volatile uint64_t *memory = map_new(LIMEN_PAGE_ORDER, &frame);

    *memory = 42;
    expect_equal(frame_info(frame).address, (uint64_t)memory);
    expect_equal(frame_info(frame).order, LIMEN_PAGE_ORDER);
    expect_equal(frame_info(frame).device, 0);
    expect_equal(space_info(OWN_SPACE).mapped, before + LIMEN_PAGE_SIZE);
    expect_ok(limen_unmap(frame));
    expect_equal(frame_info(frame).address, 0);
    expect_equal(space_info(OWN_SPACE).mapped, before);
    expect_error(limen_unmap(frame), LIMEN_NOT_MAPPED);
    expect_ok(map(frame, OWN_SPACE, (uint64_t)memory, LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL));
    expect_equal(*memory, 42);
}

TEST(space, maps_a_large_frame)
{
    uint32_t frame;
    volatile uint64_t *memory = map_new(LIMEN_LARGE_PAGE_ORDER, &frame);

    memory[0] = 1;
    memory[LARGE_SIZE / 8 - 1] = 2;
    expect_equal(frame_info(frame).order, LIMEN_LARGE_PAGE_ORDER);
    expect_equal(frame_info(frame).address, (uint64_t)memory);
    expect_ok(limen_unmap(frame));
}

TEST(space, copies_of_a_frame_map_it_twice)
{
    uint32_t frame;
    volatile uint64_t *one = map_new(LIMEN_PAGE_ORDER, &frame);
    uint32_t copy = copy_of(frame, READ_WRITE);
    volatile uint64_t *two = (volatile uint64_t *)addresses(LIMEN_PAGE_ORDER);

    expect_equal(frame_info(copy).address, 0);
    expect_ok(map(copy, OWN_SPACE, (uint64_t)two, READ_WRITE, LIMEN_CACHE_NORMAL));
    *one = 0x1234;
    expect_equal(*two, 0x1234);
    /* Each mapping goes with its own capability. */
    expect_ok(limen_delete(OWN_TABLE, frame));
    expect_equal(*two, 0x1234);
    expect_ok(limen_unmap(copy));
}

TEST(space, moved_frame_keeps_its_mapping)
{
    uint32_t frame, to = slots(1);
    volatile uint64_t *memory = map_new(LIMEN_PAGE_ORDER, &frame);

    expect_ok(limen_move(OWN_TABLE, to, 0, frame));
    *memory = 7;
    expect_equal(frame_info(to).address, (uint64_t)memory);
    expect_ok(limen_unmap(to));
    expect_ok(map(to, OWN_SPACE, (uint64_t)memory, READ_WRITE, LIMEN_CACHE_NORMAL));
    expect_equal(*memory, 7);
}

/* The kernel keeps the mapped frames of a space in a list: take them out in every order. */
TEST(space, unmaps_in_any_order)
{
    static const uint8_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 3);
    uint64_t address = addresses(LIMEN_PAGE_ORDER + 2);
    uint64_t before = space_info(OWN_SPACE).mapped;

    for (unsigned i = 0; i < 6; i++) {
        for (unsigned j = 0; j < 3; j++)
            expect_ok(map(frames + j, OWN_SPACE, address + j * LIMEN_PAGE_SIZE, READ_WRITE,
                          LIMEN_CACHE_NORMAL));
        for (unsigned j = 0; j < 3; j++)
            expect_ok(limen_unmap(frames + orders[i][j]));
        expect_equal(space_info(OWN_SPACE).mapped, before);
    }
}

TEST(space, map_refuses_wrong_arguments)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, 16);
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    uint32_t large = make(LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER);
    uint32_t readable = copy_of(frame, LIMEN_RIGHT_READ);
    uint32_t writable = copy_of(frame, LIMEN_RIGHT_WRITE);
    const uint64_t execute = LIMEN_RIGHT_EXECUTE, read = LIMEN_RIGHT_READ;
    const struct {
        uint32_t frame, space;
        uint64_t address, rights, cache;
        enum limen_error error;
    } refused[] = {
        /* The space. */
        {frame, slots(1), 0x1000, read, 0, LIMEN_BAD_CAPABILITY},
        {frame, 0, 0x1000, read, 0, LIMEN_BAD_CAPABILITY},
        {frame, frame, 0x1000, read, 0, LIMEN_WRONG_TYPE},
        {frame, copy_of(space, LIMEN_RIGHT_READ), 0x1000, read, 0, LIMEN_NO_RIGHT},
        /* Rights: none, unknown, writable and executable, more than the frame's. */
        {frame, space, 0x1000, 0, 0, LIMEN_BAD_ARGUMENT},
        {frame, space, 0x1000, LIMEN_RIGHT_GRANT, 0, LIMEN_BAD_ARGUMENT},
        {frame, space, 0x1000, read | 1ull << 32, 0, LIMEN_BAD_ARGUMENT},
        {frame, space, 0x1000, LIMEN_RIGHT_WRITE | execute, 0, LIMEN_BAD_ARGUMENT},
        {frame, space, 0x1000, READ_WRITE | execute, 0, LIMEN_BAD_ARGUMENT},
        {readable, space, 0x1000, READ_WRITE, 0, LIMEN_NO_RIGHT},
        {readable, space, 0x1000, execute, 0, LIMEN_NO_RIGHT},
        {readable, space, 0x1000, read | execute, 0, LIMEN_NO_RIGHT},
        {writable, space, 0x1000, READ_WRITE, 0, LIMEN_NO_RIGHT},
        /* Cache modes are for devices. */
        {frame, space, 0x1000, read, LIMEN_CACHE_NONE, LIMEN_BAD_ARGUMENT},
        {frame, space, 0x1000, read, LIMEN_CACHE_NONE + 1, LIMEN_BAD_ARGUMENT},
        {frame, space, 0x1000, read, UINT64_MAX, LIMEN_BAD_ARGUMENT},
        /* Alignment. */
        {frame, space, 0x1001, read, 0, LIMEN_MISALIGNED},
        {frame, space, 0x1800, read, 0, LIMEN_MISALIGNED},
        {large, space, LARGE_SIZE + 0x1000, read, 0, LIMEN_MISALIGNED},
        {large, space, 0x1000, read, 0, LIMEN_MISALIGNED},
        /* Range: the first page, what is beyond the last page, the gap, the kernel. */
        {frame, space, 0, read, 0, LIMEN_OUT_OF_RANGE},
        {large, space, 0, read, 0, LIMEN_OUT_OF_RANGE},
        {frame, space, LIMEN_USER_END, read, 0, LIMEN_OUT_OF_RANGE},
        {large, space, LIMEN_USER_END + 0x1000 - LARGE_SIZE, read, 0, LIMEN_OUT_OF_RANGE},
        {frame, space, 0x0000800000000000, read, 0, LIMEN_OUT_OF_RANGE},
        {frame, space, 0x8000000000000000, read, 0, LIMEN_OUT_OF_RANGE},
        {frame, space, 0xffff800000000000, read, 0, LIMEN_OUT_OF_RANGE},
        {frame, space, 0xffffffff80000000, read, 0, LIMEN_OUT_OF_RANGE},
        {frame, space, 0xfffffffffffff000, read, 0, LIMEN_OUT_OF_RANGE},
        {large, space, 0xffffffffffe00000, read, 0, LIMEN_OUT_OF_RANGE},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum limen_error error = map(refused[i].frame, refused[i].space, refused[i].address,
                                     refused[i].rights, refused[i].cache);
        if (error != refused[i].error)
            fail("row %u: error %u, want %u", i, error, refused[i].error);
        expect_equal(frame_info(refused[i].frame).address, 0);
    }
    expect_equal(space_info(space).mapped, 0);
    expect_equal(space_info(space).free, space_info(space).held);
}

TEST(space, maps_the_first_and_the_last_page)
{
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 2);
    volatile uint64_t *first = (volatile uint64_t *)LIMEN_PAGE_SIZE;
    volatile uint64_t *last = (volatile uint64_t *)(LIMEN_USER_END - LIMEN_PAGE_SIZE);

    expect_ok(map(frames, OWN_SPACE, (uint64_t)first, READ_WRITE, 0));
    expect_ok(map(frames + 1, OWN_SPACE, (uint64_t)last, READ_WRITE, 0));
    *first = 1;
    *last = 2;
    expect_equal(*first, 1);
    expect_equal(*last, 2);
    expect_equal(frame_info(frames).address, (uint64_t)first);
    expect_equal(frame_info(frames + 1).address, (uint64_t)last);
}

TEST(space, place_and_frame_are_mapped_once)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, 17);
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 2);
    uint32_t large = make_many(LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, 2);

    expect_ok(map(frames, space, LARGE_SIZE, LIMEN_RIGHT_READ, 0));
    expect_error(map(frames, space, 0x1000, LIMEN_RIGHT_READ, 0), LIMEN_ALREADY_MAPPED);
    expect_error(map(frames + 1, space, LARGE_SIZE, LIMEN_RIGHT_READ, 0), LIMEN_ALREADY_MAPPED);
    expect_error(map(large, space, LARGE_SIZE, LIMEN_RIGHT_READ, 0), LIMEN_ALREADY_MAPPED);
    expect_ok(map(large, space, 2 * LARGE_SIZE, LIMEN_RIGHT_READ, 0));
    expect_error(map(frames + 1, space, 2 * LARGE_SIZE + 0x3000, LIMEN_RIGHT_READ, 0),
                 LIMEN_ALREADY_MAPPED);
    expect_error(map(large + 1, space, 2 * LARGE_SIZE, LIMEN_RIGHT_READ, 0), LIMEN_ALREADY_MAPPED);
    expect_equal(space_info(space).mapped, LARGE_SIZE + LIMEN_PAGE_SIZE);
    /* Free again, free for another. */
    expect_ok(limen_unmap(frames));
    expect_ok(map(frames + 1, space, LARGE_SIZE, LIMEN_RIGHT_READ, 0));
}

TEST(space, deleting_the_frame_unmaps_it)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, 16);
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 2);

    expect_ok(map(frames, space, 0x1000, LIMEN_RIGHT_READ, 0));
    expect_ok(limen_delete(OWN_TABLE, frames));
    expect_equal(space_info(space).mapped, 0);
    expect_ok(map(frames + 1, space, 0x1000, LIMEN_RIGHT_READ, 0));
}

TEST(space, deleting_the_space_unmaps_its_frames)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, 16);
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 3);

    for (unsigned i = 0; i < 3; i++)
        expect_ok(map(frames + i, space, 0x1000 * (i + 1), LIMEN_RIGHT_READ, 0));
    expect_ok(limen_delete(OWN_TABLE, space));
    for (unsigned i = 0; i < 3; i++) {
        expect_equal(frame_info(frames + i).address, 0);
        expect_error(limen_unmap(frames + i), LIMEN_NOT_MAPPED);
    }
}

TEST(space, map_fails_cleanly_when_tables_run_out)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    uint32_t large = make(LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER);

    /* Two table pages: one short of a small page, just enough for a large one. */
    expect_equal(space_info(space).held, 2);
    expect_equal(space_info(space).free, 2);
    expect_error(map(frame, space, 0x1000, LIMEN_RIGHT_READ, 0), LIMEN_NO_TABLES);
    expect_equal(frame_info(frame).address, 0);
    expect_equal(space_info(space).mapped, 0);
    expect_ok(map(large, space, LARGE_SIZE, LIMEN_RIGHT_READ, 0));
    expect_equal(space_info(space).free, 0);
    expect_error(map(frame, space, 0x1000, LIMEN_RIGHT_READ, 0), LIMEN_NO_TABLES);

    uint32_t memory = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER);
    expect_ok(limen_space_donate(space, memory));
    expect(is_empty(memory));
    expect_equal(space_info(space).held, 3);
    expect_ok(map(frame, space, 0x1000, LIMEN_RIGHT_READ, 0));
    expect_equal(space_info(space).free, 0);
}

TEST(space, donate_refuses_what_cannot_hold_tables)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    uint32_t memory = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER);
    uint32_t in_use = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER);
    uint32_t small = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER - 1);

    expect_ok(limen_retype(in_use, LIMEN_TYPE_REPLY, 0, slots(1), 1));
    expect_error(limen_space_donate(space, slots(1)), LIMEN_BAD_CAPABILITY);
    expect_error(limen_space_donate(space, space), LIMEN_WRONG_TYPE);
    expect_error(limen_space_donate(space, in_use), LIMEN_BUSY);
    expect_error(limen_space_donate(space, small), LIMEN_OUT_OF_RANGE);
    expect_error(limen_space_donate(copy_of(space, LIMEN_RIGHT_READ), memory), LIMEN_NO_RIGHT);
    expect_error(limen_call0(copy_of(space, LIMEN_RIGHT_WRITE), LIMEN_SPACE_INFO), LIMEN_NO_RIGHT);
    expect_error(limen_call0(space, 0), LIMEN_BAD_OPERATION);
    expect_error(limen_call0(space, 3), LIMEN_BAD_OPERATION);
    expect_equal(space_info(space).held, 2);
}

TEST(space, takes_16_donations)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    uint32_t memory = make_many(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER, LIMEN_SPACE_DONATIONS + 1);

    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
        expect_ok(limen_space_donate(space, memory + i));
    expect_error(limen_space_donate(space, memory + LIMEN_SPACE_DONATIONS), LIMEN_LIMIT);
    expect(!is_empty(memory + LIMEN_SPACE_DONATIONS));
    expect_equal(space_info(space).held, 2 + LIMEN_SPACE_DONATIONS);

    /* All of them serve: 18 tables map 16 places, each with a last table of its own. */
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, LIMEN_SPACE_DONATIONS + 1);
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
        expect_ok(map(frames + i, space, (i + 1) * LARGE_SIZE, LIMEN_RIGHT_READ, 0));
    expect_error(map(frames + LIMEN_SPACE_DONATIONS, space,
                     (LIMEN_SPACE_DONATIONS + 1) * LARGE_SIZE, LIMEN_RIGHT_READ, 0),
                 LIMEN_NO_TABLES);
}

/* Taking a donation back empties the space, which then works again with what it has left. */
TEST(space, revoking_a_donation_unmaps_everything)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    uint32_t memory = make(LIMEN_TYPE_UNTYPED, 14), piece = slots(1);
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 2);
    struct limen_untyped_info info;

    expect_ok(limen_retype(memory, LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER, piece, 1));
    expect_ok(limen_space_donate(space, piece));
    for (unsigned i = 0; i < 2; i++)
        expect_ok(map(frames + i, space, 0x1000 * (i + 1), LIMEN_RIGHT_READ, 0));
    expect_ok(limen_revoke(OWN_TABLE, memory));
    expect_ok(limen_untyped_info(memory, &info));
    expect_equal(info.used, 0);
    expect_equal(space_info(space).mapped, 0);
    expect_equal(space_info(space).held, 2);
    expect_equal(space_info(space).free, 2);
    for (unsigned i = 0; i < 2; i++)
        expect_equal(frame_info(frames + i).address, 0);

    expect_ok(limen_retype(memory, LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER, piece, 1));
    expect_ok(limen_space_donate(space, piece));
    expect_ok(map(frames, space, 0x1000, LIMEN_RIGHT_READ, 0));
}

/* A dying space gives its donations back to what they came from. */
TEST(space, gives_donations_back_when_it_dies)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    uint32_t memory = make(LIMEN_TYPE_UNTYPED, 14), piece = slots(1);
    struct limen_untyped_info info;

    expect_ok(limen_retype(memory, LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER, piece, 1));
    expect_ok(limen_space_donate(space, piece));
    expect_ok(limen_untyped_info(memory, &info));
    expect_equal(info.used, LIMEN_PAGE_SIZE);
    expect_ok(limen_delete(OWN_TABLE, space));
    expect_ok(limen_untyped_info(memory, &info));
    expect_equal(info.used, 0);
}

TEST(space, largest_space_has_254_tables)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MAX);
    expect_equal(space_info(space).held, 254);
    expect_equal(space_info(space).free, 254);
}

/* A space made of dirty memory shows none of it as mappings. */
TEST(space, is_empty_in_used_memory)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_LARGE_PAGE_ORDER), slot = slots(1);
    uint64_t address = addresses(LIMEN_LARGE_PAGE_ORDER);
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);

    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, slot, 1));
    expect_ok(map(slot, OWN_SPACE, address, READ_WRITE, 0));
    memset((void *)address, 0xff, LARGE_SIZE);
    expect_ok(limen_delete(OWN_TABLE, slot));
    expect_ok(limen_retype(untyped, LIMEN_TYPE_SPACE, 16, slot, 1));
    expect_equal(space_info(slot).mapped, 0);
    expect_ok(map(frame, slot, 0x1000, LIMEN_RIGHT_READ, 0));
    expect_equal(space_info(slot).free, space_info(slot).held - 3);
}

TEST(space, frame_refuses_unknown_operations)
{
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    expect_error(limen_call0(frame, 0), LIMEN_BAD_OPERATION);
    expect_error(limen_call0(frame, LIMEN_FRAME_INFO + 1), LIMEN_BAD_OPERATION);
}

TEST(space, device_frames_may_be_uncached)
{
    for (unsigned i = 0; i < machine->untyped_count; i++) {
        if (!machine->untyped[i].device || machine->untyped[i].order < LIMEN_PAGE_ORDER)
            continue;
        uint32_t frame = slots(1);
        uint64_t address = addresses(LIMEN_PAGE_ORDER);
        expect_ok(
            limen_retype(LIMEN_INIT_UNTYPED + i, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frame, 1));
        expect_ok(map(frame, OWN_SPACE, address, LIMEN_RIGHT_READ, LIMEN_CACHE_NONE));
        (void)*(volatile uint32_t *)address;
        expect_ok(limen_delete(OWN_TABLE, frame));
        return;
    }
    fail("this machine has no device memory to test with");
}
