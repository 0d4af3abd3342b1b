/* SPDX-License-Identifier: MIT */
/* Accounts of time: who may set a budget, what is charged, and what becomes of those who used
 * theirs up. */
#include "context.h"
#include "world.h"

#define TICKS(ns) ((uint64_t)(ns)*HOST_TICKS_A_NS)
#define BUDGET    200000u
#define PERIOD    1000000u

static const unsigned unlimited = LIMEN_INIT_CONTEXT;

static unsigned make_budget(uint64_t budget)
{
    unsigned context = make(LIMEN_TYPE_CONTEXT, 0);
    EXPECT(OK, context, LIMEN_CONTEXT_CONFIGURE, budget, PERIOD, unlimited);
    return context;
}

static struct actor make_drawer(unsigned priority, unsigned context)
{
    struct actor actor = make_actor(priority, false);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_CONTEXT, context);
    return actor;
}

static const struct context *context_at(unsigned slot)
{
    return object_at(slot);
}

static bool runs(struct actor actor)
{
    return current() == actor.thread;
}

/* What INFO says, while init runs. */
enum { INFO_BUDGET, INFO_PERIOD, INFO_LEFT, INFO_CONSUMED, INFO_PARKED };
static uint64_t info(unsigned context, unsigned word)
{
    EXPECT(OK, context, LIMEN_CONTEXT_INFO, 0);
    return result(word);
}

/* -- authority -- */

static void test_new_context_has_nothing(void **state)
{
    (void)state;
    unsigned context = make(LIMEN_TYPE_CONTEXT, 0);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(info(context, i), 0);
    assert_int_equal(info(unlimited, INFO_BUDGET), LIMEN_CONTEXT_UNLIMITED);
    assert_int_equal(info(unlimited, INFO_LEFT), LIMEN_CONTEXT_UNLIMITED);
    assert_ptr_equal(world.init->payer, object_at(unlimited));
}

static void test_only_the_unlimited_context_makes_budgets(void **state)
{
    const uint32_t configure = LIMEN_CONTEXT_CONFIGURE;
    (void)state;
    unsigned context = make(LIMEN_TYPE_CONTEXT, 0), limited = make_budget(BUDGET);
    unsigned weak = copy_of(unlimited, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    EXPECT(BAD_CAPABILITY, context, configure, BUDGET, PERIOD, 0);
    EXPECT(WRONG_TYPE, context, configure, BUDGET, PERIOD, LIMEN_INIT_SPACE);
    EXPECT(NO_RIGHT, context, configure, BUDGET, PERIOD, weak);
    EXPECT(NO_RIGHT, context, configure, BUDGET, PERIOD, limited);
    EXPECT(NO_RIGHT, context, configure, BUDGET, PERIOD, context);
    EXPECT(NO_RIGHT, limited, configure, BUDGET + 1, PERIOD, limited);
    EXPECT(OUT_OF_RANGE, context, configure, BUDGET, BUDGET - 1, unlimited);
    EXPECT(OUT_OF_RANGE, context, configure, 1, LIMEN_CONTEXT_PERIOD_MIN - 1, unlimited);
    EXPECT(OUT_OF_RANGE, context, configure, 1, LIMEN_CONTEXT_PERIOD_MAX + 1, unlimited);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(info(context, i), 0);
    EXPECT(OK, context, configure, PERIOD, PERIOD, unlimited);
    assert_int_equal(info(context, INFO_BUDGET), PERIOD);
    assert_int_equal(info(context, INFO_PERIOD), PERIOD);
    assert_int_equal(info(context, INFO_LEFT), PERIOD);
    EXPECT(OK, context, configure, LIMEN_CONTEXT_UNLIMITED, 0, unlimited);
    assert_int_equal(info(context, INFO_BUDGET), LIMEN_CONTEXT_UNLIMITED);
    EXPECT(OK, context, configure, 0, 0, context); /* unlimited itself, until now */
    assert_int_equal(info(context, INFO_LEFT), 0);
}

static void test_every_operation_needs_its_right(void **state)
{
    (void)state;
    unsigned context = make(LIMEN_TYPE_CONTEXT, 0);
    unsigned read = copy_of(context, LIMEN_RIGHT_READ);
    unsigned write = copy_of(context, LIMEN_RIGHT_WRITE);
    EXPECT(NO_RIGHT, read, LIMEN_CONTEXT_CONFIGURE, BUDGET, PERIOD, unlimited);
    EXPECT(NO_RIGHT, read, LIMEN_CONTEXT_SET_HANDLER, 0);
    EXPECT(NO_RIGHT, write, LIMEN_CONTEXT_SET_HANDLER, 0);
    EXPECT(NO_RIGHT, write, LIMEN_CONTEXT_INFO, 0);
    EXPECT(OK, write, LIMEN_CONTEXT_CONFIGURE, BUDGET, PERIOD, unlimited);
    EXPECT(OK, read, LIMEN_CONTEXT_INFO, 0);
    EXPECT(BAD_OPERATION, write, 0, 0);
    EXPECT(BAD_OPERATION, write, LIMEN_CONTEXT_INFO + 1, 0);
    struct actor actor = make_actor(5, false);
    EXPECT(NO_RIGHT, actor.slot, LIMEN_THREAD_SET_CONTEXT, read);
    EXPECT(WRONG_TYPE, actor.slot, LIMEN_THREAD_SET_CONTEXT, actor.slot);
    EXPECT(BAD_CAPABILITY, actor.slot, LIMEN_THREAD_SET_CONTEXT, fresh());
    assert_ptr_equal(actor.thread->payer, object_at(unlimited));
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_CONTEXT, write);
    assert_ptr_equal(actor.thread->payer, object_at(context));
    EXPECT(BAD_ARGUMENT, actor.slot, LIMEN_THREAD_SET_PASSIVE, 2);
}

