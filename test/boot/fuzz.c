/* SPDX-License-Identifier: MIT */
/*
 * The fuzzer of system calls: random operations on random capabilities, most of them meant well and
 * the rest not, while threads that it starts send and wait, and others interfere in its windows.
 *
 * `suite=fuzz seed=N calls=N` runs it.  All it does follows from the seed where instructions are
 * counted (icount), so a failure is seen again with the seed it names; `trace=N` prints every call
 * from the N-th on.  After each batch of calls the kernel looks itself over (LIMEN_KERNEL_CHECK),
 * and the fuzzer compares what capabilities there are with those it knows of (fuzz_shadow.h).
 */
#include "errors.h"
#include "fuzz_shadow.h"
#include "fuzz_threads.h"

#include <limen/message.h>
#include <runtime/environment.h>
#include <stdio.h>
#include <string.h>

#define BATCH         512u
#define CALLS_DEFAULT 50000u
#define MEMORY_ORDER  22u
#define DEVICE_ORDER  15u
#define PORT          0x80u /* of nobody since there are boot codes */
#define PORT_LAST     0x87u
#define RINGING       24u /* calls remembered for a failure */

/* What the fuzzer starts with, at the area's first slots. */
enum { MEMORY = AREA_FIRST, DEVICE, LINES, SOME_PORTS, COUNTERS, FRAMES };
#define FRAMES_COUNT 4u /* message pages that hold something */
#define FREE_FIRST   (FRAMES + FRAMES_COUNT)

/* Where it maps in its own space, and in others. */
#define WINDOW_FIRST 0x0000500000000000ull

struct call {
    uint32_t slot, label;
    uint64_t words[8];
    enum limen_error error;
};

static struct {
    uint64_t state; /* of the random numbers */
    uint64_t calls, done;
    uint64_t trace; /* print from here on */
    struct call last[RINGING];
    struct limen_message_page *pages[FRAMES_COUNT];
} run;

static unsigned below(unsigned limit)
{
    return fuzz_below(&run.state, limit);
}

static bool chance(unsigned one_in)
{
    return below(one_in) == 0;
}

/* -- telling -- */

static void say(const char *line)
{
    limen_log_write(KERNEL, line, strlen(line));
}

static void say_call(uint64_t number, const struct call *call)
{
    char line[240];
    snprintf(line, sizeof line, "%lu: slot %u label %u: %lx %lx %lx %lx %lx -> %u\n", number,
             call->slot, call->label, call->words[0], call->words[1], call->words[2],
             call->words[3], call->words[4], call->error);
    say(line);
}

static _Noreturn void give_up(const char *why)
{
    say("the last calls:\n");
    uint64_t first = run.calls > RINGING ? run.calls - RINGING : 0;
    for (uint64_t i = first; i < run.calls; i++)
        say_call(i, &run.last[i % RINGING]);
    fail("after %lu calls: %s", run.calls, why);
}

/* -- one call -- */

static enum limen_type type_of(uint32_t slot)
{
    return slot == OWN_TABLE || slot == SHARED_TABLE ? LIMEN_TYPE_TABLE : shadow_type(slot);
}

/* The error, if any, is one of those that the call is declared to have. */
static void expect_declared(const struct call *call, enum limen_type type, uint64_t number)
{
    if (!may_answer(type, number, call->error))
        give_up("the last call is not declared to have its error");
}

/* The memory that the call is to take something of; 0: none. */
static uint32_t memory_of(enum limen_type type, uint32_t slot, uint32_t label,
                          const uint64_t words[8])
{
    uint64_t named = type == LIMEN_TYPE_UNTYPED && label == LIMEN_UNTYPED_RETYPE          ? slot
                     : type == LIMEN_TYPE_IRQ_CONTROL && label == LIMEN_IRQ_CONTROL_ISSUE ? words[2]
                                                                                          : 0;
    return named && shadow_type((uint32_t)named) == LIMEN_TYPE_UNTYPED ? (uint32_t)named : 0;
}

static uint64_t used_of(uint32_t memory)
{
    struct limen_untyped_info info = {0};

    if (memory)
        expect_ok(limen_untyped_info(memory, &info));
    return info.used;
}

