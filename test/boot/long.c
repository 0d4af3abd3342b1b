/* SPDX-License-Identifier: MIT */
/*
 * Operations that take long let others in: a thread of higher priority with a deadline wakes on
 * time while one of lower priority clears, revokes or destroys.
 *
 * What "on time" is can only be said where instructions are counted, one tick of the TSC each:
 * these tests want the word "icount" on the command line.  What happens when somebody interferes
 * half-way they try everywhere.
 */
#include "kit.h"

#include <string.h>

#define PERIOD_NS    5000u
#define LATE_NS_MAX  4000u /* of a wake, in instructions; measured 1800 */
#define IRQS_OFF_MAX 1500u /* of any stretch, in instructions, without assertions */
#define WITH_CHECKS  2u    /* times as many with them */
#define LARGE_TABLE  16u
#define CAPABILITIES 50000u /* of a table */
#define CLEARED      (256ull << 20)

/* -- a thread that must not be kept waiting -- */

static volatile bool busy; /* the operation is running */
static volatile uint64_t wakes_while_busy, latest_ns;
static void (*interfere)(void); /* at a wake while busy */

static void wake_often(void *unused)
{
    struct message message = {0};

    (void)unused;
    for (;;) {
        uint64_t deadline = now() + PERIOD_NS;
        transfer(LIMEN_SYS_WAIT, NEVER, 0, deadline, &message);
        uint64_t late = now() - deadline;
        if (!busy)
            continue;
        wakes_while_busy++;
        if (late > latest_ns)
            latest_ns = late;
        if (interfere)
            interfere();
    }
}

static void begin(void)
{
    busy = false;
    interfere = NULL;
    wakes_while_busy = latest_ns = 0;
    spawn(HIGHER, wake_often, NULL);
    expect_ok(limen_counter_reset(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF));
    busy = true;
}

/* The work must have been long enough to be interrupted, and was. */
static void expect_on_time(uint64_t least_wakes)
{
    uint64_t irqs_off;

    busy = false;
    if (wakes_while_busy < least_wakes)
        fail("only %lu wakes during the operation, want %lu", wakes_while_busy, least_wakes);
    if (latest_ns > LATE_NS_MAX)
        fail("a wake came %lu ns late, at most %u are allowed", latest_ns, LATE_NS_MAX);
    uint64_t entries = counter(LIMEN_COUNTER_ENTRIES); /* counted with checks only */
    unsigned most = entries ? WITH_CHECKS * IRQS_OFF_MAX : IRQS_OFF_MAX;
    if (limen_counter(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF, &irqs_off) == LIMEN_OK && irqs_off > most)
        fail("interrupts were off for %lu instructions, at most %u are allowed", irqs_off, most);
}

/* By one call, of one piece of memory, for which the arena must be twice as large. */
TEST(long, clearing_lets_others_in)
{
    begin();
    make_many(LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, CLEARED >> LIMEN_LARGE_PAGE_ORDER);
    expect_on_time(1000);
}

TEST(long, making_a_large_table_lets_others_in)
{
    begin();
    make(LIMEN_TYPE_TABLE, LARGE_TABLE);
    expect_on_time(100);
}

/* A table with copies of an endpoint in all its slots from 1 to `count`. */
static uint32_t full_table(uint32_t endpoint, unsigned order, unsigned count)
{
    uint32_t table = make(LIMEN_TYPE_TABLE, order);

    for (uint32_t i = 1; i <= count; i++)
        expect_ok(limen_copy(table, i, 0, endpoint, LIMEN_RIGHTS_ALL));
    return table;
}

TEST(long, revocation_lets_others_in)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t table = full_table(endpoint, LARGE_TABLE, CAPABILITIES);
    struct limen_capability capability;

    full_table(endpoint, LARGE_TABLE, CAPABILITIES);
    begin();
    expect_ok(limen_revoke(OWN_TABLE, endpoint));
    expect_on_time(1000);
    for (uint32_t i = 1; i <= CAPABILITIES; i += 997) {
        expect_ok(limen_inspect(table, i, &capability));
        expect_equal(capability.type, LIMEN_TYPE_NONE);
    }
}

TEST(long, destroying_a_full_table_lets_others_in)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t table = full_table(endpoint, LARGE_TABLE, CAPABILITIES);

    begin();
    expect_ok(limen_delete(OWN_TABLE, table));
    expect_on_time(100);
}

/* Deleting the root of many hands them all on, one at a time. */
TEST(long, deleting_a_parent_lets_others_in)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t parent = copy_of(endpoint, LIMEN_RIGHTS_ALL);

    full_table(parent, 15, 30000);
    begin();
    expect_ok(limen_delete(OWN_TABLE, parent));
    expect_on_time(50);
}

