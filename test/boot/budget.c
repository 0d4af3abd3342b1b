/* SPDX-License-Identifier: MIT */
/* Scheduling contexts: budgets, passive servers, timeouts, and contexts that go away. */
#include "kit.h"

#include <limen/fault.h>

#define PERIOD  UINT64_C(2000000)
#define BUDGET  UINT64_C(400000)
#define WORK_NS UINT64_C(100000)

static uint32_t account;
static uint32_t endpoints[2], replies[2];
static volatile uint64_t progress[2];
static volatile bool stop;

static uint32_t make_account(uint64_t budget)
{
    uint32_t context = make(LIMEN_TYPE_CONTEXT, 0);
    expect_ok(limen_context_configure(context, budget, PERIOD, UNLIMITED));
    return context;
}

static struct limen_context_info info_of(uint32_t context)
{
    struct limen_context_info info;
    expect_ok(limen_context_info(context, &info));
    return info;
}

static void sleep_for(uint64_t ns)
{
    struct message message = {0};
    expect_error(transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + ns, &message), LIMEN_TIMED_OUT);
}

static void loop(void *number)
{
    while (!stop)
        progress[(uintptr_t)number]++;
}

static struct worker *spawn_on(uint32_t context, unsigned priority, void (*entry)(void *),
                               void *argument)
{
    struct worker *worker = new_worker(priority);
    expect_ok(limen_thread_set_context(worker->thread, context));
    start(worker, entry, argument);
    return worker;
}

/* -- budgets -- */

/* Both get on, again and again: the loop is stopped by its budget, and comes back with the next. */
TEST(budget, a_loop_of_high_priority_starves_nobody)
{
    stop = false;
    progress[0] = progress[1] = 0;
    account = make_account(BUDGET);
    spawn_on(account, HIGHER + 100, loop, (void *)0);
    spawn(LOWER, loop, (void *)1);
    for (unsigned round = 0; round < 5; round++) {
        uint64_t high = progress[0], low = progress[1];
        while (progress[0] == high || progress[1] == low)
            sleep_for(PERIOD);
    }
    stop = true;
}

/* The thread is parked, and says so. */
TEST(budget, used_up_it_is_parked)
{
    stop = false;
    account = make(LIMEN_TYPE_CONTEXT, 0);
    expect_ok(limen_context_configure(account, BUDGET, LIMEN_CONTEXT_PERIOD_MAX, UNLIMITED));
    struct worker *worker = spawn_on(account, HIGHER, loop, (void *)0);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_PARKED);
    struct limen_context_info info = info_of(account);
    expect(info.consumed >= BUDGET);
    expect_equal(info.left, 0);
    expect_equal(info.parked, 1);
    /* A new budget takes effect at once. */
    stop = true;
    expect_ok(limen_context_configure(account, BUDGET, PERIOD, UNLIMITED));
    join(worker);
}

TEST(budget, a_new_context_has_no_time)
{
    account = make(LIMEN_TYPE_CONTEXT, 0);
    stop = true;
    struct worker *worker = spawn_on(account, HIGHER, loop, (void *)0);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_PARKED);
    expect_ok(limen_thread_set_context(worker->thread, UNLIMITED));
    join(worker);
}

TEST(budget, only_the_unlimited_context_is_authority)
{
    account = make_account(BUDGET);
    uint32_t weak = copy_of(UNLIMITED, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    uint32_t weak_account = copy_of(account, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);

    expect_error(limen_context_configure(account, PERIOD, PERIOD, account), LIMEN_NO_RIGHT);
    expect_error(limen_context_configure(account, PERIOD, PERIOD, weak), LIMEN_NO_RIGHT);
    expect_error(limen_context_configure(account, PERIOD + 1, PERIOD, UNLIMITED),
                 LIMEN_OUT_OF_RANGE);
    expect_error(limen_context_set_handler(weak_account, FAULTS), LIMEN_NO_RIGHT);
    expect_equal(info_of(account).budget, BUDGET);
    expect_equal(info_of(UNLIMITED).budget, LIMEN_CONTEXT_UNLIMITED);
}

/* A process cannot get more time by making threads. */
static struct worker *made[2];

static void make_loops(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < 2; i++) {
        expect_ok(limen_thread_configure(made[i]->thread, OWN_SPACE, OWN_TABLE, FAULTS));
        start(made[i], loop, (void *)(uintptr_t)i);
    }
}

/* The account is closed once all of them are where they should be, however long that takes. */
static void close_account(void)
{
    expect_ok(limen_context_configure(account, 0, 0, UNLIMITED));
    sleep_for(PERIOD);
}

