/* SPDX-License-Identifier: MIT */
/* The operations of threads, and what each refuses. */
#include "kit.h"
#include "registers.h"
#include "victim.h"

#include <string.h>

#define FLAGS_SETTABLE (FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID)

static void wait_for_ever(void *unused)
{
    struct message message = {0};
    (void)unused;
    transfer(LIMEN_SYS_WAIT, NEVER, 0, LIMEN_FOREVER, &message);
}

TEST(thread, is_new_with_cleared_registers)
{
    struct limen_regs regs, want = {.cs = own_cs(), .ss = own_ss(), .rflags = FLAGS_ALWAYS};
    struct limen_thread_info info;
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);

    expect_ok(limen_thread_get_regs(thread, &regs));
    expect_regs(&regs, &want, "a new thread");
    expect_ok(limen_thread_info(thread, &info));
    expect_equal(info.state, LIMEN_THREAD_STOPPED);
    expect_equal(info.priority, 0);
    expect_equal(info.name[0], 0);
    expect_equal(info.fault_label, 0);
    expect_equal(info.nanoseconds, 0);
}

/* The same in memory where another thread has lived. */
TEST(thread, is_new_in_used_memory)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_THREAD_ORDER), thread = slots(1);
    struct limen_regs regs, want = {.cs = own_cs(), .ss = own_ss(), .rflags = FLAGS_ALWAYS};
    struct limen_thread_info info;

    for (unsigned round = 0; round < 2; round++) {
        expect_ok(limen_retype(untyped, LIMEN_TYPE_THREAD, 0, thread, 1));
        expect_ok(limen_thread_get_regs(thread, &regs));
        expect_regs(&regs, &want, "a new thread");
        expect_ok(limen_thread_info(thread, &info));
        expect_equal(info.name[0], 0);
        expect_equal(info.priority, 0);
        expect_error(limen_thread_resume(thread), LIMEN_NOT_CONFIGURED);
        fill_pattern(&regs, NULL, 0);
        expect_ok(limen_thread_set_regs(thread, &regs));
        expect_ok(limen_thread_set_name(thread, "first"));
        expect_ok(limen_thread_set_priority(thread, 7));
        expect_ok(limen_thread_configure(thread, OWN_SPACE, OWN_TABLE, FAULTS));
        expect_ok(limen_delete(OWN_TABLE, thread));
    }
}

TEST(thread, set_regs_gives_back_what_it_was_given)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    struct limen_regs regs, got;

    fill_pattern(&regs, (void *)0x1234567890, 0xfedcba9876543210);
    regs.origin = 0x5555;
    regs.error = 0;
    expect_ok(limen_thread_set_regs(thread, &regs));
    expect_ok(limen_thread_get_regs(thread, &got));
    expect_regs(&got, &regs, "after SET_REGS");
}

TEST(thread, set_regs_ignores_what_ring_3_may_not_set)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    struct limen_regs regs, got;

    fill_pattern(&regs, NULL, 0);
    regs.rflags = UINT64_MAX;
    regs.cs = 0x08;
    regs.ss = 0x10;
    regs.error = UINT64_MAX;
    expect_ok(limen_thread_set_regs(thread, &regs));
    expect_ok(limen_thread_get_regs(thread, &got));
    regs.cs = own_cs();
    regs.ss = own_ss();
    regs.rflags = FLAGS_ALWAYS | FLAGS_SETTABLE;
    regs.error = 0;
    expect_regs(&got, &regs, "after setting everything");

    regs.rflags = 0;
    expect_ok(limen_thread_set_regs(thread, &regs));
    expect_ok(limen_thread_get_regs(thread, &got));
    regs.rflags = FLAGS_ALWAYS;
    expect_regs(&got, &regs, "after clearing all flags");
}

TEST(thread, set_regs_wants_a_whole_frame_and_a_stopped_thread)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    struct worker *ready = spawn(LOWER, wait_for_ever, NULL);
    struct limen_regs regs = {0};
    unsigned words;

    expect_error(
        limen_transact(thread, limen_tag(LIMEN_THREAD_SET_REGS, LIMEN_REGS_WORDS - 1, 0), &words),
        LIMEN_BAD_ARGUMENT);
    expect_error(limen_transact(thread, limen_tag(LIMEN_THREAD_SET_REGS, 8, 0), &words),
                 LIMEN_BAD_ARGUMENT);
    expect_error(
        limen_transact(thread, limen_tag(LIMEN_THREAD_SET_REGS, LIMEN_WORDS_MAX + 1, 0), &words),
        LIMEN_BAD_ARGUMENT);
    expect_error(limen_thread_set_regs(ready->thread, &regs), LIMEN_BUSY);
    expect_error(limen_thread_get_regs(ready->thread, &regs), LIMEN_BUSY);
}

