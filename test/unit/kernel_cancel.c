/* SPDX-License-Identifier: MIT */
/* Waits that end because something dies, is revoked or is stopped. */
#include "world.h"

#define INIT LIMEN_INIT_TABLE

static struct {
    struct actor a, b;
    unsigned endpoint, reply, bits;
} scene;

static int scene_setup(void **state)
{
    world_boot(state);
    scene.a = make_actor(255, false);
    scene.b = make_actor(255, false);
    scene.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.reply = make(LIMEN_TYPE_REPLY, 0);
    scene.bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static uint64_t with_reply(void)
{
    return scene.endpoint | (uint64_t)scene.reply << 32;
}

static void act(const struct actor *actor, uint64_t number, uint64_t rdi)
{
    become(actor->thread);
    regs_of(actor->thread)->rbx = 1000000;
    enter(number, rdi, limen_tag(1, 0, 0));
}

static void drop(unsigned slot)
{
    become(world.init);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, slot);
}

static void assert_cancelled(const struct actor *actor)
{
    assert_int_equal(actor->thread->state, LIMEN_THREAD_READY);
    assert_int_equal(regs_of(actor->thread)->rax, LIMEN_CANCELLED);
    assert_null(host_cpu->deadlines);
}

static struct reply *reply_object(void)
{
    return object_at(scene.reply);
}

/* -- objects die -- */

static void test_endpoint_dies_under_senders(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_SEND | LIMEN_DEADLINE, scene.endpoint);
    act(&scene.b, LIMEN_SYS_CALL, scene.endpoint);
    drop(scene.endpoint);
    assert_cancelled(&scene.a);
    assert_cancelled(&scene.b);
}

static void test_endpoint_dies_under_receivers(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_WAIT | LIMEN_DEADLINE, with_reply());
    act(&scene.b, LIMEN_SYS_WAIT, scene.endpoint);
    drop(scene.endpoint);
    assert_cancelled(&scene.a);
    assert_cancelled(&scene.b);
    assert_null(reply_object()->receiver);
}

static void test_endpoint_dies_before_the_answer(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_WAIT, with_reply());
    act(&scene.b, LIMEN_SYS_CALL, scene.endpoint);
    drop(scene.endpoint);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_WAITING_REPLY);
    act(&scene.a, LIMEN_SYS_SEND, scene.reply);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_READY);
    assert_int_equal(regs_of(scene.b.thread)->rax, LIMEN_OK);
}

static void test_endpoint_with_a_long_queue(void **state)
{
    struct actor senders[20];
    (void)state;
    for (unsigned i = 0; i < 20; i++) {
        become(world.init);
        senders[i] = make_actor(255, false);
        act(&senders[i], LIMEN_SYS_SEND, scene.endpoint);
    }
    unsigned before = host.windows;
    drop(scene.endpoint);
    assert_true(host.windows - before >= 20);
    for (unsigned i = 0; i < 20; i++)
        assert_cancelled(&senders[i]);
}

static void test_notification_dies_under_waiters(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_WAIT | LIMEN_DEADLINE, scene.bits);
    act(&scene.b, LIMEN_SYS_WAIT, scene.bits);
    drop(scene.bits);
    assert_cancelled(&scene.a);
    assert_cancelled(&scene.b);
}

static void test_reply_object_dies_with_its_caller(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_WAIT, with_reply());
    act(&scene.b, LIMEN_SYS_CALL | LIMEN_DEADLINE, scene.endpoint);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_WAITING_REPLY);
    drop(scene.reply);
    assert_cancelled(&scene.b);
}

static void test_reply_object_dies_before_a_caller_came(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_WAIT, with_reply());
    drop(scene.reply);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_RECEIVING);
    act(&scene.b, LIMEN_SYS_CALL, scene.endpoint);
    assert_int_equal(regs_of(scene.b.thread)->rax, LIMEN_NO_CALLER);
}

/* -- threads die or are stopped -- */

static void take_away(const struct actor *actor, bool kill)
{
    become(world.init);
    if (kill)
        drop(actor->slot);
    else
        EXPECT(OK, actor->slot, LIMEN_THREAD_SUSPEND);
    if (!kill) {
        assert_int_equal(actor->thread->state, LIMEN_THREAD_STOPPED);
        EXPECT(OK, actor->slot, LIMEN_THREAD_RESUME);
        assert_cancelled(actor);
    }
    assert_null(host_cpu->deadlines);
}

static int killing_setup(void **state)
{
    static bool kill = true;
    scene_setup(NULL);
    *state = &kill;
    return 0;
}

static int stopping_setup(void **state)
{
    static bool kill = false;
    scene_setup(NULL);
    *state = &kill;
    return 0;
}

