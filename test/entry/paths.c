/* SPDX-License-Identifier: MIT */
/*
 * Each way into the kernel and out of it, again and again, with every register known before and
 * compared after.  By itself this is a test of little; it is what the injector disturbs.
 */
#include "paths.h"

#include "kit.h"
#include "victim.h"

#include <runtime/environment.h>

#include <string.h>

#define ROUNDS_DEFAULT 20u

#define SERVER_LABEL 0x515u
#define NOWHERE      0x0000000000777000ull /* mapped by nobody */

static unsigned rounds(void)
{
    char text[8];
    unsigned value = 0;

    if (!limen_boot_option("rounds", text, sizeof text))
        return ROUNDS_DEFAULT;
    for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
        value = 10 * value + (unsigned)(*digit - '0');
    return value;
}

/* -- what a path must not change besides the general registers -- */

static struct extended before;

static void fill_extended(void)
{
    for (unsigned i = 0; i < 16; i++)
        memset(before.xmm[i], (int)(0xa0 + i), 16);
    before.mxcsr = 0x1f80;
    extended_load(&before);
    extended_store(&before);
}

static void expect_extended(void)
{
    static struct extended after;

    extended_store(&after);
    expect(memcmp(before.xmm, after.xmm, sizeof before.xmm) == 0);
    expect_equal(after.mxcsr, before.mxcsr);
    expect_equal(after.fs_base, before.fs_base);
    expect_equal(after.gs_base, before.gs_base);
}

/* One system call with a known pattern in every register, as one round of a path. */
static void round_of_call(const char *path, const struct limen_regs *in, struct limen_regs *want)
{
    struct limen_regs regs = *in;

    path_begin(path);
    system_call(&regs);
    path_end();
    want->rcx = (uint64_t)system_call_return;
    want->r11 = want->rflags;
    expect_regs(&regs, want, path);
}

static void null_calls(const char *path)
{
    struct limen_regs in, want;

    fill_pattern(&in, NULL, 0);
    in.rflags |= FLAG_CF | FLAG_OF | FLAG_DF;
    in.rax = LIMEN_SYS_NULL;
    want = in;
    want.rax = LIMEN_OK;
    for (unsigned i = 0; i < rounds(); i++)
        round_of_call(path, &in, &want);
}

TEST(entry, null_system_call)
{
    null_calls("null system call");
}

TEST(entry, null_system_call_with_extended_registers)
{
    fill_extended();
    null_calls("null system call, extended registers in use");
    expect_extended();
}

/* -- IPC -- */

static uint32_t endpoint, reply;

static void echo(void *unused)
{
    struct limen_regs regs;

    (void)unused;
    fill_pattern(&regs, NULL, 0);
    regs.rax = LIMEN_SYS_WAIT;
    for (;;) {
        regs.rdi = limen_target(endpoint, reply);
        system_call(&regs);
        regs.rax = LIMEN_SYS_REPLY_WAIT;
        regs.words[7] = ~regs.words[7];
    }
}

static void calls(const char *path, bool fast)
{
    struct limen_regs in, want;

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    reply = make(LIMEN_TYPE_REPLY, 0);
    spawn(HIGHER, echo, NULL);
    fill_pattern(&in, NULL, 0);
    in.rax = LIMEN_SYS_CALL;
    in.rdi = endpoint;
    in.rsi = limen_tag(SERVER_LABEL, 8, 0);
    want = in;
    want.rax = LIMEN_OK;
    want.rdi = 0;
    want.words[7] = ~in.words[7];
    for (unsigned i = 0; i < rounds(); i++)
        round_of_call(path, &in, &want);
}

TEST(entry, fast_call)
{
    calls("IPC call and reply, fast path", true);
}

TEST(entry, general_call)
{
    calls("IPC call and reply, general path", false);
}

/* -- exceptions -- */

static void faults(const char *path, const char *snippet, enum vector vector, uint64_t error)
{
    struct victim victim = new_victim();
    struct limen_regs regs, want;
    struct fault fault;

    fill_pattern(&regs, snippet, victim.stack_top - 512);
    regs.rax = NOWHERE;
    want = regs;
    want.origin = vector;
    want.error = error;
    run_victim(&victim, &regs);
    fault = next_fault(&victim);
    for (unsigned i = 0; i < rounds(); i++) {
        path_begin(path);
        resume_victim(&victim);
        fault = next_fault(&victim);
        path_end();
        expect_equal(fault.detail[0], vector);
        if (vector == PAGE_FAULT)
            expect_equal(fault.detail[2], NOWHERE);
        expect_regs(&fault.regs, &want, path);
    }
}

TEST(entry, invalid_opcode)
{
    faults("#UD to its handler and back", snippet_ud2, INVALID_OPCODE, 0);
}

