/* SPDX-License-Identifier: MIT */
/*
 * Thousands of random entries into the kernel, by several threads that hold capabilities to each
 * other, with other threads and interrupts in the windows.  Nothing is expected of any one of them
 * but that everything check_all() knows of stays true.
 *
 * The numbers come from a fixed seed for each test, so a failure can be seen again.
 */
#include "context.h"
#include "visit.h"
#include "world.h"

#define ACTORS        5u
#define SLOTS         64u /* of an actor's table */
#define MEMORY_ORDER  20u /* of what all that an actor starts with is made of */
#define NESTING_MAX   3u  /* operations that are in a window at once, one inside the other */
#define ENTRIES       3000u
#define IRQS_FOR_TEST 4u

/* Where an actor finds what it starts with. */
enum {
    TABLE = 1,
    MEMORY,
    SELF,
    SPACE,
    ENDPOINT,
    BITS,
    REPLY,
    CONTROL,
    FRAME,
    PORTS,
    UNLIMITED,
    BUDGET,
    OTHERS,
};

struct random_actor {
    unsigned memory;       /* slot of init's */
    struct thread *thread; /* NULL: not made yet */
    uint64_t serial;       /* also in its name, so that it is known from a later thread there */
};

static struct {
    uint64_t seed, serials;
    struct random_actor actors[ACTORS];
    struct {
        struct thread *thread;
        uint64_t serial;
        jmp_buf abandon;
    } inside[NESTING_MAX]; /* who is in the kernel, outermost first */
    unsigned depth;
    bool in_interrupt;
    unsigned done, refused; /* operations on objects, to see that both happen */
} run;

/* xorshift64*, from G. Marsaglia's family. */
static uint64_t random_number(void)
{
    run.seed ^= run.seed >> 12;
    run.seed ^= run.seed << 25;
    run.seed ^= run.seed >> 27;
    return run.seed * 0x2545f4914f6cdd1dull;
}

static unsigned below(unsigned limit)
{
    return (unsigned)(random_number() >> 33) % limit;
}

static bool chance(unsigned one_in)
{
    return below(one_in) == 0;
}

/* -- who runs -- */

static bool is_alive(const struct thread *thread, uint64_t serial)
{
    const struct visited_object *object = visit_object(thread);
    return object && object->type == LIMEN_TYPE_THREAD && !object->grave &&
           thread->name[1] == serial;
}

static bool is_inside(const struct thread *thread)
{
    for (unsigned i = 0; i < run.depth; i++)
        if (run.inside[i].thread == thread)
            return true;
    return false;
}

static struct limen_regs frame_in_the_kernel;

static void switch_to(struct thread *thread)
{
    struct thread *old = current();
    if (old != thread && is_inside(old))
        thread_set_resume(old, &frame_in_the_kernel);
    become(thread);
}

/* Enters the kernel as the current thread.  Comes back also when that thread died in a window. */
static void enter_randomly(struct limen_regs *(*way)(struct limen_regs *))
{
    struct thread *self = current();
    unsigned depth = run.depth++;

    assert_true(depth < NESTING_MAX);
    run.inside[depth].thread = self;
    run.inside[depth].serial = self->name[1];
    if (!setjmp(run.inside[depth].abandon))
        way(regs_of(self));
    run.depth = depth;
    check_all();
}

static struct limen_regs *exception(struct limen_regs *regs)
{
    regs->error = below(16);
    return kernel_exception(regs, random_number(), random_number());
}

static void interrupt(void)
{
    if (run.in_interrupt)
        return;
    run.in_interrupt = true;
    host.now += below(2000);
    if (chance(2))
        kernel_timer();
    else
        kernel_irq(below(IRQS_FOR_TEST + 1));
    run.in_interrupt = false;
    const struct thread *self = current();
    kernel_reschedule(is_inside(self) ? &frame_in_the_kernel : regs_of(self));
}

/* -- what an actor does -- */

static struct slot *own(const struct thread *thread, unsigned index)
{
    return &thread->table[index];
}

/* Mostly the index of a capability of this type; sometimes of anything or nothing. */
static unsigned pick(enum limen_type type)
{
    const struct thread *self = current();
    unsigned start = below(SLOTS);
    if (chance(12))
        return below(SLOTS + 4);
    for (unsigned i = 0; i < SLOTS; i++) {
        unsigned index = (start + i) % SLOTS;
        if (index && index < self->slots && own(self, index)->type == type)
            return index;
    }
    return start;
}

