/* SPDX-License-Identifier: MIT */
/*
 * A booted kernel with init running, and short ways for a test to act as its threads.
 *
 * Tests speak the ABI: they put registers into the current thread's frame, enter the kernel as the
 * threshold would, and read the registers of whichever thread comes out.  After each entry the
 * whole state of the kernel is checked (check.h).
 */
#ifndef HOST_WORLD_H
#define HOST_WORLD_H

#include "check.h"
#include "invoke.h"
#include "ipc.h"
#include "irq.h"
#include "machine.h"
#include "notification.h"
#include "scheduler.h"
#include "space.h"
#include "table.h"

#include <limen/fault.h>
#include <limen/init.h>
#include <limen/message.h>
#include <limen/syscall.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define WORLD_UNTYPED_ORDER 23u         /* of world.untyped, the largest block */
#define WORLD_DEVICE        0x40000000u /* physical address of a device, 2^21 bytes */
#define WORLD_INIT_ENTRY    0x400000u

struct world {
    struct slot *root; /* init's table, and its first thread and space */
    struct thread *init;
    struct space *init_space;
    unsigned untyped; /* slots of init's */
    unsigned device;
    unsigned next_slot;
};
extern struct world world;

/* A cmocka setup: reset, boot, and give init a message page. */
int world_boot(void **state);

/* What it boots from, and a boot from something like it. */
struct limen_boot world_information(void);
void world_boot_from(const struct limen_boot *boot);

#define WORLD_TEST(test) cmocka_unit_test_setup(test, world_boot)

/* The current thread. */
struct thread *current(void);
struct limen_regs *regs_of(const struct thread *thread);

/* An entry by SYSCALL with registers as they stand but for these. */
void enter(uint64_t rax, uint64_t rdi, uint64_t rsi);

/* Calls an object of the kernel's and expects that the caller goes on; the error code.  Checks
 * that no register but the specified ones changes. */
enum limen_error operate(uint64_t slot, uint32_t label, unsigned words, const uint64_t given[8]);

#define OP(slot, label, ...) operate(slot, label, 8, (const uint64_t[8]){__VA_ARGS__})
#define EXPECT(error, slot, label, ...)                                                            \
    assert_int_equal(OP(slot, label, __VA_ARGS__), LIMEN_##error)

/* Word i of the current thread's registers: a result. */
uint64_t result(unsigned i);

/* The next index of init's table that was not used yet. */
unsigned fresh(void);

/* One object, as init would make it, in a fresh slot of init's. */
unsigned make(enum limen_type type, unsigned order);
unsigned make_from(unsigned untyped, enum limen_type type, unsigned order);

/* What a slot of init's table holds. */
struct slot *slot_at(unsigned index);
void *object_at(unsigned index);

/* A copy in a fresh slot, as init would make it, with these rights (and this badge). */
unsigned copy_of(unsigned slot, unsigned rights);
unsigned minted(unsigned slot, uint64_t badge);

/* A thread with init's space, a table of 64 entries (or init's own), and a message page, which runs
 * when asked to: READY at the given priority. */
struct actor {
    unsigned slot;  /* of the thread in init's table */
    unsigned table; /* of its table in init's table */
    struct thread *thread;
};
struct actor make_actor(unsigned priority, bool own_table);

/* Puts a copy of init's capability at an index of the actor's own table. */
void give(const struct actor *actor, unsigned index, unsigned slot, unsigned rights);

/* Makes a ready thread the current one, as a scheduler with other ideas could. */
void become(struct thread *thread);

/* init waits for bits, so that the scheduler chooses among the others; the capability by which they
 * can wake it. */
unsigned world_init_waits(void);

/* An interrupt comes at the tick, the timer's if it is due, and then what any interrupt's end does.
 */
void interrupt_at(uint64_t tick);

/* In a window: the thread in it is preempted and another runs.  back_to() returns to it, or to
 * `abandon` if it can run no more. */
void preempt(struct thread *by);
void back_to(struct thread *preempted);
extern jmp_buf abandon;

/* In the window after so many others init is preempted, and `by` acts. */
void at_window(struct thread *by, unsigned after, void (*act)(void));

void set_words(struct thread *thread, unsigned count, const uint64_t *words);

#endif
