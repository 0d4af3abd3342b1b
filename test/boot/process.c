/* SPDX-License-Identifier: MIT */
/*
 * Processes that come and go: each a space, a table, a thread that runs in it and a page of code
 * and of stack, made of one piece of memory, which is all free again when the process has gone.
 */
#include "kit.h"

#include <limen/syscall.h>
#include <string.h>

#define PROCESSES    10000u
#define KILLS        10000u
#define MEMORY_ORDER 18u
#define CODE_AT      0x400000ull
#define STACK_AT     0x500000ull
#define READ_WRITE   (LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE)

enum { ITS_SERVICE = 1, ITS_REPLY };                        /* in the process's table */
enum { SPACE, TABLE, THREAD, CODE, STACK, REPLY, OBJECTS }; /* in the test's, from `first` on */

static uint32_t memory, first, service, replies;
static uint64_t window;

/* Answers every call with the words it came with, each plus one. */
extern const char snippet_echo[], snippet_echo_end[];

/* Calls the service once, then stops by a fault. */
extern const char snippet_call_once[], snippet_call_once_end[];

static void set_up(void)
{
    memory = make(LIMEN_TYPE_UNTYPED, MEMORY_ORDER);
    service = make(LIMEN_TYPE_ENDPOINT, 0);
    replies = make(LIMEN_TYPE_REPLY, 0);
    first = slots(OBJECTS);
    window = addresses(LIMEN_PAGE_ORDER);
}

static void make_process(const char *from, const char *to, struct limen_regs *regs,
                         unsigned priority)
{
    expect_ok(limen_retype(memory, LIMEN_TYPE_SPACE, 15, first + SPACE, 1));
    expect_ok(limen_retype(memory, LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN, first + TABLE, 1));
    expect_ok(limen_retype(memory, LIMEN_TYPE_THREAD, 0, first + THREAD, 1));
    expect_ok(limen_retype(memory, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, first + CODE, 2));
    expect_ok(limen_retype(memory, LIMEN_TYPE_REPLY, 0, first + REPLY, 1));
    expect_ok(limen_map(first + CODE, OWN_SPACE, window, READ_WRITE, LIMEN_CACHE_NORMAL));
    memcpy((void *)window, from, (size_t)(to - from));
    expect_ok(limen_unmap(first + CODE));
    expect_ok(limen_map(first + CODE, first + SPACE, CODE_AT,
                        LIMEN_RIGHT_READ | LIMEN_RIGHT_EXECUTE, LIMEN_CACHE_NORMAL));
    expect_ok(limen_map(first + STACK, first + SPACE, STACK_AT, READ_WRITE, LIMEN_CACHE_NORMAL));
    expect_ok(limen_copy(first + TABLE, ITS_SERVICE, 0, service, READ_WRITE));
    expect_ok(limen_copy(first + TABLE, ITS_REPLY, 0, first + REPLY, LIMEN_RIGHTS_ALL));
    expect_ok(limen_thread_configure(first + THREAD, first + SPACE, first + TABLE, FAULTS));
    expect_ok(limen_thread_set_priority(first + THREAD, priority));
    regs->rip = CODE_AT;
    regs->rsp = STACK_AT + LIMEN_PAGE_SIZE;
    expect_ok(limen_thread_set_regs(first + THREAD, regs));
    expect_ok(limen_thread_resume(first + THREAD));
}

/* Ends it, in whatever it does, and sees that nothing is left. */
static void destroy_process(void)
{
    struct limen_untyped_info info;

    expect_ok(limen_revoke(OWN_TABLE, memory));
    expect_ok(limen_untyped_info(memory, &info));
    expect_equal(info.used, 0);
    for (uint32_t i = 0; i < OBJECTS; i++)
        expect(is_empty(first + i));
}

