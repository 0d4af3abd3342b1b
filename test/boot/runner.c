/* SPDX-License-Identifier: MIT */
/*
 * Runs one suite, or all: `suite=NAME` on the command line says which, `only=NAME` a single test.
 * With `irqs_off=N` no test may make the kernel keep interrupts off for more than N instructions.
 *
 * The runner sits above every test and does nothing but wait: for the test to finish, for a fault
 * nobody asked for, or for a time that only a test that hangs can take.
 */
#include "runner.h"

#include <limen/fault.h>
#include <runtime/environment.h>
#include <stdio.h>
#include <string.h>

#define RUNNER_MEMORY_ORDER 19u
#define ARENA_ORDER         25u /* at most; arena=N on the command line asks for 2^N bytes */
#define TABLES_ORDER        18u /* page-table pages for what tests map */
#define TEST_NS             60000000000ull

#define RUNNER_PAGE_ADDRESS 0x0000300000000000ull

#define DEBUG_EXIT_PORT 0xf4u
#define EXIT_PASSED     0x10u
#define EXIT_FAILED     0x11u

extern const struct test __start_tests[], __stop_tests[];

const struct limen_init_info *machine;
bool runner_works = true;

_Noreturn void run_suites(const struct limen_init_info *info);

/* RBP is zero at the outermost frame, where a backtrace ends. */
__attribute__((naked, noreturn)) void _start(void);
void _start(void)
{
    __asm__("xorl %ebp, %ebp\n\t"
            "call run_suites");
}

static void say(const char *text)
{
    limen_log_write(KERNEL, text, strlen(text));
}

static _Noreturn void leave(unsigned value)
{
    for (;;)
        limen_port_out(PORTS, DEBUG_EXIT_PORT, 4, value);
}

_Noreturn void runner_failed(const char *what)
{
    say("the runner failed: ");
    say(what);
    say("\n");
    leave(EXIT_FAILED);
}

static void must(const char *what, enum limen_error error)
{
    char line[128];

    if (error == LIMEN_OK)
        return;
    snprintf(line, sizeof line, "%s: %s", what, limen_error_text(error));
    runner_failed(line);
}

/* -- setting up -- */

static void set_environment(const struct limen_init_info *info)
{
    static struct limen_environment environment;

    environment.version = LIMEN_ENVIRONMENT_VERSION;
    environment.clock = info->clock;
    memcpy(environment.cmdline, info->cmdline, sizeof environment.cmdline);
    limen_runtime_init(&environment);
}

/* The largest piece of ordinary memory, not counting one. */
static unsigned largest_untyped(unsigned except)
{
    unsigned best = except == 0 ? 1 : 0;

    for (unsigned i = 0; i < machine->untyped_count; i++)
        if (i != except && !machine->untyped[i].device &&
            (machine->untyped[best].device ||
             machine->untyped[i].order > machine->untyped[best].order))
            best = i;
    return best;
}

/* The largest piece of memory becomes the arena, the next is the runner's. */
static void divide_memory(void)
{
    unsigned largest = largest_untyped(UINT32_MAX);
    uint32_t memory = LIMEN_INIT_UNTYPED + largest_untyped(largest);
    unsigned order = (unsigned)limen_boot_number("arena", 0);
    uint32_t tables = FIRST_FREE;

    if (order == 0 && machine->untyped[largest].order < ARENA_ORDER)
        order = machine->untyped[largest].order;
    else if (order == 0)
        order = ARENA_ORDER;
    must("arena", limen_retype(LIMEN_INIT_UNTYPED + largest, LIMEN_TYPE_UNTYPED, order, ARENA, 1));
    must("memory", limen_retype(memory, LIMEN_TYPE_UNTYPED, RUNNER_MEMORY_ORDER, RUNNER_MEMORY, 1));
    must("tables", limen_retype(memory, LIMEN_TYPE_UNTYPED, TABLES_ORDER, tables, 1));
    must("donation", limen_space_donate(OWN_SPACE, tables));
}

static void set_message_page(void)
{
    must("frame", limen_retype(RUNNER_MEMORY, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, RUNNER_PAGE, 1));
    must("map", limen_map(RUNNER_PAGE, OWN_SPACE, RUNNER_PAGE_ADDRESS,
                          LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE, LIMEN_CACHE_NORMAL));
    void *block = limen_thread_block_init((struct limen_message_page *)RUNNER_PAGE_ADDRESS);
    must("bases", limen_thread_set_bases(LIMEN_INIT_THREAD, (uint64_t)block, 0));
    must("page", limen_thread_set_message_page(LIMEN_INIT_THREAD, RUNNER_PAGE));
}

static void make_objects(void)
{
    uint32_t plain = FIRST_FREE;

    must("reply", limen_retype(RUNNER_MEMORY, LIMEN_TYPE_REPLY, 0, RUNNER_REPLY, 1));
    must("faults", limen_retype(RUNNER_MEMORY, LIMEN_TYPE_ENDPOINT, 0, FAULTS, 1));
    must("never", limen_retype(RUNNER_MEMORY, LIMEN_TYPE_NOTIFICATION, 0, NEVER, 1));
    must("finished", limen_retype(RUNNER_MEMORY, LIMEN_TYPE_NOTIFICATION, 0, plain, 1));
    must("badge", limen_mint(OWN_TABLE, FINISHED, 0, plain, LIMEN_RIGHTS_ALL, 1));
    must("delete", limen_delete(OWN_TABLE, plain));
    must("bind", limen_thread_bind(LIMEN_INIT_THREAD, FINISHED));
}