TEST(budget, threads_inherit_the_context)
{
    account = make_account(PERIOD);
    stop = false;
    for (unsigned i = 0; i < 2; i++)
        made[i] = new_worker(LOWER);
    join(spawn_on(account, HIGHER, make_loops, NULL));
    close_account();
    for (unsigned i = 0; i < 2; i++)
        expect_equal(state_of(made[i]->thread), LIMEN_THREAD_PARKED);
    expect_equal(info_of(account).parked, 2);
    stop = true;
    expect_ok(limen_context_configure(account, LIMEN_CONTEXT_UNLIMITED, 0, UNLIMITED));
    for (unsigned i = 0; i < 2; i++)
        join(made[i]);
}

TEST(budget, losing_the_context_stops_the_thread)
{
    account = make_account(LIMEN_CONTEXT_PERIOD_MIN);
    stop = false;
    struct worker *worker = spawn_on(account, LOWER, loop, (void *)0);
    sleep_for(PERIOD);
    expect_ok(limen_revoke(OWN_TABLE, account));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    expect_error(limen_thread_resume(worker->thread), LIMEN_NOT_CONFIGURED);
    stop = true;
    expect_ok(limen_thread_set_context(worker->thread, UNLIMITED));
    expect_ok(limen_thread_resume(worker->thread));
    join(worker);
}

/* -- passive servers -- */

static volatile bool endless;

static void work(void)
{
    uint64_t end = now() + WORK_NS;
    while (now() < end || endless)
        ;
}

/* Serves at an endpoint; the first server calls the second for each request. */
static void serve(void *number)
{
    uintptr_t me = (uintptr_t)number;
    struct message message = {0};

    expect_ok(transfer(LIMEN_SYS_WAIT, endpoints[me], replies[me], LIMEN_FOREVER, &message));
    for (;;) {
        struct message nested = {.tag = limen_tag(1, 0, 0)};
        progress[me]++;
        work();
        if (me == 0)
            expect_ok(transfer(LIMEN_SYS_CALL, endpoints[1], 0, LIMEN_FOREVER, &nested));
        message.tag = 0;
        expect_ok(
            transfer(LIMEN_SYS_REPLY_WAIT, endpoints[me], replies[me], LIMEN_FOREVER, &message));
    }
}

static struct worker *servers[2];

static void make_servers(void)
{
    for (uintptr_t i = 0; i < 2; i++) {
        endpoints[i] = make(LIMEN_TYPE_ENDPOINT, 0);
        replies[i] = make(LIMEN_TYPE_REPLY, 0);
        progress[i] = 0;
        endless = false;
        servers[i] = spawn(HIGHER, serve, (void *)i);
        expect_ok(limen_thread_set_passive(servers[i]->thread, true));
        expect_ok(limen_thread_set_context(servers[i]->thread, 0));
    }
}

#define LAPS 3u

static void call_a_few_times(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < LAPS; i++) {
        struct message message = {.tag = limen_tag(1, 0, 0)};
        expect_ok(transfer(LIMEN_SYS_CALL, endpoints[0], 0, LIMEN_FOREVER, &message));
    }
}

static void expect_the_client_pays(void)
{
    uint32_t other = make_account(BUDGET);

    account = make_account(PERIOD);
    make_servers();
    struct worker *client = new_worker(HIGHER);
    expect_ok(limen_thread_set_context(client->thread, account));
    uint64_t began = now();
    uint64_t unlimited = info_of(UNLIMITED).consumed;
    start(client, call_a_few_times, NULL);
    join(client);
    uint64_t others = info_of(UNLIMITED).consumed - unlimited;
    uint64_t took = now() - began;
    /* All but what this thread itself used. */
    expect(info_of(account).consumed >= 2 * LAPS * WORK_NS);
    expect(others <= took - 2 * LAPS * WORK_NS);
    expect_equal(info_of(other).consumed, 0);
    expect_equal(progress[1], LAPS);
}

TEST(budget, a_chain_of_passive_servers_runs_on_its_clients_time)
{
    expect_the_client_pays();
}

TEST(budget, a_chain_of_passive_servers_by_the_general_path)
{
    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){0}));
    expect_the_client_pays();
}

TEST(budget, a_passive_server_without_a_client_does_not_run)
{
    make_servers();
    uint32_t bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_ok(limen_thread_bind(servers[1]->thread, bits));
    expect_ok(limen_signal(minted(bits, LIMEN_RIGHT_WRITE, 1)));
    sleep_for(PERIOD);
    for (unsigned i = 0; i < 2; i++) {
        expect_equal(state_of(servers[i]->thread), LIMEN_THREAD_RECEIVING);
        expect_ok(limen_thread_suspend(servers[i]->thread));
        expect_error(limen_thread_resume(servers[i]->thread), LIMEN_NOT_CONFIGURED);
        expect_equal(progress[i], 0);
    }
}

