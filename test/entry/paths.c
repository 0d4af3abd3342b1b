/* SPDX-License-Identifier: MIT */
/*
 * Each way into the kernel and out of it, again and again, with every register known before and
 * compared after.  By itself this is a test of little; it is what the injector disturbs.
 */
#include "paths.h"

#include "echo.h"
#include "kit.h"
#include "victim.h"

#include <runtime/environment.h>

#include <string.h>

#define ROUNDS_DEFAULT 20u

#define MXCSR_ALL_MASKED 0x1f80u
#define GS_BASE          0x0000234500000000ul

#define NO_STACK 0x0000000000666000ull /* what needs none runs with this in RSP */
#define NOWHERE  0x0000000000777000ull /* mapped by nobody */

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

void extended_fill(struct extended *pattern, unsigned first)
{
    for (unsigned i = 0; i < 16; i++)
        memset(pattern->xmm[i], (int)(first + i), sizeof pattern->xmm[i]);
    pattern->mxcsr = MXCSR_ALL_MASKED;
    pattern->gs_base = GS_BASE + first;
    extended_load(pattern);
    extended_store(pattern);
}

void expect_extended(const struct extended *pattern)
{
    struct extended found;

    extended_store(&found);
    expect(memcmp(found.xmm, pattern->xmm, sizeof found.xmm) == 0);
    expect_equal(found.mxcsr, pattern->mxcsr);
    expect_equal(found.fs_base, pattern->fs_base);
    expect_equal(found.gs_base, pattern->gs_base);
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
    struct extended before;

    extended_fill(&before, 0xa0);
    null_calls("null system call, extended registers in use");
    expect_extended(&before);
}

/* -- IPC -- */

static struct echo server;

/* The same with registers of its own to be kept, which it looks at when the caller is done. */
static void echo_with_extended_registers(void *unused)
{
    struct extended before;
    struct limen_regs regs;

    (void)unused;
    extended_fill(&before, 0x40);
    fill_pattern(&regs, NULL, 0);
    regs.rax = LIMEN_SYS_WAIT;
    for (;;) {
        regs.rdi = limen_target(server.endpoint, server.reply);
        system_call(&regs);
        expect_extended(&before);
        regs.rax = LIMEN_SYS_REPLY_WAIT;
        regs.words[7] = ~regs.words[7];
    }
}

static void calls(const char *path, bool fast, void (*serve)(void *))
{
    struct limen_regs in, want;

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    server = make_echo();
    spawn(HIGHER, serve, &server);
    fill_pattern(&in, NULL, 0);
    in.rax = LIMEN_SYS_CALL;
    in.rdi = server.endpoint;
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
    calls("IPC call and reply, fast path", true, serve_echo);
}

TEST(entry, general_call)
{
    calls("IPC call and reply, general path", false, serve_echo);
}

TEST(entry, fast_call_with_extended_registers)
{
    struct extended before;

    extended_fill(&before, 0xa0);
    calls("IPC call and reply, extended registers", true, echo_with_extended_registers);
    expect_extended(&before);
}

/* -- exceptions -- */

/* A victim that faults from `regs` again and again, its handler, and back. */
static void faults(const char *path, const struct limen_regs *regs, enum vector vector,
                   uint64_t error)
{
    struct victim victim = new_victim();
    struct limen_regs want = *regs;
    struct fault fault;

    want.origin = vector;
    want.error = error;
    run_victim(&victim, regs);
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
    struct limen_regs regs;

    fill_pattern(&regs, snippet_ud2, NO_STACK);
    faults("#UD to its handler and back", &regs, INVALID_OPCODE, 0);
}

TEST(entry, page_fault)
{
    struct limen_regs regs;

    fill_pattern(&regs, snippet_store, NO_STACK);
    regs.rax = NOWHERE;
    faults("#PF to its handler and back", &regs, PAGE_FAULT, PF_WRITE | PF_USER);
}

TEST(entry, debug_trap)
{
    struct limen_regs regs;

    fill_pattern(&regs, stay, NO_STACK);
    regs.rflags |= FLAG_TF;
    faults("#DB to its handler and back", &regs, DEBUG, 0);
}

