/* SPDX-License-Identifier: MIT */
/* Notifications, bound and unbound, and waits that a deadline ends. */
#include "world.h"

#define MS 1000000ull /* nanoseconds */

static struct {
    struct actor a, b;
    unsigned endpoint, reply, bits, bit[3]; /* bit[i] signals 1 << i */
} scene;

static int scene_setup(void **state)
{
    world_boot(state);
    host.now = 1000;
    scene.a = make_actor(255, false);
    scene.b = make_actor(255, false);
    scene.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.reply = make(LIMEN_TYPE_REPLY, 0);
    scene.bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    for (unsigned i = 0; i < 3; i++)
        scene.bit[i] = minted(scene.bits, 1u << i);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static struct notification *bits_object(void)
{
    return object_at(scene.bits);
}

static void signal(unsigned i)
{
    become(world.init);
    enter(LIMEN_SYS_SEND, scene.bit[i], 0);
    assert_int_equal(regs_of(world.init)->rax, LIMEN_OK);
}

static void wait_as(const struct actor *actor, uint64_t rdi)
{
    become(actor->thread);
    enter(LIMEN_SYS_WAIT, rdi, 0);
}

static void assert_bits(const struct actor *actor, uint64_t bits)
{
    const struct limen_regs *regs = regs_of(actor->thread);
    assert_int_equal(actor->thread->state, LIMEN_THREAD_READY);
    assert_int_equal(regs->rax, LIMEN_OK);
    assert_int_equal(regs->rdi, bits);
    assert_int_equal(regs->rsi, LIMEN_TAG_NOTIFICATION);
}

/* -- notifications -- */

static void test_bits_add_up_until_taken(void **state)
{
    (void)state;
    signal(0);
    signal(2);
    signal(2);
    wait_as(&scene.a, scene.bits);
    assert_bits(&scene.a, 5);
    assert_int_equal(bits_object()->bits, 0);
    wait_as(&scene.a, scene.bits);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_WAITING);
}

static void test_signal_wakes_the_first_waiter(void **state)
{
    (void)state;
    wait_as(&scene.a, scene.bits);
    wait_as(&scene.b, scene.bits);
    signal(1);
    assert_bits(&scene.a, 2);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_WAITING);
    signal(0);
    assert_bits(&scene.b, 1);
}

static void test_waiting_changes_no_other_register(void **state)
{
    struct limen_regs *regs = regs_of(scene.a.thread);
    (void)state;
    for (unsigned i = 0; i < LIMEN_WORDS_IN_REGISTERS; i++)
        regs->words[i] = 100 + i;
    regs->rbx = 1;
    regs->rbp = 2;
    struct limen_regs before = *regs;
    wait_as(&scene.a, scene.bits);
    signal(1);
    before.rax = LIMEN_OK;
    before.rdi = 2;
    before.rsi = LIMEN_TAG_NOTIFICATION;
    before.origin = LIMEN_SYS_WAIT;
    before.error = (uint64_t)REGS_BY_SYSCALL;
    assert_memory_equal(regs, &before, sizeof(before));
}

static void test_unbadged_signal_is_no_signal(void **state)
{
    (void)state;
    wait_as(&scene.a, scene.bits);
    become(world.init);
    enter(LIMEN_SYS_SEND, scene.bits, 0);
    assert_int_equal(regs_of(world.init)->rax, LIMEN_OK);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_WAITING);
}

static void test_nonblocking_wait_takes_bits(void **state)
{
    (void)state;
    signal(2);
    become(scene.a.thread);
    enter(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, scene.bits, 0);
    assert_bits(&scene.a, 4);
    enter(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, scene.bits, 0);
    assert_int_equal(regs_of(scene.a.thread)->rax, LIMEN_WOULD_BLOCK);
}

/* -- bound notifications -- */

static void bind_a(unsigned notification)
{
    become(world.init);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_BIND, notification);
}

static void test_bound_bits_end_a_wait_for_messages(void **state)
{
    struct reply *reply = object_at(scene.reply);
    (void)state;
    bind_a(scene.bits);
    wait_as(&scene.a, scene.endpoint | (uint64_t)scene.reply << 32);
    assert_ptr_equal(reply->receiver, scene.a.thread);
    signal(0);
    assert_bits(&scene.a, 1);
    assert_null(reply->receiver);
}

