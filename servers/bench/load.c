/* SPDX-License-Identifier: MIT */
#include "load.h"

#include "benchmarks.h"
#include "partner.h"

/* Threads are made this many at a time, in slots that follow each other. */
#define BATCH       LIMEN_RETYPE_COUNT_MAX
#define BATCHES_MAX 64u

#define HOUR_NS 3600000000000ull

struct crowd {
    unsigned count;
    uint32_t first[BATCHES_MAX];
};

static struct crowd waiting, ready;

/* -- threads -- */

static uint32_t member(const struct crowd *crowd, unsigned number)
{
    return crowd->first[number / BATCH] + number % BATCH;
}

static enum limen_error crowd_make(struct crowd *crowd, unsigned count)
{
    enum limen_error error = count <= BATCHES_MAX * BATCH ? LIMEN_OK : LIMEN_LIMIT;

    while (error == LIMEN_OK && crowd->count < count) {
        unsigned more = count - crowd->count < BATCH ? count - crowd->count : BATCH;
        error = limen_make(LIMEN_TYPE_THREAD, 0, more, &crowd->first[crowd->count / BATCH]);
        crowd->count += more;
    }
    return error;
}

/* These have no stack and no message page: what they do needs none. */
__attribute__((naked)) static void call(void)
{
    __asm__("syscall\n\t"
            "ud2");
}

__attribute__((naked)) static void spin(void)
{
    __asm__("1: pause\n\t"
            "jmp 1b");
}

static enum limen_error configure(uint32_t thread, unsigned priority, const struct limen_regs *regs)
{
    enum limen_error error =
        limen_thread_configure(thread, LIMEN_SLOT_SPACE, LIMEN_SLOT_TABLE, LIMEN_SLOT_SUPERVISOR);

    if (error == LIMEN_OK)
        error = limen_thread_set_priority(thread, priority);
    if (error == LIMEN_OK)
        error = limen_thread_set_regs(thread, regs);
    return error;
}

static enum limen_error make_waiting(unsigned count)
{
    struct limen_regs regs = {.rip = (uint64_t)call};
    uint32_t notification;
    enum limen_error error = limen_make(LIMEN_TYPE_NOTIFICATION, 0, 1, &notification);

    if (error == LIMEN_OK)
        error = crowd_make(&waiting, count);
    for (unsigned i = 0; error == LIMEN_OK && i < count; i++) {
        regs.rax = i % 2 == 0 ? LIMEN_SYS_WAIT : LIMEN_SYS_WAIT | LIMEN_DEADLINE;
        regs.rdi = notification;
        regs.rbx = limen_now() + HOUR_NS;
        error = configure(member(&waiting, i), partner_priority(), &regs);
        if (error == LIMEN_OK)
            error = limen_thread_resume(member(&waiting, i));
        limen_yield(); /* to let it begin to wait */
    }
    return error;
}

/* What runs at the priority of this server's first thread and the next lower one is measured. */
static enum limen_error make_ready(unsigned count)
{
    const struct limen_regs regs = {.rip = (uint64_t)spin};
    enum limen_error error = crowd_make(&ready, count);

    for (unsigned i = 0; error == LIMEN_OK && i < count; i++)
        error = configure(member(&ready, i), i % (partner_priority() - 1), &regs);
    return error;
}

void load_begin(void)
{
    for (unsigned i = 0; i < ready.count; i++)
        limen_must("adding a thread to the run queue", limen_thread_resume(member(&ready, i)));
}

void load_end(void)
{
    for (unsigned i = 0; i < ready.count; i++)
        limen_must("taking a thread off the run queue", limen_thread_suspend(member(&ready, i)));
}

/* -- capabilities -- */

/* Copies of one capability in tables of their own, by turns of itself and of the last copy: so its
 * branch of the derivation tree grows both broad and deep.  An index of 0 names nothing. */
static enum limen_error copy_capability(uint32_t original, unsigned count)
{
    enum limen_error error = LIMEN_OK;

    while (error == LIMEN_OK && count > 0) {
        unsigned order = LIMEN_TABLE_ORDER_MIN;
        uint32_t table;
        while (order < LIMEN_TABLE_ORDER_MAX && (1u << order) - 1 < count)
            order++;
        error = limen_make(LIMEN_TYPE_TABLE, order, 1, &table);
        for (unsigned i = 1; error == LIMEN_OK && i < 1u << order && count > 0; i++, count--)
            error = i % 2 == 1 ? limen_copy(table, i, LIMEN_SLOT_TABLE, original, LIMEN_RIGHTS_ALL)
                               : limen_copy(table, i, table, i - 1, LIMEN_RIGHTS_ALL);
    }
    return error;
}

static enum limen_error make_capabilities(unsigned count)
{
    const struct shared *shared = partner_shared();
    uint32_t frame;
    enum limen_error error = frame_to_map(&frame);
    const uint32_t originals[] = {shared->endpoint, shared->reply, shared->notification, frame};
    const unsigned kinds = sizeof originals / sizeof originals[0];

    for (unsigned i = 0; error == LIMEN_OK && i < kinds; i++)
        error = copy_capability(originals[i], count / kinds + (i < count % kinds));
    return error;
}

enum limen_error load_prepare(void)
{
    enum limen_error error = make_waiting((unsigned)limen_boot_number("bench-threads", 0));

    if (error == LIMEN_OK)
        error = make_capabilities((unsigned)limen_boot_number("bench-capabilities", 0));
    if (error == LIMEN_OK)
        error = make_ready((unsigned)limen_boot_number("bench-ready", 0));
    return error;
}
