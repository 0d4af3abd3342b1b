/* SPDX-License-Identifier: MIT */
/*
 * The shortest paths of messages and switches are only ever shortcuts: the same workload gives the
 * same results with them and without, down to every register of both sides.
 */
#include "kit.h"
#include "registers.h"
#include "victim.h"

#include <string.h>

#define CLIENTS     3u
#define CALLS       40u
#define FIRST_BADGE 1000u
#define SEQUENCES   (2 * CLIENTS) /* of each client, as it and as the server saw it */

/* What came back from each system call.  One thread writes to each sequence. */
static struct sequence {
    unsigned count;
    struct limen_regs regs[CALLS];
} seen[2][SEQUENCES];
static bool fast_pass;

static uint32_t endpoint, reply;

static void note(uint64_t number, const struct limen_regs *regs)
{
    struct sequence *sequence = &seen[fast_pass][number];

    expect(sequence->count < CALLS);
    sequence->regs[sequence->count++] = *regs;
}

static struct client {
    uint64_t number;
    uint32_t slot;
} clients[CLIENTS];

/* Calls of every length in registers, some a little longer, so that both paths take turns. */
static void make_calls(void *client)
{
    const struct client *self = client;
    struct limen_regs regs;

    for (unsigned i = 0; i < CALLS; i++) {
        unsigned words = (i + (unsigned)self->number) % 11;
        fill_pattern(&regs, NULL, i);
        for (unsigned j = 0; j < 8; j++)
            regs.words[j] = self->number << 32 | i << 8 | j;
        regs.rax = LIMEN_SYS_CALL;
        regs.rdi = self->slot;
        regs.rsi = limen_tag(i, words, 0);
        system_call(&regs);
        note(self->number, &regs);
    }
}

/* What it answers depends on nothing but the request. */
static void serve(void *unused)
{
    struct limen_regs regs;

    (void)unused;
    fill_pattern(&regs, NULL, 0);
    regs.rax = LIMEN_SYS_WAIT;
    regs.rsi = 0;
    for (unsigned i = 0; i < CLIENTS * CALLS; i++) {
        regs.rdi = limen_target(endpoint, reply);
        system_call(&regs);
        uint64_t badge = regs.rdi;
        uint32_t label = limen_tag_label(regs.rsi);
        /* Words that were not sent hold what the last answer left there. */
        for (unsigned j = limen_tag_words(regs.rsi); j < 8; j++)
            regs.words[j] = 0;
        note(CLIENTS + badge - FIRST_BADGE, &regs);
        for (unsigned j = 0; j < 8; j++)
            regs.words[j] = badge << 48 | (uint64_t)label << 16 | 0x8000 | j;
        regs.rax = LIMEN_SYS_REPLY_WAIT;
        regs.rsi = limen_tag(label + 1, label * 7 % 10, 0);
    }
    regs.rdi = reply;
    regs.rax = LIMEN_SYS_SEND;
    system_call(&regs);
}

static uint64_t run_workload(bool fast)
{
    static const unsigned priorities[CLIENTS] = {LOWER, LOWER + 1, LOWER};
    struct worker *workers[CLIENTS];

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    fast_pass = fast;
    memset(seen[fast], 0, sizeof seen[fast]);
    uint64_t before = counter(LIMEN_COUNTER_FAST_IPC);
    struct worker *server = spawn(LOWER + 1, serve, NULL);
    for (unsigned i = 0; i < CLIENTS; i++)
        workers[i] = spawn(priorities[i], make_calls, &clients[i]);
    for (unsigned i = 0; i < CLIENTS; i++)
        join(workers[i]);
    join(server);
    return counter(LIMEN_COUNTER_FAST_IPC) - before;
}