static void test_bound_bits_come_before_messages(void **state)
{
    (void)state;
    bind_a(scene.bits);
    become(scene.b.thread);
    enter(LIMEN_SYS_SEND, scene.endpoint, limen_tag(9, 0, 0));
    signal(1);
    wait_as(&scene.a, scene.endpoint);
    assert_bits(&scene.a, 2);
    wait_as(&scene.a, scene.endpoint);
    assert_int_equal(regs_of(scene.a.thread)->rsi, limen_tag(9, 0, 0));
}

/* An answer by the direct switch must not let a server sleep on its bits. */
static void test_bound_bits_end_a_reply_and_wait(void **state)
{
    (void)state;
    bind_a(scene.bits);
    wait_as(&scene.a, scene.endpoint | (uint64_t)scene.reply << 32);
    become(scene.b.thread);
    enter(LIMEN_SYS_CALL, scene.endpoint, 0);
    signal(2);
    become(scene.a.thread);
    enter(LIMEN_SYS_REPLY_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, 0);
    assert_bits(&scene.a, 4);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_READY);
}

static void test_waiters_come_before_the_bound_thread(void **state)
{
    (void)state;
    bind_a(scene.bits);
    wait_as(&scene.a, scene.endpoint);
    wait_as(&scene.b, scene.bits);
    signal(0);
    assert_bits(&scene.b, 1);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_RECEIVING);
}

static void test_bits_that_were_there_before_the_bond(void **state)
{
    (void)state;
    signal(0);
    wait_as(&scene.a, scene.endpoint);
    bind_a(scene.bits);
    assert_bits(&scene.a, 1);
}

static void test_bound_bits_wait_for_a_wait(void **state)
{
    (void)state;
    bind_a(scene.bits);
    become(scene.a.thread);
    enter(LIMEN_SYS_SEND, scene.endpoint, 0);
    signal(0);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_SENDING);
    assert_int_equal(bits_object()->bits, 1);
}

static void test_unbinding(void **state)
{
    (void)state;
    bind_a(scene.bits);
    EXPECT(BUSY, scene.b.slot, LIMEN_THREAD_BIND, scene.bits);
    EXPECT(BUSY, scene.a.slot, LIMEN_THREAD_BIND, scene.bits);
    bind_a(0);
    wait_as(&scene.a, scene.endpoint);
    signal(0);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_RECEIVING);
    EXPECT(OK, scene.b.slot, LIMEN_THREAD_BIND, scene.bits);
}

static void test_revoked_bond(void **state)
{
    (void)state;
    unsigned copy = copy_of(scene.bits, LIMEN_RIGHTS_ALL);
    bind_a(copy);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, copy);
    assert_null(bits_object()->bound);
    assert_null(scene.a.thread->bound);
}

/* -- deadlines -- */

static void wait_until(const struct actor *actor, uint64_t number, uint64_t rdi, uint64_t ns)
{
    become(actor->thread);
    regs_of(actor->thread)->rbx = ns;
    enter(number | LIMEN_DEADLINE, rdi, 0);
}

/* The clock reaches a time, and the timer's interrupt comes if it is due. */
static void pass_to(uint64_t ns)
{
    uint64_t tick = ns * HOST_TICKS_A_NS;
    assert_true(tick >= host.now);
    host.now = tick;
    if (host.timer <= tick) {
        kernel_timer();
        kernel_reschedule(regs_of(current()));
    }
    check_all();
}

static void assert_timed_out(const struct actor *actor)
{
    assert_int_equal(actor->thread->state, LIMEN_THREAD_READY);
    assert_int_equal(regs_of(actor->thread)->rax, LIMEN_TIMED_OUT);
}

static void test_each_wait_times_out(void **state)
{
    const struct {
        uint64_t number, target;
        unsigned waits;
    } calls[] = {
        {LIMEN_SYS_WAIT, scene.endpoint, LIMEN_THREAD_RECEIVING},
        {LIMEN_SYS_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, LIMEN_THREAD_RECEIVING},
        {LIMEN_SYS_REPLY_WAIT, scene.endpoint | (uint64_t)scene.reply << 32,
         LIMEN_THREAD_RECEIVING},
        {LIMEN_SYS_WAIT, scene.bits, LIMEN_THREAD_WAITING},
        {LIMEN_SYS_CALL, scene.endpoint, LIMEN_THREAD_SENDING},
        {LIMEN_SYS_SEND, scene.endpoint, LIMEN_THREAD_SENDING},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        uint64_t start = (i + 1) * 100 * MS;
        pass_to(start);
        wait_until(&scene.a, calls[i].number, calls[i].target, start + 5 * MS);
        assert_int_equal(scene.a.thread->state, calls[i].waits);
        pass_to(start + 5 * MS - 1);
        assert_int_equal(scene.a.thread->state, calls[i].waits);
        pass_to(start + 5 * MS);
        assert_timed_out(&scene.a);
    }
}

