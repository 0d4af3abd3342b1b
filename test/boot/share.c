/* SPDX-License-Identifier: MIT */
/*
 * The shares of time that budgets give, and how long interrupts stay off when many threads have
 * used one up.  Like what is in long.c they need a machine that counts instructions.
 */
#include "kit.h"

#define PERIOD       UINT64_C(1000000)
#define PERIODS      20u
#define IRQS_OFF_MAX 3000u /* of any stretch, in instructions; measured 1600 */
#define LOOPERS      80u

static void loop(void *unused)
{
    (void)unused;
    for (;;)
        ;
}

static uint64_t consumed(uint32_t context)
{
    struct limen_context_info info;
    expect_ok(limen_context_info(context, &info));
    return info.consumed;
}

static uint32_t make_account(uint64_t budget)
{
    uint32_t context = make(LIMEN_TYPE_CONTEXT, 0);
    expect_ok(limen_context_configure(context, budget, PERIOD, UNLIMITED));
    return context;
}

static void spawn_on(uint32_t context, unsigned priority, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct worker *worker = new_worker(LOWER);
        expect_ok(limen_thread_set_context(worker->thread, context));
        start(worker, loop, NULL);
        set_priority(worker->thread, priority);
    }
}

static void sleep_until(uint64_t deadline)
{
    struct message message = {0};
    expect_error(transfer(LIMEN_SYS_WAIT, NEVER, 0, deadline, &message), LIMEN_TIMED_OUT);
}

/* Whatever is above the test, the test gets its turn: nothing else is awake then. */
static void expect_share(uint32_t context, uint64_t budget)
{
    uint64_t before = consumed(context), began = now();
    sleep_until(began + PERIODS * PERIOD);
    uint64_t used = consumed(context) - before, periods = (now() - began) / PERIOD;

    if (used < (periods - 1) * budget * 95 / 100 || used > (periods + 1) * budget)
        fail("%lu ns were used in %lu periods, of a budget of %lu", used, periods, budget);
}

TEST(long, a_loop_gets_its_budget_and_no_more)
{
    uint32_t high = make_account(PERIOD / 5), low = make_account(PERIOD / 2);

    spawn_on(high, 250, 1);
    spawn_on(low, 10, 1);
    expect_share(high, PERIOD / 5);
    expect_share(low, PERIOD / 2);
}

TEST(long, many_threads_get_no_more_than_one)
{
    uint32_t account = make_account(PERIOD / 5);

    spawn_on(account, 250, LOOPERS);
    expect_ok(limen_counter_reset(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF));
    expect_share(account, PERIOD / 5);
    uint64_t irqs_off;
    expect_ok(limen_counter(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF, &irqs_off));
    if (irqs_off > IRQS_OFF_MAX)
        fail("interrupts were off for %lu instructions, at most %u are allowed", irqs_off,
             IRQS_OFF_MAX);
}
