/* SPDX-License-Identifier: MIT */
/* Breakpoints of a thread, by its debug registers. */
#include "attack.h"

/* DR7, and the bits of DR6 that tell what happened (SDM vol. 3, 17.2). */
#define ENABLE(n)       (1ull << 2 * (n))
#define ENABLE_ALL(n)   (2ull << 2 * (n))
#define ON_RUN(n)       0ull
#define ON_WRITE(n)     (1ull << (16 + 4 * (n)))
#define ON_IO(n)        (2ull << (16 + 4 * (n)))
#define ON_ACCESS(n)    (3ull << (16 + 4 * (n)))
#define BYTES_8(n)      (2ull << (18 + 4 * (n)))
#define BYTES_4(n)      (3ull << (18 + 4 * (n)))
#define DR7_FIXED       0x400ull
#define DR7_DETECT      0x2000ull
#define HITS            0xfull
#define SINGLE_STEP     0x4000ull
#define LENGTH_OF_STORE 3u

static uint64_t watched[4];

static void set_debug(const struct victim *victim, const uint64_t addresses[4], uint64_t control)
{
    expect_ok(limen_thread_set_debug(victim->worker->thread, addresses, control));
}

static struct limen_regs at(const struct victim *victim, const char *snippet)
{
    struct limen_regs regs;
    fill_pattern(&regs, snippet, victim->stack_top - 512);
    return regs;
}

/* Stores to a watched word, which must trap behind the store, and only once. */
static void expect_hit(const struct victim *victim, unsigned n)
{
    struct limen_regs regs = at(victim, snippet_store);

    regs.rax = (uint64_t)&watched[n];
    run_victim(victim, &regs);
    regs.rip += LENGTH_OF_STORE;
    struct fault fault = expect_exception(victim, DEBUG, 0, &regs);
    expect_equal(fault.detail[3] & (HITS | SINGLE_STEP), 1u << n);
    resume_victim(victim);
    expect_exception(victim, INVALID_OPCODE, 0, &regs);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

/* Stores, with TF or without, which must go by without a hit. */
static void expect_no_hit(const struct victim *victim, unsigned n, uint64_t flags)
{
    struct limen_regs regs = at(victim, snippet_store);

    regs.rax = (uint64_t)&watched[n];
    regs.rflags |= flags;
    run_victim(victim, &regs);
    regs.rip += LENGTH_OF_STORE;
    if (flags) {
        struct fault fault = expect_exception(victim, DEBUG, 0, &regs);
        expect_equal(fault.detail[3] & (HITS | SINGLE_STEP), SINGLE_STEP);
        regs.rflags &= ~flags;
        resume_victim_with(victim, &regs);
    }
    expect_exception(victim, INVALID_OPCODE, 0, &regs);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

static const uint64_t four[4] = {(uint64_t)&watched[0], (uint64_t)&watched[1],
                                 (uint64_t)&watched[2], (uint64_t)&watched[3]};

#define WRITE_8(n)   (ENABLE(n) | ON_WRITE(n) | BYTES_8(n))
#define FOUR_WRITES  (WRITE_8(0) | WRITE_8(1) | WRITE_8(2) | WRITE_8(3))
#define NO_ADDRESSES ((const uint64_t[4]){0})

TEST(debug, each_of_four_watchpoints_traps)
{
    struct victim victim = new_victim();

    set_debug(&victim, four, FOUR_WRITES);
    for (unsigned n = 0; n < 4; n++)
        expect_hit(&victim, n);
    set_debug(&victim, four, WRITE_8(2));
    for (unsigned n = 0; n < 4; n++)
        if (n == 2)
            expect_hit(&victim, n);
        else
            expect_no_hit(&victim, n, 0);
    set_debug(&victim, NO_ADDRESSES, 0);
    expect_no_hit(&victim, 2, 0);
}

TEST(debug, reads_are_watched_where_asked_for)
{
    struct victim victim = new_victim();
    struct limen_regs regs = at(&victim, snippet_load);

    watched[1] = 0x1234;
    regs.rax = (uint64_t)&watched[1];
    set_debug(&victim, four, ENABLE_ALL(1) | ON_ACCESS(1) | BYTES_4(1));
    run_victim(&victim, &regs);
    regs.rip += LENGTH_OF_STORE;
    regs.rcx = watched[1];
    struct fault fault = expect_exception(&victim, DEBUG, 0, &regs);
    expect_equal(fault.detail[3] & HITS, 2);
}

/* It comes before the instruction, which RF in the frame lets pass. */
TEST(debug, instruction_breakpoint)
{
    struct victim victim = new_victim();
    struct limen_regs regs = at(&victim, snippet_nop_ud2);

    set_debug(&victim, (uint64_t[4]){0, (uint64_t)snippet_nop_ud2}, ENABLE(1) | ON_RUN(1));
    run_victim(&victim, &regs);
    struct fault fault = expect_exception(&victim, DEBUG, 0, &regs);
    expect_equal(fault.detail[3] & HITS, 2);
    regs.rflags |= FLAG_RF;
    resume_victim_with(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* Switches between the two at every fault.  Where nothing is enabled, DR6 may still tell of a
 * condition met (SDM vol. 3, 17.2.3), so a single step shows whether addresses stayed behind. */
TEST(debug, breakpoints_are_one_thread_s_own)
{
    struct victim watching = new_victim(), other = new_victim(), third = new_victim();

    set_debug(&watching, four, FOUR_WRITES);
    set_debug(&third, (uint64_t[4]){four[1]}, WRITE_8(0));
    for (unsigned round = 0; round < 3; round++) {
        expect_hit(&watching, 1);
        expect_no_hit(&other, 1, 0);
        expect_no_hit(&other, 1, FLAG_TF);
        expect_no_hit(&third, 3, FLAG_TF);
        watched[1] = round; /* this thread has none either */
        expect_hit(&watching, 3);
    }
}

/* Each is preempted by the other at points of the timer's choosing. */
TEST(debug, breakpoints_come_back_after_preemption)
{
    struct victim watching = new_victim(), busy = new_victim();
    struct limen_regs spin = at(&busy, attack_spin);

    set_debug(&watching, four, FOUR_WRITES);
    set_priority(busy.worker->thread, LOWER);
    run_victim(&busy, &spin);
    for (unsigned n = 0; n < 4; n++) {
        uint64_t bits;
        expect_error(limen_wait_notification(NEVER, now() + 2000000, &bits), LIMEN_TIMED_OUT);
        expect_hit(&watching, n);
    }
}

TEST(debug, new_thread_in_used_memory_has_no_breakpoints)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_THREAD_ORDER);
    struct victim victim = new_victim();

    victim.worker->thread = slots(1);
    for (unsigned round = 0; round < 2; round++) {
        uint32_t thread = victim.worker->thread;
        expect_ok(limen_retype(untyped, LIMEN_TYPE_THREAD, 0, thread, 1));
        set_priority(thread, HIGHER);
        uint32_t handler = minted(victim.endpoint, LIMEN_RIGHT_WRITE, VICTIM_BADGE);
        expect_ok(limen_thread_configure(thread, OWN_SPACE, OWN_TABLE, handler));
        expect_no_hit(&victim, 0, FLAG_TF);
        set_debug(&victim, four, FOUR_WRITES);
        expect_hit(&victim, 0);
        expect_ok(limen_delete(OWN_TABLE, thread));
    }
}

static uint32_t self;

static void watch_oneself(void *unused)
{
    (void)unused;
    expect_ok(limen_thread_set_debug(self, four, WRITE_8(0)));
    *(volatile uint64_t *)&watched[0] = 1;
    fail("a watchpoint for oneself is not in force at once");
}

TEST(debug, a_thread_s_own_breakpoints_are_in_force_at_once)
{
    struct victim victim = new_victim();

    self = victim.worker->thread;
    start(victim.worker, watch_oneself, NULL);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], DEBUG);
    expect_equal(fault.detail[3] & HITS, 1);
}

