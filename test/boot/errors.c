/* SPDX-License-Identifier: MIT */
/*
 * Every error of every operation (include/limen/errors.toml), provoked: a valid call with one thing
 * about it changed, or the world around it.
 */
#include "errors.h"

#include "errors_midway.h"
#include "operations.h"

#include <limen/syscall.h>

/* Words that a provocation changes, by name; 0: none. */
enum word { W0 = 1, W1, W2, W3, W4, W5 };

struct provocation {
    enum object object; /* WITHOUT_RIGHTS + one: by a copy of its capability without rights */
    uint32_t label;
    enum limen_error error;
    struct {
        enum word word;
        uint64_t value;
    } change[2];
    void (*before)(void); /* changes the world */
    unsigned words;       /* that the tag announces, if not as many as any operation has */
};

#define WEAK(whose)   ((enum object)(WITHOUT_RIGHTS + (whose)))
#define TABLE_SLOTS   (1u << LIMEN_TABLE_ORDER_MIN)
#define BADGED        3u /* of A_TABLE, an endpoint with a badge */
#define NOT_CANONICAL (1ull << 47)
#define DR7_IO        (0x2ull << 16 | 1)
#define DR7_LONG_CODE (0x4ull << 16 | 1)
#define DR7_GENERAL   (1ull << 13)
#define FAR_AWAY      0x400000000000ull
#define AS_FAR        0x200000000000ull

/* -- worlds -- */

/* Its priority is 0, so it is ready and never runs. */
static void make_ready(void)
{
    expect_ok(limen_thread_resume(slot_of(A_THREAD)));
}

static void take_context(void)
{
    expect_ok(limen_thread_set_context(slot_of(A_THREAD), 0));
}

static void bind_to_another(void)
{
    expect_ok(limen_thread_bind(make(LIMEN_TYPE_THREAD, 0), slot_of(A_NOTIFICATION)));
}

static void unbind_irq(void)
{
    expect_ok(limen_irq_bind(slot_of(AN_IRQ), 0));
}

static void unmap(void)
{
    expect_ok(limen_unmap(slot_of(MAPPED_FRAME)));
}

static void map_frame(void)
{
    expect_ok(limen_map(slot_of(A_FRAME), slot_of(A_SPACE), AN_ADDRESS, LIMEN_RIGHT_READ,
                        LIMEN_CACHE_NORMAL));
}

/* Another frame far away takes the tables that are left. */
static void use_tables_up(void)
{
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    expect_ok(limen_map(frame, slot_of(A_SPACE), FAR_AWAY, LIMEN_RIGHT_READ, LIMEN_CACHE_NORMAL));
}

static void use_memory(void)
{
    expect_ok(limen_retype(slot_of(MORE_MEMORY), LIMEN_TYPE_REPLY, 0, slot_of(NOTHING), 1));
}

static void use_memory_up(void)
{
    expect_ok(limen_retype(slot_of(MORE_MEMORY), LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER,
                           slot_of(NOTHING), 1));
    expect_ok(limen_move(OWN_TABLE, slots(1), 0, slot_of(NOTHING)));
}

/* The slot of A_FRAME and that of MORE_MEMORY hold a piece of a device's. */
static void take_device(enum limen_type type, enum object object)
{
    for (unsigned i = 0; i < machine->untyped_count; i++)
        if (machine->untyped[i].device && machine->untyped[i].order >= LIMEN_PAGE_ORDER) {
            expect_ok(limen_delete(OWN_TABLE, slot_of(object)));
            expect_ok(
                limen_retype(LIMEN_INIT_UNTYPED + i, type, LIMEN_PAGE_ORDER, slot_of(object), 1));
            return;
        }
    fail("this machine has no device memory to test with");
}

static void take_device_frame(void)
{
    take_device(LIMEN_TYPE_FRAME, A_FRAME);
}

static void take_device_memory(void)
{
    take_device(LIMEN_TYPE_UNTYPED, MORE_MEMORY);
}

static void take_device_as_memory(void)
{
    take_device(LIMEN_TYPE_UNTYPED, A_MEMORY);
}

static void make_memory_small(void)
{
    expect_ok(limen_delete(OWN_TABLE, slot_of(MORE_MEMORY)));
    expect_ok(limen_retype(slot_of(A_MEMORY), LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER - 1,
                           slot_of(MORE_MEMORY), 1));
}

