/* SPDX-License-Identifier: MIT */
/*
 * Addresses of the kernel's, wrapping sums and plain nonsense in all arguments of a call at once
 * (attack_operation.c goes through them one by one), in its registers, and where addresses are what
 * it takes.  What an answer says is mostly not the point: it is that there is one, that the
 * kernel's checks hold, and that only the registers change that a call may change.
 */
#include "attack.h"

#include <string.h>

/* None of them, as an index, is a capability that the test lives by. */
static const uint64_t values[] = {
    0,
    NO_SLOT,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    1ull << 32,
    1ull << 47,
    (1ull << 47) - 1,
    LIMEN_USER_END,
    LIMEN_USER_END - LIMEN_PAGE_SIZE,
    0xffff800000000000,
    0xffffffff80000000,
    0xfffffffffffff000,
    1ull << 63,
    UINT64_MAX,
};
#define VALUES (sizeof values / sizeof values[0])

/* Objects for the attack: nothing else depends on them. */
enum { TABLE, THREAD, SPACE, FRAME, ENDPOINT, NOTIFICATION, REPLY, MEMORY, PORT, LOG, OBJECTS };
static uint32_t objects[OBJECTS];

#define HARMLESS_PORT 0x80u /* where firmware shows its progress */
#define LABELS        18u   /* more than any object has operations */

static void make_objects(void)
{
    objects[TABLE] = make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    objects[THREAD] = make(LIMEN_TYPE_THREAD, 0);
    objects[SPACE] = make(LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN);
    objects[FRAME] = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    objects[ENDPOINT] = make(LIMEN_TYPE_ENDPOINT, 0);
    objects[NOTIFICATION] = make(LIMEN_TYPE_NOTIFICATION, 0);
    objects[REPLY] = make(LIMEN_TYPE_REPLY, 0);
    objects[MEMORY] = make(LIMEN_TYPE_UNTYPED, 16);
    objects[PORT] = slots(1);
    expect_ok(limen_ports_narrow(PORTS, HARMLESS_PORT, HARMLESS_PORT, objects[PORT]));
    objects[LOG] = copy_of(KERNEL, LIMEN_RIGHT_READ);
}

/* What a thread is given by these comes back from others, whatever it is. */
static bool tells_later(unsigned label)
{
    return label == LIMEN_THREAD_SET_REGS || label == LIMEN_THREAD_SET_NAME;
}

TEST(attack_argument, every_word_of_each_operation)
{
    make_objects();
    for (unsigned object = 0; object < OBJECTS; object++) {
        if (object == ENDPOINT)
            continue;
        for (unsigned label = 0; label < LABELS; label++)
            for (unsigned i = 0; i < VALUES; i++) {
                uint64_t words[8];
                if (object == THREAD && tells_later(label))
                    continue;
                for (unsigned j = 0; j < 8; j++)
                    words[j] = values[(i + (j & 1) * label) % VALUES];
                call_and_look(LIMEN_SYS_CALL, objects[object],
                              limen_tag(label, LIMEN_REGS_WORDS, 0), words);
            }
    }
}

/* All of RDI and RSI, for every call that ring 3 has; none of them waits. */
TEST(attack_argument, each_register_of_each_call)
{
    static const uint64_t numbers[] = {LIMEN_SYS_NULL, LIMEN_SYS_CALL, LIMEN_SYS_REPLY_WAIT,
                                       LIMEN_SYS_SEND, LIMEN_SYS_WAIT, LIMEN_SYS_YIELD};
    const uint64_t words[8] = {UINT64_MAX, 1ull << 63, 1ull << 47, 0xffffffff80000000};
    unsigned refused = 0;

    make_objects();
    for (unsigned n = 0; n < sizeof numbers / sizeof numbers[0]; n++)
        for (unsigned i = 0; i < VALUES; i++)
            for (unsigned object = 0; object < OBJECTS; object++)
                for (unsigned bit = 0; bit < 64; bit += 1) {
                    uint64_t number = numbers[n] | LIMEN_NONBLOCK | LIMEN_DEADLINE;
                    uint64_t rdi = object & 1 ? objects[object] | values[i] << 32
                                              : values[i] << 32 | objects[(object + i) % OBJECTS];
                    if (bit < VALUES)
                        rdi = values[i] | (uint64_t)objects[object] << 32;
                    refused += call_and_look(number, rdi, 1ull << bit, words).rax != LIMEN_OK;
                }
    expect(refused > 0);
}

