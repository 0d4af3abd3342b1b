/* SPDX-License-Identifier: MIT */
/*
 * The threshold as ring 3 sees it: registers and flags across SYSCALL, by both ways out; addresses
 * at the edges; and the system calls that are not Limen's.
 */
#include "victim.h"

#include <limen/syscall.h>
#include <string.h>

#define SYSCALL_LENGTH 2u

/* What a LIMEN_SYS_NULL at the snippet leaves behind. */
static struct limen_regs after_null(const struct limen_regs *before)
{
    struct limen_regs after = *before;

    after.rax = LIMEN_OK;
    after.rip += SYSCALL_LENGTH;
    after.rcx = after.rip;
    after.r11 = after.rflags;
    return after;
}

static struct limen_regs null_call(const struct victim *victim, const void *where)
{
    struct limen_regs regs;

    fill_pattern(&regs, where, victim->stack_top - 256);
    regs.rax = LIMEN_SYS_NULL;
    return regs;
}

/* SYSCALL, then UD2: leaves by SYSRET. */
TEST(syscall, registers_are_exact_by_sysret)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_syscall);

    run_victim(&victim, &regs);
    regs = after_null(&regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* With TF it leaves by IRET, and RCX and R11 are the same as if it had left by SYSRET.  The trap
 * comes after the SYSCALL, or after the instruction behind it. */
TEST(syscall, registers_are_exact_by_iret)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_syscall_nop);

    regs.rflags |= FLAG_TF;
    run_victim(&victim, &regs);
    regs = after_null(&regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], DEBUG);
    if (fault.regs.rip == regs.rip + 1)
        regs.rip += 1;
    regs.origin = DEBUG;
    regs.error = 0;
    expect_regs(&fault.regs, &regs, "stepping over SYSCALL");
}

/* All that ring 3 can set stays set, through every kind of system call. */
TEST(syscall, flags_are_kept)
{
    static const uint64_t flags[] = {
        FLAG_CF,
        FLAG_PF,
        FLAG_AF,
        FLAG_ZF,
        FLAG_SF,
        FLAG_OF,
        FLAG_DF,
        FLAG_NT,
        FLAG_AC,
        FLAG_ID,
        FLAGS_STATUS | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID,
    };
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct limen_regs regs, want;

    for (unsigned i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        const struct {
            uint64_t number, rdi, fate;
        } calls[] = {
            {LIMEN_SYS_NULL, 0, LIMEN_OK},
            {LIMEN_SYS_YIELD, 0, LIMEN_OK},
            {LIMEN_SYS_WAIT | LIMEN_NONBLOCK, endpoint, LIMEN_WOULD_BLOCK},
            {LIMEN_SYS_SEND | LIMEN_NONBLOCK, endpoint, LIMEN_WOULD_BLOCK},
            {LIMEN_SYS_WAIT | LIMEN_DEADLINE, endpoint, LIMEN_TIMED_OUT},
            {LIMEN_SYS_CALL, NO_SLOT, LIMEN_BAD_CAPABILITY},
        };
        for (unsigned j = 0; j < sizeof calls / sizeof calls[0]; j++) {
            fill_pattern(&regs, NULL, 0);
            regs.rax = calls[j].number;
            regs.rdi = calls[j].rdi;
            regs.rsi = 0;
            regs.rbx = 0;
            regs.rflags = FLAGS_ALWAYS | flags[i];
            want = regs;
            want.rax = calls[j].fate;
            want.rcx = (uint64_t)system_call_return;
            want.r11 = want.rflags;
            system_call(&regs);
            expect_regs(&regs, &want, "flags across a system call");
        }
    }
}

