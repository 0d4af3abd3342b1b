/* SPDX-License-Identifier: MIT */
#include "world.h"

struct world world;
jmp_buf abandon;

/* Two stretches of ordinary memory, so that what the kernel takes for init at boot comes from the
 * first and leaves the second whole. */
struct limen_boot world_information(void)
{
    struct limen_boot boot = {
        .magic = LIMEN_BOOT_MAGIC,
        .version = LIMEN_BOOT_VERSION,
        .size = sizeof(boot),
        .init_entry = WORLD_INIT_ENTRY,
        .archive = 0x800000,
        .archive_size = LIMEN_PAGE_SIZE,
        .segment_count = 1,
        .segments = {{.address = WORLD_INIT_ENTRY,
                      .physical = 0x801000,
                      .pages = 1,
                      .rights = LIMEN_SEGMENT_READ | LIMEN_SEGMENT_EXECUTE}},
        .cmdline = "quiet",
        .range_count = 4,
        .ranges = {{.start = 0x100000, .pages = 0x500, .kind = LIMEN_MEMORY_FREE},
                   {.start = 0x800000, .pages = 2, .kind = LIMEN_MEMORY_LOADED},
                   {.start = 0x1000000, .pages = 0x800, .kind = LIMEN_MEMORY_FREE},
                   {.start = WORLD_DEVICE, .pages = 0x200, .kind = LIMEN_MEMORY_DEVICE}},
    };
    return boot;
}

void world_boot_from(const struct limen_boot *boot)
{
    host_reset();
    const struct limen_regs *out = kernel_main(boot);
    world = (struct world){.root = host_cpu->current->table,
                           .init = host_cpu->current,
                           .init_space = host_cpu->current->space_slot.object,
                           .next_slot = 512};
    assert_ptr_equal(out, world.init->arch.regs);
    for (unsigned i = LIMEN_INIT_UNTYPED; !slot_is_empty(slot_at(i)); i++) {
        if (slot_at(i)->device)
            world.device = i;
        else if (slot_at(i)->order == WORLD_UNTYPED_ORDER)
            world.untyped = i;
    }
    check_all();
}

int world_boot(void **state)
{
    struct limen_boot boot = world_information();
    (void)state;
    world_boot_from(&boot);
    assert_int_not_equal(world.untyped, 0);
    assert_int_not_equal(world.device, 0);
    unsigned page = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_SET_MESSAGE_PAGE, page);
    return 0;
}

struct thread *current(void)
{
    return host_cpu->current;
}

struct limen_regs *regs_of(const struct thread *thread)
{
    return thread->arch.regs;
}

void enter(uint64_t rax, uint64_t rdi, uint64_t rsi)
{
    struct limen_regs *regs = regs_of(current());
    regs->rax = rax;
    regs->origin = rax;
    regs->rdi = rdi;
    regs->rsi = rsi;
    regs->error = (uint64_t)REGS_BY_SYSCALL;
    const struct limen_regs *out = host_syscall(regs);
    assert_ptr_equal(out, regs_of(current()));
    /* No thread leaves for ring 3 without end while another is ready. */
    if (host_cpu->top >= 0 && current() != &host_cpu->idle)
        assert_true(host_cpu->slice_end != UINT64_MAX);
    /* And none for whom nobody pays. */
    if (current() != &host_cpu->idle)
        assert_non_null(current()->payer);
    check_all();
}

enum limen_error operate(uint64_t slot, uint32_t label, unsigned words, const uint64_t given[8])
{
    struct thread *self = current();
    struct limen_regs *regs = regs_of(self);

    memcpy(regs->words, given, sizeof(regs->words));
    struct limen_regs before = *regs;
    enter(LIMEN_SYS_CALL, slot, limen_tag(label, words, 0));
    assert_ptr_equal(current(), self);
    unsigned results = limen_tag_words(regs->rsi);
    before.rax = regs->rax;
    before.rdi = 0;
    before.rsi = regs->rsi;
    before.origin = regs->origin;
    before.error = regs->error;
    for (unsigned i = 0; i < results && i < LIMEN_WORDS_IN_REGISTERS; i++)
        before.words[i] = regs->words[i];
    if (regs->rax == LIMEN_OK)
        assert_memory_equal(regs, &before, sizeof(before));
    return regs->rax ? (enum limen_error)regs->rax : (enum limen_error)limen_tag_label(regs->rsi);
}

