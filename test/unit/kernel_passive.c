/* SPDX-License-Identifier: MIT */
/* Passive threads: who pays for them, on the direct switch as on the general path. */
#include "context.h"
#include "world.h"

#define TICKS(ns) ((uint64_t)(ns)*HOST_TICKS_A_NS)
#define BUDGET    200000u
#define PERIOD    1000000u

static struct {
    unsigned endpoint, reply, second_endpoint, second_reply;
    unsigned account; /* the client's */
    struct actor client, server, second;
} scene;

static struct context *context_at(unsigned slot)
{
    return object_at(slot);
}

static unsigned make_budget(void)
{
    unsigned context = make(LIMEN_TYPE_CONTEXT, 0);
    EXPECT(OK, context, LIMEN_CONTEXT_CONFIGURE, BUDGET, PERIOD, LIMEN_INIT_CONTEXT);
    return context;
}

static void make_passive(const struct actor *actor, unsigned own)
{
    EXPECT(OK, actor->slot, LIMEN_THREAD_SET_PASSIVE, 1);
    EXPECT(OK, actor->slot, LIMEN_THREAD_SET_CONTEXT, own);
}

static void receives(const struct actor *actor, unsigned endpoint, unsigned reply)
{
    become(actor->thread);
    enter(LIMEN_SYS_WAIT, endpoint | (uint64_t)reply << 32, 0);
    assert_int_equal(actor->thread->state, LIMEN_THREAD_RECEIVING);
    become(world.init);
}

/* A client with a budget, a server without, and a server of that server's; both servers wait. */
static int scene_setup(void **state)
{
    world_boot(state);
    scene.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.reply = make(LIMEN_TYPE_REPLY, 0);
    scene.second_endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.second_reply = make(LIMEN_TYPE_REPLY, 0);
    scene.account = make_budget();
    scene.client = make_actor(100, false);
    scene.server = make_actor(100, false);
    scene.second = make_actor(100, false);
    EXPECT(OK, scene.client.slot, LIMEN_THREAD_SET_CONTEXT, scene.account);
    receives(&scene.server, scene.endpoint, scene.reply);
    receives(&scene.second, scene.second_endpoint, scene.second_reply);
    make_passive(&scene.server, 0);
    make_passive(&scene.second, 0);
    return 0;
}

static int scene_setup_on_the_general_path(void **state)
{
    scene_setup(state);
    host_cpu->arch.unusual |= CPU_GENERAL_PATH;
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)
#define BOTH_PATHS(test)                                                                           \
    SCENE_TEST(test),                                                                              \
    {                                                                                              \
#test " (general path)", test, scene_setup_on_the_general_path, NULL, NULL                 \
    }

static const struct context *payer_of(const struct actor *actor)
{
    return actor->thread->payer;
}

static bool runs(const struct actor *actor)
{
    return current() == actor->thread;
}

/* The current thread's call, after which `server` runs. */
static void calls(unsigned endpoint, const struct actor *server)
{
    enter(LIMEN_SYS_CALL, endpoint, limen_tag(1, 0, 0));
    if (!runs(server))
        become(server->thread);
}

static void answers(unsigned endpoint, unsigned reply, const struct actor *client)
{
    enter(LIMEN_SYS_REPLY_WAIT, endpoint | (uint64_t)reply << 32, limen_tag(0, 0, 0));
    if (!runs(client))
        become(client->thread);
}

static void client_calls(void)
{
    world_init_waits();
    become(scene.client.thread);
    calls(scene.endpoint, &scene.server);
}