static unsigned pick_empty(void)
{
    return chance(12) ? below(SLOTS + 4) : pick(LIMEN_TYPE_NONE);
}

static unsigned pick_any(void)
{
    return pick((enum limen_type)(1 + below(LIMEN_TYPE_COUNT - 1)));
}

static unsigned maybe(unsigned index)
{
    return chance(3) ? 0 : index;
}

static void operate_randomly(unsigned slot, uint32_t label, const uint64_t words[8])
{
    struct thread *self = current();
    struct limen_regs *regs = regs_of(self);
    uint64_t serial = self->name[1];
    memcpy(regs->words, words, sizeof(regs->words));
    regs->rax = LIMEN_SYS_CALL;
    regs->rdi = slot;
    regs->rsi = limen_tag(label, chance(4) ? 22 : 8, 0);
    enter_randomly(host_syscall);
    if (is_alive(self, serial) && self->state == LIMEN_THREAD_READY) {
        bool good = regs->rax == LIMEN_OK && limen_tag_label(regs->rsi) == LIMEN_OK;
        run.done += good;
        run.refused += !good;
    }
}

#define DO(slot, label, ...) operate_randomly(slot, label, (const uint64_t[8]){__VA_ARGS__})

static void retype(void)
{
    static const struct {
        enum limen_type type;
        unsigned order;
    } kinds[] = {
        {LIMEN_TYPE_UNTYPED, 12}, {LIMEN_TYPE_UNTYPED, 16}, {LIMEN_TYPE_TABLE, 4},
        {LIMEN_TYPE_TABLE, 6},    {LIMEN_TYPE_THREAD, 0},   {LIMEN_TYPE_SPACE, 14},
        {LIMEN_TYPE_FRAME, 12},   {LIMEN_TYPE_ENDPOINT, 0}, {LIMEN_TYPE_NOTIFICATION, 0},
        {LIMEN_TYPE_REPLY, 0},    {LIMEN_TYPE_UNTYPED, 7},  {LIMEN_TYPE_CONTEXT, 0},
    };
    unsigned kind = below(sizeof(kinds) / sizeof(kinds[0]));
    DO(pick(LIMEN_TYPE_UNTYPED), LIMEN_UNTYPED_RETYPE, kinds[kind].type, kinds[kind].order,
       chance(4) ? pick(LIMEN_TYPE_TABLE) : 0, pick_empty(), 1 + below(3));
}

static void use_table(void)
{
    unsigned table = chance(4) ? pick(LIMEN_TYPE_TABLE) : TABLE;
    unsigned from = chance(6) ? pick(LIMEN_TYPE_TABLE) : 0;
    uint64_t rights = chance(3) ? below(16) : LIMEN_RIGHTS_ALL;

    switch (below(8)) {
    case 0:
    case 1:
        DO(table, LIMEN_TABLE_COPY, pick_empty(), from, pick_any(), rights);
        break;
    case 2:
        DO(table, LIMEN_TABLE_MINT, pick_empty(), from,
           pick(chance(2) ? LIMEN_TYPE_ENDPOINT : LIMEN_TYPE_NOTIFICATION), rights, 1 + below(7));
        break;
    case 3:
    case 4:
        DO(table, LIMEN_TABLE_MOVE, pick_empty(), from, pick_any());
        break;
    case 5:
    case 6:
        DO(table, LIMEN_TABLE_DELETE, chance(2) ? below(SLOTS) : pick_any());
        break;
    default:
        DO(table, LIMEN_TABLE_REVOKE, chance(2) ? below(SLOTS) : pick_any());
        break;
    }
}

static void use_thread(void)
{
    unsigned thread = pick(LIMEN_TYPE_THREAD);

    switch (below(13)) {
    case 0:
    case 1:
        DO(thread, LIMEN_THREAD_CONFIGURE, pick(LIMEN_TYPE_SPACE), pick(LIMEN_TYPE_TABLE),
           maybe(pick(LIMEN_TYPE_ENDPOINT)));
        break;
    case 2:
        DO(thread, LIMEN_THREAD_SET_PRIORITY, below(257));
        break;
    case 3:
        DO(thread, LIMEN_THREAD_SET_REGS, random_number(), random_number());
        break;
    case 4:
        DO(thread, LIMEN_THREAD_GET_REGS, 0);
        break;
    case 5:
        DO(thread, LIMEN_THREAD_RESUME, 0);
        break;
    case 12:
        DO(thread, LIMEN_THREAD_LAUNCH, random_number(), random_number(), 0, 0,
           maybe(pick(LIMEN_TYPE_FRAME)), below(257));
        break;
    case 6:
        DO(thread, LIMEN_THREAD_SUSPEND, 0);
        break;
    case 7:
        DO(thread, LIMEN_THREAD_SET_MESSAGE_PAGE, maybe(pick(LIMEN_TYPE_FRAME)));
        break;
    case 8:
    case 9:
        DO(thread, LIMEN_THREAD_SET_CONTEXT, maybe(pick(LIMEN_TYPE_CONTEXT)));
        break;
    case 10:
        DO(thread, LIMEN_THREAD_SET_PASSIVE, below(3));
        break;
    default:
        DO(thread, LIMEN_THREAD_BIND, maybe(pick(LIMEN_TYPE_NOTIFICATION)));
        break;
    }
}