/* Of the test's own thread, which is READY but running. */
static uint32_t own_thread;

static void ask_for_own_registers(void *unused)
{
    struct limen_regs regs = {0};
    (void)unused;
    expect_error(limen_thread_set_regs(own_thread, &regs), LIMEN_BUSY);
    expect_error(limen_thread_get_regs(own_thread, &regs), LIMEN_BUSY);
    expect_error(limen_thread_resume(own_thread), LIMEN_BUSY);
    expect_error(limen_thread_configure(own_thread, OWN_SPACE, OWN_TABLE, 0), LIMEN_BUSY);
}

TEST(thread, cannot_edit_itself)
{
    struct worker *worker = new_worker(HIGHER);
    own_thread = worker->thread;
    start(worker, ask_for_own_registers, NULL);
    join(worker);
}

TEST(thread, get_regs_of_a_waiting_thread_shows_its_call)
{
    struct worker *worker = spawn(HIGHER, wait_for_ever, NULL);
    struct limen_regs regs;

    expect_equal(state_of(worker->thread), LIMEN_THREAD_WAITING);
    expect_ok(limen_thread_get_regs(worker->thread, &regs));
    expect_equal(regs.origin, LIMEN_SYS_WAIT);
    expect_equal(regs.rdi, NEVER);
    expect_equal(regs.rcx, regs.rip);
    expect_equal(regs.r11, regs.rflags);
    expect_equal(regs.cs, own_cs());
}

static void without_message_page(void *thread)
{
    struct limen_regs regs = {0};
    struct limen_thread_info info;
    uint32_t other = *(uint32_t *)thread;

    expect_error(limen_thread_set_regs(other, &regs), LIMEN_NO_MESSAGE_PAGE);
    expect_error(limen_thread_get_regs(other, &regs), LIMEN_NO_MESSAGE_PAGE);
    expect_error(limen_call4(KERNEL, LIMEN_KERNEL_LOG_READ, (uint64_t[4]){0}),
                 LIMEN_NO_MESSAGE_PAGE);
    expect_ok(limen_thread_info(other, &info));
}

TEST(thread, registers_and_log_need_a_message_page)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    struct worker *worker = new_worker(HIGHER);

    expect_ok(limen_thread_set_message_page(worker->thread, 0));
    start(worker, without_message_page, &thread);
    join(worker);
}

TEST(thread, configure_checks_each_capability)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    uint32_t space = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    uint32_t table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t empty = slots(1);
    const struct {
        uint32_t space, table, fault;
        enum limen_error error;
    } refused[] = {
        {empty, table, endpoint, LIMEN_BAD_CAPABILITY},
        {0, table, endpoint, LIMEN_BAD_CAPABILITY},
        {space, 0, endpoint, LIMEN_BAD_CAPABILITY},
        {space, empty, endpoint, LIMEN_BAD_CAPABILITY},
        {space, table, empty, LIMEN_BAD_CAPABILITY},
        {table, table, endpoint, LIMEN_WRONG_TYPE},
        {space, space, endpoint, LIMEN_WRONG_TYPE},
        {space, table, table, LIMEN_WRONG_TYPE},
        {copy_of(space, LIMEN_RIGHT_READ), table, endpoint, LIMEN_NO_RIGHT},
        {space, copy_of(table, LIMEN_RIGHT_READ), endpoint, LIMEN_NO_RIGHT},
        {space, table, copy_of(endpoint, LIMEN_RIGHT_READ), LIMEN_NO_RIGHT},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum limen_error error =
            limen_thread_configure(thread, refused[i].space, refused[i].table, refused[i].fault);
        if (error != refused[i].error)
            fail("row %u: error %u, want %u", i, error, refused[i].error);
        expect_error(limen_thread_resume(thread), LIMEN_NOT_CONFIGURED);
    }
    expect_ok(limen_thread_configure(thread, space, table, 0));
    expect_ok(limen_thread_configure(thread, space, table, endpoint));
}

