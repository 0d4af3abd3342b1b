/* SPDX-License-Identifier: MIT */
#include "operations.h"

#include "attack.h"
#include "errors.h"

static uint32_t pool, first;

#define POOL_ORDER      18u
#define WORDS_FROM(low) ((uint8_t)(0xff << (low)))

const struct operation operations[] = {
    {A_MEMORY,
     LIMEN_UNTYPED_RETYPE,
     LIMEN_OK,
     5,
     0,
     {LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 0, SLOT(NOTHING), 1}},
    {A_MEMORY, LIMEN_UNTYPED_INFO, LIMEN_OK, 0, 0, {0}},

    {A_TABLE, LIMEN_TABLE_COPY, LIMEN_OK, 4, 1 << 3, {1, 0, SLOT(A_FRAME), LIMEN_RIGHTS_ALL}},
    {A_TABLE,
     LIMEN_TABLE_MINT,
     LIMEN_OK,
     5,
     WORDS_FROM(3),
     {1, 0, SLOT(AN_ENDPOINT), LIMEN_RIGHTS_ALL, 1}},
    {A_TABLE, LIMEN_TABLE_MOVE, LIMEN_OK, 3, 0, {1, 0, SLOT(A_FRAME)}},
    {A_TABLE, LIMEN_TABLE_DELETE, LIMEN_OK, 1, 0, {ENTRY}},
    {A_TABLE, LIMEN_TABLE_REVOKE, LIMEN_OK, 1, 0, {ENTRY}},
    {A_TABLE, LIMEN_TABLE_INSPECT, LIMEN_OK, 1, 0, {ENTRY}},
    {A_TABLE, LIMEN_TABLE_INFO, LIMEN_OK, 0, 0, {0}},

    {A_THREAD,
     LIMEN_THREAD_CONFIGURE,
     LIMEN_OK,
     3,
     0,
     {SLOT(A_SPACE), SLOT(A_TABLE), SLOT(AN_ENDPOINT)}},
    {A_THREAD, LIMEN_THREAD_SET_PRIORITY, LIMEN_OK, 1, 0, {1}},
    {A_THREAD, LIMEN_THREAD_SET_REGS, LIMEN_OK, 8, WORDS_FROM(0), {0}},
    {A_THREAD, LIMEN_THREAD_GET_REGS, LIMEN_OK, 0, 0, {0}},
    {A_THREAD, LIMEN_THREAD_RESUME, LIMEN_OK, 0, 0, {0}},
    {A_THREAD, LIMEN_THREAD_SUSPEND, LIMEN_OK, 0, 0, {0}},
    {A_THREAD, LIMEN_THREAD_SET_MESSAGE_PAGE, LIMEN_OK, 1, 0, {SLOT(A_FRAME)}},
    {A_THREAD, LIMEN_THREAD_BIND, LIMEN_OK, 1, 0, {SLOT(A_NOTIFICATION)}},
    {A_THREAD, LIMEN_THREAD_SET_BASES, LIMEN_OK, 2, 0, {AN_ADDRESS, AN_ADDRESS}},
    {A_THREAD, LIMEN_THREAD_SET_REFLECTION, LIMEN_OK, 2, 0, {AN_ADDRESS, AN_ADDRESS}},
    {A_THREAD, LIMEN_THREAD_SET_NAME, LIMEN_OK, 2, WORDS_FROM(0), {0}},
    {A_THREAD, LIMEN_THREAD_INFO, LIMEN_OK, 0, 0, {0}},
    {A_THREAD,
     LIMEN_THREAD_SET_DEBUG,
     LIMEN_OK,
     5,
     0,
     {AN_ADDRESS, AN_ADDRESS, AN_ADDRESS, AN_ADDRESS, 0xff}},
    {A_THREAD, LIMEN_THREAD_WAIT_INFO, LIMEN_OK, 0, 0, {0}},
    {A_THREAD, LIMEN_THREAD_SET_CONTEXT, LIMEN_OK, 1, 0, {SLOT(A_CONTEXT)}},
    {A_THREAD, LIMEN_THREAD_SET_PASSIVE, LIMEN_OK, 1, 0, {1}},
    {A_THREAD,
     LIMEN_THREAD_LAUNCH,
     LIMEN_OK,
     8,
     0xc7, /* RIP, RSP, RDI and the name */
     {AN_ADDRESS, AN_ADDRESS, 0, AN_ADDRESS, SLOT(A_FRAME), 0, 0, 0}},

    {A_SPACE, LIMEN_SPACE_DONATE, LIMEN_OK, 1, 0, {SLOT(MORE_MEMORY)}},
    {A_SPACE, LIMEN_SPACE_INFO, LIMEN_OK, 0, 0, {0}},

    {A_FRAME,
     LIMEN_FRAME_MAP,
     LIMEN_OK,
     4,
     0,
     {SLOT(A_SPACE), AN_ADDRESS, LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL}},
    {MAPPED_FRAME, LIMEN_FRAME_UNMAP, LIMEN_OK, 0, 0, {0}},
    {A_FRAME, LIMEN_FRAME_INFO, LIMEN_OK, 0, 0, {0}},

    {A_CONTROL,
     LIMEN_IRQ_CONTROL_ISSUE,
     LIMEN_OK,
     4,
     0,
     {LINE + 1, LIMEN_IRQ_DEFAULT, SLOT(MORE_MEMORY), SLOT(NOTHING)}},

    {AN_IRQ, LIMEN_IRQ_BIND, LIMEN_OK, 1, 0, {SLOT(A_NOTIFICATION)}},
    {AN_IRQ, LIMEN_IRQ_ACK, LIMEN_OK, 0, 0, {0}},

    {A_PORT, LIMEN_PORTS_IN, LIMEN_OK, 2, 0, {HARMLESS_PORT, 1}},
    {A_PORT, LIMEN_PORTS_OUT, LIMEN_OK, 3, WORDS_FROM(2), {HARMLESS_PORT, 1, 0}},
    {A_PORT, LIMEN_PORTS_OUT_BYTES, LIMEN_OK, 8, WORDS_FROM(2), {HARMLESS_PORT, 1}},
    {A_PORT, LIMEN_PORTS_NARROW, LIMEN_OK, 3, 0, {HARMLESS_PORT, HARMLESS_PORT, SLOT(NOTHING)}},

    {A_KERNEL, LIMEN_KERNEL_LOG_READ, LIMEN_OK, 1, WORDS_FROM(0), {0}},
    {A_KERNEL, LIMEN_KERNEL_LOG_WRITE, LIMEN_OK, 7, WORDS_FROM(1), {1, '\n'}},
    {A_KERNEL, LIMEN_KERNEL_COUNTER, LIMEN_OK, 1, 0, {LIMEN_COUNTER_ENTRIES}},
    {A_KERNEL, LIMEN_KERNEL_COUNTER_RESET, LIMEN_OK, 1, 0, {LIMEN_COUNTER_MAX_IRQS_OFF}},
    {A_KERNEL, LIMEN_KERNEL_STOP, LIMEN_NO_RIGHT, 6, WORDS_FROM(0), {0}},
    {A_KERNEL, LIMEN_KERNEL_FAST_PATH, LIMEN_OK, 1, WORDS_FROM(0), {1}},
    {A_KERNEL, LIMEN_KERNEL_CHECK, LIMEN_NO_RIGHT, 0, 0, {0}},

    {A_CONTEXT,
     LIMEN_CONTEXT_CONFIGURE,
     LIMEN_NO_RIGHT,
     3,
     1 << 0 | 1 << 1,
     {0, 0, SLOT(A_CONTEXT)}},
    {A_CONTEXT, LIMEN_CONTEXT_SET_HANDLER, LIMEN_OK, 1, 0, {SLOT(AN_ENDPOINT)}},
    {A_CONTEXT, LIMEN_CONTEXT_INFO, LIMEN_OK, 0, 0, {0}},
};
const unsigned operation_count = sizeof operations / sizeof operations[0];

