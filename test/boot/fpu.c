/* SPDX-License-Identifier: MIT */
/*
 * The extended registers of several threads: kept across every kind of switch, and never seen by
 * anybody else.  Nothing here or in the runtime uses them but the functions of fpu.S.
 */
#include "fpu.h"

#include "baton.h"
#include "victim.h"
#include <cpuid.h>
#include <string.h>

#define CONTROL_INITIAL 0x037fu
#define MXCSR_INITIAL   0x1f80u
#define THREADS         3u

static bool has_avx(void)
{
    const unsigned wanted = bit_OSXSAVE | bit_AVX;
    unsigned eax, ebx, ecx, edx;

    __cpuid(1, eax, ebx, ecx, edx);
    return (ecx & wanted) == wanted;
}

static void load(const struct fpu_state *state)
{
    if (has_avx())
        fpu_load_avx(state);
    else
        fpu_load_sse(state);
}

static void store(struct fpu_state *state)
{
    memset(state, 0, sizeof *state);
    if (has_avx())
        fpu_store_avx(state);
    else
        fpu_store_sse(state);
}

/* A state in which every register tells whose it is. */
static void fill(struct fpu_state *state, uint8_t who)
{
    memset(state, 0, sizeof *state);
    state->control = (uint16_t)(0x007f | (who & 3u) << 10); /* all masked; a rounding of its own */
    state->in_use = 0xff;
    state->mxcsr = MXCSR_INITIAL | (who & 3u) << 13;
    for (unsigned i = 0; i < 8; i++)
        memset(state->x87[i], who + i + 1, 10);
    for (unsigned i = 0; i < 16; i++) {
        memset(state->xmm[i], who + 16 + i, 16);
        if (has_avx())
            memset(state->upper[i], who + 32 + i, 16);
    }
}

static void expect_state(const struct fpu_state *want, const char *when)
{
    struct fpu_state got;

    store(&got);
    if (got.control != want->control || got.status != want->status || got.in_use != want->in_use)
        fail("%s: x87 control %x status %x registers %x, want %x %x %x", when, got.control,
             got.status, got.in_use, want->control, want->status, want->in_use);
    if (got.mxcsr != want->mxcsr)
        fail("%s: MXCSR %x, want %x", when, got.mxcsr, want->mxcsr);
    for (unsigned i = 0; i < 8; i++)
        if (memcmp(got.x87[i], want->x87[i], 10) != 0)
            fail("%s: ST(%u) is not the thread's", when, i);
    for (unsigned i = 0; i < 16; i++) {
        if (memcmp(got.xmm[i], want->xmm[i], 16) != 0)
            fail("%s: XMM%u is not the thread's", when, i);
        if (memcmp(got.upper[i], want->upper[i], 16) != 0)
            fail("%s: the upper half of YMM%u is not the thread's", when, i);
    }
}

static void expect_initial(const char *when)
{
    struct fpu_state initial = {.control = CONTROL_INITIAL, .mxcsr = MXCSR_INITIAL};
    expect_state(&initial, when);
}

/* -- switches among users of the registers, and those that never use them -- */

static bool spinning; /* preempted, not yielding */

static void keep_state(void *number)
{
    uintptr_t me = (uintptr_t)number;
    struct fpu_state mine;

    expect_initial("before its first use");
    fill(&mine, (uint8_t)(64 * me + 1));
    load(&mine);
    for (unsigned i = 0; i < (spinning ? 3 : 50); i++) {
        take_baton(me, spinning);
        expect_state(&mine, "when its turn comes");
        pass_baton(me, THREADS + 1);
    }
    leave_baton(me, THREADS + 1);
}

static void never_use_it(void *number)
{
    uintptr_t me = (uintptr_t)number;

    for (unsigned i = 0; i < (spinning ? 3 : 50); i++) {
        take_baton(me, spinning);
        pass_baton(me, THREADS + 1);
    }
    leave_baton(me, THREADS + 1);
}

static void switch_among_four(bool preempted)
{
    struct worker *workers[THREADS + 1];

    spinning = preempted;
    reset_baton();
    for (uintptr_t i = 0; i <= THREADS; i++)
        workers[i] = spawn(LOWER, i < THREADS ? keep_state : never_use_it, (void *)i);
    for (unsigned i = 0; i <= THREADS; i++)
        join(workers[i]);
}

TEST(fpu, state_is_kept_across_yields)
{
    switch_among_four(false);
}

TEST(fpu, state_is_kept_across_preemption)
{
    switch_among_four(true);
}

/* -- messages -- */

static uint32_t endpoint, reply;

