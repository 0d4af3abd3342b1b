/* SPDX-License-Identifier: MIT */
/* Who runs: priorities, turns, preemption, and the one timer behind turns and deadlines. */
#include "world.h"

#define SLICE (SLICE_NS * HOST_TICKS_A_NS)

/* Threads that are ready at a priority below init's, and init out of the way. */
static struct actor actors[6];

static void make_actors(unsigned count, const unsigned *priorities)
{
    for (unsigned i = 0; i < count; i++)
        actors[i] = make_actor(priorities[i], false);
}

static unsigned wake_init;

static void init_waits(void)
{
    wake_init = world_init_waits();
}

static void make_actors_and_wait(unsigned count, const unsigned *priorities)
{
    make_actors(count, priorities);
    init_waits();
}

static bool runs(unsigned i)
{
    return current() == actors[i].thread;
}

static void yield(void)
{
    enter(LIMEN_SYS_YIELD, 0, 0);
}

static void test_most_important_first(void **state)
{
    const unsigned priorities[] = {3, 200, 64, 63, 128, 0};
    const unsigned order[] = {1, 4, 2, 3, 0, 5};
    unsigned never = make(LIMEN_TYPE_NOTIFICATION, 0);
    (void)state;
    make_actors_and_wait(6, priorities);
    for (unsigned i = 0; i < 6; i++) {
        assert_true(runs(order[i]));
        enter(LIMEN_SYS_WAIT, never, 0);
    }
    assert_ptr_equal(current(), &host_cpu->idle);
}

static void test_equals_take_turns(void **state)
{
    const unsigned priorities[] = {7, 7, 7};
    (void)state;
    make_actors_and_wait(3, priorities);
    for (unsigned i = 0; i < 7; i++) {
        assert_true(runs(i % 3));
        interrupt_at(host.now + SLICE - 1);
        assert_true(runs(i % 3));
        assert_int_equal(host.timer, host.now + 1);
        interrupt_at(host.now + 1);
    }
}

static void test_yield_lets_equals_go_first(void **state)
{
    const unsigned priorities[] = {7, 7, 6};
    (void)state;
    make_actors_and_wait(3, priorities);
    assert_true(runs(0));
    yield();
    assert_true(runs(1));
    yield();
    assert_true(runs(0));
    become(actors[1].thread);
    enter(LIMEN_SYS_WAIT, make(LIMEN_TYPE_NOTIFICATION, 0), 0);
    assert_true(runs(0));
    yield();
    assert_true(runs(0));
    assert_int_equal(regs_of(current())->rax, LIMEN_OK);
}

static void test_yield_begins_a_new_turn(void **state)
{
    const unsigned priorities[] = {7, 7};
    (void)state;
    make_actors_and_wait(2, priorities);
    host.now += SLICE / 2;
    yield();
    assert_int_equal(host_cpu->slice_end, host.now + SLICE);
    interrupt_at(host.timer); /* of the turn that was cut short */
    assert_true(runs(1));
    assert_int_equal(host.timer, host_cpu->slice_end);
}

/* -- preemption -- */

static unsigned signal_to(unsigned i)
{
    return minted(make(LIMEN_TYPE_NOTIFICATION, 0), 1u << i);
}

static void waits_for(unsigned actor, unsigned badged)
{
    become(actors[actor].thread);
    enter(LIMEN_SYS_WAIT, badged, 0);
}

static void test_a_system_call_that_wakes_a_better_thread(void **state)
{
    const unsigned priorities[] = {7, 9, 8};
    (void)state;
    unsigned signal = signal_to(0);
    make_actors_and_wait(3, priorities);
    waits_for(1, signal);
    become(actors[0].thread);
    enter(LIMEN_SYS_SEND, signal, 0);
    assert_true(runs(1));
}

static void test_one_that_wakes_an_equal_goes_on(void **state)
{
    const unsigned priorities[] = {7, 7, 6};
    (void)state;
    unsigned signal = signal_to(0);
    make_actors_and_wait(3, priorities);
    waits_for(1, signal);
    assert_true(runs(0));
    enter(LIMEN_SYS_SEND, signal, 0);
    assert_true(runs(0));
    assert_int_equal(regs_of(current())->rax, LIMEN_OK);
}

static void test_interrupt_that_wakes_a_better_thread(void **state)
{
    const unsigned priorities[] = {7, 9};
    (void)state;
    unsigned irq = fresh(), signal = signal_to(0);
    EXPECT(OK, LIMEN_INIT_IRQ_CONTROL, LIMEN_IRQ_CONTROL_ISSUE, 5, 0, world.untyped, irq);
    EXPECT(OK, irq, LIMEN_IRQ_BIND, signal);
    make_actors_and_wait(2, priorities);
    waits_for(1, signal);
    assert_true(runs(0));
    kernel_irq(5);
    assert_true(runs(0)); /* not before the interrupt ends */
    interrupt_at(host.now);
    assert_true(runs(1));
}

