/* SPDX-License-Identifier: MIT */
/*
 * Addresses of the kernel's in each argument of each operation.  All other arguments are as they
 * must be, so that it is this argument's own check that has to refuse; and as an error changes
 * nothing, the operation succeeds after all the refusals.  The kernel itself is asked which
 * operations there are, so that none can be missing from the table.
 */
#include "attack.h"

#include <limen/boot.h>
#include <string.h>

/* Slots, from `first` up. */
enum object {
    A_MEMORY,
    A_TABLE,
    A_THREAD,
    A_SPACE,
    A_FRAME,
    A_CONTROL, /* of interrupts */
    AN_IRQ,
    A_PORT,
    A_KERNEL,  /* without the right to stop it */
    A_CONTEXT, /* no authority to set budgets */
    OBJECTS,
    /* What operations need besides. */
    MORE_MEMORY = OBJECTS,
    MAPPED_FRAME,
    AN_ENDPOINT,
    A_NOTIFICATION,
    NOTHING,
    SLOTS,
};
static uint32_t pool, first;

#define HARMLESS_PORT 0x80u /* where firmware shows its progress */
#define LINE          5u    /* an interrupt of no device */
#define ENTRY         2u    /* of A_TABLE, that holds something */
#define AN_ADDRESS    0x10000000ull
#define POOL_ORDER    18u

/* Stands for the index of a slot. */
#define SLOT_MARK       0x510f000000000000ull
#define SLOT_MASK       0xffff000000000000ull
#define SLOT(object)    (SLOT_MARK | (object))
#define WORDS_FROM(low) ((uint8_t)(0xff << (low)))

static const struct operation {
    enum object object;
    uint32_t label;
    enum limen_error answer; /* to these words */
    unsigned arguments;      /* how many of them are looked at */
    uint8_t data;            /* those of which any value is as good as another, as a mask */
    uint64_t words[8];
} operations[] = {
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
#define OPERATIONS (sizeof operations / sizeof operations[0])

static void make_here(enum object object, enum limen_type type, unsigned order)
{
    expect_ok(limen_retype(pool, type, order, first + object, 1));
}

/* All objects, new and as the table of operations wants them. */
static void make_objects(void)
{
    if (!pool) {
        pool = make(LIMEN_TYPE_UNTYPED, POOL_ORDER);
        first = slots(SLOTS);
    }
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

static void prepare(void)
{
    pool = 0;
    make_objects();
}

static enum limen_error ask(enum object object, uint32_t label, const uint64_t words[8])
{
    struct limen_regs regs =
        call_and_look(LIMEN_SYS_CALL, first + object, limen_tag(label, LIMEN_REGS_WORDS, 0), words);
    expect_equal(regs.rax, LIMEN_OK);
    return (enum limen_error)limen_tag_label(regs.rsi);
}

static void words_of(const struct operation *operation, uint64_t words[8])
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t word = operation->words[i];
        words[i] = (word & SLOT_MASK) == SLOT_MARK ? first + (word & ~SLOT_MASK) : word;
    }
}

#define VALUES 14u

/* Values that nothing but data can have: addresses that are not ring 3's, and what would be the
 * right word `was` if only the lower half of it, or all but the highest bits, were looked at. */
static uint64_t bad_value(unsigned i, uint64_t was)
{
    const uint64_t values[VALUES] = {
        LIMEN_USER_END,     1ull << 47,
        LIMEN_PHYSMAP_BASE, LIMEN_PHYSMAP_BASE | 0x10000000,
        LIMEN_STACKS_BASE,  LIMEN_BOOT_STACK_BASE,
        LIMEN_CPUS_BASE,    LIMEN_KERNEL_BASE,
        -LIMEN_PAGE_SIZE,   UINT64_MAX,
        1ull << 63,         was | 1ull << 48,
        was | 1ull << 63,   was | 0xffffffff00000000,
    };
    return values[i];
}

static void expect_answer(const struct operation *operation, const uint64_t words[8],
                          const char *when, unsigned word)
{
    enum limen_error answer = ask(operation->object, operation->label, words);
    if (answer != operation->answer)
        fail("object %u, operation %u, %s %u, 0x%lx: %s", operation->object, operation->label, when,
             word, words[word], limen_error_text(answer));
}

static bool is_data(const struct operation *operation, unsigned word)
{
    return operation->data >> word & 1;
}