static void donate_all_it_takes(void)
{
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++) {
        uint32_t memory = make(LIMEN_TYPE_UNTYPED, LIMEN_PAGE_ORDER);
        expect_ok(limen_space_donate(slot_of(A_SPACE), memory));
    }
}

static void put_badged(void)
{
    expect_ok(limen_mint(slot_of(A_TABLE), BADGED, 0, slot_of(AN_ENDPOINT), LIMEN_RIGHTS_ALL, 7));
}

static void take_page(void)
{
    expect_ok(limen_thread_set_message_page(own_worker()->thread, 0));
}

static void give_page(void)
{
    expect_ok(limen_thread_set_message_page(own_worker()->thread, own_worker()->frame));
}

/* -- what is provoked -- */

static const struct provocation provocations[] = {
#define IN(whose, type, operation, answer, ...)                                                    \
    {                                                                                              \
        .object = (whose), .label = LIMEN_##type##_##operation, .error = LIMEN_##answer,           \
        __VA_ARGS__                                                                                \
    }
    IN(A_MEMORY, UNTYPED, RETYPE, BAD_CAPABILITY, {{W2, SLOT(NOTHING)}}),
    IN(A_MEMORY, UNTYPED, RETYPE, WRONG_TYPE, {{W2, SLOT(A_FRAME)}}),
    IN(A_MEMORY, UNTYPED, RETYPE, WRONG_TYPE, {{W0, LIMEN_TYPE_REPLY}}, take_device_as_memory),
    IN(A_MEMORY, UNTYPED, RETYPE, NO_RIGHT, {{W2, SLOT(WEAK(A_TABLE))}, {W3, 1}}),
    IN(A_MEMORY, UNTYPED, RETYPE, BAD_ARGUMENT, {{W1, LIMEN_PAGE_ORDER + 1}}),
    IN(A_MEMORY, UNTYPED, RETYPE, BAD_ARGUMENT, {{W0, LIMEN_TYPE_PORTS}}),
    IN(A_MEMORY, UNTYPED, RETYPE, OUT_OF_RANGE, {{W4, 0}}),
    IN(A_MEMORY, UNTYPED, RETYPE, OUT_OF_RANGE, {{W4, LIMEN_RETYPE_COUNT_MAX + 1}}),
    IN(A_MEMORY, UNTYPED, RETYPE, OUT_OF_RANGE, {{W3, NO_SLOT}}),
    IN(A_MEMORY, UNTYPED, RETYPE, SLOT_OCCUPIED, {{W3, SLOT(A_FRAME)}}),
    IN(A_MEMORY, UNTYPED, RETYPE, NO_MEMORY, {{W1, LIMEN_LARGE_PAGE_ORDER}}),
    IN(A_MEMORY, UNTYPED, RETYPE, NO_MEMORY, {{W4, 2}}),

#define TO_TABLE(operation)                                                                        \
    IN(WEAK(A_TABLE), TABLE, operation, NO_RIGHT, {{W0, 1}}),                                      \
        IN(A_TABLE, TABLE, operation, BAD_CAPABILITY, {{W2, SLOT(NOTHING)}}),                      \
        IN(A_TABLE, TABLE, operation, BAD_CAPABILITY, {{W1, SLOT(NOTHING)}}),                      \
        IN(A_TABLE, TABLE, operation, BAD_CAPABILITY, {{W1, SLOT(A_TABLE)}, {W2, TABLE_SLOTS}}),   \
        IN(A_TABLE, TABLE, operation, WRONG_TYPE, {{W1, SLOT(A_FRAME)}}),                          \
        IN(A_TABLE, TABLE, operation, NO_RIGHT, {{W1, SLOT(WEAK(A_TABLE))}}),                      \
        IN(A_TABLE, TABLE, operation, OUT_OF_RANGE, {{W0, 0}}),                                    \
        IN(A_TABLE, TABLE, operation, OUT_OF_RANGE, {{W0, TABLE_SLOTS}}),                          \
        IN(A_TABLE, TABLE, operation, SLOT_OCCUPIED, {{W0, ENTRY}})
    TO_TABLE(COPY),
    TO_TABLE(MINT),
    TO_TABLE(MOVE),
    IN(A_TABLE, TABLE, COPY, NOT_SUPPORTED, {{W2, SLOT(A_MEMORY)}}),
    IN(A_TABLE, TABLE, MINT, WRONG_TYPE, {{W2, SLOT(A_FRAME)}}),
    IN(A_TABLE, TABLE, MINT, NO_RIGHT, {{W1, SLOT(A_TABLE)}, {W2, BADGED}}, put_badged),
    IN(WEAK(A_TABLE), TABLE, DELETE, NO_RIGHT),
    IN(A_TABLE, TABLE, DELETE, OUT_OF_RANGE, {{W0, 0}}),
    IN(A_TABLE, TABLE, DELETE, OUT_OF_RANGE, {{W0, TABLE_SLOTS}}),
    IN(WEAK(A_TABLE), TABLE, REVOKE, NO_RIGHT),
    IN(A_TABLE, TABLE, REVOKE, OUT_OF_RANGE, {{W0, 0}}),
    IN(A_TABLE, TABLE, REVOKE, OUT_OF_RANGE, {{W0, TABLE_SLOTS}}),
    IN(WEAK(A_TABLE), TABLE, INSPECT, NO_RIGHT),
    IN(A_TABLE, TABLE, INSPECT, OUT_OF_RANGE, {{W0, TABLE_SLOTS}}),
    IN(WEAK(A_TABLE), TABLE, INFO, NO_RIGHT),

    IN(WEAK(A_THREAD), THREAD, CONFIGURE, NO_RIGHT),
    IN(A_THREAD, THREAD, CONFIGURE, BAD_CAPABILITY, {{W0, SLOT(NOTHING)}}),
    IN(A_THREAD, THREAD, CONFIGURE, BAD_CAPABILITY, {{W1, SLOT(NOTHING)}}),
    IN(A_THREAD, THREAD, CONFIGURE, BAD_CAPABILITY, {{W2, SLOT(NOTHING)}}),
    IN(A_THREAD, THREAD, CONFIGURE, WRONG_TYPE, {{W0, SLOT(A_TABLE)}}),
    IN(A_THREAD, THREAD, CONFIGURE, WRONG_TYPE, {{W1, SLOT(A_SPACE)}}),
    IN(A_THREAD, THREAD, CONFIGURE, WRONG_TYPE, {{W2, SLOT(A_NOTIFICATION)}}),
    IN(A_THREAD, THREAD, CONFIGURE, NO_RIGHT, {{W0, SLOT(WEAK(A_SPACE))}}),
    IN(A_THREAD, THREAD, CONFIGURE, NO_RIGHT, {{W1, SLOT(WEAK(A_TABLE))}}),
    IN(A_THREAD, THREAD, CONFIGURE, NO_RIGHT, {{W2, SLOT(WEAK(AN_ENDPOINT))}}),
    IN(A_THREAD, THREAD, CONFIGURE, BUSY, {{0}}, make_ready),
    IN(WEAK(A_THREAD), THREAD, SET_PRIORITY, NO_RIGHT),
    IN(A_THREAD, THREAD, SET_PRIORITY, NO_RIGHT, {{W0, TEST_PRIORITY + 50}}),
    IN(A_THREAD, THREAD, SET_PRIORITY, OUT_OF_RANGE, {{W0, 256}}),
    IN(WEAK(A_THREAD), THREAD, SET_REGS, NO_RIGHT),
    IN(A_THREAD, THREAD, SET_REGS, BUSY, {{0}}, make_ready),
    IN(A_THREAD, THREAD, SET_REGS, BAD_ARGUMENT, {{0}}, NULL, LIMEN_REGS_WORDS - 1),
    IN(A_THREAD, THREAD, SET_REGS, BAD_ARGUMENT, {{0}}, NULL, LIMEN_WORDS_MAX + 1),
    IN(WEAK(A_THREAD), THREAD, GET_REGS, NO_RIGHT),
    IN(A_THREAD, THREAD, GET_REGS, BUSY, {{0}}, make_ready),
    IN(A_THREAD, THREAD, GET_REGS, NO_MESSAGE_PAGE, {{0}}, take_page, 1),
    IN(WEAK(A_THREAD), THREAD, RESUME, NO_RIGHT),
    IN(A_THREAD, THREAD, RESUME, BUSY, {{0}}, make_ready),
    IN(A_THREAD, THREAD, RESUME, NOT_CONFIGURED, {{0}}, take_context),
    IN(WEAK(A_THREAD), THREAD, SUSPEND, NO_RIGHT),
    IN(WEAK(A_THREAD), THREAD, SET_NAME, NO_RIGHT),
    IN(WEAK(A_THREAD), THREAD, INFO, NO_RIGHT),
    IN(WEAK(A_THREAD), THREAD, WAIT_INFO, NO_RIGHT),
#define NAMES(whose, type, operation, word, kind)                                                  \
    IN(WEAK(whose), type, operation, NO_RIGHT),                                                    \
        IN(whose, type, operation, BAD_CAPABILITY, {{word, SLOT(NOTHING)}}),                       \
        IN(whose, type, operation, WRONG_TYPE, {{word, SLOT(A_TABLE)}}),                           \
        IN(whose, type, operation, NO_RIGHT, {{word, SLOT(WEAK(kind))}})
    NAMES(A_THREAD, THREAD, SET_MESSAGE_PAGE, W0, A_FRAME),
    IN(A_THREAD, THREAD, SET_MESSAGE_PAGE, BAD_ARGUMENT, {{0}}, take_device_frame),
    NAMES(A_THREAD, THREAD, BIND, W0, A_NOTIFICATION),
    IN(A_THREAD, THREAD, BIND, BUSY, {{0}}, bind_to_another),
    IN(WEAK(A_THREAD), THREAD, SET_BASES, NO_RIGHT),
    IN(A_THREAD, THREAD, SET_BASES, BAD_ARGUMENT, {{W0, NOT_CANONICAL}}),
    IN(A_THREAD, THREAD, SET_BASES, BAD_ARGUMENT, {{W1, NOT_CANONICAL}}),
    IN(WEAK(A_THREAD), THREAD, SET_DEBUG, NO_RIGHT),
    IN(A_THREAD, THREAD, SET_DEBUG, BAD_ARGUMENT, {{W3, LIMEN_USER_END}}),
    IN(A_THREAD, THREAD, SET_DEBUG, BAD_ARGUMENT, {{W4, DR7_GENERAL}}),
    IN(A_THREAD, THREAD, SET_DEBUG, BAD_ARGUMENT, {{W4, DR7_IO}}),
    IN(A_THREAD, THREAD, SET_DEBUG, BAD_ARGUMENT, {{W4, DR7_LONG_CODE}}),
    IN(WEAK(A_THREAD), THREAD, SET_REFLECTION, NO_RIGHT),
    IN(A_THREAD, THREAD, SET_REFLECTION, OUT_OF_RANGE, {{W0, LIMEN_USER_END}}),
    IN(A_THREAD, THREAD, SET_REFLECTION, OUT_OF_RANGE, {{W1, LIMEN_USER_END}}),
    NAMES(A_THREAD, THREAD, SET_CONTEXT, W0, A_CONTEXT),
    IN(WEAK(A_THREAD), THREAD, SET_PASSIVE, NO_RIGHT),
    IN(A_THREAD, THREAD, SET_PASSIVE, BAD_ARGUMENT, {{W0, 2}}),
    NAMES(A_THREAD, THREAD, LAUNCH, W4, A_FRAME),
    IN(A_THREAD, THREAD, LAUNCH, BAD_ARGUMENT, {{0}}, take_device_frame),
    IN(A_THREAD, THREAD, LAUNCH, BAD_ARGUMENT, {{W3, NOT_CANONICAL}}),
    IN(A_THREAD, THREAD, LAUNCH, OUT_OF_RANGE, {{W5, 256}}),
    IN(A_THREAD, THREAD, LAUNCH, NO_RIGHT, {{W5, 255}}),
    IN(A_THREAD, THREAD, LAUNCH, BUSY, {{0}}, make_ready),
    IN(A_THREAD, THREAD, LAUNCH, NOT_CONFIGURED, {{0}}, take_context),

    IN(WEAK(A_SPACE), SPACE, DONATE, NO_RIGHT),
    IN(A_SPACE, SPACE, DONATE, BAD_CAPABILITY, {{W0, SLOT(NOTHING)}}),
    IN(A_SPACE, SPACE, DONATE, WRONG_TYPE, {{W0, SLOT(A_FRAME)}}),
    IN(A_SPACE, SPACE, DONATE, BUSY, {{0}}, use_memory),
    IN(A_SPACE, SPACE, DONATE, BUSY, {{0}}, take_device_memory),
    IN(A_SPACE, SPACE, DONATE, OUT_OF_RANGE, {{0}}, make_memory_small),
    IN(A_SPACE, SPACE, DONATE, LIMIT, {{0}}, donate_all_it_takes),
    IN(WEAK(A_SPACE), SPACE, INFO, NO_RIGHT),

    NAMES(A_FRAME, FRAME, MAP, W0, A_SPACE),
    IN(A_FRAME, FRAME, MAP, BAD_ARGUMENT, {{W2, 0}}),
    IN(A_FRAME, FRAME, MAP, BAD_ARGUMENT, {{W2, LIMEN_RIGHT_GRANT}}),
    IN(A_FRAME, FRAME, MAP, BAD_ARGUMENT, {{W2, LIMEN_RIGHT_WRITE | LIMEN_RIGHT_EXECUTE}}),
    IN(A_FRAME, FRAME, MAP, BAD_ARGUMENT, {{W3, LIMEN_CACHE_NONE}}),
    IN(A_FRAME, FRAME, MAP, BAD_ARGUMENT, {{W3, LIMEN_CACHE_NONE + 1}}),
    IN(A_FRAME, FRAME, MAP, MISALIGNED, {{W1, AN_ADDRESS + 8}}),
    IN(A_FRAME, FRAME, MAP, OUT_OF_RANGE, {{W1, 0}}),
    IN(A_FRAME, FRAME, MAP, OUT_OF_RANGE, {{W1, LIMEN_USER_END}}),
    IN(A_FRAME, FRAME, MAP, ALREADY_MAPPED, {{W1, AN_ADDRESS + LIMEN_PAGE_SIZE}}),
    IN(A_FRAME, FRAME, MAP, ALREADY_MAPPED, {{W1, AN_ADDRESS + 2 * LIMEN_PAGE_SIZE}}, map_frame),
    IN(A_FRAME, FRAME, MAP, NO_TABLES, {{W1, AS_FAR}}, use_tables_up),
    IN(MAPPED_FRAME, FRAME, UNMAP, NOT_MAPPED, {{0}}, unmap),

    IN(WEAK(A_CONTROL), IRQ_CONTROL, ISSUE, NO_RIGHT),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, BAD_CAPABILITY, {{W2, SLOT(NOTHING)}}),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, WRONG_TYPE, {{W2, SLOT(A_FRAME)}}),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, WRONG_TYPE, {{0}}, take_device_memory),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, OUT_OF_RANGE, {{W0, 100000}}),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, OUT_OF_RANGE, {{W3, 0}}),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, BAD_ARGUMENT, {{W1, LIMEN_IRQ_LEVEL_LOW + 1}}),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, BUSY, {{W0, LINE}}),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, NO_MEMORY, {{0}}, use_memory_up),
    IN(A_CONTROL, IRQ_CONTROL, ISSUE, SLOT_OCCUPIED, {{W3, SLOT(A_FRAME)}}),
    NAMES(AN_IRQ, IRQ, BIND, W0, A_NOTIFICATION),
    IN(WEAK(AN_IRQ), IRQ, ACK, NO_RIGHT),
    IN(AN_IRQ, IRQ, ACK, NOT_CONFIGURED, {{0}}, unbind_irq),

    IN(WEAK(A_PORT), PORTS, IN, NO_RIGHT),
    IN(A_PORT, PORTS, IN, OUT_OF_RANGE, {{W0, HARMLESS_PORT + 1}}),
    IN(A_PORT, PORTS, IN, OUT_OF_RANGE, {{W1, 2}}),
    IN(A_PORT, PORTS, IN, BAD_ARGUMENT, {{W1, 3}}),
    IN(WEAK(A_PORT), PORTS, OUT, NO_RIGHT),
    IN(A_PORT, PORTS, OUT, OUT_OF_RANGE, {{W0, HARMLESS_PORT - 1}}),
    IN(A_PORT, PORTS, OUT, BAD_ARGUMENT, {{W1, 8}}),
    IN(WEAK(A_PORT), PORTS, OUT_BYTES, NO_RIGHT),
    IN(A_PORT, PORTS, OUT_BYTES, OUT_OF_RANGE, {{W0, HARMLESS_PORT + 1}}),
    IN(A_PORT, PORTS, OUT_BYTES, BAD_ARGUMENT, {{W1, 0}}),
    IN(A_PORT, PORTS, OUT_BYTES, BAD_ARGUMENT, {{W1, 49}}),
    IN(A_PORT, PORTS, NARROW, OUT_OF_RANGE, {{W1, HARMLESS_PORT + 1}}),
    IN(A_PORT, PORTS, NARROW, OUT_OF_RANGE, {{W2, 0}}),
    IN(A_PORT, PORTS, NARROW, SLOT_OCCUPIED, {{W2, SLOT(A_FRAME)}}),

    IN(WEAK(A_CONTEXT), CONTEXT, CONFIGURE, NO_RIGHT, {{W2, UNLIMITED}}),
    IN(A_CONTEXT, CONTEXT, CONFIGURE, NO_RIGHT, {{W2, SLOT(WEAK(A_CONTEXT))}}),
    IN(A_CONTEXT, CONTEXT, CONFIGURE, NO_RIGHT),
    IN(A_CONTEXT, CONTEXT, CONFIGURE, BAD_CAPABILITY, {{W2, SLOT(NOTHING)}}),
    IN(A_CONTEXT, CONTEXT, CONFIGURE, WRONG_TYPE, {{W2, SLOT(A_FRAME)}}),
    IN(A_CONTEXT, CONTEXT, CONFIGURE, OUT_OF_RANGE, {{W0, 1}, {W2, UNLIMITED}}),
    NAMES(A_CONTEXT, CONTEXT, SET_HANDLER, W0, AN_ENDPOINT),
    IN(WEAK(A_CONTEXT), CONTEXT, INFO, NO_RIGHT),

    IN(WEAK(A_KERNEL), KERNEL, LOG_READ, NO_RIGHT),
    IN(A_KERNEL, KERNEL, LOG_READ, NO_MESSAGE_PAGE, {{0}}, take_page, 1),
    IN(WEAK(A_KERNEL), KERNEL, LOG_WRITE, NO_RIGHT),
    IN(A_KERNEL, KERNEL, LOG_WRITE, BAD_ARGUMENT, {{W0, 0}}),
    IN(A_KERNEL, KERNEL, LOG_WRITE, BAD_ARGUMENT, {{W0, 49}}),
    IN(WEAK(A_KERNEL), KERNEL, COUNTER, NO_RIGHT),
    IN(A_KERNEL, KERNEL, COUNTER, OUT_OF_RANGE, {{W0, LIMEN_COUNTER_COUNT}}),
    IN(WEAK(A_KERNEL), KERNEL, COUNTER_RESET, NO_RIGHT),
    IN(A_KERNEL, KERNEL, COUNTER_RESET, BAD_ARGUMENT, {{W0, LIMEN_COUNTER_ENTRIES}}),
    IN(WEAK(A_KERNEL), KERNEL, STOP, NO_RIGHT),
    IN(A_KERNEL, KERNEL, STOP, NO_RIGHT),
    IN(WEAK(A_KERNEL), KERNEL, FAST_PATH, NO_RIGHT),
    IN(WEAK(A_KERNEL), KERNEL, CHECK, NO_RIGHT),
    IN(A_KERNEL, KERNEL, CHECK, NO_RIGHT),
};
#define PROVOCATIONS (sizeof provocations / sizeof provocations[0])