/* -- one test -- */

static volatile bool returned; /* the test, without a complaint */

static void run_and_finish(void *argument)
{
    const struct test *test = argument;
    test->run();
    returned = true;
    limen_signal(FINISHED);
}

static void describe_fault(const uint64_t *words, uint32_t label)
{
    const struct limen_regs *regs = (const void *)&words[LIMEN_FAULT_DETAIL_WORDS];

    snprintf(reason, REASON_MAX, "fault %x: %lu, 0x%lx, 0x%lx at RIP 0x%lx, RSP 0x%lx", label,
             words[0], words[1], words[2], regs->rip, regs->rsp);
}

/* Serves the test until it ends, one way or another. */
static void wait_for_end(void)
{
    uint64_t deadline = limen_now() + TEST_NS;
    struct limen_received received;
    const uint64_t *words = limen_message()->words;
    enum limen_error error = limen_receive(FAULTS, RUNNER_REPLY, NULL, deadline, &received);

    while (error == LIMEN_OK && limen_tag_label(received.tag) == RUNNER_SET_PRIORITY) {
        uint64_t answer =
            limen_tag(limen_thread_set_priority((uint32_t)words[0], (unsigned)words[1]), 0, 0);
        error = limen_receive(FAULTS, RUNNER_REPLY, &answer, deadline, &received);
    }
    if (error == LIMEN_TIMED_OUT)
        snprintf(reason, REASON_MAX, "it did not end within %lu s of the guest's time",
                 (uint64_t)(TEST_NS / 1000000000));
    else if (error != LIMEN_OK)
        snprintf(reason, REASON_MAX, "the runner's wait failed: %s", limen_error_text(error));
    else if (!(received.tag & LIMEN_TAG_NOTIFICATION))
        describe_fault(words, limen_tag_label(received.tag));
    else if (!returned && reason[0] == '\0')
        snprintf(reason, REASON_MAX, "the runner was woken before the test had ended");
}

/* Takes everything back, and sees that it came. */
static void clean_up(void)
{
    struct limen_untyped_info info;
    uint64_t bits;

    must("revocation of the arena", limen_revoke(OWN_TABLE, ARENA));
    for (uint32_t slot = FIRST_FREE; slot < kit_slots_end(); slot++)
        must("deletion", limen_delete(OWN_TABLE, slot));
    must("switching the fast path on",
         limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){1}));
    must("information about the arena", limen_untyped_info(ARENA, &info));
    if (info.used != 0 && reason[0] == '\0')
        snprintf(reason, REASON_MAX, "%lu bytes of memory did not come back", info.used);
    limen_wait_notification(FINISHED, 0, &bits); /* a second failure may have signalled again */
}

static void check_irqs_off(uint64_t most)
{
    uint64_t longest;

    must("the longest stretch without interrupts",
         limen_counter(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF, &longest));
    if (longest > most && reason[0] == '\0')
        snprintf(reason, REASON_MAX,
                 "interrupts were off for %lu instructions, at most %lu are allowed", longest,
                 most);
}

static bool run_test(const struct test *test)
{
    char line[REASON_MAX + 80];
    uint64_t irqs_off = limen_boot_number("irqs_off", 0);

    kit_reset();
    if (irqs_off != 0)
        must("reset", limen_counter_reset(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF));
    struct worker *worker = kit_make_worker();
    must("priority", limen_thread_set_priority(worker->thread, TEST_PRIORITY));
    start(worker, run_and_finish, (void *)(uintptr_t)test);
    returned = false;
    runner_works = false;
    wait_for_end();
    runner_works = true;
    clean_up();
    if (irqs_off != 0)
        check_irqs_off(irqs_off);
    if (reason[0] == '\0')
        snprintf(line, sizeof line, "ok %s/%s\n", test->suite, test->name);
    else
        snprintf(line, sizeof line, "not ok %s/%s: %s\n", test->suite, test->name, reason);
    say(line);
    return reason[0] == '\0';
}

static bool is_chosen(const struct test *test)
{
    char name[64];

    if (limen_boot_option("suite", name, sizeof name)) {
        if (strcmp(name, test->suite) != 0)
            return false;
    } else if (strcmp(test->suite, "end") == 0 || strcmp(test->suite, "long") == 0 ||
               strcmp(test->suite, "fuzz") == 0 || strcmp(test->suite, "process") == 0) {
        return false; /* they need a machine of their own */
    }
    return !limen_boot_option("only", name, sizeof name) || strcmp(name, test->name) == 0;
}

_Noreturn void run_suites(const struct limen_init_info *info)
{
    unsigned count = 0;
    bool passed = true;
    char line[32];

    machine = info;
    set_environment(info);
    divide_memory();
    set_message_page();
    make_objects();
    for (const struct test *test = __start_tests; test < __stop_tests; test++) {
        if (!is_chosen(test))
            continue;
        passed = run_test(test) && passed;
        count++;
    }
    snprintf(line, sizeof line, "done %u\n", count);
    say(line);
    leave(passed && count > 0 ? EXIT_PASSED : EXIT_FAILED);
}