/* The kernel clears memory upward, though DF is set in ring 3. */
TEST(syscall, kernel_works_with_flags_set)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER + 2), frame = slots(1);
    uint64_t address = addresses(LIMEN_PAGE_ORDER);
    struct limen_regs regs;

    for (unsigned round = 0; round < 2; round++) {
        fill_pattern(&regs, NULL, 0);
        memset(regs.words, 0, sizeof regs.words);
        regs.rax = LIMEN_SYS_CALL;
        regs.rdi = untyped;
        regs.rsi = limen_tag(LIMEN_UNTYPED_RETYPE, 5, 0);
        regs.words[0] = LIMEN_TYPE_FRAME;
        regs.words[1] = LIMEN_PAGE_ORDER;
        regs.words[3] = frame;
        regs.words[4] = 1;
        regs.rflags |= FLAG_DF | FLAG_AC | FLAG_NT;
        system_call(&regs);
        expect_equal(regs.rax, LIMEN_OK);
        expect_equal(limen_tag_label(regs.rsi), LIMEN_OK);
        expect_ok(limen_map(frame, OWN_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                            LIMEN_CACHE_NORMAL));
        for (unsigned i = 0; i < LIMEN_PAGE_SIZE / 8; i++)
            expect_equal(((uint64_t *)address)[i], 0);
        memset((void *)address, 0xdf, LIMEN_PAGE_SIZE);
        expect_ok(limen_delete(OWN_TABLE, frame));
    }
}

TEST(syscall, iopl_cannot_be_raised)
{
    struct victim victim = new_victim();
    struct limen_regs regs;

    fill_pattern(&regs, snippet_popf_all, victim.stack_top - 256);
    regs.rax = FLAG_IOPL | FLAG_IF | FLAG_ID;
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], INVALID_OPCODE);
    expect_equal(fault.regs.rflags & ~FLAG_RF, FLAGS_ALWAYS | FLAG_ID);
}

TEST(syscall, interrupts_cannot_be_switched_off)
{
    struct victim victim = new_victim();
    struct limen_regs regs;

    fill_pattern(&regs, snippet_popf_all, victim.stack_top - 256);
    regs.rax = 0;
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    expect_equal(fault.regs.rflags & ~FLAG_RF, FLAGS_ALWAYS);
}