TEST(process, ten_thousand_leave_nothing_behind)
{
    struct limen_untyped_info before, after;

    set_up();
    expect_ok(limen_untyped_info(ARENA, &before));
    for (uint64_t number = 1; number <= PROCESSES; number++) {
        struct message message = {0};
        struct limen_regs regs = {.rax = LIMEN_SYS_CALL,
                                  .rdi = ITS_SERVICE,
                                  .rsi = limen_tag(0, 1, 0),
                                  .words = {number}};
        make_process(snippet_call_once, snippet_call_once_end, &regs, LOWER);
        expect_ok(transfer(LIMEN_SYS_WAIT, service, replies, LIMEN_FOREVER, &message));
        expect_equal(message.words[0], number);
        destroy_process(); /* while it waits for the answer */
        message.tag = 0;
        expect_error(transfer(LIMEN_SYS_SEND, replies, 0, LIMEN_FOREVER, &message),
                     LIMEN_NO_CALLER);
    }
    expect_ok(limen_untyped_info(ARENA, &after));
    expect_equal(after.used, before.used);
}

/* Who has used its memory up is told, and nobody else notices. */
TEST(process, exhaustion_is_its_own)
{
    struct limen_untyped_info before, after;
    uint32_t place = slots(1), neighbour = make(LIMEN_TYPE_UNTYPED, MEMORY_ORDER);
    unsigned made = 0;

    set_up();
    expect_ok(limen_untyped_info(ARENA, &before));
    while (limen_retype(memory, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, place, 1) == LIMEN_OK) {
        made++;
        expect_ok(limen_move(OWN_TABLE, slots(1), 0, place));
    }
    expect_equal(made, 1u << (MEMORY_ORDER - LIMEN_PAGE_ORDER));
    static const enum limen_type types[] = {LIMEN_TYPE_REPLY, LIMEN_TYPE_ENDPOINT,
                                            LIMEN_TYPE_THREAD, LIMEN_TYPE_NOTIFICATION};
    for (unsigned i = 0; i < sizeof types / sizeof types[0]; i++) {
        expect_error(limen_retype(memory, types[i], 0, place, 1), LIMEN_NO_MEMORY);
        expect(is_empty(place));
        expect_ok(limen_retype(neighbour, types[i], 0, place, 1));
        expect_ok(limen_delete(OWN_TABLE, place));
    }
    expect_ok(limen_untyped_info(ARENA, &after));
    expect_equal(after.used, before.used);
}

/* -- a server that is killed again and again, and its clients -- */

static volatile bool stopping;
static volatile uint64_t answered, cancelled;

/* Calls without end; a call that the server's death has cancelled is made again. */
static void load(void *unused)
{
    (void)unused;
    while (!stopping) {
        struct message message = {.tag = limen_tag(0, 2, 0), .words = {answered, 7}};
        uint64_t sent = message.words[0];
        enum limen_error error = transfer(LIMEN_SYS_CALL, service, 0, now() + 1000000000, &message);
        if (error == LIMEN_CANCELLED) {
            cancelled++;
            continue;
        }
        expect_ok(error);
        expect_equal(message.words[0], sent + 1);
        expect_equal(message.words[1], 8);
        answered++;
    }
}

/* One server, restarted each time it is killed: it serves before the next blow. */
TEST(process, a_server_killed_under_load_is_started_again)
{
    struct message nothing = {0};
    uint64_t random = 1;

    set_up();
    stopping = false;
    answered = cancelled = 0;
    struct worker *clients[2] = {spawn(LOWER, load, NULL), spawn(LOWER, load, NULL)};
    for (unsigned kill = 0; kill < KILLS; kill++) {
        uint64_t target = limen_target(ITS_SERVICE, ITS_REPLY);
        struct limen_regs regs = {.rax = LIMEN_SYS_WAIT, .rdi = target, .rbx = target};
        uint64_t served = answered;
        make_process(snippet_echo, snippet_echo_end, &regs, LOWER);
        do {
            random = random * 6364136223846793005u + 1442695040888963407u;
            nothing.tag = 0;
            transfer(LIMEN_SYS_WAIT, NEVER, 0, now() + 20000 + (random >> 40) % 100000, &nothing);
        } while (answered == served);
        destroy_process();
    }
    stopping = true;
    uint64_t target = limen_target(ITS_SERVICE, ITS_REPLY);
    struct limen_regs regs = {.rax = LIMEN_SYS_WAIT, .rdi = target, .rbx = target};
    make_process(snippet_echo, snippet_echo_end, &regs, LOWER);
    join(clients[0]);
    join(clients[1]);
    destroy_process();
    expect(answered >= KILLS);
    expect(cancelled > 0); /* some were killed with a caller */
}