/* A thread's first use of its extended registers.  It faults after it, which ends the round. */
TEST(entry, first_use)
{
    for (unsigned i = 0; i < rounds(); i++) {
        struct victim victim = new_victim();
        struct limen_regs regs, want;
        struct fault fault;

        fill_pattern(&regs, use_extended, NO_STACK);
        path_begin("#NM, first use of extended registers");
        run_victim(&victim, &regs);
        fault = next_fault(&victim);
        path_end();
        want = regs;
        want.rip = (uint64_t)use_extended_end;
        want.origin = INVALID_OPCODE;
        want.error = 0;
        expect_regs(&fault.regs, &want, "the thread after its first use");
    }
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

static void waits(const char *path, uint64_t ns)
{
    for (unsigned i = 0; i < rounds(); i++) {
        uint64_t bits;
        path_begin(path);
        expect_error(limen_wait_notification(NEVER, now() + ns, &bits), LIMEN_TIMED_OUT);
        path_end();
    }
}

TEST(entry, timer)
{
    struct limen_regs regs;
    struct worker *spinner = start_spinner(&regs);

    waits("wait, timer interrupt out of ring 3", WAIT_NS);
    expect_spinner(spinner, &regs);
}

/* Long enough for the injector to be done with the idle loop before. */
#define IDLE_NS 20000000u

TEST(entry, idle)
{
    waits("wait, timer interrupt out of idle", IDLE_NS);
}

/* The 8254, Intel 231164: channel 0 at its own port, both bytes of the count, mode 0 (one edge when
 * the count has come to zero). */
#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define PIT_ONCE    0x30u
#define PIT_COUNT   50000u /* 42 ms: the test is waiting by then */
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

#define MACHINE_CHECK       18u
#define SEGMENT_NOT_PRESENT 11u
#define SELECTOR_RPL        3u
#define SELECTOR_BAD        0x7bu /* beyond the descriptors that there are (inject.py) */

static void expect_injector(void)
{
    char text[2];

    expect(limen_boot_option("injected", text, sizeof text));
}

/* The injector has the IRETQ to the victim fault, by the selector that the victim has then. */
static void faulting_iret(const char *path, unsigned vector, uint64_t cs)
{
    struct victim victim = new_victim();
    struct limen_regs regs, want;
    struct fault fault;

    expect_injector();
    fill_pattern(&regs, unreachable, NO_STACK);
    want = regs;
    want.origin = vector;
    want.error = cs & ~(uint64_t)SELECTOR_RPL;
    want.cs = cs;
    for (unsigned i = 0; i < rounds(); i++) {
        path_begin(path);
        if (i == 0)
            run_victim(&victim, &regs);
        else
            resume_victim_with(&victim, &regs);
        fault = next_fault(&victim);
        path_end();
        expect_equal(fault.detail[0], vector);
        expect_regs(&fault.regs, &want, path);
    }
}

TEST(entry, iret_protection)
{
    faulting_iret("IRETQ that raises #GP", GENERAL_PROTECTION, SELECTOR_BAD);
}

TEST(entry, iret_not_present)
{
    faulting_iret("IRETQ that raises #NP", SEGMENT_NOT_PRESENT, own_cs());
}

/* The injector leads each fault to the entry of another vector.  An interrupt leaves no trace, and
 * then, as after a first use of the FPU, comes the fault as it is. */
TEST(entry, stubs)
{
    struct victim victim = new_victim();
    struct limen_regs regs, want;

    expect_injector();
    fill_pattern(&regs, snippet_ud2, NO_STACK);
    run_victim(&victim, &regs);
    next_fault(&victim);
    for (unsigned i = 0; i < rounds(); i++) {
        path_begin("the stub of each vector");
        resume_victim(&victim);
        struct fault fault = next_fault(&victim);
        path_end();
        want = regs;
        want.origin = fault.regs.origin;
        want.error = fault.regs.error;
        expect_regs(&fault.regs, &want, "stubs");
    }
}

/* A memory error strikes the victim, and one is corrected. */
TEST(entry, machine_check)
{
    struct victim victim = new_victim();
    struct limen_regs regs;
    struct fault fault;

    expect_injector();
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