uint64_t result(unsigned i)
{
    return regs_of(current())->words[i];
}

unsigned fresh(void)
{
    return world.next_slot++;
}

struct slot *slot_at(unsigned index)
{
    return &world.root[index];
}

void *object_at(unsigned index)
{
    return slot_at(index)->object;
}

unsigned make_from(unsigned untyped, enum limen_type type, unsigned order)
{
    unsigned slot = fresh();
    EXPECT(OK, untyped, LIMEN_UNTYPED_RETYPE, type, order, 0, slot, 1);
    return slot;
}

unsigned make(enum limen_type type, unsigned order)
{
    return make_from(world.untyped, type, order);
}

unsigned copy_of(unsigned slot, unsigned rights)
{
    unsigned to = fresh();
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_COPY, to, 0, slot, rights);
    return to;
}

unsigned minted(unsigned slot, uint64_t badge)
{
    unsigned to = fresh();
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_MINT, to, 0, slot, LIMEN_RIGHTS_ALL, badge);
    return to;
}

struct actor make_actor(unsigned priority, bool own_table)
{
    struct actor actor = {.slot = make(LIMEN_TYPE_THREAD, 0), .table = LIMEN_INIT_TABLE};
    unsigned page = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);

    if (own_table)
        actor.table = make(LIMEN_TYPE_TABLE, 6);
    actor.thread = object_at(actor.slot);
    EXPECT(OK, actor.slot, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, actor.table, 0);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, page);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SET_PRIORITY, priority);
    EXPECT(OK, actor.slot, LIMEN_THREAD_RESUME);
    return actor;
}

void give(const struct actor *actor, unsigned index, unsigned slot, unsigned rights)
{
    EXPECT(OK, actor->table, LIMEN_TABLE_COPY, index, 0, slot, rights);
}

void become(struct thread *thread)
{
    struct thread *old = current();
    if (old == thread)
        return;
    assert_int_equal(thread->state, LIMEN_THREAD_READY);
    if (old->state == LIMEN_THREAD_READY && old != &host_cpu->idle) {
        /* As a preemption would: it waits in its queue when the other's turn begins. */
        host_cpu->current = &host_cpu->idle;
        scheduler_ready(old);
        host_cpu->current = old;
    }
    scheduler_unready(thread);
    scheduler_switch(thread);
    check_all();
}

void preempt(struct thread *by)
{
    static struct limen_regs frame_in_the_kernel;
    struct thread *self = current();
    thread_set_resume(self, &frame_in_the_kernel);
    become(by);
}

void back_to(struct thread *preempted)
{
    bool alive = slot_is_empty(&preempted->grave) && preempted->state == LIMEN_THREAD_READY;
    if (!alive)
        longjmp(abandon, 1);
    become(preempted);
}

static struct {
    struct thread *by;
    unsigned at;
    void (*act)(void);
} interference;

static void interfere(void)
{
    if (host.windows != interference.at || current() != world.init)
        return;
    host.window = NULL;
    preempt(interference.by);
    interference.act();
    back_to(world.init);
}

void at_window(struct thread *by, unsigned after, void (*act)(void))
{
    interference.by = by;
    interference.at = host.windows + after;
    interference.act = act;
    host.window = interfere;
}

void set_words(struct thread *thread, unsigned count, const uint64_t *words)
{
    for (unsigned i = 0; i < count; i++) {
        if (i < LIMEN_WORDS_IN_REGISTERS)
            regs_of(thread)->words[i] = words[i];
        else
            thread->page->words[i] = words[i];
    }
}

unsigned world_init_waits(void)
{
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    unsigned wake = minted(bits, 1);
    enter(LIMEN_SYS_WAIT, bits, 0);
    assert_int_equal(world.init->state, LIMEN_THREAD_WAITING);
    return wake;
}

void interrupt_at(uint64_t tick)
{
    assert_true(tick >= host.now);
    host.now = tick;
    if (host.timer <= tick) {
        host.timer = HOST_NEVER;
        kernel_timer();
    }
    struct limen_regs *regs = regs_of(current());
    const struct thread *before = current();
    const struct limen_regs *out = kernel_reschedule(regs);
    assert_ptr_equal(out, regs_of(current()));
    if (before == current())
        assert_ptr_equal(out, regs);
    check_all();
}
