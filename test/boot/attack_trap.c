/* SPDX-License-Identifier: MIT */
/*
 * Debug traps where they hurt: held up by MOV SS until ring 0 has been entered (CVE-2018-8897,
 * docs/hazards/popss.md), and by TF across everything that enters the kernel.
 *
 * QEMU's emulation raises a held-up trap early, in ring 3.  Bochs raises it in ring 0 behind
 * SYSCALL, where the kernel has to swallow it, and drops it where an interrupt gate is taken;
 * processors raise it in ring 0 there as well.  Always the instruction behind MOV SS does what it
 * does without a trap.
 */
#include "attack.h"

#define MOV_SS_LENGTH 2u
#define DR6_HIT_0     0x1ull
#define DR6_STEP      0x4000ull
#define WATCH_ACCESS  0xf0001ull /* DR7: local enable 0, four bytes, read or written */

static _Alignas(8) uint64_t stack_selector;

static struct victim new_watched_victim(void)
{
    struct victim victim = new_victim();

    stack_selector = own_ss();
    expect_ok(limen_thread_set_debug(victim.worker->thread,
                                     (uint64_t[4]){(uint64_t)&stack_selector}, WATCH_ACCESS));
    return victim;
}

/* Lets `early` traps pass right behind loads of SS, in ring 3; the fault after them. */
static struct fault past_early_traps(const struct victim *victim, const struct limen_regs *regs,
                                     unsigned early)
{
    struct fault fault = next_fault(victim);

    for (unsigned i = 0; i < early; i++) {
        expect_equal(fault.detail[0], DEBUG);
        expect(fault.regs.rip - regs->rip <= 2 * MOV_SS_LENGTH);
        expect_equal(fault.detail[3] & DR6_HIT_0, DR6_HIT_0);
        resume_victim(victim);
        fault = next_fault(victim);
    }
    return fault;
}

/* What one load of SS that hits the watchpoint leads to at once. */
static unsigned early_traps(void)
{
    return is_emulated() ? 1 : 0;
}

static void expect_final(const struct fault *fault, struct limen_regs want, uint64_t vector,
                         uint64_t error, const char *when)
{
    if (fault->detail[0] != vector || fault->detail[1] != error)
        fail("%s: exception %lu, error 0x%lx at 0x%lx, want %lu, 0x%lx", when, fault->detail[0],
             fault->detail[1], fault->regs.rip, vector, error);
    want.origin = vector;
    want.error = error;
    expect_regs(&fault->regs, &want, when);
}

/* An error code names a gate by its index times 8; QEMU's emulation, up to a version, times 16. */
static uint64_t gate_error(unsigned vector)
{
    return vector * (is_emulated() ? 16u : 8u) + 2u;
}

#define AN_ADDRESS 0x777000ull /* where nothing is mapped */

TEST(attack_trap, mov_ss_before_what_enters_the_kernel)
{
    const struct {
        const char *code;
        uint64_t vector, error;
        unsigned length; /* of the instruction behind MOV SS, where it is passed */
    } cases[] = {
        {attack_mov_ss_int3, BREAKPOINT, 0, 1},
        {attack_mov_ss_int_3, BREAKPOINT, 0, 2},
        {attack_mov_ss_int_4, OVERFLOW, 0, 2},
        {attack_mov_ss_int_80, GENERAL_PROTECTION, gate_error(0x80), 0},
        {attack_mov_ss_ud2, INVALID_OPCODE, 0, 0},
        {attack_mov_ss_load, PAGE_FAULT, PF_USER, 0},
        {attack_mov_ss_cli, GENERAL_PROTECTION, 0, 0},
    };
    struct victim victim = new_watched_victim();

    for (unsigned round = 0; round < 3; round++)
        for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
            struct limen_regs regs = attack_at(&victim, cases[i].code);
            regs.rbx = (uint64_t)&stack_selector;
            regs.rax = AN_ADDRESS;
            run_victim(&victim, &regs);
            struct fault fault = past_early_traps(&victim, &regs, early_traps());
            regs.rip += MOV_SS_LENGTH + cases[i].length;
            expect_final(&fault, regs, cases[i].vector, cases[i].error, "behind MOV SS");
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}

/* ICEBP is a debug trap itself, which the held-up one may become one with.  QEMU's emulation does
 * not know the instruction. */