/* The client's budget ends while it is served: all wait for its next period, and go on. */
TEST(budget, the_clients_budget_ends_in_the_server)
{
    account = make(LIMEN_TYPE_CONTEXT, 0);
    expect_ok(limen_context_configure(account, WORK_NS / 2, PERIOD, UNLIMITED));
    make_servers();
    join(spawn_on(account, HIGHER, call_a_few_times, NULL));
    expect_equal(progress[1], LAPS);
}

/* The account dies under the servers it was lent to. */
TEST(budget, the_lender_dies)
{
    account = make_account(PERIOD);
    make_servers();
    for (unsigned i = 0; i < 2; i++)
        expect_ok(limen_thread_set_priority(servers[i]->thread, LOWER));
    endless = true;
    struct worker *client = spawn_on(account, LOWER, call_a_few_times, NULL);
    while (progress[0] == 0)
        sleep_for(PERIOD);
    close_account();
    expect_equal(state_of(client->thread), LIMEN_THREAD_WAITING_REPLY);
    expect_equal(state_of(servers[0]->thread), LIMEN_THREAD_PARKED);
    expect_ok(limen_revoke(OWN_TABLE, account));
    expect_ok(limen_delete(OWN_TABLE, account));
    expect_equal(state_of(client->thread), LIMEN_THREAD_STOPPED);
    expect_equal(state_of(servers[0]->thread), LIMEN_THREAD_PARKED);
    expect_equal(progress[1], 0);
    /* With a context of its own it goes on, and the second on the time of the first. */
    endless = false;
    expect_ok(limen_thread_set_context(servers[0]->thread, UNLIMITED));
    while (state_of(servers[0]->thread) != LIMEN_THREAD_RECEIVING)
        sleep_for(PERIOD);
    expect_equal(progress[1], 1);
}

/* -- timeouts -- */

static volatile unsigned timeouts;

/* Answers a few timeouts with resume, and then leaves the thread where it is. */
static void handle_timeouts(void *unused)
{
    uint64_t number = LIMEN_SYS_WAIT;
    struct message message = {0};

    (void)unused;
    for (;;) {
        expect_ok(transfer(number, endpoints[0], replies[0], LIMEN_FOREVER, &message));
        expect_equal(limen_tag_label(message.tag), LIMEN_FAULT_TIMEOUT);
        expect_equal(limen_tag_words(message.tag), LIMEN_FAULT_WORDS);
        expect_equal(message.badge, 7);
        expect(message.words[0] >= BUDGET * (timeouts + 1));
        timeouts++;
        message.tag = timeouts < 3 ? LIMEN_FAULT_RESUME : limen_tag(LIMEN_FAULT_TIMEOUT, 0, 0);
        number = LIMEN_SYS_REPLY_WAIT;
    }
}

TEST(budget, a_handler_is_told_of_a_timeout)
{
    endpoints[0] = make(LIMEN_TYPE_ENDPOINT, 0);
    replies[0] = make(LIMEN_TYPE_REPLY, 0);
    account = make_account(BUDGET);
    timeouts = 0;
    stop = false;
    expect_ok(limen_context_set_handler(account, minted(endpoints[0], LIMEN_RIGHT_WRITE, 7)));
    spawn(HIGHER + 1, handle_timeouts, NULL);
    struct worker *worker = spawn_on(account, LOWER, loop, (void *)0);
    while (timeouts < 3)
        sleep_for(PERIOD);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
    struct limen_thread_info info;
    expect_ok(limen_thread_info(worker->thread, &info));
    expect_equal(info.fault_label, LIMEN_FAULT_TIMEOUT);
}

TEST(budget, a_context_is_revoked_while_its_handler_thinks)
{
    endpoints[0] = make(LIMEN_TYPE_ENDPOINT, 0);
    account = make_account(BUDGET);
    stop = false;
    expect_ok(limen_context_set_handler(account, endpoints[0]));
    struct worker *worker = spawn_on(account, HIGHER, loop, (void *)0);
    expect_equal(state_of(worker->thread), LIMEN_THREAD_SENDING);
    expect_ok(limen_revoke(OWN_TABLE, account));
    expect_equal(state_of(worker->thread), LIMEN_THREAD_STOPPED);
}
