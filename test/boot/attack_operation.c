/* SPDX-License-Identifier: MIT */
/*
 * Addresses of the kernel's in each argument of each operation.  All other arguments are as they
 * must be, so that it is this argument's own check that has to refuse; and as an error changes
 * nothing, the operation succeeds after all the refusals.  The kernel itself is asked which
 * operations there are, so that none can be missing from the table.
 */
#include "attack.h"
#include "errors.h"
#include "operations.h"

#include <limen/boot.h>
#include <string.h>

static void words_of(const struct operation *operation, uint64_t words[8])
{
    for (unsigned i = 0; i < 8; i++)
        words[i] = word_to_send(operation->words[i]);
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

    begin_with_objects();
    for (const struct operation *operation = operations; operation < operations + operation_count;
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

    begin_with_objects();
    for (const struct operation *operation = operations; operation < operations + operation_count;
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
    enum limen_type type = inspect(slot_of(object)).type;

    for (unsigned i = 0; i < operation_count; i++)
        if (operations[i].label == label && inspect(slot_of(operations[i].object)).type == type)
            return true;
    return false;
}

TEST(attack_operation, the_table_has_all_there_are)
{
    static const uint64_t words[8] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
                                      UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

    begin_with_objects();
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
