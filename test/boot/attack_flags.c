/* SPDX-License-Identifier: MIT */
/* Every bit of RFLAGS, CS and SS, by everything that takes them from ring 3. */
#include "attack.h"

#define SETTABLE (FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_RF | FLAG_AC | FLAG_ID)

/* What a frame may hold of the flags asked for. */
static uint64_t allowed(uint64_t flags)
{
    return (flags & SETTABLE) | FLAGS_ALWAYS;
}

static const uint64_t selectors[] = {
    0,      1,      2,      3,          0x08,       0x0b,       0x10,           0x13,       0x18,
    0x1b,   0x20,   0x28,   0x30,       0x33,       0x38,       0x3b,           0x07,       0x0f,
    0x7fff, 0x8000, 0xffff, 0x10000023, 0x1000002b, 0xffffffff, 1ull << 32 | 8, 1ull << 63,
};
#define SELECTORS (sizeof selectors / sizeof selectors[0])

/* A breakpoint runs with the flags asked for; under TF a no-operation before UD2 does. */
static void expect_flags_in_force(const struct victim *victim, const struct limen_regs *asked)
{
    struct limen_regs want = *asked;
    struct fault fault = next_fault(victim);

    want.rip += 1;
    want.rflags = allowed(asked->rflags);
    want.cs = own_cs();
    want.ss = own_ss();
    want.origin = want.rflags & FLAG_TF ? DEBUG : BREAKPOINT;
    want.error = 0;
    expect_equal(fault.detail[0], want.origin);
    expect_regs(&fault.regs, &want, "flags asked for");
}

static const char *one_instruction(uint64_t flags)
{
    return flags & FLAG_TF ? snippet_nop_ud2 : snippet_int3;
}

TEST(attack_flags, each_bit_by_set_regs)
{
    struct victim victim = new_victim();

    for (unsigned bit = 0; bit < 64; bit++)
        for (unsigned with = 0; with < 2; with++) {
            struct limen_regs regs = attack_at(&victim, NULL);
            regs.rflags = 1ull << bit | (with ? FLAG_TF : 0);
            regs.rip = (uint64_t)one_instruction(regs.rflags);
            run_victim(&victim, &regs);
            expect_flags_in_force(&victim, &regs);
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}

TEST(attack_flags, each_bit_by_a_fault_s_answer)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, snippet_ud2);

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    for (unsigned bit = 0; bit < 64; bit++) {
        regs.rflags = 1ull << bit;
        regs.rip = (uint64_t)one_instruction(regs.rflags);
        resume_victim_with(&victim, &regs);
        expect_flags_in_force(&victim, &regs);
    }
}

/* The answer to a system call's frame, whose way out would be SYSRET: with the error word that says
 * so, and RCX and R11 as that would need them. */