/* The stack pointer is ring 3's own affair, and the kernel never writes there. */
TEST(syscall, stack_pointer_may_be_anything)
{
    static const uint64_t stacks[] = {
        0, 7, 1ull << 47, 1ull << 63, UINT64_MAX, 0xffffffff80000000, 0xffff800000000000};
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof stacks / sizeof stacks[0]; i++) {
        struct limen_regs regs = null_call(&victim, snippet_syscall);
        regs.rsp = stacks[i];
        run_victim(&victim, &regs);
        regs = after_null(&regs);
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* -- RIP at the edges -- */

/* A SYSCALL in the last two bytes below the end would return to an address that is still canonical
 * and never mapped: an ordinary page fault of the thread, by the SYSRET way. */
TEST(syscall, last_instruction_of_user_space)
{
    struct victim victim = new_victim();
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    uint64_t page = LIMEN_USER_END - LIMEN_PAGE_SIZE, writable = addresses(LIMEN_PAGE_ORDER);

    expect_ok(limen_map(frame, OWN_SPACE, writable, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    memcpy((void *)(writable + LIMEN_PAGE_SIZE - SYSCALL_LENGTH), snippet_syscall, SYSCALL_LENGTH);
    expect_ok(limen_unmap(frame));
    expect_ok(limen_map(frame, OWN_SPACE, page, LIMEN_RIGHT_READ | LIMEN_RIGHT_EXECUTE,
                        LIMEN_CACHE_NORMAL));

    struct limen_regs regs = null_call(&victim, (void *)(LIMEN_USER_END - SYSCALL_LENGTH));
    run_victim(&victim, &regs);
    regs = after_null(&regs);
    struct fault fault = expect_exception(&victim, PAGE_FAULT, PF_USER | PF_FETCH, &regs);
    expect_equal(fault.detail[2], LIMEN_USER_END);
}

/* What a RIP nobody can run at must lead to: a fault of that thread, at that RIP. */
static void expect_bad_rip(const struct victim *victim, const struct limen_regs *regs)
{
    struct fault fault = next_fault(victim);

    expect_equal(fault.label, LIMEN_FAULT_EXCEPTION);
    if (fault.detail[0] != GENERAL_PROTECTION && fault.detail[0] != PAGE_FAULT)
        fail("RIP 0x%lx raised exception %lu", regs->rip, fault.detail[0]);
    struct limen_regs want = *regs;
    want.origin = fault.detail[0];
    want.error = fault.detail[1];
    expect_regs(&fault.regs, &want, "a RIP that cannot be");
}

static const uint64_t bad_edges[] = {
    LIMEN_USER_END,     0x00007fffffffffff, 0x0000800000000000, 0xffff7fffffffffff,
    0xffff800000000000, 0xffffffff80000000, 0xffffffffffffffff, 0x8000000000000000,
};

TEST(syscall, bad_rip_by_set_regs)
{
    struct victim victim = new_victim();

    for (unsigned k = 47; k < 64; k++) {
        struct limen_regs regs = null_call(&victim, (void *)(1ull << k));
        run_victim(&victim, &regs);
        expect_bad_rip(&victim, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
    for (unsigned i = 0; i < sizeof bad_edges / sizeof bad_edges[0]; i++) {
        struct limen_regs regs = null_call(&victim, (void *)bad_edges[i]);
        run_victim(&victim, &regs);
        expect_bad_rip(&victim, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

TEST(syscall, bad_rip_by_a_fault_handler)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_ud2);

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    for (unsigned k = 47; k < 64; k++) {
        regs.rip = 1ull << k | 0x1000;
        resume_victim_with(&victim, &regs);
        expect_bad_rip(&victim, &regs);
    }
    for (unsigned i = 0; i < sizeof bad_edges / sizeof bad_edges[0]; i++) {
        regs.rip = bad_edges[i];
        resume_victim_with(&victim, &regs);
        expect_bad_rip(&victim, &regs);
    }
    /* And it is still as good as new. */
    regs.rip = (uint64_t)snippet_int3;
    resume_victim_with(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, BREAKPOINT, 0, &regs);
}

/* The same out of a system call: a frame that SYSCALL built and somebody wrote to leaves by IRET.
 */
TEST(syscall, bad_rip_of_a_waiting_thread)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_syscall);

    for (unsigned k = 47; k < 64; k++) {
        regs.rip = (uint64_t)snippet_syscall;
        regs.rax = LIMEN_SYS_WAIT;
        regs.rdi = NEVER;
        run_victim(&victim, &regs);
        expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_WAITING);
        expect_ok(limen_thread_suspend(victim.worker->thread));
        regs.rip = 1ull << k;
        run_victim(&victim, &regs);
        expect_bad_rip(&victim, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* RCX and R11 of a thread stopped in a system call can be set apart from RIP and RFLAGS. */
TEST(syscall, set_regs_of_a_stopped_call_is_exact)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_syscall);

    regs.rax = LIMEN_SYS_WAIT;
    regs.rdi = NEVER;
    run_victim(&victim, &regs);
    expect_ok(limen_thread_suspend(victim.worker->thread));
    fill_pattern(&regs, snippet_ud2, 0x1234);
    regs.rflags |= FLAG_DF | FLAG_CF;
    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* -- system calls of others -- */

static const uint64_t foreign_numbers[] = {
    0,
    1,
    39 /* Linux's getpid */,
    60,
    334,
    0xfff,
    LIMEN_SYSCALL_BASE + LIMEN_SYSCALL_COUNT,
    LIMEN_SYS_NULL + 0x400,
    LIMEN_SYS_CALL + (1ull << 32),
    LIMEN_NONBLOCK,
    LIMEN_DEADLINE,
    LIMEN_SYS_NULL + (1ull << 63),
    0x7fffffffffffffff,
    UINT64_MAX,
};

TEST(syscall, unknown_number_is_a_fault_message)
{
    struct victim victim = new_victim();

    for (unsigned i = 0; i < sizeof foreign_numbers / sizeof foreign_numbers[0]; i++) {
        struct limen_regs regs = null_call(&victim, snippet_syscall);
        regs.rax = foreign_numbers[i];
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        expect_equal(fault.label, LIMEN_FAULT_SYSCALL);
        expect_equal(fault.words, LIMEN_FAULT_WORDS);
        expect_equal(fault.detail[0], foreign_numbers[i]);
        expect_equal(fault.detail[1], 0);
        struct limen_regs want = regs;
        want.rip += SYSCALL_LENGTH;
        want.rcx = want.rip;
        want.r11 = want.rflags;
        want.origin = foreign_numbers[i];
        want.error = (uint64_t)REGS_BY_SYSCALL;
        expect_regs(&fault.regs, &want, "a foreign system call");

        /* Resumed as it is, it goes on behind the SYSCALL; that way out is SYSRET. */
        resume_victim(&victim);
        expect_exception(&victim, INVALID_OPCODE, 0, &want);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* A handler that emulates the call: the result in RAX. */
TEST(syscall, handler_answers_a_foreign_call)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_syscall);

    regs.rax = 39;
    run_victim(&victim, &regs);
    struct fault fault = next_fault(&victim);
    fault.regs.rax = 4711;
    resume_victim_with(&victim, &fault.regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &fault.regs);
}

/* -- reflection -- */

TEST(syscall, foreign_call_is_reflected_to_its_handler)
{
    struct victim victim = new_victim();
    uint64_t own_stack = victim.stack_top - 2048;

    expect_ok(
        limen_thread_set_reflection(victim.worker->thread, (uint64_t)snippet_int3, own_stack));
    for (unsigned i = 0; i < sizeof foreign_numbers / sizeof foreign_numbers[0]; i++) {
        struct limen_regs regs = null_call(&victim, snippet_syscall);
        regs.rax = foreign_numbers[i];
        regs.rflags |= FLAG_DF | FLAG_CF;
        run_victim(&victim, &regs);
        /* The handler's first instruction, a breakpoint, shows what it starts with. */
        struct limen_regs want = regs;
        want.rcx = (uint64_t)snippet_syscall + SYSCALL_LENGTH;
        want.r11 = regs.rsp;
        want.rsp = own_stack;
        want.rip = (uint64_t)snippet_int3 + 1;
        expect_exception(&victim, BREAKPOINT, 0, &want);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

TEST(syscall, limen_s_own_calls_are_not_reflected)
{
    struct victim victim = new_victim();
    struct limen_regs regs = null_call(&victim, snippet_syscall);

    expect_ok(limen_thread_set_reflection(victim.worker->thread, (uint64_t)snippet_int3, 0x1000));
    run_victim(&victim, &regs);
    regs = after_null(&regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    expect_ok(limen_thread_set_reflection(victim.worker->thread, 0, 0));
    regs.rip = (uint64_t)snippet_syscall;
    regs.rax = 39;
    resume_victim_with(&victim, &regs);
    expect_equal(next_fault(&victim).label, LIMEN_FAULT_SYSCALL);
}

/* A handler as a libc would have one: on its own stack, and back to RCX with the stack of R11. */
extern const char reflection_handler[];

TEST(syscall, reflection_goes_there_and_back)
{
    static _Alignas(16) char handler_stack[512];
    static uint64_t results[3];
    struct victim victim = new_victim();
    struct limen_regs regs;

    expect_ok(limen_thread_set_reflection(victim.worker->thread, (uint64_t)reflection_handler,
                                          (uint64_t)handler_stack + sizeof handler_stack));
    for (unsigned i = 0; i < 3; i++) {
        fill_pattern(&regs, snippet_syscall, victim.stack_top - 256);
        regs.rax = i;
        regs.rdi = 1000 * i;
        run_victim(&victim, &regs);
        struct fault fault = next_fault(&victim);
        expect_equal(fault.detail[0], INVALID_OPCODE);
        expect_equal(fault.regs.rip, (uint64_t)snippet_syscall + SYSCALL_LENGTH);
        expect_equal(fault.regs.rsp, regs.rsp);
        results[i] = fault.regs.rax;
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
    for (unsigned i = 0; i < 3; i++)
        expect_equal(results[i], 1001 * i);
}