static void make_weak_copies(void)
{
    for (enum object object = 0; object < NOTHING; object++)
        if (object != A_MEMORY && object != MORE_MEMORY)
            expect_ok(limen_copy(OWN_TABLE, slot_of(WEAK(object)), 0, slot_of(object), 0));
}

/* The valid call that the provocation changes. */
static const struct operation *operation_of(const struct provocation *row)
{
    enum object object = row->object % WITHOUT_RIGHTS;

    for (unsigned i = 0; i < operation_count; i++)
        if (operations[i].object == object && operations[i].label == row->label)
            return &operations[i];
    fail("object %u has no operation %u in the table", object, row->label);
}

static enum limen_error answer_to(const struct provocation *row)
{
    const struct operation *operation = operation_of(row);
    unsigned count = row->words ? row->words : LIMEN_REGS_WORDS;
    struct message message = {.tag = limen_tag(row->label, count, 0)};

    for (unsigned i = 0; i < 8; i++)
        message.words[i] = word_to_send(operation->words[i]);
    for (unsigned i = 0; i < 2; i++)
        if (row->change[i].word)
            message.words[row->change[i].word - W0] = word_to_send(row->change[i].value);
    if (row->before)
        row->before();
    expect_ok(transfer(LIMEN_SYS_CALL, slot_of(row->object), 0, LIMEN_FOREVER, &message));
    give_page();
    return (enum limen_error)limen_tag_label(message.tag);
}