TEST(debug, only_what_cannot_harm_the_kernel)
{
    static const uint64_t kernel[] = {
        LIMEN_USER_END,        1ull << 47, 1ull << 63, 0xffff800000000000ull,
        0xffffffff80000000ull, UINT64_MAX};
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);

    for (unsigned n = 0; n < 4; n++) {
        uint64_t addresses[4] = {0};
        for (unsigned i = 0; i < sizeof kernel / sizeof kernel[0]; i++) {
            addresses[n] = kernel[i];
            expect_error(limen_thread_set_debug(thread, addresses, 0), LIMEN_BAD_ARGUMENT);
            expect_error(limen_thread_set_debug(thread, addresses, WRITE_8(n)), LIMEN_BAD_ARGUMENT);
        }
        addresses[n] = LIMEN_USER_END - 1;
        expect_ok(limen_thread_set_debug(thread, addresses, WRITE_8(n)));
        expect_error(limen_thread_set_debug(thread, four, ENABLE(n) | ON_IO(n)),
                     LIMEN_BAD_ARGUMENT);
        expect_error(limen_thread_set_debug(thread, four, ON_IO(n)), LIMEN_BAD_ARGUMENT);
        expect_error(limen_thread_set_debug(thread, four, ENABLE(n) | ON_RUN(n) | BYTES_8(n)),
                     LIMEN_BAD_ARGUMENT);
    }
    expect_ok(limen_thread_set_debug(thread, four, DR7_FIXED | FOUR_WRITES));
    for (unsigned bit = 8; bit < 64; bit++)
        if (bit != 10 && (bit < 16 || bit >= 32))
            expect_error(limen_thread_set_debug(thread, four, 1ull << bit | FOUR_WRITES),
                         LIMEN_BAD_ARGUMENT);
    expect_error(limen_thread_set_debug(thread, four, DR7_DETECT), LIMEN_BAD_ARGUMENT);
}

TEST(debug, needs_the_right_to_change_the_thread)
{
    uint32_t thread = make(LIMEN_TYPE_THREAD, 0);

    expect_error(limen_thread_set_debug(copy_of(thread, LIMEN_RIGHT_READ), four, 0),
                 LIMEN_NO_RIGHT);
}