/* Makes a call, and keeps account of what it did. */
static void perform_any(uint32_t slot, uint32_t label, const uint64_t given[8])
{
    struct call *call = &run.last[run.calls % RINGING];
    uint64_t words[8];

    *call = (struct call){.slot = slot, .label = label, .error = LIMEN_OK};
    memcpy(call->words, given, sizeof call->words);
    memcpy(words, given, sizeof words);
    if (run.calls >= run.trace)
        say_call(run.calls, call);
    run.calls++;
    enum limen_type type = type_of(slot);
    uint32_t memory = memory_of(type, slot, label, given);
    uint64_t used = used_of(memory);
    call->error = invoke(slot, label, words);
    expect_declared(call, type, type == LIMEN_TYPE_NONE ? SYSTEM_CALL | LIMEN_SYS_CALL : label);
    bool retype = shadow_type(slot) == LIMEN_TYPE_UNTYPED && label == LIMEN_UNTYPED_RETYPE;
    if (call->error == LIMEN_OK || (retype && call->error != LIMEN_NO_RIGHT && words[0] < given[4]))
        shadow_apply(slot, label, given, words[0]);
    else if (used_of(memory) > used)
        give_up("a call that failed took memory");
    run.done += call->error == LIMEN_OK;
}

/* The same on what should have that type.  If it has another, words that mean something else there
 * could name slots that the fuzzer lives on.  And a call on an endpoint could last for ever. */
static void perform(enum limen_type wanted, uint32_t slot, uint32_t label, const uint64_t given[8])
{
    enum limen_type type = shadow_type(slot);
    uint64_t words[8];

    if (type == LIMEN_TYPE_ENDPOINT || type == LIMEN_TYPE_TABLE)
        return;
    for (unsigned i = 0; i < 8; i++) {
        bool other = type != wanted && given[i] < AREA_FIRST;
        words[i] = other && given[i] ? AREA_FIRST + given[i] % AREA_SLOTS : given[i];
    }
    perform_any(slot, label, words);
}

/* The same on a table. */
static void perform_on_table(uint32_t slot, uint32_t label, const uint64_t given[8])
{
    enum limen_type type = shadow_type(slot);
    if (slot == OWN_TABLE || slot == SHARED_TABLE || type == LIMEN_TYPE_TABLE)
        perform_any(slot, label, given);
}