/* A process cannot get more time by making threads, nor by dying. */
static void test_who_configures_a_thread_shares_his_context(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor parent = make_actor(100, true);
    unsigned thread = make(LIMEN_TYPE_THREAD, 0);
    EXPECT(OK, parent.slot, LIMEN_THREAD_SET_CONTEXT, context);
    EXPECT(OK, thread, LIMEN_THREAD_SET_PASSIVE, 1);
    give(&parent, 1, parent.table, LIMEN_RIGHTS_ALL);
    give(&parent, 2, LIMEN_INIT_SPACE, LIMEN_RIGHTS_ALL);
    give(&parent, 3, thread, LIMEN_RIGHTS_ALL);
    become(parent.thread);
    set_words(parent.thread, 3, (const uint64_t[]){2, 1, 0});
    enter(LIMEN_SYS_CALL, 3, limen_tag(LIMEN_THREAD_CONFIGURE, 3, 0));
    assert_int_equal(limen_tag_label(regs_of(parent.thread)->rsi), LIMEN_OK);
    EXPECT(OK, thread, LIMEN_THREAD_RESUME);
    const struct thread *child = object_at(thread);
    assert_ptr_equal(child->payer, object_at(context));
    assert_false(child->passive);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, parent.slot);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, parent.slot);
    assert_ptr_equal(child->payer, object_at(context));
    assert_int_equal(child->state, LIMEN_THREAD_READY);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, context);
    assert_int_equal(child->state, LIMEN_THREAD_STOPPED);
    EXPECT(NOT_CONFIGURED, thread, LIMEN_THREAD_RESUME);
    EXPECT(OK, thread, LIMEN_THREAD_SET_CONTEXT, unlimited);
    EXPECT(OK, thread, LIMEN_THREAD_RESUME);
}