TEST(attack_trap, mov_ss_before_icebp)
{
    struct victim victim = new_watched_victim();

    for (unsigned round = 0; round < 3; round++) {
        struct limen_regs regs = attack_at(&victim, attack_mov_ss_icebp);
        regs.rbx = (uint64_t)&stack_selector;
        run_victim(&victim, &regs);
        struct fault fault = past_early_traps(&victim, &regs, early_traps());
        regs.rip += MOV_SS_LENGTH;
        if (!is_emulated()) {
            regs.rip += 1;
            expect_final(&fault, regs, DEBUG, 0, "ICEBP behind MOV SS");
            resume_victim(&victim);
            fault = next_fault(&victim);
        }
        expect_final(&fault, regs, INVALID_OPCODE, 0, "behind MOV SS and ICEBP");
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* Loads of SS, and a system call behind them: a trap that does not come early strikes the kernel on
 * its first instruction. */
static void mov_ss_and_call(const struct victim *victim, const char *code, uint64_t stack,
                            unsigned loads)
{
    struct limen_regs regs = attack_null_call(victim, code);
    uint64_t before = survived();

    regs.rbx = (uint64_t)&stack_selector;
    regs.rsp = stack;
    run_victim(victim, &regs);
    struct fault fault = past_early_traps(victim, &regs, is_emulated() ? loads : loads - 1);
    regs.rip += (uint64_t)loads * MOV_SS_LENGTH;
    regs = after_null_call(&regs);
    expect_final(&fault, regs, INVALID_OPCODE, 0, "behind MOV SS and SYSCALL");
    expect_survived(before, loads == 1 ? 1 : 0);
    expect_ok(limen_thread_suspend(victim->worker->thread));
}

TEST(attack_trap, mov_ss_before_syscall)
{
    struct victim victim = new_watched_victim();

    for (unsigned round = 0; round < 3; round++) {
        mov_ss_and_call(&victim, attack_mov_ss_syscall, victim.stack_top - 512, 1);
        /* Of two loads in a row only the first is sure to hold traps up (SDM vol. 3, 6.8.3): they
         * come behind the second. */
        mov_ss_and_call(&victim, attack_mov_ss_mov_ss_syscall, victim.stack_top - 512, 2);
    }
}

/* The same with a stack pointer that ring 0 must not push to. */
TEST(attack_trap, mov_ss_before_syscall_on_a_stack_of_the_kernel_s)
{
    static const uint64_t stacks[] = {
        0, 8, 0xffffffff80000000, 0xffff800000000000, 0x0000800000000000, UINT64_MAX};
    struct victim victim = new_watched_victim();

    for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++)
        mov_ss_and_call(&victim, attack_mov_ss_syscall, stacks[i], 1);
}

/* TF as well: the single step is held up too. */
TEST(attack_trap, mov_ss_with_tf_before_syscall_and_int3)
{
    static const char *const codes[] = {attack_mov_ss_syscall, attack_mov_ss_int3,
                                        attack_mov_ss_icebp, attack_mov_ss_nop};
    struct victim victim = new_watched_victim();

    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct limen_regs regs = attack_null_call(&victim, codes[i]);
        unsigned traps = 0;
        regs.rbx = (uint64_t)&stack_selector;
        regs.rflags |= FLAG_TF;
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        while (fault.detail[0] != INVALID_OPCODE) {
            expect(fault.detail[0] == DEBUG || fault.detail[0] == BREAKPOINT);
            expect_equal(fault.regs.rflags & FLAG_TF, FLAG_TF);
            expect(++traps <= 5);
            resume_victim(&victim);
            fault = next_fault(&victim);
        }
        expect(fault.regs.rip - regs.rip <= 2 * MOV_SS_LENGTH);
        expect_equal(fault.regs.rsp, regs.rsp);
        expect_equal(fault.regs.rbx, regs.rbx);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

TEST(attack_trap, pop_ss_does_not_exist_in_64_bit_code)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, attack_pop_ss);

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* -- TF -- */

static void expect_step(const struct victim *victim, const struct limen_regs *regs)
{
    struct fault fault = expect_exception(victim, DEBUG, 0, regs);
    expect_equal(fault.detail[3] & DR6_STEP, DR6_STEP);
}

/* The breakpoint's frame has TF, the kernel does not; and the step goes on behind it. */
TEST(attack_trap, tf_across_int3)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, attack_int3_nop);

    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, BREAKPOINT, 0, &regs);
    resume_victim(&victim);
    regs.rip += 1;
    expect_step(&victim, &regs);
    resume_victim(&victim);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