/* A thread preempted in the kernel goes on from the frame it was interrupted at. */
static void test_preempted_in_a_window(void **state)
{
    const unsigned priorities[] = {7, 9};
    struct limen_regs in_the_kernel;
    (void)state;
    unsigned signal = signal_to(0);
    make_actors_and_wait(2, priorities);
    waits_for(1, signal);
    struct notification *bits = object_at(signal);
    notification_signal(bits, 1);
    assert_ptr_equal(kernel_reschedule(&in_the_kernel), regs_of(actors[1].thread));
    assert_ptr_equal(actors[0].thread->resume, &in_the_kernel);
    regs_of(actors[1].thread)->rdi = signal;
    regs_of(actors[1].thread)->rax = LIMEN_SYS_WAIT;
    assert_ptr_equal(host_syscall(regs_of(actors[1].thread)), &in_the_kernel);
    assert_true(runs(0));
    assert_null(actors[0].thread->resume);
}

/* However often something better comes in between, equals get their turns. */
static void test_interruptions_do_not_prolong_a_turn(void **state)
{
    const unsigned priorities[] = {7, 7, 9};
    (void)state;
    unsigned signal = signal_to(0);
    struct notification *bits = object_at(signal);
    make_actors_and_wait(3, priorities);
    waits_for(2, signal);
    unsigned turns[2] = {0, 0};
    for (unsigned i = 0; i < 40; i++) {
        turns[runs(0) ? 0 : 1]++;
        notification_signal(bits, 1);
        interrupt_at(host.now + SLICE / 4);
        assert_true(runs(2));
        host.now += SLICE; /* what the better one takes is not charged to the other */
        enter(LIMEN_SYS_WAIT, signal, 0);
    }
    assert_in_range(turns[0], 19, 21);
    assert_int_equal(turns[0] + turns[1], 40);
}

/* A turn begins when somebody else is ready; until then a thread has all of one before it. */
static void test_interrupted_before_its_turn_began(void **state)
{
    const unsigned priorities[] = {7, 9, 7};
    (void)state;
    unsigned better = signal_to(0), equal = signal_to(1);
    make_actors_and_wait(3, priorities);
    waits_for(1, better);
    waits_for(2, equal);
    assert_true(runs(0));
    assert_int_equal(host_cpu->slice_end, UINT64_MAX);
    notification_signal(object_at(better), 1);
    interrupt_at(host.now + 100);
    assert_true(runs(1));
    notification_signal(object_at(equal), 1);
    enter(LIMEN_SYS_WAIT, better, 0);
    assert_true(runs(0));
    assert_int_equal(host_cpu->slice_end, host.now + SLICE);
}

/* -- ticks -- */

/* One that was set before may still come. */
static void test_thread_alone_sees_no_ticks(void **state)
{
    const unsigned priorities[] = {7, 7};
    (void)state;
    make_actors_and_wait(2, priorities);
    enter(LIMEN_SYS_WAIT, make(LIMEN_TYPE_NOTIFICATION, 0), 0);
    assert_true(runs(1));
    assert_int_equal(host_cpu->slice_end, UINT64_MAX);
    interrupt_at(host.timer);
    assert_int_equal(host.timer, HOST_NEVER);
    enter(LIMEN_SYS_SEND, wake_init, 0);
    assert_ptr_equal(current(), world.init);
    EXPECT(OK, actors[1].slot, LIMEN_THREAD_SUSPEND);
    interrupt_at(host.timer);
    assert_int_equal(host.timer, HOST_NEVER);
}

static void test_idle_sees_no_ticks(void **state)
{
    (void)state;
    unsigned sets = host.timer_sets;
    init_waits();
    assert_ptr_equal(current(), &host_cpu->idle);
    interrupt_at(host.now + 5 * SLICE);
    assert_int_equal(host.timer, HOST_NEVER);
    assert_int_equal(host.timer_sets, sets);
}

static void test_one_setting_of_the_timer_a_turn(void **state)
{
    const unsigned priorities[] = {7, 7};
    (void)state;
    make_actors_and_wait(2, priorities);
    for (unsigned i = 0; i < 4; i++) {
        unsigned sets = host.timer_sets;
        interrupt_at(host.timer);
        assert_int_equal(host.timer_sets - sets, 1);
        assert_int_equal(host.timer, host.now + SLICE);
    }
}

/* -- deadlines in the interrupt -- */

