/* SPDX-License-Identifier: MIT */
/*
 * Much at once, and all of it compared: system calls, messages, faults and timer interrupts of
 * threads that preempt each other.  The storm of NMIs comes from outside (storm.py).
 */
#include "echo.h"
#include "kit.h"
#include "paths.h"
#include "victim.h"

#include <runtime/environment.h>
#include <stdio.h>
#include <string.h>

#define ENTRIES_DEFAULT 100000ull
#define BATCH           64u
#define TICK_NS         100000ull

static uint64_t wanted; /* entries into the kernel, of each of the three loads */
static uint64_t null_entries, call_entries, fault_entries, ticks;
static struct echo server;

static void expect_call(const struct limen_regs *in, struct limen_regs *want, const char *what)
{
    struct limen_regs regs = *in;

    system_call(&regs);
    want->rcx = (uint64_t)system_call_return;
    want->r11 = want->rflags;
    expect_regs(&regs, want, what);
}

static void load_of_null_calls(void *unused)
{
    struct extended pattern;
    struct limen_regs in, want;

    (void)unused;
    extended_fill(&pattern, 0x20);
    fill_pattern(&in, NULL, 0);
    in.rax = LIMEN_SYS_NULL;
    in.rflags |= FLAG_DF | FLAG_CF;
    want = in;
    want.rax = LIMEN_OK;
    while (null_entries < wanted) {
        for (unsigned i = 0; i < BATCH; i++)
            expect_call(&in, &want, "null system call");
        expect_extended(&pattern);
        null_entries += BATCH;
    }
}

static void load_of_messages(void *unused)
{
    struct extended pattern;
    struct limen_regs in, want;

    (void)unused;
    extended_fill(&pattern, 0x80);
    fill_pattern(&in, NULL, 0);
    in.rax = LIMEN_SYS_CALL;
    in.rdi = server.endpoint;
    in.rsi = limen_tag(SERVER_LABEL, 8, 0);
    want = in;
    want.rax = LIMEN_OK;
    want.rdi = 0;
    want.words[7] = ~in.words[7];
    while (call_entries < wanted) {
        for (unsigned i = 0; i < BATCH / 2; i++)
            expect_call(&in, &want, "message");
        expect_extended(&pattern);
        call_entries += BATCH;
    }
}

static void load_of_faults(void *unused)
{
    struct victim victim = new_victim();
    struct limen_regs regs, want;
    struct fault fault;

    (void)unused;
    fill_pattern(&regs, snippet_ud2, victim.stack_top - 512);
    want = regs;
    want.origin = INVALID_OPCODE;
    want.error = 0;
    run_victim(&victim, &regs);
    fault = next_fault(&victim);
    while (fault_entries < wanted) {
        resume_victim(&victim);
        fault = next_fault(&victim);
        expect_regs(&fault.regs, &want, "fault");
        fault_entries += 3; /* the answer, the fault, the wait */
    }
}

/* Above the others, so that its interrupts strike them all. */
static void load_of_timers(void *unused)
{
    (void)unused;
    for (;;) {
        uint64_t bits;
        expect_error(limen_wait_notification(NEVER, now() + TICK_NS, &bits), LIMEN_TIMED_OUT);
        ticks++;
    }
}

TEST(storm, load)
{
    char line[LIMEN_LOG_WRITE_MAX];
    struct worker *loads[3];

    wanted = limen_boot_number("entries", ENTRIES_DEFAULT) / 3;
    server = make_echo();
    spawn(LOWER + 1, serve_echo, &server);
    spawn(HIGHER, load_of_timers, NULL);
    loads[0] = spawn(LOWER, load_of_null_calls, NULL);
    loads[1] = spawn(LOWER, load_of_messages, NULL);
    loads[2] = spawn(LOWER, load_of_faults, NULL);
    for (unsigned i = 0; i < 3; i++)
        join(loads[i]);
    snprintf(line, sizeof line, "storm %lu %lu %lu\n", null_entries + call_entries + fault_entries,
             ticks, counter(LIMEN_COUNTER_NMIS));
    limen_log_write(KERNEL, line, strlen(line));
}
