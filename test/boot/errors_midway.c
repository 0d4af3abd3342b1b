/* SPDX-License-Identifier: MIT */
#include "errors_midway.h"

#include "errors.h"
#include "victim.h"

#include <limen/syscall.h>

#define BLOCK_ORDER    22u
#define CHILDREN       16000u /* as many steps, more than are made before the test looks */
#define CHILDREN_ORDER 14u    /* of a table for them */
#define AT_ONCE        250u
#define LOOK_NS        20000u
#define FRAMES         768u
#define ANY_LINE       6u

/* All that is made for one attempt, of one block of memory. */
enum { VICTIM, FULL, SPACE, FRAME, PIECE, OTHERS };
static uint32_t block, first;

/* The long operation, and the thread that makes it. */
static uint32_t table, label;
static struct worker *worker;
static enum limen_error fate;

static uint32_t make_here(uint32_t which, enum limen_type type, unsigned order)
{
    expect_ok(limen_retype(block, type, order, first + which, 1));
    return first + which;
}

static void take_back(void *unused)
{
    (void)unused;
    fate = invoke(table, label, (uint64_t[8]){first + VICTIM});
}

static void begin(void)
{
    block = make(LIMEN_TYPE_UNTYPED, BLOCK_ORDER);
    first = slots(OTHERS + FRAMES);
    worker = new_worker(LOWER);
}

/* Stops it in the middle, which shows by what a debugger is told of its registers.  Whether it is
 * found there depends on when the timer's interrupt comes: if not, all is made anew. */
static void stop_half_way(uint32_t operation, void (*make_victim)(void))
{
    struct limen_regs regs;

    label = operation;
    table = copy_of(OWN_TABLE, LIMEN_RIGHTS_ALL);
    for (;;) {
        struct message message = {0};
        expect_ok(limen_revoke(OWN_TABLE, block));
        make_victim();
        start(worker, take_back, NULL);
        transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + LOOK_NS, &message);
        expect_ok(limen_thread_suspend(worker->thread));
        if (limen_thread_get_regs(worker->thread, &regs) == LIMEN_BUSY)
            return;
        expect_ok(limen_thread_resume(worker->thread));
        join(worker);
    }
}

static void let_it_end(void)
{
    expect_ok(limen_thread_resume(worker->thread));
    join(worker);
}

/* -- memory that is being deleted -- */

static void make_used_memory(void)
{
    uint32_t victim = make_here(VICTIM, LIMEN_TYPE_UNTYPED, CHILDREN_ORDER + LIMEN_REPLY_ORDER);
    uint32_t full = make_here(FULL, LIMEN_TYPE_TABLE, CHILDREN_ORDER);

    for (uint32_t i = 1; i <= CHILDREN; i += AT_ONCE)
        expect_ok(invoke(victim, LIMEN_UNTYPED_RETYPE,
                         (uint64_t[8]){LIMEN_TYPE_REPLY, 0, full, i, AT_ONCE}));
}

void provoke_retype_of_what_is_deleted(void)
{
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN), to = slots(1);

    begin();
    stop_half_way(LIMEN_TABLE_DELETE, make_used_memory);
    uint32_t victim = first + VICTIM;
    enum limen_error error = limen_retype(victim, LIMEN_TYPE_REPLY, 0, to, 1);
    expect_error(error, LIMEN_BUSY);
    note_answer(LIMEN_TYPE_UNTYPED, LIMEN_UNTYPED_RETYPE, error);
    expect_error(limen_irq_issue(IRQ_CONTROL, ANY_LINE, LIMEN_IRQ_DEFAULT, victim, to), LIMEN_BUSY);
    expect_error(limen_space_donate(space, victim), LIMEN_BUSY);
    let_it_end();
    expect_ok(fate);
    expect(is_empty(victim));
}

/* -- a space that is being emptied -- */