uint32_t slot_of(enum object object)
{
    return first + object;
}

uint64_t word_to_send(uint64_t word)
{
    return (word & SLOT_MASK) == SLOT_MARK ? first + (word & ~SLOT_MASK) : word;
}

static void make_here(enum object object, enum limen_type type, unsigned order)
{
    expect_ok(limen_retype(pool, type, order, first + object, 1));
}

void begin_with_objects(void)
{
    pool = make(LIMEN_TYPE_UNTYPED, POOL_ORDER);
    first = slots(SLOTS);
    make_objects();
}

void make_objects(void)
{
    expect_ok(limen_revoke(OWN_TABLE, pool));
    for (uint32_t i = 0; i < SLOTS; i++)
        expect_ok(limen_delete(OWN_TABLE, first + i));
    make_here(A_THREAD, LIMEN_TYPE_THREAD, 0);
    make_here(A_SPACE, LIMEN_TYPE_SPACE, LIMEN_SPACE_ORDER_MIN + 1);
    make_here(A_MEMORY, LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER);
    make_here(MORE_MEMORY, LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER);
    make_here(A_FRAME, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    make_here(MAPPED_FRAME, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    make_here(A_TABLE, LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN);
    make_here(AN_ENDPOINT, LIMEN_TYPE_ENDPOINT, 0);
    make_here(A_NOTIFICATION, LIMEN_TYPE_NOTIFICATION, 0);
    make_here(A_CONTEXT, LIMEN_TYPE_CONTEXT, 0);
    expect_ok(limen_copy(OWN_TABLE, first + A_CONTROL, 0, IRQ_CONTROL, LIMEN_RIGHTS_ALL));
    expect_ok(
        limen_copy(OWN_TABLE, first + A_KERNEL, 0, KERNEL, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE));
    expect_ok(limen_ports_narrow(PORTS, HARMLESS_PORT, HARMLESS_PORT, first + A_PORT));
    expect_ok(limen_irq_issue(IRQ_CONTROL, LINE, LIMEN_IRQ_DEFAULT, pool, first + AN_IRQ));

    expect_ok(limen_copy(first + A_TABLE, ENTRY, 0, first + A_NOTIFICATION, LIMEN_RIGHTS_ALL));
    expect_ok(limen_thread_configure(first + A_THREAD, first + A_SPACE, first + A_TABLE, 0));
    expect_ok(limen_map(first + MAPPED_FRAME, first + A_SPACE, AN_ADDRESS + LIMEN_PAGE_SIZE,
                        LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL));
    expect_ok(limen_irq_bind(first + AN_IRQ, first + A_NOTIFICATION));
}

enum limen_error ask(enum object object, uint32_t label, const uint64_t words[8])
{
    struct limen_regs regs =
        call_and_look(LIMEN_SYS_CALL, first + object, limen_tag(label, LIMEN_REGS_WORDS, 0), words);
    enum limen_error answer = (enum limen_error)limen_tag_label(regs.rsi);

    expect_equal(regs.rax, LIMEN_OK);
    note_answer(inspect(first + object).type, label, answer);
    return answer;
}
