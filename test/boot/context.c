/* SPDX-License-Identifier: MIT */
/* What else belongs to a thread: its red zone, the bases of FS and GS, its data selectors. */
#include "baton.h"
#include "victim.h"

#include <cpuid.h>

#define THREADS 3u

/* -- the red zone -- */

static volatile bool stop_ticking;
static volatile uint64_t ticks;

/* Interrupts whoever runs, again and again. */
static void tick(void *unused)
{
    struct message message = {0};

    (void)unused;
    while (!stop_ticking) {
        transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + 50000, &message);
        ticks++;
    }
}

static void expect_red_zone(const struct victim *victim, uint64_t passes)
{
    struct fault fault = next_fault(victim);

    expect_equal(fault.detail[0], INVALID_OPCODE);
    if (fault.regs.rcx != passes)
        fail("the red zone was changed in pass %lu", fault.regs.rcx);
}

static struct limen_regs red_zone_regs(const struct victim *victim, uint64_t passes)
{
    struct limen_regs regs;

    fill_pattern(&regs, snippet_red_zone, victim->stack_top - 1024);
    regs.rcx = 0;
    regs.rdx = passes;
    regs.r8 = 0;
    return regs;
}

TEST(context, red_zone_survives_preemption)
{
    enum { PASSES = 200, TICKS = 100 };
    struct victim one = new_victim(), two = new_victim();
    struct limen_regs regs;

    set_priority(one.worker->thread, LOWER);
    set_priority(two.worker->thread, LOWER);
    stop_ticking = false;
    ticks = 0;
    struct worker *ticker = spawn(HIGHER, tick, NULL);
    while (ticks < TICKS) {
        regs = red_zone_regs(&one, PASSES);
        run_victim(&one, &regs);
        regs = red_zone_regs(&two, PASSES);
        run_victim(&two, &regs);
        expect_red_zone(&one, PASSES);
        expect_red_zone(&two, PASSES);
        expect_ok(limen_thread_suspend(one.worker->thread));
        expect_ok(limen_thread_suspend(two.worker->thread));
    }
    stop_ticking = true;
    join(ticker);
}

TEST(context, red_zone_survives_faults)
{
    enum { PASSES = 20 };
    struct victim victim = new_victim();
    struct limen_regs regs = red_zone_regs(&victim, PASSES);

    regs.r8 = 1;
    run_victim(&victim, &regs);
    for (unsigned i = 0; i < PASSES; i++) {
        expect_equal(next_fault(&victim).detail[0], BREAKPOINT);
        resume_victim(&victim);
    }
    expect_red_zone(&victim, PASSES);
}

/* Single-stepped, each instruction of a pass is followed by an exception. */
TEST(context, red_zone_survives_single_steps)
{
    struct victim victim = new_victim();
    struct limen_regs regs = red_zone_regs(&victim, 1);
    struct fault fault;

    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    for (;;) {
        fault = next_fault(&victim);
        if (fault.detail[0] != DEBUG)
            break;
        if (fault.regs.r9 > 2 && fault.regs.r9 < 2000)
            fault.regs.r9 = 2; /* not all of the waiting */
        resume_victim_with(&victim, &fault.regs);
    }
    expect_equal(fault.detail[0], INVALID_OPCODE);
    expect_equal(fault.regs.rcx, 1);
}

/* -- bases -- */

static struct {
    uint64_t fs, gs; /* the first words of what the bases point at */
} areas[THREADS];

static struct worker *workers[THREADS];
static bool spinning;

static void set_bases(uintptr_t number)
{
    const struct worker *worker = workers[number];

    areas[number].gs = 0x1111 * (number + 1);
    expect_ok(limen_thread_set_bases(worker->thread,
                                     (uint64_t)worker->page + LIMEN_THREAD_BLOCK_OFFSET,
                                     (uint64_t)&areas[number].gs));
}

static uint64_t first_word_by_gs(void)
{
    uint64_t word;
    __asm__ volatile("mov %%gs:0, %0" : "=r"(word));
    return word;
}

static void keep_bases(void *number)
{
    uintptr_t me = (uintptr_t)number;

    for (unsigned i = 0; i < (spinning ? 3 : 50); i++) {
        take_baton(me, spinning);
        expect_equal(first_word_by_gs(), areas[me].gs);
        expect_equal((uint64_t)limen_thread_block(), (uint64_t)limen_thread_block()->self);
        pass_baton(me, THREADS);
    }
    leave_baton(me, THREADS);
}

static void keep_bases_of_all(void (*entry)(void *number), bool preempted)
{
    spinning = preempted;
    reset_baton();
    for (uintptr_t i = 0; i < THREADS; i++) {
        workers[i] = new_worker(LOWER);
        set_bases(i);
        start(workers[i], entry, (void *)i);
    }
    for (unsigned i = 0; i < THREADS; i++)
        join(workers[i]);
}

TEST(context, bases_are_kept_across_yields)
{
    keep_bases_of_all(keep_bases, false);
}

TEST(context, bases_are_kept_across_preemption)
{
    keep_bases_of_all(keep_bases, true);
}

static struct worker *self;

static void set_own_bases(void *unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < THREADS; i++) {
        areas[i].gs = 0x2222 * (i + 1);
        expect_ok(limen_thread_set_bases(self->thread,
                                         (uint64_t)self->page + LIMEN_THREAD_BLOCK_OFFSET,
                                         (uint64_t)&areas[i].gs));
        expect_equal(first_word_by_gs(), areas[i].gs);
        limen_yield();
        expect_equal(first_word_by_gs(), areas[i].gs);
    }
}