static void use_memory(void)
{
    unsigned frame = pick(LIMEN_TYPE_FRAME);

    switch (below(4)) {
    case 0:
        DO(pick(LIMEN_TYPE_SPACE), LIMEN_SPACE_DONATE, pick(LIMEN_TYPE_UNTYPED));
        break;
    case 1:
        DO(frame, LIMEN_FRAME_UNMAP, 0);
        break;
    default:
        DO(frame, LIMEN_FRAME_MAP, pick(LIMEN_TYPE_SPACE),
           (uint64_t)(1 + below(4)) << 39 | (uint64_t)below(3) << 21 |
               (uint64_t)below(8) << LIMEN_PAGE_ORDER,
           1 + below(3), 0);
        break;
    }
}

static void use_device(void)
{
    switch (below(4)) {
    case 0:
        DO(pick(LIMEN_TYPE_IRQ_CONTROL), LIMEN_IRQ_CONTROL_ISSUE, below(IRQS_FOR_TEST), 0,
           pick(LIMEN_TYPE_UNTYPED), pick_empty());
        break;
    case 1:
        DO(pick(LIMEN_TYPE_IRQ), LIMEN_IRQ_BIND, maybe(pick(LIMEN_TYPE_NOTIFICATION)));
        break;
    case 2:
        DO(pick(LIMEN_TYPE_IRQ), LIMEN_IRQ_ACK, 0);
        break;
    default:
        DO(pick(LIMEN_TYPE_PORTS), LIMEN_PORTS_NARROW, below(64), 64 + below(64), pick_empty());
        break;
    }
}

/* Short budgets, so that they are used up. */
static void use_context(void)
{
    unsigned context = pick(LIMEN_TYPE_CONTEXT);

    switch (below(4)) {
    case 0:
        DO(context, LIMEN_CONTEXT_INFO, 0);
        break;
    case 1:
        DO(context, LIMEN_CONTEXT_SET_HANDLER, maybe(pick(LIMEN_TYPE_ENDPOINT)));
        break;
    default:
        DO(context, LIMEN_CONTEXT_CONFIGURE,
           chance(8) ? LIMEN_CONTEXT_UNLIMITED : below(LIMEN_CONTEXT_PERIOD_MIN / 50),
           LIMEN_CONTEXT_PERIOD_MIN, chance(3) ? pick(LIMEN_TYPE_CONTEXT) : UNLIMITED);
        break;
    }
}

static void communicate(void)
{
    static const uint64_t numbers[] = {LIMEN_SYS_CALL, LIMEN_SYS_REPLY_WAIT, LIMEN_SYS_SEND,
                                       LIMEN_SYS_WAIT, LIMEN_SYS_YIELD,      LIMEN_SYS_CALL};
    static const enum limen_type types[] = {LIMEN_TYPE_ENDPOINT, LIMEN_TYPE_ENDPOINT,
                                            LIMEN_TYPE_ENDPOINT, LIMEN_TYPE_NOTIFICATION,
                                            LIMEN_TYPE_REPLY};
    struct thread *self = current();
    struct limen_regs *regs = regs_of(self);

    if (self->page) {
        for (unsigned i = 0; i < LIMEN_CAPS_MAX; i++)
            self->page->send_caps[i] = pick_any();
        self->page->receive_first = pick_empty();
        self->page->receive_count = below(5);
    }
    regs->rax =
        numbers[below(6)] | (chance(3) ? LIMEN_NONBLOCK : 0) | (chance(2) ? LIMEN_DEADLINE : 0);
    regs->rdi = pick(types[below(5)]) | (uint64_t)maybe(pick(LIMEN_TYPE_REPLY)) << 32;
    regs->rsi = limen_tag(below(3), chance(3) ? below(70) : below(9), chance(2) ? below(6) : 0);
    regs->rbx = host.now / HOST_TICKS_A_NS + below(3000);
    enter_randomly(host_syscall);
}