#define BOTH_WAYS(test)                                                                            \
    {#test " (killed)", test, killing_setup, NULL, NULL},                                          \
    {                                                                                              \
#test " (stopped)", test, stopping_setup, NULL, NULL                                       \
    }

static void test_sender_goes(void **state)
{
    bool kill = *(bool *)*state;
    act(&scene.a, LIMEN_SYS_SEND | LIMEN_DEADLINE, scene.endpoint);
    take_away(&scene.a, kill);
    act(&scene.b, LIMEN_SYS_WAIT | LIMEN_NONBLOCK, scene.endpoint);
    assert_int_equal(regs_of(scene.b.thread)->rax, LIMEN_WOULD_BLOCK);
}

static void test_receiver_goes(void **state)
{
    bool kill = *(bool *)*state;
    act(&scene.a, LIMEN_SYS_WAIT | LIMEN_DEADLINE, with_reply());
    take_away(&scene.a, kill);
    assert_null(reply_object()->receiver);
    act(&scene.b, LIMEN_SYS_SEND | LIMEN_NONBLOCK, scene.endpoint);
    assert_int_equal(regs_of(scene.b.thread)->rax, LIMEN_WOULD_BLOCK);
}

static void test_waiter_goes(void **state)
{
    bool kill = *(bool *)*state;
    unsigned signal = minted(scene.bits, 4);
    act(&scene.a, LIMEN_SYS_WAIT | LIMEN_DEADLINE, scene.bits);
    take_away(&scene.a, kill);
    act(&scene.b, LIMEN_SYS_SEND, signal);
    assert_int_equal(((struct notification *)object_at(scene.bits))->bits, 4);
}

static void test_caller_goes(void **state)
{
    bool kill = *(bool *)*state;
    act(&scene.b, LIMEN_SYS_WAIT, with_reply());
    act(&scene.a, LIMEN_SYS_CALL | LIMEN_DEADLINE, scene.endpoint);
    take_away(&scene.a, kill);
    assert_null(reply_object()->caller);
    act(&scene.b, LIMEN_SYS_SEND, scene.reply);
    assert_int_equal(regs_of(scene.b.thread)->rax, LIMEN_NO_CALLER);
}

static void test_bound_thread_goes(void **state)
{
    bool kill = *(bool *)*state;
    unsigned signal = minted(scene.bits, 4);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_BIND, scene.bits);
    act(&scene.a, LIMEN_SYS_WAIT | LIMEN_DEADLINE, scene.endpoint);
    take_away(&scene.a, kill);
    assert_ptr_equal(((struct notification *)object_at(scene.bits))->bound,
                     kill ? NULL : scene.a.thread);
    act(&scene.b, LIMEN_SYS_SEND, signal);
    assert_int_equal(((struct notification *)object_at(scene.bits))->bits, 4);
}

/* A server that dies with a caller: its reply object lives on in init's table, until it goes too.
 */
static void test_server_dies_with_a_caller(void **state)
{
    (void)state;
    act(&scene.a, LIMEN_SYS_WAIT, with_reply());
    act(&scene.b, LIMEN_SYS_CALL, scene.endpoint);
    drop(scene.a.slot);
    assert_int_equal(scene.b.thread->state, LIMEN_THREAD_WAITING_REPLY);
    drop(scene.reply);
    assert_cancelled(&scene.b);
}

static void test_waiting_thread_loses_its_space(void **state)
{
    (void)state;
    unsigned space = make(LIMEN_TYPE_SPACE, 14);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_CONFIGURE, space, INIT, 0);
    EXPECT(OK, scene.a.slot, LIMEN_THREAD_RESUME);
    act(&scene.a, LIMEN_SYS_WAIT | LIMEN_DEADLINE, scene.endpoint);
    become(world.init);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, space);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_STOPPED);
    act(&scene.b, LIMEN_SYS_SEND | LIMEN_NONBLOCK, scene.endpoint);
    assert_int_equal(regs_of(scene.b.thread)->rax, LIMEN_WOULD_BLOCK);
}

/* A revoked capability does not end the wait that was begun by it: the endpoint is still there. */
static void test_revoked_capability_does_not_end_a_wait(void **state)
{
    (void)state;
    unsigned copy = copy_of(scene.endpoint, LIMEN_RIGHTS_ALL);
    act(&scene.a, LIMEN_SYS_WAIT, copy);
    become(world.init);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, scene.endpoint);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_RECEIVING);
    act(&scene.b, LIMEN_SYS_SEND, scene.endpoint);
    assert_int_equal(scene.a.thread->state, LIMEN_THREAD_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_endpoint_dies_under_senders),
        SCENE_TEST(test_endpoint_dies_under_receivers),
        SCENE_TEST(test_endpoint_dies_before_the_answer),
        SCENE_TEST(test_endpoint_with_a_long_queue),
        SCENE_TEST(test_notification_dies_under_waiters),
        SCENE_TEST(test_reply_object_dies_with_its_caller),
        SCENE_TEST(test_reply_object_dies_before_a_caller_came),
        BOTH_WAYS(test_sender_goes),
        BOTH_WAYS(test_receiver_goes),
        BOTH_WAYS(test_waiter_goes),
        BOTH_WAYS(test_caller_goes),
        BOTH_WAYS(test_bound_thread_goes),
        SCENE_TEST(test_server_dies_with_a_caller),
        SCENE_TEST(test_waiting_thread_loses_its_space),
        SCENE_TEST(test_revoked_capability_does_not_end_a_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