static void test_caller_times_out_before_its_answer(void **state)
{
    (void)state;
    wait_as(&scene.a, scene.endpoint | (uint64_t)scene.reply << 32);
    wait_until(&scene.b, LIMEN_SYS_CALL, scene.endpoint, 7 * MS);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_WAITING_REPLY);
    pass_to(7 * MS);
    assert_timed_out(&scene.b);
    become(scene.a.thread);
    enter(LIMEN_SYS_SEND, scene.reply, 0);
    assert_int_equal(regs_of(scene.a.thread)->rax, LIMEN_NO_CALLER);
}

/* The deadline of a call runs on from the sending to the waiting for the answer. */
static void test_deadline_covers_the_whole_call(void **state)
{
    (void)state;
    wait_until(&scene.b, LIMEN_SYS_CALL, scene.endpoint, 7 * MS);
    wait_as(&scene.a, scene.endpoint | (uint64_t)scene.reply << 32);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_WAITING_REPLY);
    pass_to(7 * MS);
    assert_timed_out(&scene.b);
}

static void test_what_came_in_time_cancels_the_deadline(void **state)
{
    (void)state;
    wait_until(&scene.a, LIMEN_SYS_WAIT, scene.bits, 5 * MS);
    signal(0);
    assert_bits(&scene.a, 1);
    assert_null(host_cpu->deadlines);
    wait_until(&scene.a, LIMEN_SYS_CALL, scene.endpoint, 5 * MS);
    wait_as(&scene.b, scene.endpoint | (uint64_t)scene.reply << 32);
    become(scene.b.thread);
    enter(LIMEN_SYS_REPLY_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, limen_tag(1, 0, 0));
    assert_int_equal(regs_of(scene.a.thread)->rsi, limen_tag(1, 0, 0));
    assert_null(host_cpu->deadlines);
}

/* The direct switch knows nothing of deadlines, and so must leave those waits alone. */
static void test_server_with_a_deadline(void **state)
{
    (void)state;
    wait_until(&scene.a, LIMEN_SYS_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, 5 * MS);
    become(scene.b.thread);
    enter(LIMEN_SYS_CALL, scene.endpoint, limen_tag(4, 0, 0));
    assert_int_equal(regs_of(scene.a.thread)->rsi, limen_tag(4, 0, 0));
    assert_null(host_cpu->deadlines);
}

static void test_deadline_in_the_past(void **state)
{
    (void)state;
    pass_to(100 * MS);
    wait_until(&scene.a, LIMEN_SYS_WAIT, scene.bits, 5 * MS);
    assert_true(host.timer <= host.now);
    pass_to(100 * MS);
    assert_timed_out(&scene.a);
    wait_until(&scene.a, LIMEN_SYS_WAIT, scene.bits, 0);
    pass_to(101 * MS);
    assert_timed_out(&scene.a);
}

static void test_deadline_after_the_end_of_time(void **state)
{
    (void)state;
    host_cpu->counters[LIMEN_COUNTER_BOOT_TSC] = 5000;
    wait_until(&scene.a, LIMEN_SYS_WAIT, scene.bits, UINT64_MAX);
    assert_int_equal(scene.a.thread->deadline.tick, UINT64_MAX);
    wait_until(&scene.b, LIMEN_SYS_WAIT, scene.bits, UINT64_MAX / HOST_TICKS_A_NS);
    assert_int_equal(scene.b.thread->deadline.tick, UINT64_MAX);
    pass_to(1000000 * MS);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_WAITING);
}

static void test_deadline_without_the_flag_is_none(void **state)
{
    (void)state;
    become(scene.a.thread);
    regs_of(scene.a.thread)->rbx = 1;
    enter(LIMEN_SYS_WAIT, scene.bits, 0);
    assert_null(host_cpu->deadlines);
}

static void test_nearest_deadline_sets_the_timer(void **state)
{
    (void)state;
    become(world.init);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_RESUME);
    wait_until(&scene.a, LIMEN_SYS_WAIT, scene.bits, 9 * MS);
    wait_until(&scene.b, LIMEN_SYS_WAIT, scene.bits, 3 * MS);
    assert_int_equal(host.timer, 3 * MS * HOST_TICKS_A_NS);
    pass_to(3 * MS);
    assert_timed_out(&scene.b);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_WAITING);
    wait_as(&scene.b, scene.bits);
    assert_int_equal(host.timer, 9 * MS * HOST_TICKS_A_NS);
}

