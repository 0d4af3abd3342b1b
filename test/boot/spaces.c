/* SPDX-License-Identifier: MIT */
/* Threads in address spaces of their own: what they share with the test is what they were given. */
#include "victim.h"

#include <limen/syscall.h>
#include <string.h>

/* The other space's layout. */
#define CODE_ADDRESS  0x400000ull
#define STACK_ADDRESS 0x500000ull
#define PAGE_ADDRESS  0x600000ull

/* The other table's slots. */
#define THEIR_ENDPOINT 1u
#define THEIR_REPLY    2u

struct stranger {
    uint32_t space, table, thread;
    uint32_t code, stack, page; /* frames */
    uint64_t *window;           /* its message page, as the test sees it */
};

/* A thread with a space and a table of its own, and a few instructions to run there. */
static struct stranger stranger(const char *from, const char *to, uint32_t faults)
{
    struct stranger other = {
        .space = make(LIMEN_TYPE_SPACE, 16),
        .table = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN),
        .thread = make(LIMEN_TYPE_THREAD, 0),
        .stack = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER),
    };
    void *code = map_new(LIMEN_PAGE_ORDER, &other.code);
    uint32_t theirs;

    memcpy(code, from, (size_t)(to - from));
    expect_ok(limen_unmap(other.code));
    expect_ok(limen_map(other.code, other.space, CODE_ADDRESS,
                        LIMEN_RIGHT_READ | LIMEN_RIGHT_EXECUTE, LIMEN_CACHE_NORMAL));
    expect_ok(limen_map(other.stack, other.space, STACK_ADDRESS,
                        LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE, LIMEN_CACHE_NORMAL));
    other.window = map_new(LIMEN_PAGE_ORDER, &other.page);
    theirs = copy_of(other.page, LIMEN_RIGHTS_ALL);
    expect_ok(limen_map(theirs, other.space, PAGE_ADDRESS, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    expect_ok(limen_thread_set_message_page(other.thread, other.page));
    expect_ok(limen_thread_configure(other.thread, other.space, other.table, faults));
    set_priority(other.thread, HIGHER);
    return other;
}

static void run_stranger(const struct stranger *other, struct limen_regs *regs)
{
    regs->rip = CODE_ADDRESS;
    regs->rsp = STACK_ADDRESS + LIMEN_PAGE_SIZE;
    expect_ok(limen_thread_set_regs(other->thread, regs));
    expect_ok(limen_thread_resume(other->thread));
}

/* Answers every call with the words it came with, each plus one, up to eight in registers. */
extern const char snippet_echo[], snippet_echo_end[];

static void echo(bool fast)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct stranger server = stranger(snippet_echo, snippet_echo_end, FAULTS);
    struct limen_regs regs;

    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){fast}));
    expect_ok(limen_copy(server.table, THEIR_ENDPOINT, 0, endpoint, LIMEN_RIGHT_READ));
    expect_ok(
        limen_copy(server.table, THEIR_REPLY, 0, make(LIMEN_TYPE_REPLY, 0), LIMEN_RIGHTS_ALL));
    fill_pattern(&regs, NULL, 0);
    regs.rax = LIMEN_SYS_WAIT;
    regs.rdi = limen_target(THEIR_ENDPOINT, THEIR_REPLY);
    regs.rbx = regs.rdi; /* kept across calls: the snippet's constant */
    run_stranger(&server, &regs);

    for (unsigned count = 0; count <= LIMEN_WORDS_MAX; count++) {
        for (unsigned i = LIMEN_WORDS_IN_REGISTERS; i < LIMEN_WORDS_MAX; i++) {
            limen_message()->words[i] = 0x100 * count + i;
            server.window[i] = 0;
        }
        struct message message = {.tag = limen_tag(7, count, 0),
                                  .words = {10, 20, 30, 40, 50, 60, 70, 80}};
        expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message));
        expect_equal(message.tag, limen_tag(7, count, 0));
        for (unsigned i = 0; i < LIMEN_WORDS_IN_REGISTERS; i++)
            expect_equal(message.words[i], 10 * (i + 1) + (i < count));
        for (unsigned i = LIMEN_WORDS_IN_REGISTERS; i < count; i++) {
            expect_equal(server.window[i], 0x100 * count + i);
            expect_equal(limen_message()->words[i], 0x100 * count + i);
        }
    }
}

TEST(spaces, call_crosses_spaces)
{
    echo(true);
}

TEST(spaces, call_crosses_spaces_without_fast_path)
{
    echo(false);
}

/* A page fault there is told by its own addresses, and mended in its own space. */
TEST(spaces, fault_crosses_spaces)
{
    struct victim victim = {.endpoint = make(LIMEN_TYPE_ENDPOINT, 0),
                            .reply = make(LIMEN_TYPE_REPLY, 0)};
    struct stranger other = stranger(snippet_load, snippet_load + 16,
                                     minted(victim.endpoint, LIMEN_RIGHT_WRITE, VICTIM_BADGE));
    uint32_t frame;
    uint64_t *memory = map_new(LIMEN_PAGE_ORDER, &frame), address = (uint64_t)memory;
    uint32_t theirs = copy_of(frame, LIMEN_RIGHT_READ);
    struct limen_regs regs;

    /* The address is mapped in the test's space, not in the other's. */
    *memory = 0x5ca1ab1e;
    fill_pattern(&regs, NULL, 0);
    regs.rax = address;
    run_stranger(&other, &regs);
    struct fault fault = expect_exception(&victim, PAGE_FAULT, PF_USER, &regs);
    expect_equal(fault.detail[2], address);
    expect_ok(limen_map(theirs, other.space, address, LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL));
    resume_victim(&victim);
    fault = next_fault(&victim);
    expect_equal(fault.detail[0], INVALID_OPCODE);
    expect_equal(fault.regs.rcx, 0x5ca1ab1e);
    /* Unmapped there, it is still mapped here. */
    expect_ok(limen_unmap(theirs));
    regs.rip = CODE_ADDRESS;
    resume_victim_with(&victim, &regs);
    expect_exception(&victim, PAGE_FAULT, PF_USER, &regs);
    expect_equal(*memory, 0x5ca1ab1e);
}

/* The whole of another process can be revoked while it runs. */
TEST(spaces, revoking_a_process_ends_it)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct stranger server = stranger(snippet_echo, snippet_echo_end, FAULTS);
    struct message message = {.tag = limen_tag(1, 0, 0)};
    struct limen_regs regs;

    expect_ok(limen_copy(server.table, THEIR_ENDPOINT, 0, endpoint, LIMEN_RIGHT_READ));
    expect_ok(
        limen_copy(server.table, THEIR_REPLY, 0, make(LIMEN_TYPE_REPLY, 0), LIMEN_RIGHTS_ALL));
    fill_pattern(&regs, NULL, 0);
    regs.rax = LIMEN_SYS_WAIT;
    regs.rdi = regs.rbx = limen_target(THEIR_ENDPOINT, THEIR_REPLY);
    run_stranger(&server, &regs);
    expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &message));
    expect_equal(state_of(server.thread), LIMEN_THREAD_RECEIVING);
    expect_ok(limen_delete(OWN_TABLE, server.space));
    expect_equal(state_of(server.thread), LIMEN_THREAD_RECEIVING); /* it holds a capability too */
    expect_ok(limen_delete(OWN_TABLE, server.thread));
    expect_ok(limen_delete(OWN_TABLE, server.table));
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_SEND | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_WOULD_BLOCK);
}