TEST(entry, page_fault)
{
    faults("#PF to its handler and back", snippet_store, PAGE_FAULT, PF_WRITE | PF_USER);
}

/* -- interrupts -- */

/* A thread below the test's that has a pattern in its registers and nothing to do. */
static struct worker *start_spinner(struct limen_regs *regs)
{
    struct worker *spinner = new_worker(LOWER);

    fill_pattern(regs, spin, spinner->stack_top - 512);
    expect_ok(limen_thread_set_regs(spinner->thread, regs));
    expect_ok(limen_thread_resume(spinner->thread));
    return spinner;
}

static void expect_spinner(const struct worker *spinner, struct limen_regs *want)
{
    struct limen_regs got;

    expect_ok(limen_thread_suspend(spinner->thread));
    expect_ok(limen_thread_get_regs(spinner->thread, &got));
    want->rip = got.rip; /* one of two */
    want->origin = got.origin;
    want->error = got.error;
    expect(got.rip - (uint64_t)spin < (uint64_t)(spin_end - spin));
    expect_regs(&got, want, "the interrupted thread");
}

#define WAIT_NS 200000u

static void waits(const char *path)
{
    for (unsigned i = 0; i < rounds(); i++) {
        uint64_t bits;
        path_begin(path);
        expect_error(limen_wait_notification(NEVER, now() + WAIT_NS, &bits), LIMEN_TIMED_OUT);
        path_end();
    }
}

TEST(entry, timer)
{
    struct limen_regs regs;
    struct worker *spinner = start_spinner(&regs);

    waits("wait, timer interrupt out of ring 3");
    expect_spinner(spinner, &regs);
}

/* The 8254, Intel 231164: channel 0 at its own port, both bytes of the count, mode 0 (one edge when
 * the count has come to zero). */
#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define PIT_ONCE    0x30u
#define PIT_COUNT   5000u
#define PIT_LINE    0u

static void count_down(void)
{
    expect_ok(limen_port_out(PORTS, PIT_CONTROL, 1, PIT_ONCE));
    expect_ok(limen_port_out(PORTS, PIT_COUNTER, 1, PIT_COUNT & 0xff));
    expect_ok(limen_port_out(PORTS, PIT_COUNTER, 1, PIT_COUNT >> 8));
}

TEST(entry, line)
{
    struct limen_regs regs;
    uint64_t bits;
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    uint32_t signal = minted(notification, LIMEN_RIGHTS_ALL, 1);
    uint32_t irq = slots(1);
    struct worker *spinner = start_spinner(&regs);

    expect_ok(limen_irq_issue(IRQ_CONTROL, PIT_LINE, LIMEN_IRQ_DEFAULT, ARENA, irq));
    expect_ok(limen_irq_bind(irq, signal));
    count_down();
    expect_ok(limen_wait_notification(notification, LIMEN_FOREVER, &bits));
    expect_ok(limen_irq_ack(irq));
    for (unsigned i = 0; i < rounds(); i++) {
        count_down();
        path_begin("line interrupt out of ring 3, to its driver");
        expect_ok(limen_wait_notification(notification, LIMEN_FOREVER, &bits));
        expect_ok(limen_irq_ack(irq));
        path_end();
    }
    expect_spinner(spinner, &regs);
}

/* -- what only the injector can make -- */

#define MACHINE_CHECK 18u

/* The injector has a memory error strike the victim, and one be corrected. */
TEST(entry, machine_check)
{
    struct victim victim = new_victim();
    struct limen_regs regs;
    struct fault fault;

    char text[2];

    expect(limen_boot_option("injected", text, sizeof text));
    fill_pattern(&regs, spin, victim.stack_top - 512);
    path_begin("machine check in ring 3");
    run_victim(&victim, &regs);
    fault = next_fault(&victim);
    path_end();
    expect_equal(fault.label, LIMEN_FAULT_EXCEPTION);
    expect_equal(fault.detail[0], MACHINE_CHECK);
    expect_equal(fault.detail[1], 9);
    expect_equal(fault.detail[2], 0xbd80000000000134);
    expect_equal(fault.detail[3], 0x1234000);
    regs.rip = fault.regs.rip;
    regs.origin = MACHINE_CHECK;
    regs.error = 9;
    expect(fault.regs.rip - (uint64_t)spin < (uint64_t)(spin_end - spin));
    expect_regs(&fault.regs, &regs, "the victim of a machine check");

    uint64_t corrected = counter(LIMEN_COUNTER_MACHINE_CHECKS);
    path_begin("corrected machine check");
    path_end();
    expect_equal(counter(LIMEN_COUNTER_MACHINE_CHECKS), corrected + 1);
}