/* All that the table has of a type. */
static void provoke_all(enum limen_type type)
{
    begin_with_objects();
    forget_answers();
    for (unsigned i = 0; i < PROVOCATIONS; i++) {
        const struct provocation *row = &provocations[i];
        if (inspect(slot_of(row->object % WITHOUT_RIGHTS)).type != type)
            continue;
        make_weak_copies();
        enum limen_error answer = answer_to(row);
        if (answer != row->error)
            fail("row %u, operation %u: %s, want %s", i, row->label, limen_error_text(answer),
                 limen_error_text(row->error));
        note_answer(type, row->label, answer);
        make_objects();
    }
}

/* -- a test for each type -- */

static void expect_all_of(enum limen_type type, void (*provoke_more)(void))
{
    provoke_all(type);
    if (provoke_more)
        provoke_more();
    expect_all_noted(type);
}

TEST(errors, of_untyped_memory)
{
    expect_all_of(LIMEN_TYPE_UNTYPED, provoke_retype_of_what_is_deleted);
}

TEST(errors, of_tables)
{
    expect_all_of(LIMEN_TYPE_TABLE, provoke_loss_of_the_table);
}

TEST(errors, of_threads)
{
    expect_all_of(LIMEN_TYPE_THREAD, NULL);
}

TEST(errors, of_spaces)
{
    expect_all_of(LIMEN_TYPE_SPACE, NULL);
}