static void misbehave(void)
{
    struct limen_regs *regs = regs_of(current());
    regs->rax = random_number();
    enter_randomly(chance(2) ? host_syscall : exception);
}

static void act(void)
{
    static void (*const acts[])(void) = {
        retype,     retype,      use_table,   use_table,   use_table,
        use_thread, use_thread,  use_context, use_memory,  use_memory,
        use_device, communicate, communicate, communicate, communicate,
    };
    if (chance(60))
        misbehave();
    else
        acts[below(sizeof(acts) / sizeof(acts[0]))]();
}

/* A random actor that could run, or NULL. */
static struct thread *some_actor(void)
{
    unsigned start = below(ACTORS);
    for (unsigned i = 0; i < ACTORS; i++) {
        const struct random_actor *actor = &run.actors[(start + i) % ACTORS];
        if (actor->thread && is_alive(actor->thread, actor->serial) &&
            actor->thread->state == LIMEN_THREAD_READY && context_can_pay(actor->thread) &&
            !is_inside(actor->thread))
            return actor->thread;
    }
    return NULL;
}

/* Switches to a thread that was preempted; if it has used its time up, init pays. */
static void go_on(struct thread *self)
{
    if (self->state == LIMEN_THREAD_PARKED || !context_can_pay(self)) {
        thread_set_context(self, slot_at(LIMEN_INIT_CONTEXT));
        self->passive = false;
        context_return(self);
    }
    switch_to(self);
}

/* In a window: interrupts come, and perhaps another thread runs for a while. */
static void window(void)
{
    if (run.in_interrupt) {
        host.now += below(500);
        return;
    }
    check_all();
    unsigned depth = run.depth - 1;
    struct thread *self = run.inside[depth].thread;
    uint64_t serial = run.inside[depth].serial;
    if (chance(4)) {
        interrupt();
        go_on(self);
    }
    struct thread *other = run.depth < NESTING_MAX && chance(6) ? some_actor() : NULL;
    if (!other)
        return;
    thread_set_resume(self, &frame_in_the_kernel);
    switch_to(other);
    act();
    if (!is_alive(self, serial))
        longjmp(run.inside[depth].abandon, 1);
    if (self->state == LIMEN_THREAD_STOPPED) {
        /* Somebody stopped it.  init lets it go on, if it can. */
        switch_to(world.init);
        if (slot_is_empty(&self->space_slot) || slot_is_empty(&self->table_slot))
            longjmp(run.inside[depth].abandon, 1);
        scheduler_ready(self);
    }
    go_on(self);
}

/* -- init, who starts them -- */

static void init_does(unsigned slot, uint32_t label, const uint64_t words[8])
{
    switch_to(world.init);
    operate_randomly(slot, label, words);
    switch_to(world.init);
}

#define INIT_DOES(slot, label, ...) init_does(slot, label, (const uint64_t[8]){__VA_ARGS__})

static void give_to(unsigned table, unsigned index, unsigned slot)
{
    INIT_DOES(table, LIMEN_TABLE_COPY, index, 0, slot, LIMEN_RIGHTS_ALL);
}