/* Each address is in a region of its own, and needs three tables. */
TEST(long, making_page_tables_lets_others_in)
{
    enum { REGIONS = 20, REGION_ORDER = 39 };
    uint32_t space = make(LIMEN_TYPE_SPACE, 18);
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, REGIONS);

    begin();
    for (uint64_t i = 0; i < REGIONS; i++)
        expect_ok(limen_map(frames + (uint32_t)i, space, (i + 1) << REGION_ORDER, LIMEN_RIGHT_READ,
                            LIMEN_CACHE_NORMAL));
    expect_on_time(5);
}

TEST(long, destroying_a_full_space_lets_others_in)
{
    enum { FRAMES = 768 };
    uint32_t space = make(LIMEN_TYPE_SPACE, 16);
    uint32_t frames = make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 256);

    make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 256);
    make_many(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 256);
    for (uint32_t i = 0; i < FRAMES; i++)
        expect_ok(limen_map(frames + i, space, LIMEN_PAGE_SIZE * (i + 1), LIMEN_RIGHT_READ,
                            LIMEN_CACHE_NORMAL));
    begin();
    expect_ok(limen_delete(OWN_TABLE, space));
    expect_on_time(3);
}

static void sleep_for_ever(void *endpoint)
{
    struct message message = {0};
    transfer(LIMEN_SYS_WAIT, *(uint32_t *)endpoint, 0, LIMEN_FOREVER, &message);
}

TEST(long, destroying_a_crowded_endpoint_lets_others_in)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);

    for (unsigned i = 0; i < 90; i++) {
        struct worker *worker = spawn(HIGHER, sleep_for_ever, &endpoint);
        expect_ok(limen_thread_set_priority(worker->thread, LOWER));
    }
    begin();
    expect_ok(limen_delete(OWN_TABLE, endpoint));
    expect_on_time(1);
}

/* -- interference: what a long operation works on is changed under it -- */

static uint32_t root, table, other;
static enum limen_error fate;
static volatile bool ended; /* the operation, or whoever was at it */
static volatile uint64_t interfered;

static void revoke_root(void *unused)
{
    (void)unused;
    busy = true;
    fate = limen_revoke(OWN_TABLE, root);
    busy = false;
    ended = true;
}

/* The other thread is in the middle of its operation, which shows by what a debugger is told of its
 * registers.  When it is so depends on the timer alone; that it will be does not. */
static bool is_half_way(void)
{
    struct limen_regs regs;

    expect_ok(limen_thread_suspend(other));
    enum limen_error error = limen_thread_get_regs(other, &regs);
    expect_ok(limen_thread_resume(other));
    return error == LIMEN_BUSY;
}

/* Each wake half-way does it once; `limit` wakes at most. */
static uint64_t limit;

static bool again(void)
{
    return busy && interfered < limit && is_half_way() && ++interfered;
}

static void interfere_with(void (*operation)(void *unused), void (*with)(void), uint64_t times)
{
    begin();
    busy = false;
    ended = false;
    interfered = 0;
    limit = times;
    interfere = with;
    struct worker *worker = new_worker(LOWER);
    other = worker->thread;
    start(worker, operation, NULL);
}

static void run_interfered(void (*with)(void), uint64_t times)
{
    root = make(LIMEN_TYPE_ENDPOINT, 0);
    table = full_table(root, 14, 16000);
    interfere_with(revoke_root, with, times);
}

/* Another thread revokes the same root in the middle. */
static void revoke_too(void)
{
    if (again())
        expect_ok(limen_revoke(OWN_TABLE, root));
}

static void expect_all_gone(void)
{
    struct limen_capability capability;

    for (uint32_t i = 1; i <= 16000; i += 37) {
        expect_ok(limen_inspect(table, i, &capability));
        expect_equal(capability.type, LIMEN_TYPE_NONE);
    }
}

static void wait_until_ended(void)
{
    struct message message = {0};

    while (!ended)
        transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + 10 * PERIOD_NS, &message);
}

TEST(long, two_revoke_the_same)
{
    run_interfered(revoke_too, 1);
    wait_until_ended();
    expect_error(fate, LIMEN_OK);
    expect_all_gone();
    expect(interfered == 1);
}

/* The root itself goes while what is derived from it is being deleted. */
static void delete_root(void)
{
    if (again())
        expect_ok(limen_delete(OWN_TABLE, root));
}

TEST(long, root_is_deleted_while_it_is_revoked)
{
    run_interfered(delete_root, 1);
    wait_until_ended();
    expect_error(fate, LIMEN_OK);
    expect(is_empty(root));
}

/* New capabilities are derived all the while; in the end they are gone as well. */
static uint32_t extra;

static void derive_more(void)
{
    if (again())
        expect_ok(limen_copy(OWN_TABLE, extra + (uint32_t)interfered, 0, root, LIMEN_RIGHTS_ALL));
}