static void test_a_server_runs_on_its_clients_time(void **state)
{
    (void)state;
    world_init_waits();
    become(scene.client.thread);
    uint64_t others = context_at(LIMEN_INIT_CONTEXT)->consumed;
    uint64_t used = context_at(scene.account)->consumed;
    for (unsigned lap = 0; lap < 3; lap++) {
        host.now += 10;
        calls(scene.endpoint, &scene.server);
        assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
        host.now += 1000;
        answers(scene.endpoint, scene.reply, &scene.client);
    }
    enter(LIMEN_SYS_YIELD, 0, 0);
    context_charge(host_cpu, host.now);
    assert_int_equal(context_at(scene.account)->consumed - used, 3 * 1010);
    assert_int_equal(context_at(LIMEN_INIT_CONTEXT)->consumed, others);
}

static void test_along_a_chain_of_calls(void **state)
{
    (void)state;
    client_calls();
    host.now += 500;
    calls(scene.second_endpoint, &scene.second);
    assert_ptr_equal(payer_of(&scene.second), object_at(scene.account));
    host.now += 700;
    answers(scene.second_endpoint, scene.second_reply, &scene.server);
    assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
    host.now += 11;
    answers(scene.endpoint, scene.reply, &scene.client);
    context_charge(host_cpu, host.now);
    assert_int_equal(context_at(scene.account)->consumed, 1211);
}

/* A server with a context of its own and not passive uses its own. */
static void test_an_active_server_uses_its_own_time(void **state)
{
    (void)state;
    unsigned own = make_budget();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_PASSIVE, 0);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    world_init_waits();
    become(scene.client.thread);
    for (unsigned lap = 0; lap < 2; lap++) {
        host.now += 10;
        calls(scene.endpoint, &scene.server);
        assert_int_equal(host_cpu->budget_end, host.now + TICKS(BUDGET) - 1000 * lap);
        host.now += 1000;
        answers(scene.endpoint, scene.reply, &scene.client);
        assert_int_equal(host_cpu->budget_end, host.now + TICKS(BUDGET) - 10 * (lap + 1));
    }
    assert_int_equal(context_at(own)->consumed, 2000);
    assert_int_equal(context_at(scene.account)->consumed, 20);
}

static void use_up(struct context *context)
{
    if (current()->payer == context)
        context_charge(host_cpu, host.now);
    context->left = 0;
    context->refill_at = host.now + TICKS(PERIOD);
}

static void test_a_server_without_time_is_not_switched_to(void **state)
{
    (void)state;
    unsigned own = make_budget();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_PASSIVE, 0);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    world_init_waits();
    become(scene.client.thread);
    use_up(object_at(own));
    enter(LIMEN_SYS_CALL, scene.endpoint, limen_tag(1, 0, 0));
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_PARKED);
    interrupt_at(host.now + TICKS(PERIOD));
    assert_true(runs(&scene.server));
}

static void test_a_client_without_time_is_not_switched_to(void **state)
{
    (void)state;
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, LIMEN_INIT_CONTEXT);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_PASSIVE, 0);
    client_calls();
    use_up(object_at(scene.account));
    enter(LIMEN_SYS_REPLY_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, 0);
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(scene.client.thread->state, LIMEN_THREAD_PARKED);
}

/* Its answer was given; what it does until it waits is still the client's expense. */
static void test_until_it_waits_again(void **state)
{
    (void)state;
    client_calls();
    enter(LIMEN_SYS_SEND, scene.reply, 0);
    if (!runs(&scene.server))
        become(scene.server.thread);
    assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
    enter(LIMEN_SYS_WAIT | LIMEN_DEADLINE, scene.endpoint | (uint64_t)scene.reply << 32, 0);
    assert_true(runs(&scene.client));
    interrupt_at(host.now + TICKS(10)); /* the wait's deadline */
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_PARKED);
    assert_null(payer_of(&scene.server));
}

static void test_a_sent_message_brings_time_too(void **state)
{
    (void)state;
    world_init_waits();
    become(scene.client.thread);
    enter(LIMEN_SYS_SEND, scene.endpoint, limen_tag(1, 0, 0));
    assert_true(runs(&scene.client));
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_READY);
    assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
}