#define DO(type, slot, operation, ...)                                                             \
    perform(LIMEN_TYPE_##type, slot, LIMEN_##type##_##operation, (const uint64_t[8]){__VA_ARGS__})
#define DO_TABLE(slot, label, ...) perform_on_table(slot, label, (const uint64_t[8]){__VA_ARGS__})

/* Mostly a slot of the area with that type; sometimes any, or one there is not. */
static uint32_t pick(enum limen_type type)
{
    uint32_t start = below(AREA_SLOTS);

    if (chance(32))
        return chance(2) ? NO_SLOT : 1u << LIMEN_INIT_TABLE_ORDER;
    if (!chance(16))
        for (uint32_t i = 0; i < AREA_SLOTS; i++) {
            uint32_t slot = AREA_FIRST + (start + i) % AREA_SLOTS;
            if (shadow_type(slot) == type)
                return slot;
        }
    return AREA_FIRST + start;
}

static uint32_t pick_empty(void)
{
    return pick(LIMEN_TYPE_NONE);
}

static uint32_t pick_any(void)
{
    static const enum limen_type types[] = {
        LIMEN_TYPE_UNTYPED, LIMEN_TYPE_TABLE,        LIMEN_TYPE_THREAD,   LIMEN_TYPE_SPACE,
        LIMEN_TYPE_FRAME,   LIMEN_TYPE_ENDPOINT,     LIMEN_TYPE_ENDPOINT, LIMEN_TYPE_REPLY,
        LIMEN_TYPE_IRQ,     LIMEN_TYPE_NOTIFICATION, LIMEN_TYPE_PORTS,    LIMEN_TYPE_KERNEL};
    return pick(types[below(sizeof types / sizeof types[0])]);
}

static uint32_t maybe(uint32_t slot)
{
    return chance(3) ? 0 : slot;
}

static unsigned some_rights(void)
{
    return chance(3) ? below(LIMEN_RIGHTS_ALL + 1) : LIMEN_RIGHTS_ALL;
}

/* Which table an operation names, and an index of it. */
struct where {
    uint32_t table, index;
};

/* A slot of the area, of the shared table or of one of its own making; `own` is how its own table
 * is named. */
static struct where some_place(uint32_t own, uint32_t in_area)
{
    uint32_t table;

    switch (below(6)) {
    case 0:
        return (struct where){SHARED_TABLE, SHARED_FIRST + below(SHARED_END - SHARED_FIRST)};
    case 1:
        table = pick(LIMEN_TYPE_TABLE);
        if (shadow_type(table) == LIMEN_TYPE_TABLE)
            return (struct where){table, below(shadow_table_slots(table) + 1)};
        break;
    default:
        break;
    }
    return (struct where){own, in_area};
}

static void check_kernel(void)
{
    uint64_t words[8] = {0};
    enum limen_error error = invoke(KERNEL, LIMEN_KERNEL_CHECK, words);

    if (error != LIMEN_OK && error != LIMEN_NOT_SUPPORTED)
        give_up("the kernel would not look itself over");
}

/* -- operations -- */

static void retype(void)
{
    static const struct {
        enum limen_type type;
        unsigned order;
    } kinds[] = {
        {LIMEN_TYPE_UNTYPED, 12}, {LIMEN_TYPE_UNTYPED, 17}, {LIMEN_TYPE_UNTYPED, 7},
        {LIMEN_TYPE_TABLE, 4},    {LIMEN_TYPE_TABLE, 5},    {LIMEN_TYPE_THREAD, 0},
        {LIMEN_TYPE_THREAD, 0},   {LIMEN_TYPE_SPACE, 14},   {LIMEN_TYPE_FRAME, 12},
        {LIMEN_TYPE_FRAME, 12},   {LIMEN_TYPE_ENDPOINT, 0}, {LIMEN_TYPE_ENDPOINT, 0},
        {LIMEN_TYPE_REPLY, 0},    {LIMEN_TYPE_REPLY, 0},    {LIMEN_TYPE_NOTIFICATION, 0},
        {LIMEN_TYPE_SPACE, 15},   {LIMEN_TYPE_FRAME, 21},   {LIMEN_TYPE_CONTEXT, 0},
    };
    unsigned kind = below(sizeof kinds / sizeof kinds[0]);
    unsigned count = 1 + below(3);
    struct where to = some_place(0, pick_empty());

    if (kinds[kind].type == LIMEN_TYPE_TABLE && shadow_tables() + count > SHADOW_TABLES_MAX)
        return;
    if (to.table == 0 && to.index < AREA_END && to.index + count > AREA_END)
        count = 1;
    if (to.table == SHARED_TABLE && to.index + count > SHARED_END)
        count = 1;
    uint32_t memory = chance(3) ? MEMORY : chance(16) ? DEVICE : pick(LIMEN_TYPE_UNTYPED);
    DO(UNTYPED, memory, RETYPE, kinds[kind].type, kinds[kind].order, to.table, to.index, count);
    /* What is used up is free again only when all of it is. */
    const struct call *last = &run.last[(run.calls - 1) % RINGING];
    if (memory == MEMORY && last->error == LIMEN_NO_MEMORY && chance(8))
        DO_TABLE(OWN_TABLE, LIMEN_TABLE_REVOKE, MEMORY);
}

static void copy_or_move(void)
{
    struct where to = some_place(OWN_TABLE, pick_empty());
    struct where from = some_place(0, pick_any());

    switch (below(5)) {
    case 0:
        if (from.table || from.index >= FREE_FIRST)
            DO_TABLE(to.table, LIMEN_TABLE_MOVE, to.index, from.table, from.index);
        break;
    case 1:
        from.index = pick(chance(2) ? LIMEN_TYPE_ENDPOINT : LIMEN_TYPE_NOTIFICATION);
        DO_TABLE(to.table, LIMEN_TABLE_MINT, to.index, 0, from.index, some_rights(), 1 + below(7));
        break;
    default:
        DO_TABLE(to.table, LIMEN_TABLE_COPY, to.index, from.table, from.index, some_rights());
        break;
    }
}

/* The capabilities that it starts with are its last resort, and stay. */
static void delete_or_revoke(void)
{
    struct where at =
        some_place(OWN_TABLE, chance(2) ? pick_any() : AREA_FIRST + below(AREA_SLOTS));
    bool revoke = chance(6);

    if (at.table == OWN_TABLE && at.index < FREE_FIRST && (!revoke || !chance(20)))
        return;
    DO_TABLE(at.table, revoke ? LIMEN_TABLE_REVOKE : LIMEN_TABLE_DELETE, at.index);
}

/* What the threads use is made, and taken from under them. */
static void change_shared(void)
{
    static const enum limen_type types[] = {LIMEN_TYPE_ENDPOINT, LIMEN_TYPE_REPLY, LIMEN_TYPE_REPLY,
                                            LIMEN_TYPE_NOTIFICATION};
    enum limen_type type = types[below(4)];
    uint32_t start = SHARED_FIRST + below(SHARED_END - SHARED_FIRST);
    uint32_t slot = shadow_shared(chance(2) ? LIMEN_TYPE_NONE : type, start);

    if (shadow_shared_type(slot) == LIMEN_TYPE_NONE) {
        DO(UNTYPED, MEMORY, RETYPE, type, 0, SHARED_TABLE, slot, 1);
        return;
    }
    DO_TABLE(SHARED_TABLE, chance(8) ? LIMEN_TABLE_REVOKE : LIMEN_TABLE_DELETE, slot);
    if (chance(4))
        check_kernel(); /* before whoever used it has done anything else */
}

static void inspect_something(void)
{
    struct where at = some_place(OWN_TABLE, pick_any());
    DO_TABLE(at.table, chance(4) ? LIMEN_TABLE_INFO : LIMEN_TABLE_INSPECT, at.index);
}

/* Starts a thread of the kind that needs nothing, or lets go of one. */
static void start_thread(uint32_t thread)
{
    uint32_t faults = pick(LIMEN_TYPE_ENDPOINT);
    struct limen_regs regs = {.rip = (uint64_t)fuzz_thread, .rsp = fuzz_random(&run.state)};

    if (chance(2))
        DO(CONTEXT, pick(LIMEN_TYPE_CONTEXT), CONFIGURE, 20000, 100000, UNLIMITED);
    DO(THREAD, thread, CONFIGURE, OWN_SPACE, SHARED_TABLE, faults);
    /* One that is not configured would be launched as one of the test's own, and fault to where the
     * test does. */
    bool configured = shadow_type(thread) == LIMEN_TYPE_THREAD &&
                      limen_thread_configure(thread, OWN_SPACE, SHARED_TABLE, faults) == LIMEN_OK;
    DO(THREAD, thread, SET_CONTEXT, chance(3) ? pick(LIMEN_TYPE_CONTEXT) : UNLIMITED);
    DO(THREAD, thread, SET_PASSIVE, chance(2));
    if (configured && chance(2)) {
        DO(THREAD, thread, LAUNCH, regs.rip, regs.rsp, 0, 0, FRAMES + below(FRAMES_COUNT),
           TEST_PRIORITY - 5 - below(4));
        return;
    }
    DO(THREAD, thread, SET_MESSAGE_PAGE, FRAMES + below(FRAMES_COUNT));
    DO(THREAD, thread, SET_PRIORITY, TEST_PRIORITY - 5 - below(4));
    limen_thread_set_regs(thread, &regs);
    DO(THREAD, thread, RESUME, 0);
}

static uint64_t some_address(void)
{
    return chance(8) ? fuzz_random(&run.state) : (uint64_t)fuzz_calls + below(4096) * 8;
}

/* Breakpoints where the fuzzer's threads run and read, mostly such as are allowed. */
static void set_debug(uint32_t thread)
{
    uint64_t code = (uint64_t)fuzz_thread, words[8];

    for (unsigned i = 0; i < 4; i++)
        words[i] = chance(2) ? code + below(64) : some_address();
    words[4] = chance(8) ? fuzz_random(&run.state) : below(256) | (uint64_t)below(16) << 16;
    perform(LIMEN_TYPE_THREAD, thread, LIMEN_THREAD_SET_DEBUG, words);
}

static void use_thread(void)
{
    uint32_t thread = pick(LIMEN_TYPE_THREAD);

    switch (below(20)) {
    case 16:
        DO(THREAD, thread, SET_BASES, some_address(), some_address());
        break;
    case 17:
        set_debug(thread);
        break;
    case 18:
        DO(THREAD, thread, WAIT_INFO, 0);
        break;
    case 19:
        DO(CONTEXT, pick(LIMEN_TYPE_CONTEXT), INFO, 0);
        break;
    case 12:
        DO(THREAD, thread, SET_CONTEXT, maybe(pick(LIMEN_TYPE_CONTEXT)));
        break;
    case 13:
        DO(THREAD, thread, SET_PASSIVE, below(3));
        break;
    case 14:
        DO(CONTEXT, pick(LIMEN_TYPE_CONTEXT), CONFIGURE, below(50000), 50000 + below(200000),
           chance(8) ? pick(LIMEN_TYPE_CONTEXT) : UNLIMITED);
        break;
    case 15:
        DO(CONTEXT, pick(LIMEN_TYPE_CONTEXT), SET_HANDLER, maybe(pick(LIMEN_TYPE_ENDPOINT)));
        break;
    case 0:
    case 1:
    case 2:
    case 3:
        if (shadow_type(thread) == LIMEN_TYPE_THREAD)
            start_thread(thread);
        break;
    case 4:
        DO(THREAD, thread, CONFIGURE, pick(LIMEN_TYPE_SPACE), pick(LIMEN_TYPE_TABLE),
           pick(LIMEN_TYPE_ENDPOINT));
        break;
    case 5:
        DO(THREAD, thread, GET_REGS, 0);
        break;
    case 6:
        DO(THREAD, thread, SUSPEND, 0);
        break;
    case 7:
        DO(THREAD, thread, SET_MESSAGE_PAGE, maybe(pick(LIMEN_TYPE_FRAME)));
        break;
    case 8:
        DO(THREAD, thread, SET_NAME, 0x7a7a7566, 0);
        break;
    case 9:
        DO(THREAD, thread, SET_REFLECTION, chance(2) ? (uint64_t)fuzz_thread : 0,
           chance(8) ? fuzz_random(&run.state) : below(65536));
        break;
    case 10:
        DO(THREAD, thread, SET_PRIORITY, chance(4) ? 90 + below(200) : below(TEST_PRIORITY));
        break;
    default:
        DO(THREAD, thread, BIND, maybe(pick(LIMEN_TYPE_NOTIFICATION)));
        break;
    }
}

static void use_memory(void)
{
    uint32_t frame = pick(LIMEN_TYPE_FRAME);
    uint64_t address = WINDOW_FIRST + ((uint64_t)below(3) << LIMEN_LARGE_PAGE_ORDER) +
                       ((uint64_t)below(8) << LIMEN_PAGE_ORDER);

    switch (below(6)) {
    case 0: {
        uint32_t memory = pick(LIMEN_TYPE_UNTYPED);
        if (memory != MEMORY)
            DO(SPACE, pick(LIMEN_TYPE_SPACE), DONATE, memory);
        break;
    }
    case 1:
        DO(FRAME, frame, UNMAP, 0);
        break;
    case 2:
        DO(FRAME, frame, INFO, 0);
        break;
    default:
        DO(FRAME, frame, MAP, chance(2) ? OWN_SPACE : pick(LIMEN_TYPE_SPACE),
           chance(16) ? fuzz_random(&run.state) : address, chance(8) ? below(16) : 1 + below(3),
           chance(16));
        break;
    }
}

static void use_device(void)
{
    static const unsigned lines[] = {0, 2, 3, 5, 7, 16, 17, 18, 5000}; /* 0 is wired as 2 */

    switch (below(6)) {
    case 0:
        DO(IRQ_CONTROL, LINES, ISSUE, lines[below(9)], below(4), pick(LIMEN_TYPE_UNTYPED),
           pick_empty());
        break;
    case 1:
        DO(IRQ, pick(LIMEN_TYPE_IRQ), BIND, maybe(pick(LIMEN_TYPE_NOTIFICATION)));
        break;
    case 2:
        DO(IRQ, pick(LIMEN_TYPE_IRQ), ACK, 0);
        break;
    case 3:
        DO(PORTS, pick(LIMEN_TYPE_PORTS), OUT, PORT - 1 + below(10), 1u << below(4), 0);
        break;
    case 4:
        DO(KERNEL, pick(LIMEN_TYPE_KERNEL), COUNTER, below(LIMEN_COUNTER_COUNT + 1));
        break;
    default:
        DO(PORTS, pick(LIMEN_TYPE_PORTS), NARROW, PORT + below(8), PORT + below(9), pick_empty());
        break;
    }
}

/* Any label with any words that cannot reach the slots the fuzzer itself lives on. */
static void misuse(void)
{
    uint64_t words[8];

    for (unsigned i = 0; i < 8; i++)
        words[i] = chance(3) ? fuzz_random(&run.state) | 1ull << 40 : chance(2) ? 0 : pick_any();
    /* Nothing that would give what the shadow does not hear of. */
    perform(LIMEN_TYPE_NONE, pick_any(), 32 + below(1000), words);
}

/* The fuzzer itself sends and waits, but never for long. */
static void communicate(void)
{
    static const uint64_t numbers[] = {LIMEN_SYS_CALL, LIMEN_SYS_REPLY_WAIT, LIMEN_SYS_SEND,
                                       LIMEN_SYS_WAIT, LIMEN_SYS_SEND,       LIMEN_SYS_YIELD};
    static const enum limen_type types[] = {LIMEN_TYPE_ENDPOINT, LIMEN_TYPE_ENDPOINT,
                                            LIMEN_TYPE_NOTIFICATION, LIMEN_TYPE_REPLY};
    struct message message = {.tag = limen_tag(below(3), below(70), 0)};
    uint64_t number = numbers[below(6)] | (chance(2) ? LIMEN_NONBLOCK : 0);
    uint32_t slot = pick(types[below(4)]);

    /* A call on anything but an endpoint is an operation. */
    if ((number & ~(uint64_t)LIMEN_NONBLOCK) == LIMEN_SYS_CALL &&
        shadow_type(slot) != LIMEN_TYPE_ENDPOINT)
        return;
    struct call *call = &run.last[run.calls % RINGING];
    *call = (struct call){.slot = slot, .label = (uint32_t)number, .words = {message.tag}};
    if (run.calls >= run.trace)
        say_call(run.calls, call);
    run.calls++;
    call->error =
        transfer(number, slot, maybe(pick(LIMEN_TYPE_REPLY)), now() + below(4000), &message);
    expect_declared(call, shadow_type(slot),
                    SYSTEM_CALL | (number & ~(uint64_t)(LIMEN_NONBLOCK | LIMEN_DEADLINE)));
}

static void act(void)
{
    static void (*const acts[])(void) = {
        retype,           retype,        retype,
        copy_or_move,     copy_or_move,  copy_or_move,
        delete_or_revoke, use_thread,    use_thread,
        use_thread,       use_memory,    use_memory,
        use_device,       misuse,        communicate,
        communicate,      communicate,   communicate,
        delete_or_revoke, use_memory,    inspect_something,
        change_shared,    change_shared,
    };
    acts[below(sizeof acts / sizeof acts[0])]();
}

/* -- the whole -- */

/* What it is given it looks at once, and from then on knows. */
static void given(uint32_t slot)
{
    struct limen_capability capability = inspect(slot);
    shadow_give(slot, &capability);
}

/* Memory of a device, which nobody will touch. */
static void take_device(void)
{
    for (unsigned i = 0; i < machine->untyped_count; i++)
        if (machine->untyped[i].device && machine->untyped[i].order >= DEVICE_ORDER) {
            expect_ok(
                limen_retype(LIMEN_INIT_UNTYPED + i, LIMEN_TYPE_UNTYPED, DEVICE_ORDER, DEVICE, 1));
            return;
        }
    fail("this machine has no device memory to fuzz with");
}

static void set_up(void)
{
    uint32_t never = make(LIMEN_TYPE_NOTIFICATION, 0);

    expect(slots(0) < SHARED_TABLE - 32);
    expect_ok(limen_retype(ARENA, LIMEN_TYPE_TABLE, SHARED_ORDER, SHARED_TABLE, 1));
    expect_ok(limen_move(SHARED_TABLE, SHARED_NEVER, 0, never));
    expect_ok(limen_copy(SHARED_TABLE, SHARED_SELF, 0, SHARED_TABLE, LIMEN_RIGHTS_ALL));
    shadow_reset();
    expect_ok(limen_retype(ARENA, LIMEN_TYPE_UNTYPED, MEMORY_ORDER, MEMORY, 1));
    given(MEMORY);
    take_device();
    given(DEVICE);
    expect_ok(limen_copy(OWN_TABLE, LINES, 0, IRQ_CONTROL, LIMEN_RIGHTS_ALL));
    given(LINES);
    expect_ok(limen_ports_narrow(PORTS, PORT, PORT_LAST, SOME_PORTS));
    given(SOME_PORTS);
    expect_ok(limen_copy(OWN_TABLE, COUNTERS, 0, KERNEL, LIMEN_RIGHT_READ));
    given(COUNTERS);
    for (unsigned i = 0; i < FRAMES_COUNT; i++) {
        uint32_t frame;
        run.pages[i] = map_new(LIMEN_PAGE_ORDER, &frame);
        expect_ok(limen_copy(OWN_TABLE, FRAMES + i, 0, frame, LIMEN_RIGHTS_ALL));
        given(FRAMES + i);
    }
    for (uint64_t i = 0; i < FUZZ_INTRUDERS; i++) {
        uint32_t memory = make(LIMEN_TYPE_UNTYPED, 16);
        struct worker *intruder = new_worker(HIGHER);
        expect_ok(limen_move(SHARED_TABLE, SHARED_MEMORY + (uint32_t)i, 0, memory));
        expect_ok(limen_thread_configure(intruder->thread, OWN_SPACE, SHARED_TABLE, FAULTS));
        start(intruder, fuzz_intrude, (void *)i);
    }
}

static void check(void)
{
    static char why[200];

    check_kernel();
    if (!shadow_compare(why, sizeof why))
        give_up(why);
}

/* Takes back what it was given and all that came of it, by its own means. */
static void tear_down(void)
{
    for (uint32_t slot = MEMORY; slot < FREE_FIRST; slot++)
        DO_TABLE(OWN_TABLE, LIMEN_TABLE_REVOKE, slot);
    check();
    for (uint32_t slot = AREA_FIRST; slot < AREA_END; slot++)
        DO_TABLE(OWN_TABLE, LIMEN_TABLE_DELETE, slot);
    expect_ok(limen_delete(OWN_TABLE, SHARED_TABLE));
}

TEST(fuzz, calls)
{
    uint64_t seed = limen_boot_number("seed", 1);
    uint64_t calls = limen_boot_number("calls", CALLS_DEFAULT);
    char line[120];

    memset(&run, 0, sizeof run);
    run.state = seed * 0x9e3779b97f4a7c15 + 1;
    run.trace = limen_boot_number("trace", UINT64_MAX);
    fuzz_calls_made = 0;
    snprintf(line, sizeof line, "fuzzing with seed=%lu calls=%lu\n", seed, calls);
    say(line);
    set_up();
    while (run.calls + fuzz_calls_made < calls) {
        fuzz_instruct(run.pages, FRAMES_COUNT, &run.state);
        for (uint64_t end = run.calls + BATCH; run.calls < end;)
            act();
        check();
    }
    snprintf(line, sizeof line, "%lu calls, %lu of them good, and %lu of its threads\n", run.calls,
             run.done, fuzz_calls_made);
    say(line);
    tear_down();
}
