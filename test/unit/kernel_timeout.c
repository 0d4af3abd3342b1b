/* SPDX-License-Identifier: MIT */
/* Who uses a budget up: its handler is told, and a context can go away at any point of that. */
#include "context.h"
#include "world.h"

#define TICKS(ns) ((uint64_t)(ns)*HOST_TICKS_A_NS)
#define BUDGET    200000u
#define PERIOD    1000000u

static struct {
    unsigned account, endpoint, reply;
    struct actor worker, handler;
} scene;

static struct context *account(void)
{
    return object_at(scene.account);
}

/* A worker with a budget; a handler that waits; init out of the way. */
static int scene_setup(void **state)
{
    world_boot(state);
    scene.account = make(LIMEN_TYPE_CONTEXT, 0);
    scene.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.reply = make(LIMEN_TYPE_REPLY, 0);
    EXPECT(OK, scene.account, LIMEN_CONTEXT_CONFIGURE, BUDGET, PERIOD, LIMEN_INIT_CONTEXT);
    EXPECT(OK, scene.account, LIMEN_CONTEXT_SET_HANDLER, minted(scene.endpoint, 77));
    scene.worker = make_actor(100, false);
    scene.handler = make_actor(200, false);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_SET_CONTEXT, scene.account);
    become(scene.handler.thread);
    enter(LIMEN_SYS_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, 0);
    become(world.init);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static bool runs(const struct actor *actor)
{
    return current() == actor->thread;
}

/* The worker runs until its budget ends. */
static void time_out(void)
{
    world_init_waits();
    assert_true(runs(&scene.worker));
    while (runs(&scene.worker))
        interrupt_at(host.timer);
}

static void handler_answers(uint32_t label)
{
    assert_true(runs(&scene.handler));
    enter(LIMEN_SYS_REPLY_WAIT, scene.endpoint | (uint64_t)scene.reply << 32,
          limen_tag(label, 0, 0));
}

static void test_the_handler_is_told(void **state)
{
    (void)state;
    regs_of(scene.worker.thread)->rip = 0x1234;
    time_out();
    assert_true(runs(&scene.handler));
    const struct limen_regs *regs = regs_of(current());
    assert_int_equal(regs->rdi, 77);
    assert_int_equal(limen_tag_label(regs->rsi), LIMEN_FAULT_TIMEOUT);
    assert_int_equal(limen_tag_words(regs->rsi), LIMEN_FAULT_WORDS);
    assert_int_equal(regs->words[0], BUDGET);
    assert_int_equal(scene.worker.thread->fault.label, LIMEN_FAULT_TIMEOUT);
    assert_int_equal(scene.worker.thread->fault.rip, 0x1234);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_WAITING_REPLY);
}

static void test_resumed_it_waits_for_the_next_period(void **state)
{
    (void)state;
    time_out();
    handler_answers(LIMEN_FAULT_RESUME);
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_PARKED);
    uint64_t stopped = host.now;
    while (!runs(&scene.worker))
        interrupt_at(host.timer);
    assert_int_equal(host.now - stopped, TICKS(PERIOD - BUDGET));
}

static void test_resumed_with_more_it_goes_on(void **state)
{
    (void)state;
    time_out();
    set_words(current(), 3, (const uint64_t[]){PERIOD, PERIOD, LIMEN_INIT_CONTEXT});
    enter(LIMEN_SYS_CALL, scene.account, limen_tag(LIMEN_CONTEXT_CONFIGURE, 3, 0));
    handler_answers(LIMEN_FAULT_RESUME);
    assert_true(runs(&scene.worker));
    assert_int_equal(host_cpu->budget_end, host.now + TICKS(PERIOD));
}

static void test_left_alone_it_stays_stopped(void **state)
{
    (void)state;
    time_out();
    handler_answers(LIMEN_FAULT_TIMEOUT);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
    interrupt_at(host.now + TICKS(PERIOD));
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
}

static void test_without_a_handler_it_is_parked(void **state)
{
    (void)state;
    EXPECT(OK, scene.account, LIMEN_CONTEXT_SET_HANDLER, 0);
    time_out();
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_PARKED);
}

/* What a handler could set there is not the thread's to lose. */
static void test_in_the_kernel_it_is_parked(void **state)
{
    struct limen_regs in_the_kernel;
    (void)state;
    world_init_waits();
    host.now = host.timer;
    while (host.now < host_cpu->budget_end)
        interrupt_at(host.now + 1000);
    kernel_reschedule(&in_the_kernel);
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_PARKED);
    assert_ptr_equal(scene.worker.thread->resume, &in_the_kernel);
}