static void test_nobody_runs_without_a_context(void **state)
{
    (void)state;
    struct actor actor = make_actor(100, false);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_CONTEXT, 0);
    world_init_waits();
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(actor.thread->state, LIMEN_THREAD_PARKED);
    assert_null(host_cpu->deadlines);
}

static void test_taking_ones_own_context_away(void **state)
{
    (void)state;
    struct actor actor = make_actor(100, false);
    become(actor.thread);
    regs_of(actor.thread)->words[0] = 0;
    enter(LIMEN_SYS_CALL, actor.slot, limen_tag(LIMEN_THREAD_SET_CONTEXT, 1, 0));
    assert_ptr_equal(current(), world.init);
    assert_int_equal(actor.thread->state, LIMEN_THREAD_READY);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(NOT_CONFIGURED, actor.slot, LIMEN_THREAD_RESUME);
}

/* Alone, it does not go on either. */
static void test_nobody_else_is_there(void **state)
{
    (void)state;
    struct actor actor = make_actor(100, false);
    world_init_waits();
    assert_true(runs(actor));
    set_words(current(), 1, (const uint64_t[]){0});
    enter(LIMEN_SYS_CALL, actor.slot, limen_tag(LIMEN_THREAD_SET_CONTEXT, 1, 0));
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(actor.thread->state, LIMEN_THREAD_PARKED);
}

/* -- charging -- */

static void test_time_is_charged_to_the_account(void **state)
{
    (void)state;
    unsigned shared = make_budget(BUDGET), other = make_budget(BUDGET);
    struct actor actors[] = {make_drawer(7, shared), make_drawer(7, shared), make_drawer(6, other)};
    unsigned wake = world_init_waits();
    uint64_t unlimited_before = context_at(unlimited)->consumed;
    assert_true(runs(actors[0]));
    host.now += 1000;
    enter(LIMEN_SYS_YIELD, 0, 0);
    assert_true(runs(actors[1]));
    host.now += 100;
    enter(LIMEN_SYS_SEND, wake, 0);
    assert_int_equal(context_at(unlimited)->consumed, unlimited_before);
    assert_int_equal(info(shared, INFO_CONSUMED), 1100 / HOST_TICKS_A_NS);
    assert_int_equal(info(shared, INFO_LEFT), BUDGET - 1100 / HOST_TICKS_A_NS);
    assert_int_equal(info(other, INFO_CONSUMED), 0);
}

static void test_info_of_the_account_in_use(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_SET_CONTEXT, context);
    host.now += TICKS(500);
    assert_int_equal(info(context, INFO_CONSUMED), 500);
    assert_int_equal(info(context, INFO_LEFT), BUDGET - 500);
    host.now += TICKS(PERIOD); /* interrupts were off that long */
    assert_int_equal(info(context, INFO_LEFT), 0);
}

static void test_an_unlimited_account_sets_no_timer(void **state)
{
    (void)state;
    struct actor actor = make_actor(7, false);
    world_init_waits();
    interrupt_at(host.timer); /* init's last turn */
    assert_true(runs(actor));
    assert_int_equal(host_cpu->budget_end, UINT64_MAX);
    assert_int_equal(host.timer, HOST_NEVER);
}

/* -- the end of a budget -- */

static void test_used_up(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor looper = make_drawer(250, context), low = make_actor(10, false);
    world_init_waits();
    for (unsigned i = 0; i < 5; i++) {
        assert_true(runs(looper));
        uint64_t began = host.now;
        assert_int_equal(host.timer, began + TICKS(BUDGET));
        interrupt_at(host.timer - 1);
        assert_true(runs(looper));
        interrupt_at(host.now + 1);
        assert_true(runs(low));
        assert_int_equal(looper.thread->state, LIMEN_THREAD_PARKED);
        assert_int_equal(context_at(context)->parked_count, 1);
        assert_int_equal(host.timer, began + TICKS(PERIOD));
        interrupt_at(host.timer);
    }
}