TEST(context, thread_sets_its_own_bases)
{
    self = new_worker(HIGHER);
    start(self, set_own_bases, NULL);
    join(self);
}

/* With the instructions for it, ring 3 sets bases without the kernel: any canonical address, the
 * kernel's own half too, which must not confuse any way in or out. */
static bool has_fsgsbase(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) && (ebx & bit_FSGSBASE);
}

static const uint64_t bases[] = {
    0, 0x1000, LIMEN_USER_END, 0xffff800000000000, 0xffffffff80000000, 0xfffffffffffff000};

static void write_gs_bases(void *number)
{
    uintptr_t me = (uintptr_t)number;
    struct message message = {0};

    for (unsigned i = 0; i < 2 * sizeof bases / sizeof bases[0]; i++) {
        uint64_t base = bases[(i + me) % (sizeof bases / sizeof bases[0])], got;
        __asm__ volatile("wrgsbase %0" : : "r"(base));
        pass_baton(me, THREADS);
        take_baton(me, false);
        __asm__ volatile("rdgsbase %0" : "=r"(got));
        expect_equal(got, base);
        limen_null();
        transfer(LIMEN_SYS_WAIT, NEVER, 0, 0, &message); /* interrupted, with luck, by the timer */
        __asm__ volatile("rdgsbase %0" : "=r"(got));
        expect_equal(got, base);
    }
    leave_baton(me, THREADS);
}

TEST(context, ring_3_may_write_any_gs_base)
{
    if (!has_fsgsbase())
        return;
    reset_baton();
    for (uintptr_t i = 0; i < THREADS; i++)
        workers[i] = spawn(LOWER, write_gs_bases, (void *)i);
    for (unsigned i = 0; i < THREADS; i++)
        join(workers[i]);
}

/* And faults come through with such a base in place. */
TEST(context, faults_with_a_kernel_gs_base)
{
    struct victim victim = new_victim();
    struct limen_regs regs;

    if (!has_fsgsbase())
        return;
    for (unsigned i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        fill_pattern(&regs, snippet_wrgsbase_int3_rdgsbase, victim.stack_top - 64);
        regs.rax = bases[i];
        run_victim(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], BREAKPOINT);
        resume_victim(&victim);
        struct fault fault = next_fault(&victim);
        expect_equal(fault.detail[0], INVALID_OPCODE);
        expect_equal(fault.regs.rcx, bases[i]);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

TEST(context, fresh_thread_has_zero_bases)
{
    struct victim victim = new_victim();
    struct limen_regs regs;

    if (!has_fsgsbase())
        return;
    __asm__ volatile("wrgsbase %0" : : "r"(0x123456789000ull));
    expect_ok(limen_thread_set_bases(victim.worker->thread, 0, 0));
    fill_pattern(&regs, snippet_read_bases, victim.stack_top - 64);
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.regs.rax, 0);
    expect_equal(fault.regs.rcx, 0);
}

/* -- data selectors -- */

static uint64_t selectors(void)
{
    uint64_t ds, es, gs;
    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%gs, %2" : "=r"(ds), "=r"(es), "=r"(gs));
    return ds | es << 16 | gs << 32;
}

static void set_selectors(uint64_t ds, uint64_t es, uint64_t gs)
{
    __asm__ volatile("mov %0, %%ds; mov %1, %%es; mov %2, %%gs"
                     :
                     : "r"((uint32_t)ds), "r"((uint32_t)es), "r"((uint32_t)gs));
}

static void keep_selectors(void *number)
{
    uintptr_t me = (uintptr_t)number;
    uint64_t data = own_ss();

    expect_equal(selectors(), 0); /* nobody else's */
    set_selectors(me == 0 ? data : 0, me == 1 ? data : 0, me == 2 ? data : 0);
    uint64_t mine = selectors();
    expect_equal(mine, data << 16 * me);
    for (unsigned i = 0; i < (spinning ? 3 : 50); i++) {
        take_baton(me, spinning);
        expect_equal(selectors(), mine);
        expect_equal((uint64_t)limen_thread_block(), (uint64_t)limen_thread_block()->self);
        pass_baton(me, THREADS);
    }
    leave_baton(me, THREADS);
}

static void keep_selectors_of_all(bool preempted)
{
    spinning = preempted;
    reset_baton();
    for (uintptr_t i = 0; i < THREADS; i++)
        workers[i] = spawn(LOWER, keep_selectors, (void *)i);
    for (unsigned i = 0; i < THREADS; i++)
        join(workers[i]);
}

/* Loading a selector changes a base, so where one thread has a selector the bases of all are put
 * back by other means. */
static void keep_bases_beside_selectors(void *number)
{
    uintptr_t me = (uintptr_t)number;
    uint64_t data = own_ss();

    set_selectors(me == 0 ? data : 0, 0, me == 1 ? data : 0);
    set_bases(me);
    keep_bases(number);
}

TEST(context, bases_are_kept_beside_selectors)
{
    keep_bases_of_all(keep_bases_beside_selectors, false);
}

TEST(context, selectors_are_kept_across_yields)
{
    keep_selectors_of_all(false);
}

TEST(context, selectors_are_kept_across_preemption)
{
    keep_selectors_of_all(true);
}