static void wait_until(unsigned actor, unsigned slot, uint64_t tick)
{
    become(actors[actor].thread);
    regs_of(current())->rbx = tick / HOST_TICKS_A_NS;
    enter(LIMEN_SYS_WAIT | LIMEN_DEADLINE, slot, 0);
}

static void test_all_that_are_due_wake(void **state)
{
    const unsigned priorities[] = {4, 5, 6, 7, 8, 9};
    (void)state;
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    make_actors_and_wait(6, priorities);
    for (unsigned i = 0; i < 6; i++)
        wait_until(i, bits, 1000 + 10 * (5 - i));
    assert_ptr_equal(current(), &host_cpu->idle);
    unsigned before = host.windows;
    interrupt_at(1030);
    assert_int_equal(host.windows - before, 4);
    assert_true(runs(5));
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(actors[i].thread->state,
                         i >= 2 ? LIMEN_THREAD_READY : LIMEN_THREAD_WAITING);
    enter(LIMEN_SYS_WAIT, bits, 0);
    enter(LIMEN_SYS_WAIT, bits, 0);
    enter(LIMEN_SYS_WAIT, bits, 0);
    enter(LIMEN_SYS_WAIT, bits, 0);
    assert_ptr_equal(current(), &host_cpu->idle);
    assert_int_equal(host.timer, 1040);
}

static void nested_timer(void)
{
    host.window = NULL;
    host.now = 1050;
    kernel_timer(); /* leaves the work to the one it interrupted */
    assert_int_equal(actors[1].thread->state, LIMEN_THREAD_WAITING);
}

static void test_timer_in_the_window_of_the_timer(void **state)
{
    const unsigned priorities[] = {4, 5};
    (void)state;
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    make_actors_and_wait(2, priorities);
    wait_until(0, bits, 1000);
    wait_until(1, bits, 1050);
    host.window = nested_timer;
    interrupt_at(1000);
    assert_null(host.window);
    assert_true(runs(1));
    assert_int_equal(actors[0].thread->state, LIMEN_THREAD_READY);
    assert_null(host_cpu->deadlines);
}

/* -- changes of priority -- */

static void test_priority_of_a_ready_thread(void **state)
{
    const unsigned priorities[] = {7, 8, 9};
    (void)state;
    make_actors(3, priorities);
    EXPECT(OK, actors[0].slot, LIMEN_THREAD_SET_PRIORITY, 100);
    init_waits();
    assert_true(runs(0));
}

static void test_lowering_ones_own_priority(void **state)
{
    const unsigned priorities[] = {7, 9};
    (void)state;
    make_actors_and_wait(2, priorities);
    assert_true(runs(1));
    struct limen_regs *regs = regs_of(current());
    regs->words[0] = 3;
    enter(LIMEN_SYS_CALL, actors[1].slot, limen_tag(LIMEN_THREAD_SET_PRIORITY, 1, 0));
    assert_true(runs(0));
    assert_int_equal(limen_tag_label(regs->rsi), LIMEN_OK);
}

static void test_time_is_accounted(void **state)
{
    const unsigned priorities[] = {7, 7};
    (void)state;
    make_actors_and_wait(2, priorities);
    host.now += 1000 * HOST_TICKS_A_NS;
    yield();
    host.now += 10 * HOST_TICKS_A_NS;
    yield();
    enter(LIMEN_SYS_SEND, wake_init, 0);
    EXPECT(OK, actors[0].slot, LIMEN_THREAD_INFO, 0);
    assert_int_equal(result(7), 1000);
    EXPECT(OK, actors[1].slot, LIMEN_THREAD_INFO, 0);
    assert_int_equal(result(7), 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_most_important_first),
        WORLD_TEST(test_equals_take_turns),
        WORLD_TEST(test_yield_lets_equals_go_first),
        WORLD_TEST(test_yield_begins_a_new_turn),
        WORLD_TEST(test_a_system_call_that_wakes_a_better_thread),
        WORLD_TEST(test_one_that_wakes_an_equal_goes_on),
        WORLD_TEST(test_interrupt_that_wakes_a_better_thread),
        WORLD_TEST(test_preempted_in_a_window),
        WORLD_TEST(test_interruptions_do_not_prolong_a_turn),
        WORLD_TEST(test_interrupted_before_its_turn_began),
        WORLD_TEST(test_thread_alone_sees_no_ticks),
        WORLD_TEST(test_idle_sees_no_ticks),
        WORLD_TEST(test_one_setting_of_the_timer_a_turn),
        WORLD_TEST(test_all_that_are_due_wake),
        WORLD_TEST(test_timer_in_the_window_of_the_timer),
        WORLD_TEST(test_priority_of_a_ready_thread),
        WORLD_TEST(test_lowering_ones_own_priority),
        WORLD_TEST(test_time_is_accounted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