TEST(thread, resume_and_suspend_and_their_states)
{
    struct worker *worker = new_worker(LOWER);

    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_ok(limen_thread_suspend(worker->thread));
    start(worker, wait_for_ever, NULL);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_READY);
    expect_error(limen_thread_resume(worker->thread), LIMEN_BUSY);
    expect_error(limen_thread_configure(worker->thread, OWN_SPACE, OWN_TABLE, 0), LIMEN_BUSY);
    expect_ok(limen_thread_suspend(worker->thread));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_ok(limen_thread_resume(worker->thread));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_READY);
}

static void note_priority(void *unused)
{
    (void)unused;
    expect_error(limen_thread_set_priority(own_thread, HIGHER + 1), LIMEN_NO_RIGHT);
    expect_ok(limen_thread_set_priority(own_thread, HIGHER));
    expect_ok(limen_thread_set_priority(own_thread, LOWER));
    expect_error(limen_thread_set_priority(own_thread, HIGHER), LIMEN_NO_RIGHT);
}

TEST(thread, priority_is_at_most_the_caller_s)
{
    struct worker *worker = new_worker(HIGHER);
    struct limen_thread_info info;
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);

    expect_error(limen_thread_set_priority(thread, 256), LIMEN_OUT_OF_RANGE);
    expect_error(limen_call4(thread, LIMEN_THREAD_SET_PRIORITY, (uint64_t[4]){1ull << 32}),
                 LIMEN_OUT_OF_RANGE);
    expect_error(limen_thread_set_priority(thread, TEST_PRIORITY + 1), LIMEN_NO_RIGHT);
    expect_error(limen_thread_set_priority(thread, 255), LIMEN_NO_RIGHT);
    expect_ok(limen_thread_set_priority(thread, TEST_PRIORITY));
    expect_ok(limen_thread_info(thread, &info));
    expect_equal(info.priority, TEST_PRIORITY);

    own_thread = worker->thread;
    start(worker, note_priority, NULL);
    join(worker);
}

TEST(thread, message_page_is_a_readable_and_writable_small_frame)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    uint32_t large = make(LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER);

    expect_error(limen_thread_set_message_page(thread, slots(1)), LIMEN_BAD_CAPABILITY);
    expect_error(limen_thread_set_message_page(thread, thread), LIMEN_WRONG_TYPE);
    expect_error(limen_thread_set_message_page(thread, copy_of(frame, LIMEN_RIGHT_READ)),
                 LIMEN_NO_RIGHT);
    expect_error(limen_thread_set_message_page(thread, copy_of(frame, LIMEN_RIGHT_WRITE)),
                 LIMEN_NO_RIGHT);
    expect_error(limen_thread_set_message_page(thread, CLOCK), LIMEN_NO_RIGHT);
    expect_error(limen_thread_set_message_page(thread, large), LIMEN_BAD_ARGUMENT);
    expect_ok(limen_thread_set_message_page(thread, frame));
    expect_ok(limen_thread_set_message_page(thread, frame));
    expect_ok(limen_thread_set_message_page(thread, 0));
    expect_ok(limen_thread_set_message_page(thread, 0));
}

/* Its memory cannot be reused under the kernel's hands. */
TEST(thread, loses_a_message_page_that_is_deleted_or_revoked)
{
    struct worker *worker = new_worker(HIGHER);
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER), frame = slots(1);
    struct limen_untyped_info info;

    expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frame, 1));
    expect_ok(limen_thread_set_message_page(worker->thread, frame));
    expect_ok(limen_revoke(OWN_TABLE, untyped));
    expect_ok(limen_untyped_info(untyped, &info));
    expect_equal(info.used, 0);
    start(worker, without_message_page, &thread);
    join(worker);
}