/* It takes one message after another that were waiting, each at its sender's expense. */
static void test_taking_a_message_that_waited(void **state)
{
    (void)state;
    unsigned account = make_budget();
    struct actor other = make_actor(100, false);
    EXPECT(OK, other.slot, LIMEN_THREAD_SET_CONTEXT, account);
    client_calls();
    become(other.thread);
    enter(LIMEN_SYS_CALL, scene.endpoint, limen_tag(1, 0, 0));
    assert_int_equal(other.thread->state, LIMEN_THREAD_SENDING);
    if (!runs(&scene.server))
        become(scene.server.thread);
    uint64_t before = context_at(scene.account)->consumed;
    host.now += 100;
    enter(LIMEN_SYS_SEND, scene.reply, 0);
    become(scene.server.thread);
    enter(LIMEN_SYS_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, 0);
    become(scene.server.thread);
    assert_ptr_equal(payer_of(&scene.server), object_at(account));
    assert_int_equal(context_at(scene.account)->consumed - before, 100);
    assert_int_equal(host_cpu->budget_end, host.now + TICKS(BUDGET));
}

static void test_nobody_calls_and_nothing_runs(void **state)
{
    (void)state;
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(NOT_CONFIGURED, scene.server.slot, LIMEN_THREAD_RESUME);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, LIMEN_INIT_CONTEXT);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_RESUME);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_READY);
}

static void test_bits_wait_for_somebody_to_pay(void **state)
{
    (void)state;
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_BIND, bits);
    notification_signal(object_at(bits), 5);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_RECEIVING);
    client_calls();
    enter(LIMEN_SYS_REPLY_WAIT, scene.endpoint | (uint64_t)scene.reply << 32, 0);
    if (!runs(&scene.server))
        become(scene.server.thread);
    assert_int_equal(regs_of(scene.server.thread)->rdi, 5);
    assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
}

static void test_bits_come_with_a_context(void **state)
{
    (void)state;
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0), own = make_budget();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_BIND, bits);
    notification_signal(object_at(bits), 5);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_READY);
    assert_ptr_equal(payer_of(&scene.server), object_at(own));
}

/* A context of its own is what a passive thread falls back on. */
static void test_bits_are_taken_on_its_own_time(void **state)
{
    (void)state;
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0), own = make_budget();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_BIND, bits);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    client_calls();
    assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
    answers(scene.endpoint, scene.reply, &scene.client);
    notification_signal(object_at(bits), 5);
    assert_ptr_equal(payer_of(&scene.server), object_at(own));
    assert_int_equal(regs_of(scene.server.thread)->rdi, 5);
}

/* -- the lender goes -- */

static void kill_account(void)
{
    become(world.init);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, scene.account);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, scene.account);
    assert_null(host_cpu->dying);
}

static void client_calls_and_init_is_ready(void)
{
    become(scene.client.thread);
    /* init is ready and more important: no direct switch. */
    enter(LIMEN_SYS_CALL, scene.endpoint, limen_tag(1, 0, 0));
    assert_ptr_equal(current(), world.init);
}

static void test_the_account_dies_under_a_guest(void **state)
{
    (void)state;
    client_calls_and_init_is_ready();
    kill_account();
    assert_int_equal(scene.client.thread->state, LIMEN_THREAD_STOPPED);
    assert_null(payer_of(&scene.server));
    world_init_waits();
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_PARKED);
}

static void test_the_account_dies_under_a_guest_with_a_context(void **state)
{
    (void)state;
    unsigned own = make_budget();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    client_calls_and_init_is_ready();
    kill_account();
    world_init_waits();
    assert_true(runs(&scene.server));
    assert_ptr_equal(payer_of(&scene.server), object_at(own));
}

static void test_the_account_dies_under_a_parked_guest(void **state)
{
    (void)state;
    unsigned own = make_budget();
    client_calls_and_init_is_ready();
    use_up(object_at(scene.account));
    unsigned wake = world_init_waits();
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_PARKED);
    notification_signal(object_at(wake), 1);
    interrupt_at(host.now);
    kill_account();
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_PARKED);
    assert_null(host_cpu->deadlines);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_READY);
}