TEST(errors, of_frames)
{
    expect_all_of(LIMEN_TYPE_FRAME, provoke_map_in_what_is_emptied);
}

TEST(errors, of_interrupt_control)
{
    expect_all_of(LIMEN_TYPE_IRQ_CONTROL, NULL);
}

TEST(errors, of_interrupts)
{
    expect_all_of(LIMEN_TYPE_IRQ, NULL);
}

TEST(errors, of_ports)
{
    expect_all_of(LIMEN_TYPE_PORTS, NULL);
}

/* The context that the machine started with pays for whoever has no other. */
static void provoke_on_the_first_context(void)
{
    uint64_t words[8] = {0, 0, UNLIMITED};
    note_answer(LIMEN_TYPE_CONTEXT, LIMEN_CONTEXT_CONFIGURE,
                invoke(UNLIMITED, LIMEN_CONTEXT_CONFIGURE, words));
}

TEST(errors, of_contexts)
{
    expect_all_of(LIMEN_TYPE_CONTEXT, provoke_on_the_first_context);
}

/* What only some builds can do: the kernel with its checks both, the one that is released neither,
 * the one that measures the first. */
static void provoke_for_want_of_the_build(void)
{
    static const uint32_t labels[] = {LIMEN_KERNEL_COUNTER, LIMEN_KERNEL_CHECK};
    bool with_checks = counter(LIMEN_COUNTER_ENTRIES) != 0;

    for (unsigned i = 0; i < 2; i++) {
        uint64_t words[8] = {LIMEN_COUNTER_MAX_IRQS_OFF};
        enum limen_error error = invoke(KERNEL, labels[i], words);
        if (with_checks || (i == 0 && error == LIMEN_OK))
            expect_ok(error);
        else
            expect_error(error, LIMEN_NOT_SUPPORTED);
        note_answer(LIMEN_TYPE_KERNEL, labels[i], LIMEN_NOT_SUPPORTED);
    }
}

TEST(errors, of_the_kernel)
{
    expect_all_of(LIMEN_TYPE_KERNEL, provoke_for_want_of_the_build);
}

/* A message announced that the caller has no page for is no operation's own error. */
TEST(errors, of_all_without_a_message_page)
{
    struct message message = {0};

    begin_with_objects();
    for (unsigned i = 0; i < operation_count; i++) {
        message.tag = limen_tag(operations[i].label, LIMEN_WORDS_IN_REGISTERS + 1, 0);
        take_page();
        expect_ok(
            transfer(LIMEN_SYS_CALL, slot_of(operations[i].object), 0, LIMEN_FOREVER, &message));
        give_page();
        expect_error(limen_tag_label(message.tag), LIMEN_NO_MESSAGE_PAGE);
    }
}