TEST(thread, bind_is_for_one_thread)
{
    uint32_t one = make(LIMEN_TYPE_THREAD, 0), two = make(LIMEN_TYPE_THREAD, 0);
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);

    expect_error(limen_thread_bind(one, slots(1)), LIMEN_BAD_CAPABILITY);
    expect_error(limen_thread_bind(one, two), LIMEN_WRONG_TYPE);
    expect_error(limen_thread_bind(one, copy_of(notification, LIMEN_RIGHT_WRITE)), LIMEN_NO_RIGHT);
    expect_ok(limen_thread_bind(one, copy_of(notification, LIMEN_RIGHT_READ)));
    expect_error(limen_thread_bind(two, notification), LIMEN_BUSY);
    expect_ok(limen_thread_bind(one, 0));
    expect_ok(limen_thread_bind(two, notification));
    expect_ok(limen_delete(OWN_TABLE, two));
    expect_ok(limen_thread_bind(one, notification));
    expect_ok(limen_thread_bind(one, make(LIMEN_TYPE_NOTIFICATION, 0)));
    expect_ok(limen_thread_bind(make(LIMEN_TYPE_THREAD, 0), notification));
}

TEST(thread, bases_are_in_the_lower_half)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    static const uint64_t wrong[] = {LIMEN_USER_END, 1ull << 47, 1ull << 63, 0xffff800000000000ull,
                                     UINT64_MAX};

    expect_ok(limen_thread_set_bases(thread, 0, 0));
    expect_ok(limen_thread_set_bases(thread, LIMEN_USER_END - 1, LIMEN_USER_END - 1));
    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        expect_error(limen_thread_set_bases(thread, wrong[i], 0), LIMEN_BAD_ARGUMENT);
        expect_error(limen_thread_set_bases(thread, 0, wrong[i]), LIMEN_BAD_ARGUMENT);
    }
}

TEST(thread, reflection_stays_below_the_end_of_user_space)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);

    expect_ok(limen_thread_set_reflection(thread, LIMEN_USER_END - 1, LIMEN_USER_END - 1));
    expect_error(limen_thread_set_reflection(thread, LIMEN_USER_END, 0), LIMEN_OUT_OF_RANGE);
    expect_error(limen_thread_set_reflection(thread, 0, LIMEN_USER_END), LIMEN_OUT_OF_RANGE);
    expect_error(limen_thread_set_reflection(thread, UINT64_MAX, 0), LIMEN_OUT_OF_RANGE);
}

TEST(thread, has_a_name_of_16_bytes)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    struct limen_thread_info info;

    expect_ok(limen_thread_set_name(thread, "sixteen bytes ok"));
    expect_ok(limen_thread_info(thread, &info));
    expect(memcmp(info.name, "sixteen bytes ok", 17) == 0);
}

TEST(thread, launch_sets_all_a_thread_begins_with)
{
    struct victim victim = new_victim();
    struct limen_thread_info info;
    const struct limen_launch launch = {
        .rip = (uint64_t)snippet_ud2,
        .rsp = victim.stack_top - 64,
        .rdi = 0x1234567887654321,
        .fs_base = (uint64_t)&info,
        .message_page = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER),
        .priority = LOWER,
        .name = "launched",
    };
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);

    /* What it had before does not matter. */
    expect_ok(limen_thread_set_bases(victim.worker->thread, 0x1000, 0x2000));
    expect_ok(limen_thread_set_regs(victim.worker->thread, &regs));
    expect_ok(limen_thread_launch(victim.worker->thread, &launch));
    expect_error(limen_thread_launch(victim.worker->thread, &launch), LIMEN_BUSY);
    expect_ok(limen_thread_info(victim.worker->thread, &info));
    expect_equal(info.state, LIMEN_THREAD_READY);
    expect_equal(info.priority, LOWER);
    expect(strcmp(info.name, "launched") == 0);
    struct fault fault = next_fault(&victim);
    memset(&regs, 0, sizeof regs);
    regs.rdi = launch.rdi;
    regs.rip = fault.regs.rip;
    regs.rsp = launch.rsp;
    regs.rflags = FLAGS_ALWAYS;
    regs.origin = INVALID_OPCODE;
    regs.cs = own_cs();
    regs.ss = own_ss();
    expect_regs(&fault.regs, &regs, "a launched thread");
}