/* Whoever served it would be left without time too. */
static void test_a_queued_call_without_a_payer_is_turned_away(void **state)
{
    (void)state;
    unsigned account = make_budget();
    struct actor other = make_actor(100, false);
    EXPECT(OK, other.slot, LIMEN_THREAD_SET_CONTEXT, account);
    client_calls();
    become(other.thread);
    calls(scene.second_endpoint, &scene.second);
    enter(LIMEN_SYS_CALL, scene.endpoint, limen_tag(1, 0, 0));
    assert_int_equal(scene.second.thread->state, LIMEN_THREAD_SENDING);
    thread_stop(world.init, LIMEN_CANCELLED);
    scheduler_ready(world.init);
    become(world.init);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, account);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, account);
    assert_null(payer_of(&scene.second));
    become(scene.server.thread);
    enter(LIMEN_SYS_WAIT, scene.endpoint | (uint64_t)scene.second_reply << 32, 0);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_RECEIVING);
    assert_int_equal(regs_of(scene.second.thread)->rax, LIMEN_CANCELLED);
    assert_int_equal(scene.second.thread->state, LIMEN_THREAD_PARKED);
}

static void test_a_guest_dies(void **state)
{
    (void)state;
    client_calls_and_init_is_ready();
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, scene.server.slot);
    assert_true(list_is_empty(&context_at(scene.account)->guests));
    kill_account();
}

/* A guest's loan outlives a change of its own context. */
static void test_a_context_for_a_thread_that_serves(void **state)
{
    (void)state;
    unsigned own = make_budget();
    client_calls_and_init_is_ready();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    assert_ptr_equal(payer_of(&scene.server), object_at(scene.account));
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, scene.account);
    assert_true(list_is_empty(&context_at(scene.account)->guests));
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    assert_ptr_equal(payer_of(&scene.server), object_at(own));
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_PASSIVE, 0);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, own);
    assert_int_equal(scene.server.thread->state, LIMEN_THREAD_STOPPED);
}

static void test_no_longer_passive_while_it_serves(void **state)
{
    (void)state;
    unsigned own = make_budget();
    client_calls_and_init_is_ready();
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_CONTEXT, own);
    EXPECT(OK, scene.server.slot, LIMEN_THREAD_SET_PASSIVE, 0);
    assert_ptr_equal(payer_of(&scene.server), object_at(own));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_PATHS(test_a_server_runs_on_its_clients_time),
        BOTH_PATHS(test_along_a_chain_of_calls),
        BOTH_PATHS(test_an_active_server_uses_its_own_time),
        BOTH_PATHS(test_a_server_without_time_is_not_switched_to),
        BOTH_PATHS(test_a_client_without_time_is_not_switched_to),
        BOTH_PATHS(test_until_it_waits_again),
        SCENE_TEST(test_a_sent_message_brings_time_too),
        SCENE_TEST(test_taking_a_message_that_waited),
        SCENE_TEST(test_nobody_calls_and_nothing_runs),
        BOTH_PATHS(test_bits_wait_for_somebody_to_pay),
        SCENE_TEST(test_bits_come_with_a_context),
        SCENE_TEST(test_bits_are_taken_on_its_own_time),
        SCENE_TEST(test_the_account_dies_under_a_guest),
        SCENE_TEST(test_the_account_dies_under_a_guest_with_a_context),
        SCENE_TEST(test_the_account_dies_under_a_parked_guest),
        SCENE_TEST(test_a_queued_call_without_a_payer_is_turned_away),
        SCENE_TEST(test_a_guest_dies),
        SCENE_TEST(test_a_context_for_a_thread_that_serves),
        SCENE_TEST(test_no_longer_passive_while_it_serves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