/* Its registers are none of the lender's business. */
static void test_a_guest_is_parked(void **state)
{
    (void)state;
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    struct actor server = make_actor(100, false);
    EXPECT(OK, server.slot, LIMEN_THREAD_SET_PASSIVE, 1);
    become(server.thread);
    enter(LIMEN_SYS_WAIT, endpoint | (uint64_t)reply << 32, 0);
    become(world.init);
    world_init_waits();
    become(scene.worker.thread);
    enter(LIMEN_SYS_CALL, endpoint, 0);
    assert_true(runs(&server));
    while (runs(&server))
        interrupt_at(host.timer);
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(server.thread->state, LIMEN_THREAD_PARKED);
    assert_int_equal(scene.handler.thread->state, LIMEN_THREAD_RECEIVING);
}

/* -- the context is taken away -- */

static void init_revokes(void)
{
    if (world.init->state != LIMEN_THREAD_READY) {
        thread_stop(world.init, LIMEN_CANCELLED);
        scheduler_ready(world.init);
    }
    become(world.init);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, scene.account);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
    assert_null(scene.worker.thread->payer);
    EXPECT(NOT_CONFIGURED, scene.worker.slot, LIMEN_THREAD_RESUME);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, scene.account);
    assert_null(host_cpu->dying);
    assert_null(host_cpu->deadlines);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_SET_CONTEXT, LIMEN_INIT_CONTEXT);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_RESUME);
}

static void test_revoked_while_ready(void **state)
{
    (void)state;
    init_revokes();
}

static void test_revoked_while_parked(void **state)
{
    (void)state;
    EXPECT(OK, scene.account, LIMEN_CONTEXT_SET_HANDLER, 0);
    time_out();
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_PARKED);
    init_revokes();
}

static void test_revoked_while_the_handler_thinks(void **state)
{
    (void)state;
    time_out();
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_WAITING_REPLY);
    init_revokes();
    become(scene.handler.thread);
    handler_answers(LIMEN_FAULT_RESUME); /* to nobody */
}

static void test_revoked_before_the_handler_heard(void **state)
{
    (void)state;
    thread_stop(scene.handler.thread, LIMEN_CANCELLED);
    time_out();
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_SENDING);
    init_revokes();
}

static void test_revoked_while_it_waits(void **state)
{
    (void)state;
    unsigned never = make(LIMEN_TYPE_NOTIFICATION, 0);
    become(scene.worker.thread);
    enter(LIMEN_SYS_WAIT, never, 0);
    init_revokes();
    assert_int_equal(regs_of(scene.worker.thread)->rax, LIMEN_CANCELLED);
}

static void test_revoked_by_itself(void **state)
{
    (void)state;
    become(scene.worker.thread);
    set_words(current(), 1, (const uint64_t[]){scene.account});
    enter(LIMEN_SYS_CALL, LIMEN_INIT_TABLE, limen_tag(LIMEN_TABLE_REVOKE, 1, 0));
    assert_ptr_equal(current(), world.init);
    init_revokes();
}

static void test_the_handlers_endpoint_goes(void **state)
{
    (void)state;
    EXPECT(OK, scene.handler.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, scene.endpoint);
    assert_true(slot_is_empty(&account()->handler_slot));
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, scene.endpoint);
    time_out();
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_PARKED);
}

/* A context keeps its handler's endpoint alive, and lets it go. */
static void test_a_context_dies_with_its_handlers_endpoint(void **state)
{
    (void)state;
    unsigned memory = make(LIMEN_TYPE_UNTYPED, 12);
    unsigned context = make_from(memory, LIMEN_TYPE_CONTEXT, 0);
    unsigned endpoint = make_from(memory, LIMEN_TYPE_ENDPOINT, 0);
    EXPECT(OK, context, LIMEN_CONTEXT_SET_HANDLER, endpoint);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, endpoint);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, context);
    EXPECT(OK, memory, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(2), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_the_handler_is_told),
        SCENE_TEST(test_resumed_it_waits_for_the_next_period),
        SCENE_TEST(test_resumed_with_more_it_goes_on),
        SCENE_TEST(test_left_alone_it_stays_stopped),
        SCENE_TEST(test_without_a_handler_it_is_parked),
        SCENE_TEST(test_in_the_kernel_it_is_parked),
        SCENE_TEST(test_a_guest_is_parked),
        SCENE_TEST(test_revoked_while_ready),
        SCENE_TEST(test_revoked_while_parked),
        SCENE_TEST(test_revoked_while_the_handler_thinks),
        SCENE_TEST(test_revoked_before_the_handler_heard),
        SCENE_TEST(test_revoked_while_it_waits),
        SCENE_TEST(test_revoked_by_itself),
        SCENE_TEST(test_the_handlers_endpoint_goes),
        SCENE_TEST(test_a_context_dies_with_its_handlers_endpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