TEST(long, more_is_derived_while_it_is_revoked)
{
    extra = slots(64);
    run_interfered(derive_more, 60);
    wait_until_ended();
    expect_error(fate, LIMEN_OK);
    expect_all_gone();
    expect_equal(interfered, 60);
    for (uint32_t i = 0; i < 64; i++)
        expect(is_empty(extra + i));
}

/* The table that holds them dies under the revocation. */
static void delete_table(void)
{
    if (again())
        expect_ok(limen_delete(OWN_TABLE, table));
}

TEST(long, table_dies_while_its_entries_are_revoked)
{
    run_interfered(delete_table, 1);
    wait_until_ended();
    expect_error(fate, LIMEN_OK);
    expect(is_empty(table));
}

/* The thread is stopped half-way, and goes on when it is resumed. */
static void suspend_it(void)
{
    if (again())
        expect_ok(limen_thread_suspend(other));
}

TEST(long, revoking_thread_is_stopped_and_resumed)
{
    run_interfered(suspend_it, 1);
    struct message message = {0};
    while (interfered == 0 && !ended)
        transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + PERIOD_NS, &message);
    struct limen_regs regs;
    expect_equal(state_of(other), LIMEN_THREAD_STOPPED);
    expect_error(limen_thread_get_regs(other, &regs), LIMEN_BUSY);
    expect_error(limen_thread_set_regs(other, &regs), LIMEN_BUSY);
    expect_error(limen_thread_configure(other, OWN_SPACE, OWN_TABLE, 0), LIMEN_BUSY);
    expect_ok(limen_thread_resume(other));
    wait_until_ended();
    expect_error(fate, LIMEN_OK);
    expect_all_gone();
}

/* The thread is destroyed half-way; what it had begun, the next revocation finishes. */
static void destroy_it(void)
{
    if (again()) {
        expect_ok(limen_delete(OWN_TABLE, other));
        busy = false;
        ended = true;
    }
}

TEST(long, revoking_thread_is_destroyed)
{
    run_interfered(destroy_it, 1);
    wait_until_ended();
    expect(is_empty(other));
    expect_ok(limen_revoke(OWN_TABLE, root));
    expect_all_gone();
}

/* -- retyping, interfered with -- */

static uint32_t memory, place;
static uint64_t made;

static void retype_two(void *unused)
{
    (void)unused;
    uint64_t words[8] = {LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, 0, place, 2};
    busy = true;
    fate = invoke(memory, LIMEN_UNTYPED_RETYPE, words);
    made = words[0];
    busy = false;
    ended = true;
}

static void run_retype(void (*with)(void))
{
    memory = make(LIMEN_TYPE_UNTYPED, LIMEN_LARGE_PAGE_ORDER + 1);
    place = slots(3);
    interfere_with(retype_two, with, 1);
    wait_until_ended();
    expect_equal(interfered, 1);
}

static void occupy_second(void)
{
    if (again())
        expect_ok(limen_copy(OWN_TABLE, place + 1, 0, OWN_TABLE, LIMEN_RIGHTS_ALL));
}

TEST(long, retype_says_how_many_were_made_when_a_slot_is_taken)
{
    run_retype(occupy_second);
    expect_error(fate, LIMEN_SLOT_OCCUPIED);
    expect_equal(made, 1);
    expect_equal(inspect(place).type, LIMEN_TYPE_FRAME);
    expect_equal(inspect(place + 1).type, LIMEN_TYPE_TABLE);
}

static void take_memory_away(void)
{
    if (again())
        expect_ok(limen_move(OWN_TABLE, place + 2, 0, memory));
}

TEST(long, retype_stops_when_its_memory_is_taken)
{
    run_retype(take_memory_away);
    expect_error(fate, LIMEN_BAD_CAPABILITY);
    expect_equal(made, 0);
    /* The memory is whole, in its new place. */
    uint32_t frames = slots(2);
    expect_ok(limen_retype(place + 2, LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER, frames, 2));
}

/* Two retype the same memory at once: nobody's objects overlap. */
static void retype_too(void)
{
    if (again())
        expect_ok(limen_retype(memory, LIMEN_TYPE_REPLY, 0, place + 2, 1));
}

TEST(long, two_retype_the_same_memory)
{
    run_retype(retype_too);
    expect_error(fate, LIMEN_NO_MEMORY);
    expect_equal(made, 1);
    uint64_t words[8] = {0};
    expect_ok(invoke(place, LIMEN_FRAME_INFO, words));
    struct limen_untyped_info info;
    expect_ok(limen_untyped_info(memory, &info));
    expect_equal(words[0], info.address + (1ull << LIMEN_LARGE_PAGE_ORDER));
}