TEST(fast_path, gives_the_same_results_as_the_general_path)
{
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    reply = make(LIMEN_TYPE_REPLY, 0);
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] = (struct client){i, minted(endpoint, LIMEN_RIGHT_WRITE, FIRST_BADGE + i)};

    /* Only the kernel with its checks counts them, as it does its entries. */
    bool counts = counter(LIMEN_COUNTER_ENTRIES) != 0;
    expect_equal(run_workload(false), 0);
    expect_equal(run_workload(true) > CALLS, counts);
    /* How the clients' calls mix is up to the clock; each one's own sequence is not. */
    for (unsigned i = 0; i < SEQUENCES; i++) {
        expect_equal(seen[false][i].count, CALLS);
        expect_equal(seen[true][i].count, CALLS);
        for (unsigned j = 0; j < CALLS; j++)
            expect_regs(&seen[true][i].regs[j], &seen[false][i].regs[j],
                        "fast path against general path");
    }
}

/* -- faults -- */

#define FAULTS 20u

/* What a handler saw: its registers, and the rest of the message in its page. */
static struct report {
    struct limen_regs regs;
    uint64_t rest[LIMEN_FAULT_WORDS - LIMEN_WORDS_IN_REGISTERS];
} reports[2][FAULTS];

/* Takes the same fault again and again, for the thread is let go on each time just as it is. */
static uint64_t handle_faults(bool fast)
{
    struct victim victim = new_victim();
    struct limen_regs wrong = victim_regs(&victim, snippet_ud2), regs;

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    uint64_t before = counter(LIMEN_COUNTER_FAST_IPC);
    run_victim(&victim, &wrong);
    for (unsigned i = 0; i < FAULTS; i++) {
        fill_pattern(&regs, NULL, i);
        memset(limen_message(), 0xa5, sizeof *limen_message());
        regs.rax = i == 0 ? LIMEN_SYS_WAIT : LIMEN_SYS_REPLY_WAIT;
        regs.rdi = limen_target(victim.endpoint, victim.reply);
        regs.rsi = limen_tag(LIMEN_FAULT_RESUME, 0, 0);
        system_call(&regs);
        reports[fast][i].regs = regs;
        memcpy(reports[fast][i].rest, &limen_message()->words[LIMEN_WORDS_IN_REGISTERS],
               sizeof reports[fast][i].rest);
        expect_ok((enum limen_error)regs.rax);
        expect_equal(regs.rsi, limen_tag(LIMEN_FAULT_EXCEPTION, LIMEN_FAULT_WORDS, 0));
        expect_equal(limen_message()->words[0], 0xa5a5a5a5a5a5a5a5);
    }
    return counter(LIMEN_COUNTER_FAST_IPC) - before;
}

TEST(fast_path, faults_and_their_answers_are_those_of_the_general_path)
{
    bool counts = counter(LIMEN_COUNTER_ENTRIES) != 0;

    expect_equal(handle_faults(false), 0);
    expect_equal(handle_faults(true) >= 2 * (FAULTS - 1), counts);
    for (unsigned i = 0; i < FAULTS; i++) {
        struct report *fast = &reports[true][i], *general = &reports[false][i];
        /* Each round has a victim of its own, and so another stack. */
        fast->rest[(REGS_RSP - REGS_R12) / 8] -= WORKER_STACK_SIZE;
        expect_regs(&fast->regs, &general->regs, "a fault's handler");
        expect(memcmp(fast->rest, general->rest, sizeof fast->rest) == 0);
    }
}

/* -- wake-ups -- */

#define WAKERS 4u /* each less important than the one before */
#define ROUNDS 60u
#define STOP   (1ull << 63)

/* What came back from each wait and each signal, in the order in which they did: priorities alone
 * decide it. */
static struct wake_up {
    uint64_t waker;
    struct limen_regs regs;
} order[2][4 * ROUNDS * WAKERS];
static unsigned order_count[2];

static struct waker {
    uint64_t number;
    uint32_t bits;           /* what it waits for */
    uint32_t signal[WAKERS]; /* what sets the bit of its number there */
    uint32_t stop;
} wakers[WAKERS];