static void make_full_space(void)
{
    uint32_t victim = make_here(VICTIM, LIMEN_TYPE_UNTYPED, 14);
    uint32_t space = make_here(SPACE, LIMEN_TYPE_SPACE, 16);
    uint32_t frame = make_here(FRAME, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);

    expect_ok(limen_retype(victim, LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER, first + PIECE, 1));
    expect_ok(limen_space_donate(space, first + PIECE));
    for (uint32_t i = 0; i < FRAMES; i++) {
        uint32_t copy = first + OTHERS + i;
        expect_ok(limen_copy(OWN_TABLE, copy, 0, frame, LIMEN_RIGHTS_ALL));
        expect_ok(limen_map(copy, space, LIMEN_PAGE_SIZE * (i + 1), LIMEN_RIGHT_READ,
                            LIMEN_CACHE_NORMAL));
    }
}

static enum limen_error map_one_more(void)
{
    return limen_map(first + FRAME, first + SPACE, LIMEN_PAGE_SIZE, LIMEN_RIGHT_READ,
                     LIMEN_CACHE_NORMAL);
}

void provoke_map_in_what_is_emptied(void)
{
    begin();
    stop_half_way(LIMEN_TABLE_REVOKE, make_full_space);
    enum limen_error error = map_one_more();
    expect_error(error, LIMEN_BUSY);
    note_answer(LIMEN_TYPE_FRAME, LIMEN_FRAME_MAP, error);
    let_it_end();
    expect_ok(fate);
    expect_ok(map_one_more());
}

/* -- the thread that revokes a donation dies with the work half done -- */

static const uint64_t used_page = LIMEN_PAGE_SIZE * (FRAMES / 2);

TEST(space, donation_is_taken_back_by_who_revokes_next)
{
    uint64_t info[4] = {0};

    begin();
    stop_half_way(LIMEN_TABLE_REVOKE, make_full_space);
    expect_ok(limen_delete(OWN_TABLE, worker->thread));
    expect_error(map_one_more(), LIMEN_BUSY);
    expect_ok(limen_revoke(OWN_TABLE, first + VICTIM));
    expect_ok(limen_call4(first + SPACE, LIMEN_SPACE_INFO, info));
    expect_equal(info[2], 0); /* bytes mapped */
    for (uint32_t i = 0; i < FRAMES; i++)
        expect_error(limen_unmap(first + OTHERS + i), LIMEN_NOT_MAPPED);
    expect_ok(map_one_more());
}

/* Who runs in the space meanwhile has nothing to run on: its next access faults. */
TEST(space, donation_is_taken_from_under_who_runs_on_it)
{
    struct victim user = new_victim();
    struct limen_regs regs = victim_regs(&user, snippet_spin);

    begin();
    make_full_space();
    expect_ok(limen_thread_configure(user.worker->thread, first + SPACE, OWN_TABLE, user.endpoint));
    regs.rip = used_page;
    run_victim(&user, &regs);
    expect_equal(next_fault(&user).detail[0], PAGE_FAULT); /* it cannot be executed, but is there */
    expect_ok(limen_revoke(OWN_TABLE, first + VICTIM));
    resume_victim(&user);
    struct fault fault = next_fault(&user);
    expect_equal(fault.detail[0], PAGE_FAULT);
    expect_equal(fault.detail[1] & PF_PRESENT, 0);
}

/* -- the capability that the operation was called on -- */

static void make_parent_of_many(void)
{
    uint32_t victim = make_here(VICTIM, LIMEN_TYPE_ENDPOINT, 0);
    uint32_t full = make_here(FULL, LIMEN_TYPE_TABLE, CHILDREN_ORDER);

    for (uint32_t i = 1; i <= CHILDREN; i++)
        expect_ok(limen_copy(full, i, 0, victim, LIMEN_RIGHTS_ALL));
}

void provoke_loss_of_the_table(void)
{
    static const uint32_t labels[] = {LIMEN_TABLE_DELETE, LIMEN_TABLE_REVOKE};

    begin();
    for (unsigned i = 0; i < 4; i++) {
        bool is_anothers = i % 2; /* when it goes on, and not gone */
        stop_half_way(labels[i / 2], make_parent_of_many);
        expect_ok(limen_delete(OWN_TABLE, table));
        if (is_anothers)
            expect_ok(limen_copy(OWN_TABLE, table, 0, KERNEL, LIMEN_RIGHT_READ));
        let_it_end();
        expect_error(fate, is_anothers ? LIMEN_WRONG_TYPE : LIMEN_BAD_CAPABILITY);
        note_answer(LIMEN_TYPE_TABLE, labels[i / 2], fate);
    }
}