/* -- what others can learn of a wait -- */

static void assert_wait(const struct actor *actor, const uint64_t expected[8])
{
    become(world.init);
    EXPECT(OK, actor->slot, LIMEN_THREAD_WAIT_INFO, 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(result(i), expected[i]);
}

static void test_wait_info(void **state)
{
    const uint64_t receives = scene.endpoint | (uint64_t)scene.reply << 32;
    const uint64_t tag = limen_tag(77, 3, 0);
    const struct {
        uint64_t number, target, tag;
        uint64_t expected[8];
    } waits[] = {
        {LIMEN_SYS_WAIT,
         scene.bits,
         0,
         {LIMEN_THREAD_WAITING, scene.bits, LIMEN_TYPE_NOTIFICATION}},
        {LIMEN_SYS_WAIT,
         receives,
         0,
         {LIMEN_THREAD_RECEIVING, scene.endpoint, LIMEN_TYPE_ENDPOINT}},
        {LIMEN_SYS_CALL,
         scene.endpoint,
         tag,
         {LIMEN_THREAD_SENDING, scene.endpoint, LIMEN_TYPE_ENDPOINT, 0, 0, tag}},
        {LIMEN_SYS_SEND | LIMEN_DEADLINE,
         scene.endpoint,
         tag,
         {LIMEN_THREAD_SENDING, scene.endpoint, LIMEN_TYPE_ENDPOINT, LIMEN_WAIT_DEADLINE, 5 * MS,
          tag}},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        become(scene.a.thread);
        regs_of(scene.a.thread)->rbx = 5 * MS;
        enter(waits[i].number, waits[i].target, waits[i].tag);
        assert_wait(&scene.a, waits[i].expected);
        EXPECT(OK, scene.a.slot, LIMEN_THREAD_SUSPEND);
        assert_wait(&scene.a, (uint64_t[8]){LIMEN_THREAD_STOPPED});
        EXPECT(OK, scene.a.slot, LIMEN_THREAD_RESUME);
        assert_wait(&scene.a, (uint64_t[8]){LIMEN_THREAD_READY});
    }
}

static void test_wait_info_of_a_caller_and_its_server(void **state)
{
    const uint64_t tag = limen_tag(77, 3, 0);

    (void)state;
    wait_as(&scene.b, scene.endpoint | (uint64_t)scene.reply << 32);
    become(scene.a.thread);
    enter(LIMEN_SYS_CALL, scene.endpoint, tag);
    assert_wait(&scene.a, (uint64_t[8]){LIMEN_THREAD_WAITING_REPLY, scene.endpoint,
                                        LIMEN_TYPE_REPLY, 0, 0, tag});
    assert_wait(&scene.b, (uint64_t[8]){LIMEN_THREAD_READY});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_bits_add_up_until_taken),
        SCENE_TEST(test_signal_wakes_the_first_waiter),
        SCENE_TEST(test_waiting_changes_no_other_register),
        SCENE_TEST(test_unbadged_signal_is_no_signal),
        SCENE_TEST(test_nonblocking_wait_takes_bits),
        SCENE_TEST(test_bound_bits_end_a_wait_for_messages),
        SCENE_TEST(test_bound_bits_come_before_messages),
        SCENE_TEST(test_bound_bits_end_a_reply_and_wait),
        SCENE_TEST(test_waiters_come_before_the_bound_thread),
        SCENE_TEST(test_bits_that_were_there_before_the_bond),
        SCENE_TEST(test_bound_bits_wait_for_a_wait),
        SCENE_TEST(test_unbinding),
        SCENE_TEST(test_revoked_bond),
        SCENE_TEST(test_each_wait_times_out),
        SCENE_TEST(test_caller_times_out_before_its_answer),
        SCENE_TEST(test_deadline_covers_the_whole_call),
        SCENE_TEST(test_what_came_in_time_cancels_the_deadline),
        SCENE_TEST(test_server_with_a_deadline),
        SCENE_TEST(test_deadline_in_the_past),
        SCENE_TEST(test_deadline_after_the_end_of_time),
        SCENE_TEST(test_deadline_without_the_flag_is_none),
        SCENE_TEST(test_nearest_deadline_sets_the_timer),
        SCENE_TEST(test_wait_info),
        SCENE_TEST(test_wait_info_of_a_caller_and_its_server),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