TEST(attack_flags, each_bit_and_selector_by_the_answer_to_a_call)
{
    struct victim victim = new_victim();

    for (unsigned bit = 0; bit < 64; bit++) {
        struct limen_regs regs = attack_at(&victim, snippet_syscall);
        regs.rax = 39;
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        expect_equal(fault.label, LIMEN_FAULT_SYSCALL);
        regs = fault.regs;
        regs.rflags = regs.r11 = 1ull << bit;
        regs.rip = regs.rcx = (uint64_t)one_instruction(regs.rflags);
        regs.cs = selectors[bit % SELECTORS];
        regs.ss = selectors[(bit + bit / SELECTORS) % SELECTORS];
        resume_victim_with(&victim, &regs);
        expect_flags_in_force(&victim, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

static void ask_for_selectors(const struct victim *victim, uint64_t cs, uint64_t ss)
{
    struct limen_regs regs = attack_at(victim, snippet_int3);

    regs.cs = cs;
    regs.ss = ss;
    run_victim(victim, &regs);
    expect_flags_in_force(victim, &regs);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

TEST(attack_flags, code_and_stack_selectors_cannot_be_set)
{
    struct victim victim = new_victim();

    for (unsigned bit = 0; bit < 64; bit++) {
        ask_for_selectors(&victim, own_cs() ^ 1ull << bit, own_ss());
        ask_for_selectors(&victim, own_cs(), own_ss() ^ 1ull << bit);
        ask_for_selectors(&victim, 1ull << bit, 1ull << bit);
    }
    for (unsigned i = 0; i < SELECTORS; i++)
        for (unsigned j = 0; j < SELECTORS; j += 5)
            ask_for_selectors(&victim, selectors[i], selectors[(i + j) % SELECTORS]);
}

static bool is_canonical(uint64_t address)
{
    return address >> 47 == 0 || address >> 47 == UINT64_MAX >> 47;
}

static void bad_rip_by_the_answer(const struct victim *victim, uint64_t rip)
{
    struct limen_regs regs = attack_at(victim, snippet_syscall);
    uint64_t before = survived();

    regs.rax = 39;
    run_victim(victim, &regs);
    regs = next_fault(victim).regs;
    regs.rip = regs.rcx = rip;
    regs.rsp = 0xffffffff80000000; /* where a fault in ring 0 would be pushed */
    resume_victim_with(victim, &regs);
    struct fault fault = next_fault(victim);
    expect_equal(fault.label, LIMEN_FAULT_EXCEPTION);
    expect(fault.detail[0] == PAGE_FAULT || fault.detail[0] == GENERAL_PROTECTION);
    regs.origin = fault.detail[0];
    regs.error = fault.detail[1];
    expect_regs(&fault.regs, &regs, "a RIP that cannot be");
    expect_survived(before, is_canonical(rip) ? 0 : 1);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

/* RIP where ring 3 cannot be, out of a frame that looks just like SYSCALL's: nothing but IRET,
 * whose fault is the thread's own, may try it (CVE-2012-0217, docs/hazards/sysret.md).  Below and
 * at each power of two, in either half: 2^47 and -2^47 are the edges of what is canonical. */
TEST(attack_flags, bad_rip_by_the_answer_to_a_call)
{
    struct victim victim = new_victim();

    for (unsigned k = 47; k < 64; k++)
        for (unsigned below = 0; below <= SYSCALL_LENGTH; below++) {
            bad_rip_by_the_answer(&victim, (1ull << k) - below);
            bad_rip_by_the_answer(&victim, -(1ull << k) - below);
        }
}

/* A reflected call leaves R11 with the caller's RSP, which SYSRET would take for the flags. */
TEST(attack_flags, each_bit_of_rsp_by_a_reflected_call)
{
    struct victim victim = new_victim();

    expect_ok(limen_thread_set_reflection(victim.worker->thread, (uint64_t)snippet_int3,
                                          victim.stack_top - 2048));
    for (unsigned bit = 0; bit < 64; bit++) {
        struct limen_regs regs = attack_at(&victim, attack_syscall_ud2);
        regs.rax = 39;
        regs.rsp = 1ull << bit;
        run_victim(&victim, &regs);
        struct limen_regs want = regs;
        want.rcx = regs.rip + SYSCALL_LENGTH;
        want.r11 = regs.rsp;
        want.rsp = victim.stack_top - 2048;
        want.rip = (uint64_t)snippet_int3 + 1;
        expect_exception(&victim, BREAKPOINT, 0, &want);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* Each flag that ring 3 can set, and all of them, by both ways out; the kernel's own flags are the
 * checking build's to see. */
TEST(attack_flags, each_flag_before_syscall)
{
    struct victim victim = new_victim();

    for (unsigned bit = 0; bit <= 22; bit++) {
        uint64_t flags = bit == 22 ? SETTABLE & ~FLAG_TF : SETTABLE & 1ull << bit & ~FLAG_TF;
        struct limen_regs regs = attack_null_call(&victim, snippet_syscall);
        regs.rflags = FLAGS_ALWAYS | flags;
        run_victim(&victim, &regs);
        regs.rflags &= ~FLAG_RF; /* cleared by the instruction it let pass */
        regs = after_null_call(&regs);
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));

        regs = attack_null_call(&victim, snippet_syscall_nop);
        regs.rflags = FLAGS_ALWAYS | flags | FLAG_TF;
        run_victim(&victim, &regs);
        regs.rflags &= ~FLAG_RF;
        regs = after_null_call(&regs);
        struct fault fault = next_fault(&victim);
        regs.rip = fault.regs.rip;
        expect(regs.rip - regs.rcx <= 1);
        regs.origin = DEBUG;
        regs.error = 0;
        expect_regs(&fault.regs, &regs, "a step over SYSCALL");
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* IRET of ring 3's own is no way to more either; NT makes it a fault in 64-bit code. */
TEST(attack_flags, iret_in_ring_3)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, attack_iret);
    uint64_t *frame = (uint64_t *)regs.rsp;

    if (is_emulated()) /* it pops the frame as ring 0 would, and SMAP stops it */
        return;
    for (unsigned bit = 0; bit < 32; bit++) {
        regs = attack_at(&victim, attack_iret);
        frame[0] = (uint64_t)one_instruction(1ull << bit);
        frame[1] = own_cs();
        frame[2] = 1ull << bit;
        frame[3] = regs.rsp + 40;
        frame[4] = own_ss();
        run_victim(&victim, &regs);
        regs.rip = frame[0];
        regs.rsp = frame[3];
        regs.rflags = frame[2];
        expect_flags_in_force(&victim, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
    regs = attack_at(&victim, attack_iret);
    regs.rflags |= FLAG_NT;
    run_victim(&victim, &regs);
    expect_exception(&victim, GENERAL_PROTECTION, 0, &regs);
}

TEST(attack_flags, iret_in_ring_3_to_bad_selectors)
{
    struct victim victim = new_victim();

    for (unsigned i = 0; i < 2 * SELECTORS; i++) {
        struct limen_regs regs = attack_at(&victim, attack_iret);
        uint64_t *frame = (uint64_t *)regs.rsp;
        bool code = i < SELECTORS;
        uint64_t selector = selectors[i % SELECTORS] & 0xffff;
        if (selector == (code ? own_cs() : own_ss()))
            continue;
        frame[0] = (uint64_t)snippet_int3;
        frame[1] = code ? selector : own_cs();
        frame[2] = FLAGS_ALWAYS;
        frame[3] = regs.rsp;
        frame[4] = code ? own_ss() : selector;
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        /* QEMU's emulation reads the frame as ring 0, which SMAP forbids: a page fault. */
        if (fault.detail[0] != GENERAL_PROTECTION &&
            !(is_emulated() && fault.detail[0] == PAGE_FAULT))
            fail("IRET to %s 0x%lx: exception %lu, error 0x%lx", code ? "CS" : "SS", selector,
                 fault.detail[0], fault.detail[1]);
        expect_equal(fault.regs.cs, own_cs());
        expect_equal(fault.regs.ss, own_ss());
        expect_equal(fault.regs.rip, regs.rip);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}