/* Everything that an actor was made of goes, and it is made anew.  Others can interfere. */
static void make_again(unsigned which)
{
    struct random_actor *actor = &run.actors[which];
    enum { AT = 1024, KINDS = 9 };
    unsigned first = AT + which * KINDS;
    unsigned table = first, thread = first + 1, bits = first + 3;
    static const enum limen_type kinds[KINDS] = {
        LIMEN_TYPE_TABLE,        LIMEN_TYPE_THREAD,  LIMEN_TYPE_ENDPOINT,
        LIMEN_TYPE_NOTIFICATION, LIMEN_TYPE_REPLY,   LIMEN_TYPE_FRAME,
        LIMEN_TYPE_SPACE,        LIMEN_TYPE_UNTYPED, LIMEN_TYPE_CONTEXT};
    static const unsigned orders[KINDS] = {6, 0, 0, 0, 0, 12, 15, 17, 0};

    actor->thread = NULL;
    INIT_DOES(LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, actor->memory);
    for (unsigned i = 0; i < KINDS; i++)
        INIT_DOES(actor->memory, LIMEN_UNTYPED_RETYPE, kinds[i], orders[i], 0, first + i, 1);
    give_to(table, TABLE, table);
    give_to(table, SELF, thread);
    give_to(table, ENDPOINT, first + 2);
    INIT_DOES(table, LIMEN_TABLE_MINT, BITS, 0, bits, LIMEN_RIGHTS_ALL, 1u << which);
    give_to(table, REPLY, first + 4);
    give_to(table, FRAME, first + 5);
    give_to(table, SPACE, first + 6);
    give_to(table, CONTROL, LIMEN_INIT_IRQ_CONTROL);
    give_to(table, PORTS, LIMEN_INIT_PORTS);
    INIT_DOES(table, LIMEN_TABLE_COPY, UNLIMITED, 0, LIMEN_INIT_CONTEXT, LIMEN_RIGHT_GRANT);
    give_to(table, BUDGET, first + 8);
    for (unsigned i = 0; i < ACTORS; i++)
        if (i != which) {
            give_to(table, OTHERS + 3 * i, AT + i * KINDS + 1);
            give_to(table, OTHERS + 3 * i + 1, AT + i * KINDS + 2);
            give_to(table, OTHERS + 3 * i + 2, chance(2) ? AT + i * KINDS + 3 : AT + i * KINDS);
        }
    INIT_DOES(table, LIMEN_TABLE_MOVE, MEMORY, 0, first + 7);
    INIT_DOES(thread, LIMEN_THREAD_CONFIGURE, first + 6, table, maybe(first + 2));
    INIT_DOES(thread, LIMEN_THREAD_SET_MESSAGE_PAGE, first + 5);
    INIT_DOES(thread, LIMEN_THREAD_SET_PRIORITY, below(256));
    INIT_DOES(thread, LIMEN_THREAD_RESUME, 0);
    if (slot_at(thread)->type == LIMEN_TYPE_THREAD) {
        actor->thread = object_at(thread);
        actor->serial = ++run.serials;
        actor->thread->name[1] = actor->serial;
    }
}

static void make_actors_again(bool all)
{
    for (unsigned i = 0; i < ACTORS; i++) {
        const struct random_actor *actor = &run.actors[i];
        bool alive = actor->thread && is_alive(actor->thread, actor->serial);
        if (all || !alive || chance(12))
            make_again(i);
        else if (actor->thread->state != LIMEN_THREAD_READY && chance(3))
            INIT_DOES(1024 + i * 9 + 1, LIMEN_THREAD_SUSPEND, 0);
        else if (actor->thread->state == LIMEN_THREAD_STOPPED)
            INIT_DOES(1024 + i * 9 + 1, LIMEN_THREAD_RESUME, 0);
    }
}

static void run_randomly(uint64_t seed, bool fast_path)
{
    memset(&run, 0, sizeof(run));
    run.seed = seed;
    host_cpu->arch.unusual &= ~CPU_GENERAL_PATH;
    host_cpu->arch.unusual |= fast_path ? 0 : CPU_GENERAL_PATH;
    world.init->name[1] = ++run.serials;
    for (unsigned i = 0; i < ACTORS; i++)
        run.actors[i].memory = make(LIMEN_TYPE_UNTYPED, MEMORY_ORDER);
    host.window = window;
    make_actors_again(true);
    for (unsigned i = 0; i < ENTRIES; i++) {
        struct thread *actor = some_actor();
        if (i % 32 == 0 || !actor) {
            make_actors_again(false);
            continue;
        }
        switch_to(actor);
        act();
        if (chance(8)) {
            interrupt();
            check_all();
        }
    }
    host.window = NULL;
    switch_to(world.init);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, world.untyped);
    EXPECT(OK, world.untyped, LIMEN_UNTYPED_INFO, 0);
    assert_int_equal(result(2), 0);
    assert_null(host_cpu->dying);
    assert_true(run.done > ENTRIES / 4 && run.refused > ENTRIES / 8);
}

static void test_seed_1(void **state)
{
    (void)state;
    run_randomly(0x9e3779b97f4a7c15, true);
}

static void test_seed_2_on_the_general_path(void **state)
{
    (void)state;
    run_randomly(0xdeadbeefcafef00d, false);
}

static void test_seed_3(void **state)
{
    (void)state;
    run_randomly(0x0123456789abcdef, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_seed_1),
        WORLD_TEST(test_seed_2_on_the_general_path),
        WORLD_TEST(test_seed_3),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