TEST(attack_operation, each_argument_is_looked_at_whole)
{
    uint64_t words[8];

    prepare();
    for (const struct operation *operation = operations; operation < operations + OPERATIONS;
         operation++) {
        for (unsigned word = 0; word < operation->arguments; word++)
            for (unsigned i = 0; i < VALUES && !is_data(operation, word); i++) {
                words_of(operation, words);
                words[word] = bad_value(i, words[word]);
                enum limen_error answer = ask(operation->object, operation->label, words);
                if (answer == LIMEN_OK || answer == LIMEN_BAD_OPERATION)
                    fail("object %u, operation %u, word %u, 0x%lx: %s", operation->object,
                         operation->label, word, bad_value(i, operation->words[word]),
                         limen_error_text(answer));
            }
        words_of(operation, words);
        expect_answer(operation, words, "after what it refused", 0);
        make_objects();
    }
}

/* Data, and words that the operation has no use for, are never taken for addresses. */
TEST(attack_operation, other_words_make_no_difference)
{
    uint64_t words[8];

    prepare();
    for (const struct operation *operation = operations; operation < operations + OPERATIONS;
         operation++)
        for (unsigned i = 0; i < VALUES; i++) {
            for (unsigned word = 0; word < operation->arguments; word++) {
                if (!is_data(operation, word))
                    continue;
                words_of(operation, words);
                words[word] = bad_value(i, words[word]);
                expect_answer(operation, words, "data of word", word);
                make_objects();
            }
            words_of(operation, words);
            for (unsigned word = operation->arguments; word < 8; word++)
                words[word] = bad_value(i, words[word]);
            expect_answer(operation, words, "words not used, from", operation->arguments & 7);
            make_objects();
        }
    expect_ok(limen_log_write(KERNEL, "\n", 1)); /* ends the line of data in the log */
}

static bool is_in_table(enum object object, uint32_t label)
{
    enum limen_type type = inspect(first + object).type;

    for (unsigned i = 0; i < OPERATIONS; i++)
        if (operations[i].label == label && inspect(first + operations[i].object).type == type)
            return true;
    return false;
}

TEST(attack_operation, the_table_has_all_there_are)
{
    static const uint64_t words[8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                      UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

    prepare();
    for (enum object object = 0; object < OBJECTS; object++)
        for (unsigned i = 0; i < 64 + 26; i++) {
            uint32_t label = i < 64 ? i : 1u << (i - 64 + 6);
            bool listed = is_in_table(object, label);
            enum limen_error answer = ask(object, label, words);
            if (listed != (answer != LIMEN_BAD_OPERATION))
                fail("object %u, operation %u: %s, but the table has it %s", object, label,
                     limen_error_text(answer), listed ? "listed" : "not");
            if (answer == LIMEN_OK)
                make_objects();
        }
    for (uint32_t label = 0; label < 64; label++)
        expect_error(ask(A_NOTIFICATION, label, words), LIMEN_WRONG_TYPE);
}

/* Every register of a frame, set to each of the values, runs or faults, and is there after that. */
TEST(attack_operation, every_register_of_a_frame)
{
    struct victim victim = new_victim();

    for (unsigned word = 0; word < LIMEN_REGS_WORDS; word++)
        for (unsigned i = 0; i < VALUES; i++) {
            struct limen_regs regs = attack_at(&victim, snippet_ud2);
            uint64_t *changed = &limen_regs_words(&regs)[word];
            *changed = bad_value(i, *changed);
            bool settable = changed != &regs.cs && changed != &regs.ss && changed != &regs.rflags;
            uint64_t value = *changed;
            run_victim(&victim, &regs);
            struct fault fault = next_fault(&victim);
            if (changed == &regs.rip)
                expect(fault.detail[0] == PAGE_FAULT || fault.detail[0] == GENERAL_PROTECTION);
            else if (!(fault.regs.rflags & FLAG_TF))
                expect_equal(fault.detail[0], INVALID_OPCODE);
            if (settable && changed != &regs.origin && changed != &regs.error)
                expect_equal(limen_regs_words(&fault.regs)[word], value);
            expect_equal(fault.regs.cs, own_cs());
            expect_equal(fault.regs.ss, own_ss());
            expect_ok(limen_thread_suspend(victim.worker->thread));
        }
}