/* As a deadline they are far away, and stay so however they are turned into ticks. */
TEST(attack_argument, deadlines)
{
    struct victim victim = new_victim();

    for (unsigned i = 0; i < VALUES; i++) {
        struct limen_regs regs = attack_at(&victim, snippet_syscall);
        bool far = values[i] >> 46 != 0;
        regs.rax = LIMEN_SYS_WAIT | LIMEN_DEADLINE;
        regs.rdi = NEVER;
        regs.rbx = values[i];
        if (!far && values[i] != 0)
            continue; /* a time that may come */
        run_victim(&victim, &regs);
        if (far) {
            limen_yield();
            expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_WAITING);
        } else {
            struct fault fault = next_fault(&victim);
            expect_equal(fault.regs.rax, LIMEN_TIMED_OUT);
        }
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* Sums of address and size that wrap, pages beyond the end, addresses off their alignment. */
TEST(attack_argument, addresses_of_mappings)
{
    static const uint64_t places[] = {
        0,
        1,
        LIMEN_PAGE_SIZE + 1,
        LIMEN_USER_END,
        LIMEN_USER_END - 1,
        LIMEN_USER_END - LIMEN_PAGE_SIZE + 8,
        1ull << 47,
        UINT64_MAX,
        UINT64_MAX - LIMEN_PAGE_SIZE + 1,
        1ull << 63,
        0xffff800000000000,
        0xffffffff80000000,
        0xffffff8000000000,
        0x0001000000001000, /* the low 48 bits would do */
        0x8000000000001000,
    };
    uint32_t frames[2] = {make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER),
                          make(LIMEN_TYPE_FRAME, LIMEN_LARGE_PAGE_ORDER)};

    for (unsigned n = 0; n < 2; n++) {
        for (unsigned i = 0; i < sizeof places / sizeof places[0]; i++) {
            enum limen_error error =
                limen_map(frames[n], OWN_SPACE, places[i], LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL);
            expect(error == LIMEN_OUT_OF_RANGE || error == LIMEN_MISALIGNED);
        }
        for (unsigned bit = 2; bit < 64; bit++)
            expect_error(limen_map(frames[n], OWN_SPACE, 1ull << 32, LIMEN_RIGHT_READ | bit << 2,
                                   LIMEN_CACHE_NORMAL),
                         LIMEN_BAD_ARGUMENT);
    }
    expect_error(limen_map(frames[1], OWN_SPACE, LIMEN_USER_END & -(1ull << LIMEN_LARGE_PAGE_ORDER),
                           LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL),
                 LIMEN_OUT_OF_RANGE);
}

/* An access that begins in the last page and ends beyond it, or wraps around to page 0. */
TEST(attack_argument, accesses_across_the_edges)
{
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    struct victim victim = new_victim();
    static const uint64_t edges[] = {LIMEN_USER_END - 4, (1ull << 47) - 4, UINT64_MAX - 3,
                                     0xffff800000000000 - 4};

    expect_ok(limen_map(frame, OWN_SPACE, LIMEN_USER_END - LIMEN_PAGE_SIZE,
                        LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE, LIMEN_CACHE_NORMAL));
    for (unsigned i = 0; i < sizeof edges / sizeof edges[0]; i++)
        for (unsigned stores = 0; stores < 2; stores++) {
            struct limen_regs regs = attack_at(&victim, stores ? snippet_store : snippet_load);
            regs.rax = edges[i];
            run_victim(&victim, &regs);
            struct fault fault = next_fault(&victim);
            expect(fault.detail[0] == PAGE_FAULT || fault.detail[0] == GENERAL_PROTECTION);
            if (i == 0)
                expect_equal(fault.detail[2], LIMEN_USER_END);
            expect_equal(fault.regs.rip, regs.rip);
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}

/* The same ports through a capability of another range, of another thread's, and of none. */
TEST(attack_argument, ports_of_others)
{
    make_objects();
    for (unsigned bytes = 0; bytes <= 8; bytes++)
        for (unsigned bit = 0; bit < 64; bit++) {
            uint64_t words[8] = {1ull << bit, bytes, 0};
            bool exact = 1ull << bit == HARMLESS_PORT && bytes == 1;
            expect(exact == (invoke(objects[PORT], LIMEN_PORTS_IN, words) == LIMEN_OK));
        }
    uint32_t value, narrowed = slots(1);
    expect_error(limen_ports_narrow(objects[PORT], HARMLESS_PORT, HARMLESS_PORT + 1, narrowed),
                 LIMEN_OUT_OF_RANGE);
    expect_error(limen_ports_narrow(objects[PORT], HARMLESS_PORT - 1, HARMLESS_PORT, narrowed),
                 LIMEN_OUT_OF_RANGE);
    expect_ok(limen_ports_narrow(objects[PORT], HARMLESS_PORT, HARMLESS_PORT, narrowed));
    expect_ok(limen_port_in(narrowed, HARMLESS_PORT, 1, &value));
    expect_ok(limen_revoke(OWN_TABLE, objects[PORT]));
    expect_error(limen_port_in(narrowed, HARMLESS_PORT, 1, &value), LIMEN_BAD_CAPABILITY);

    /* The capability opens nothing to the instruction, for its holder or anybody else. */
    static const char *const codes[] = {snippet_in, snippet_out, snippet_ins, snippet_outs};
    struct victim victim = new_victim();
    for (unsigned i = 0; i < sizeof codes / sizeof codes[0]; i++)
        for (unsigned bit = 0; bit < 16; bit++) {
            struct limen_regs regs = attack_at(&victim, codes[i]);
            regs.rdx = 1u << bit | (bit == 7 ? 0 : HARMLESS_PORT & bit);
            regs.rdi = regs.rsi = victim.stack_top - 64;
            run_victim(&victim, &regs);
            expect_exception(&victim, GENERAL_PROTECTION, 0, &regs);
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}