/* The interrupt may come late: what was used too much is missing later. */
static void test_overrun_is_paid_for(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor looper = make_drawer(250, context);
    make_actor(10, false);
    world_init_waits();
    uint64_t began = host.now;
    for (unsigned i = 0; i < 400; i++)
        interrupt_at(host.timer + (runs(looper) ? TICKS(BUDGET) * 2 / 3 : 0));
    uint64_t periods = (host.now - began) / TICKS(PERIOD);
    uint64_t share = context_at(context)->consumed * 100 / (periods * TICKS(PERIOD));
    assert_true(periods > 100);
    assert_in_range(share, 18, 21);
}

/* The machine stood still for long: no thread is punished for that. */
static void test_at_most_a_budget_is_paid_for(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor looper = make_drawer(250, context);
    world_init_waits();
    interrupt_at(host.now + 1000 * TICKS(PERIOD));
    uint64_t began = host.now;
    while (!runs(looper))
        interrupt_at(host.timer);
    assert_true(host.now - began <= TICKS(PERIOD) + 1);
}

static void test_what_is_not_used_is_lost(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor actor = make_drawer(250, context);
    unsigned bits = minted(make(LIMEN_TYPE_NOTIFICATION, 0), 1);
    world_init_waits();
    host.now += TICKS(BUDGET / 2);
    enter(LIMEN_SYS_WAIT, bits, 0);
    assert_ptr_equal(current(), &host_cpu->idle);
    host.now += 10 * TICKS(PERIOD);
    notification_signal(object_at(bits), 1);
    interrupt_at(host.now);
    assert_true(runs(actor));
    assert_int_equal(host_cpu->budget_end, host.now + TICKS(BUDGET));
    assert_int_equal(context_at(context)->refill_at, host.now + TICKS(PERIOD));
}

static void test_a_whole_budget_never_ends(void **state)
{
    (void)state;
    unsigned context = make_budget(PERIOD);
    struct actor actor = make_drawer(250, context);
    make_actor(10, false);
    world_init_waits();
    for (unsigned i = 0; i < 10; i++) {
        assert_true(runs(actor));
        interrupt_at(host.timer);
    }
}

/* Two threads of one account get no more than one does, and both get on. */
static void test_threads_share_a_budget(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor actors[2] = {make_drawer(250, context), make_drawer(250, context)};
    make_actor(10, false);
    unsigned turns[2] = {0, 0};
    world_init_waits();
    uint64_t began = host.now;
    for (unsigned i = 0; i < 40; i++) {
        for (unsigned a = 0; a < 2; a++)
            turns[a] += runs(actors[a]);
        interrupt_at(host.timer);
    }
    assert_true(turns[0] > 5 && turns[1] > 5);
    assert_true(context_at(context)->consumed <=
                ((host.now - began) / TICKS(PERIOD) + 1) * TICKS(BUDGET));
}

static void test_a_new_budget_counts_at_once(void **state)
{
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor actor = make_drawer(250, context);
    unsigned wake = world_init_waits();
    while (actor.thread->state != LIMEN_THREAD_PARKED)
        interrupt_at(host.timer);
    notification_signal(object_at(wake), 1);
    interrupt_at(host.now);
    EXPECT(OK, context, LIMEN_CONTEXT_CONFIGURE, 0, 0, unlimited);
    interrupt_at(host.now + TICKS(PERIOD));
    assert_int_equal(actor.thread->state, LIMEN_THREAD_PARKED);
    EXPECT(OK, context, LIMEN_CONTEXT_CONFIGURE, BUDGET, PERIOD, unlimited);
    assert_true(host.timer <= host.now);
    interrupt_at(host.now);
    assert_int_equal(actor.thread->state, LIMEN_THREAD_READY);
}