static uint64_t make_call(const struct waker *self, uint64_t call, uint32_t slot, uint64_t pattern)
{
    struct limen_regs regs;

    fill_pattern(&regs, NULL, (unsigned)pattern);
    regs.rax = call;
    regs.rdi = slot;
    regs.rsi = 0;
    system_call(&regs);
    expect(order_count[fast_pass] < sizeof order[0] / sizeof order[0][0]);
    order[fast_pass][order_count[fast_pass]++] = (struct wake_up){self->number, regs};
    return regs.rdi;
}

/* The last has work, and wakes one of the others in turn; who is woken wakes one more important. */
static void wake_others(void *waker)
{
    const struct waker *self = waker;
    bool last = self->number == WAKERS - 1;

    for (unsigned i = 0; last ? i < ROUNDS : true; i++) {
        if (!last && make_call(self, LIMEN_SYS_WAIT, self->bits, i) & STOP)
            return;
        if (self->number > 0)
            make_call(self, LIMEN_SYS_SEND, self->signal[i % self->number], i);
        make_call(self, LIMEN_SYS_YIELD, 0, i);
    }
    for (unsigned i = 0; i < WAKERS - 1; i++)
        expect_ok(limen_signal(wakers[i].stop));
}

static void run_wakers(bool fast)
{
    struct worker *workers[WAKERS];

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    fast_pass = fast;
    for (unsigned i = 0; i < WAKERS; i++)
        workers[i] = spawn(LOWER - i, wake_others, &wakers[i]);
    for (unsigned i = 0; i < WAKERS; i++)
        join(workers[i]);
}

TEST(fast_path, wakes_threads_in_the_order_of_the_general_path)
{
    for (unsigned i = 0; i < WAKERS; i++) {
        wakers[i].number = i;
        wakers[i].bits = make(LIMEN_TYPE_NOTIFICATION, 0);
        wakers[i].stop = minted(wakers[i].bits, LIMEN_RIGHT_WRITE, STOP);
        for (unsigned j = 0; j < WAKERS; j++)
            wakers[j].signal[i] = minted(wakers[i].bits, LIMEN_RIGHT_WRITE, 1ull << j);
    }
    run_wakers(false);
    run_wakers(true);
    expect(order_count[false] > 4 * ROUNDS);
    expect_equal(order_count[true], order_count[false]);
    for (unsigned i = 0; i < order_count[false]; i++) {
        expect_equal(order[true][i].waker, order[false][i].waker);
        expect_regs(&order[true][i].regs, &order[false][i].regs, "one woken on the fast path");
    }
}

/* -- who waits can be written to -- */

static uint32_t go;

/* By SYSRET at first, since IRETQ leaves more to switch than the shortest path does; and without an
 * extended register, for the same reason. */
static void call_once(void *unused)
{
    uint64_t bits;

    (void)unused;
    limen_wait_notification(go, LIMEN_FOREVER, &bits);
    limen_call0(endpoint, 1);
}

/* A debugger may write the registers of a thread that waits.  Whoever ends its wait must not take
 * the frame for the one that SYSCALL built, whose RIP and flags stand in RCX and R11 as well. */
TEST(fast_path, frame_written_while_its_thread_waits_is_exact)
{
    struct victim server = new_victim();
    struct limen_regs regs = victim_regs(&server, snippet_syscall);

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    reply = make(LIMEN_TYPE_REPLY, 0);
    go = minted(make(LIMEN_TYPE_NOTIFICATION, 0), LIMEN_RIGHTS_ALL, 1);
    regs.rax = LIMEN_SYS_WAIT;
    regs.rdi = limen_target(endpoint, reply);
    run_victim(&server, &regs);
    expect_equal(state_of(server.worker->thread), LIMEN_THREAD_RECEIVING);
    regs = victim_regs(&server, snippet_ud2);
    expect_ok(limen_thread_set_regs(server.worker->thread, &regs));
    spawn(HIGHER, call_once, NULL);
    expect_ok(limen_signal(go));
    regs.rax = LIMEN_OK;
    regs.rdi = 0;
    regs.rsi = limen_tag(1, 0, 0);
    expect_exception(&server, INVALID_OPCODE, 0, &regs);
}