TEST(thread, needs_write_to_change_and_read_to_look)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);
    uint32_t readable = copy_of(thread, LIMEN_RIGHT_READ);
    uint32_t writable = copy_of(thread, LIMEN_RIGHT_WRITE);
    uint32_t nothing = copy_of(thread, LIMEN_RIGHT_EXECUTE | LIMEN_RIGHT_GRANT);

    for (uint32_t operation = 1; operation <= LIMEN_THREAD_LAUNCH; operation++) {
        bool reads = operation == LIMEN_THREAD_GET_REGS || operation == LIMEN_THREAD_INFO ||
                     operation == LIMEN_THREAD_WAIT_INFO;
        expect_error(limen_call0(reads ? writable : readable, operation), LIMEN_NO_RIGHT);
        expect_error(limen_call0(nothing, operation), LIMEN_NO_RIGHT);
    }
    expect_error(limen_call0(thread, 0), LIMEN_BAD_OPERATION);
    expect_error(limen_call0(thread, LIMEN_THREAD_LAUNCH + 1), LIMEN_BAD_OPERATION);
    struct limen_thread_info info;
    expect_ok(limen_thread_info(readable, &info));
    expect_ok(limen_thread_set_name(writable, "x"));
}

static volatile bool went_on;

static void suspend_itself(void *worker)
{
    expect_ok(limen_thread_suspend(((struct worker *)worker)->thread));
    went_on = true;
}

TEST(thread, suspends_itself_and_goes_on_when_resumed)
{
    struct worker *worker = new_worker(HIGHER);

    went_on = false;
    start(worker, suspend_itself, worker);
    expect(!went_on);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_ok(limen_thread_resume(worker->thread));
    expect(went_on);
    join(worker);
}

static void delete_itself(void *worker)
{
    limen_delete(OWN_TABLE, ((struct worker *)worker)->thread);
    went_on = true;
}

TEST(thread, deletes_itself)
{
    struct worker *worker = new_worker(HIGHER);

    went_on = false;
    start(worker, delete_itself, worker);
    expect(!went_on);
    expect(is_empty(worker->thread));
}

/* A thread that takes its own space, or its own table, away with its last capability stops. */
static void lose_space(void *slot)
{
    limen_revoke(OWN_TABLE, *(uint32_t *)slot);
    went_on = true;
}

TEST(thread, stops_when_its_space_is_taken)
{
    struct worker *worker = new_worker(HIGHER);
    uint32_t space = copy_of(OWN_SPACE, LIMEN_RIGHTS_ALL);

    expect_ok(limen_thread_configure(worker->thread, space, OWN_TABLE, FAULTS));
    went_on = false;
    start(worker, lose_space, &space);
    expect(!went_on);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_error(limen_thread_resume(worker->thread), LIMEN_NOT_CONFIGURED);
}

TEST(thread, stops_when_its_table_is_taken)
{
    struct worker *worker = new_worker(HIGHER);
    uint32_t table = copy_of(OWN_TABLE, LIMEN_RIGHTS_ALL);

    expect_ok(limen_thread_configure(worker->thread, OWN_SPACE, table, FAULTS));
    went_on = false;
    start(worker, lose_space, &table);
    expect(!went_on);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_error(limen_thread_resume(worker->thread), LIMEN_NOT_CONFIGURED);
}

/* The same, done by another to a thread that is ready and to one that waits. */
TEST(thread, stops_when_another_takes_its_space)
{
    struct worker *ready = new_worker(LOWER), *waiting = new_worker(HIGHER);
    uint32_t space = copy_of(OWN_SPACE, LIMEN_RIGHTS_ALL);

    expect_ok(limen_thread_configure(ready->thread, space, OWN_TABLE, FAULTS));
    expect_ok(limen_thread_configure(waiting->thread, space, OWN_TABLE, FAULTS));
    start(ready, wait_for_ever, NULL);
    start(waiting, wait_for_ever, NULL);
    expect_ok(limen_revoke(OWN_TABLE, space));
    expect_equal(state_of(ready->thread), LIMEN_THREAD_STOPPED);
    expect_equal(state_of(waiting->thread), LIMEN_THREAD_STOPPED);
    expect_error(limen_thread_resume(ready->thread), LIMEN_NOT_CONFIGURED);
    expect_ok(limen_thread_configure(ready->thread, OWN_SPACE, OWN_TABLE, FAULTS));
}

static void spin_for(void *nanoseconds)
{
    uint64_t end = now() + *(uint64_t *)nanoseconds;
    while (now() < end)
        ;
}

TEST(thread, info_counts_the_time_it_ran)
{
    uint64_t time = 2000000;
    struct worker *worker = new_worker(LOWER);
    struct limen_thread_info info;

    start(worker, spin_for, &time);
    join(worker);
    expect_ok(limen_thread_info(worker->thread, &info));
    expect(info.nanoseconds >= time);
}