static void test_parked_in_the_kernel(void **state)
{
    struct limen_regs in_the_kernel;
    (void)state;
    unsigned context = make_budget(BUDGET);
    struct actor actor = make_drawer(250, context);
    world_init_waits();
    host.now = host.timer;
    host.timer = HOST_NEVER;
    kernel_timer();
    kernel_reschedule(&in_the_kernel);
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(actor.thread->state, LIMEN_THREAD_PARKED);
    host.now = host.timer;
    host.timer = HOST_NEVER;
    kernel_timer();
    assert_ptr_equal(kernel_reschedule(regs_of(current())), &in_the_kernel);
    assert_true(runs(actor));
}

/* -- many -- */

enum { MANY = 30 };

static void test_many_on_an_account_that_is_used_up(void **state)
{
    struct actor actors[MANY];
    (void)state;
    unsigned context = make_budget(BUDGET);
    for (unsigned i = 0; i < MANY; i++)
        actors[i] = make_drawer(250, context);
    struct actor low = make_actor(10, false);
    world_init_waits();
    /* All at once: the first is parked by the interrupt, and a few more in each pass. */
    unsigned passes = 0;
    for (interrupt_at(host.timer); !runs(low); passes++) {
        assert_ptr_equal(current(), &host_cpu->idle);
        assert_true(context_at(context)->parked_count <= 1 + 8 * (passes + 1));
        assert_int_equal(host.timer, host.now + 1);
        interrupt_at(host.timer);
    }
    assert_in_range(passes, 3, 4);
    assert_int_equal(context_at(context)->parked_count, MANY);
    /* And all come back, with a window after each. */
    unsigned windows = host.windows;
    interrupt_at(host.timer);
    assert_int_equal(host.windows - windows, MANY);
    assert_int_equal(context_at(context)->parked_count, 0);
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(actors[i].thread->state, LIMEN_THREAD_READY);
}

static void test_refills_come_in_order(void **state)
{
    unsigned contexts[4];
    struct actor actors[4];
    unsigned never = make(LIMEN_TYPE_NOTIFICATION, 0);
    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        contexts[i] = make(LIMEN_TYPE_CONTEXT, 0);
        EXPECT(OK, contexts[i], LIMEN_CONTEXT_CONFIGURE, 1000, PERIOD * (1 + (i * 3) % 4),
               unlimited);
        actors[i] = make_drawer(100 + i, contexts[i]);
    }
    world_init_waits();
    for (unsigned i = 4; i-- > 0;) {
        assert_true(runs(actors[i]));
        interrupt_at(host.timer);
    }
    const unsigned order[] = {0, 3, 2, 1};
    for (unsigned i = 0; i < 4; i++) {
        while (current() == &host_cpu->idle)
            interrupt_at(host.timer);
        assert_true(runs(actors[order[i]]));
        enter(LIMEN_SYS_WAIT, never, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_new_context_has_nothing),
        WORLD_TEST(test_only_the_unlimited_context_makes_budgets),
        WORLD_TEST(test_every_operation_needs_its_right),
        WORLD_TEST(test_who_configures_a_thread_shares_his_context),
        WORLD_TEST(test_nobody_runs_without_a_context),
        WORLD_TEST(test_taking_ones_own_context_away),
        WORLD_TEST(test_nobody_else_is_there),
        WORLD_TEST(test_time_is_charged_to_the_account),
        WORLD_TEST(test_info_of_the_account_in_use),
        WORLD_TEST(test_an_unlimited_account_sets_no_timer),
        WORLD_TEST(test_used_up),
        WORLD_TEST(test_overrun_is_paid_for),
        WORLD_TEST(test_at_most_a_budget_is_paid_for),
        WORLD_TEST(test_what_is_not_used_is_lost),
        WORLD_TEST(test_a_whole_budget_never_ends),
        WORLD_TEST(test_threads_share_a_budget),
        WORLD_TEST(test_a_new_budget_counts_at_once),
        WORLD_TEST(test_parked_in_the_kernel),
        WORLD_TEST(test_many_on_an_account_that_is_used_up),
        WORLD_TEST(test_refills_come_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