TEST(attack_trap, tf_across_icebp)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, attack_icebp_nop);

    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    if (is_emulated()) {
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        return;
    }
    regs.rip += 1;
    expect_exception(&victim, DEBUG, 0, &regs);
    resume_victim(&victim);
    regs.rip += 1;
    expect_step(&victim, &regs);
    resume_victim(&victim);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

TEST(attack_trap, tf_across_a_fault)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, snippet_load);

    regs.rflags |= FLAG_TF;
    regs.rax = AN_ADDRESS;
    run_victim(&victim, &regs);
    struct fault fault = expect_exception(&victim, PAGE_FAULT, PF_USER, &regs);
    expect_equal(fault.regs.rflags & FLAG_TF, FLAG_TF);
    regs.rax = (uint64_t)&stack_selector;
    resume_victim_with(&victim, &regs);
    regs.rcx = stack_selector;
    regs.rip += 3;
    expect_step(&victim, &regs);
}

/* TF set by POPF takes effect behind the instruction after it: the trap is due after SYSCALL, where
 * the kernel must not see it; it comes behind the SYSCALL, or one instruction later. */
TEST(attack_trap, tf_by_popf_before_syscall)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_null_call(&victim, attack_popf_syscall);
    uint64_t behind = (uint64_t)attack_popf_syscall + 2 + SYSCALL_LENGTH;

    regs.rbx = FLAGS_ALWAYS | FLAG_TF;
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    if (fault.detail[0] == DEBUG) {
        expect_equal(fault.regs.rip, behind);
        resume_victim(&victim);
        fault = next_fault(&victim);
    }
    expect_equal(fault.detail[0], INVALID_OPCODE);
    expect_equal(fault.regs.rip, behind);
    expect_equal(fault.regs.rcx, behind);
    expect_equal(fault.regs.r11 & ~FLAG_RF, FLAGS_ALWAYS | FLAG_TF);
    expect_equal(fault.regs.rflags & ~FLAG_RF, FLAGS_ALWAYS | FLAG_TF);
}

/* A reflected system call keeps TF: the trap is due at the handler, never in the kernel. */
TEST(attack_trap, tf_across_a_reflected_call)
{
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, attack_syscall_ud2);

    regs.rax = 39;
    regs.rflags |= FLAG_TF;
    expect_ok(limen_thread_set_reflection(victim.worker->thread, (uint64_t)snippet_nop_ud2,
                                          victim.stack_top - 2048));
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], DEBUG);
    expect(fault.regs.rip - (uint64_t)snippet_nop_ud2 <= 1);
    expect_equal(fault.regs.r11, regs.rsp);
    expect_equal(fault.regs.rflags & FLAG_TF, FLAG_TF);
}

/* The server a stepping client calls runs at full speed. */
static uint32_t echo_endpoint, echo_reply;

static void echo(void *unused)
{
    struct message message = {0};
    (void)unused;
    expect_ok(transfer(LIMEN_SYS_WAIT, echo_endpoint, echo_reply, LIMEN_FOREVER, &message));
    message.tag = 0;
    transfer(LIMEN_SYS_REPLY_WAIT, echo_endpoint, echo_reply, LIMEN_FOREVER, &message);
}

TEST(attack_trap, tf_stays_with_the_client_of_a_call)
{
    echo_endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    echo_reply = make(LIMEN_TYPE_REPLY, 0);
    spawn(HIGHER, echo, NULL);
    struct victim victim = new_victim();
    struct limen_regs regs = attack_at(&victim, snippet_syscall_nop);

    regs.rax = LIMEN_SYS_CALL;
    regs.rdi = echo_endpoint;
    regs.rsi = 0;
    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], DEBUG);
    expect(fault.regs.rip - regs.rip - SYSCALL_LENGTH <= 1);
    expect_equal(fault.regs.rax, LIMEN_OK);
    expect_equal(fault.regs.rflags & FLAG_TF, FLAG_TF);
}