static void serve_with_state(void *unused)
{
    struct fpu_state mine;
    struct message message = {0};

    (void)unused;
    fill(&mine, 0x40);
    load(&mine);
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    for (unsigned i = 0; i < 20; i++) {
        expect_state(&mine, "in the server");
        message.tag = 0;
        expect_ok(transfer(LIMEN_SYS_REPLY_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    }
}

static void call_with_state(bool fast)
{
    struct fpu_state mine;
    struct message message;

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    reply = make(LIMEN_TYPE_REPLY, 0);
    struct worker *server = spawn(HIGHER, serve_with_state, NULL);
    fill(&mine, 0x80);
    load(&mine);
    for (unsigned i = 0; i < 20; i++) {
        message.tag = 0;
        expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message));
        expect_state(&mine, "in the client");
    }
    message.tag = 0;
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(server);
}

TEST(fpu, state_is_kept_across_calls)
{
    call_with_state(true);
}

TEST(fpu, state_is_kept_across_calls_without_fast_path)
{
    call_with_state(false);
}

/* A caller with state and a server that has none, and the other way round. */
static void serve_without_state(void *unused)
{
    struct message message = {0};

    (void)unused;
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    for (unsigned i = 0; i < 4; i++) {
        message.tag = 0;
        expect_ok(transfer(LIMEN_SYS_REPLY_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    }
    expect_initial("in the server's first use");
}

TEST(fpu, server_does_not_see_its_client_s_state)
{
    struct fpu_state mine;
    struct message message;

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    reply = make(LIMEN_TYPE_REPLY, 0);
    struct worker *server = spawn(HIGHER, serve_without_state, NULL);
    fill(&mine, 0x20);
    load(&mine);
    for (unsigned i = 0; i < 4; i++) {
        message.tag = 0;
        expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message));
    }
    message.tag = 0;
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(server);
    expect_state(&mine, "in the client");
}

/* -- fresh threads -- */

static void check_initial(void *unused)
{
    (void)unused;
    expect_initial("in a fresh thread");
}

TEST(fpu, fresh_thread_starts_with_the_initial_state)
{
    struct fpu_state mine;

    fill(&mine, 0x33);
    load(&mine);
    for (unsigned i = 0; i < 3; i++) {
        join(spawn(HIGHER, check_initial, NULL));
        join(spawn(LOWER, check_initial, NULL));
        expect_state(&mine, "after a fresh thread");
    }
}

static void dirty_and_wait(void *unused)
{
    struct message message = {0};
    struct fpu_state mine;

    (void)unused;
    fill(&mine, 0x77);
    load(&mine);
    transfer(LIMEN_SYS_WAIT, NEVER, 0, LIMEN_FOREVER, &message);
}

/* The state of a dead thread is not its successor's in the same memory. */
TEST(fpu, state_dies_with_its_thread)
{
    struct worker *lender = new_worker(HIGHER);
    uint32_t memory = make(LIMEN_TYPE_UNTYPED, LIMEN_THREAD_ORDER), thread = slots(1);
    struct worker successor = *lender;

    for (unsigned round = 0; round < 3; round++) {
        expect_ok(limen_retype(memory, LIMEN_TYPE_THREAD, 0, thread, 1));
        expect_ok(limen_thread_configure(thread, OWN_SPACE, OWN_TABLE, FAULTS));
        expect_ok(limen_thread_set_message_page(thread, lender->frame));
        expect_ok(
            limen_thread_set_bases(thread, (uint64_t)lender->page + LIMEN_THREAD_BLOCK_OFFSET, 0));
        set_priority(thread, HIGHER);
        successor.thread = thread;
        if (round % 2 == 0) {
            start(&successor, dirty_and_wait, NULL);
        } else {
            start(&successor, check_initial, NULL);
            join(&successor);
        }
        expect_ok(limen_delete(OWN_TABLE, thread));
    }
}

/* -- faults -- */

/* The handler uses the registers, and the victim's come through. */
TEST(fpu, state_is_kept_across_a_fault)
{
    static struct fpu_state victim_state;
    struct fpu_state mine;
    struct victim victim = new_victim();
    struct limen_regs regs;

    fill(&victim_state, 0x11);
    fill(&mine, 0x99);
    load(&mine);
    fill_pattern(&regs, snippet_fxrstor_int3_fxsave, victim.stack_top - 64);
    regs.rdi = (uint64_t)&victim_state;
    run_victim(&victim, &regs);
    expect_equal(next_fault(&victim).detail[0], BREAKPOINT);
    expect_state(&mine, "in the handler");
    memset(victim_state.xmm, 0, sizeof victim_state.xmm);
    resume_victim(&victim);
    expect_equal(next_fault(&victim).detail[0], INVALID_OPCODE);
    for (unsigned i = 0; i < 16; i++)
        for (unsigned j = 0; j < 16; j++)
            expect_equal(victim_state.xmm[i][j], 0x11 + 16 + i);
}
