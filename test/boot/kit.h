/* SPDX-License-Identifier: MIT */
/*
 * What the guest's tests are written with.
 *
 * The suites stand in init's place: they try every object, so they need all the authority there is,
 * and nothing but the kernel stands between them and what they test.  Each test runs in a thread of
 * its own below the runner's priority.  All it makes comes from one piece of memory, the arena,
 * which is revoked when the test ends, however it ends; and then all of it must be free again.
 */
#ifndef BOOT_KIT_H
#define BOOT_KIT_H

#include <limen/environment.h>
#include <limen/init.h>
#include <runtime/objects.h>
#include <runtime/thread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct test {
    const char *suite;
    const char *name;
    const char *file;
    void (*run)(void);
};

/* Declares a test and opens its body.  The linker gathers the section. */
#define TEST(suite, name)                                                                          \
    static void name(void);                                                                        \
    static const struct test name##_test                                                           \
        __attribute__((section("tests"), used, retain)) = {#suite, #name, __FILE__, name};         \
    static void name(void)

/* The kernel's capabilities, at the slots where init finds them, and what the runner adds. */
enum slot {
    OWN_TABLE = LIMEN_INIT_TABLE,
    OWN_SPACE = LIMEN_INIT_SPACE,
    IRQ_CONTROL = LIMEN_INIT_IRQ_CONTROL,
    PORTS = LIMEN_INIT_PORTS,
    KERNEL = LIMEN_INIT_KERNEL,
    CLOCK = LIMEN_INIT_CLOCK,
    UNLIMITED = LIMEN_INIT_CONTEXT,
    RUNNER_FIRST = LIMEN_INIT_UNTYPED + LIMEN_INIT_UNTYPED_MAX,
    RUNNER_MEMORY = RUNNER_FIRST,
    RUNNER_PAGE,
    RUNNER_REPLY,
    FAULTS,     /* where faults go that no test expects */
    FINISHED,   /* signalled when the test has ended; bound to the runner */
    NEVER,      /* a notification nobody signals */
    ARENA,      /* untyped memory for the test */
    FIRST_FREE, /* the test's own slots */
};

/* No such capability, and beyond any table. */
#define NO_SLOT 0x00ffffffu

#define TEST_PRIORITY 100u /* of the test's own thread */
#define HIGHER        110u /* runs as soon as it can */
#define LOWER         90u  /* runs when the test waits */

extern const struct limen_init_info *machine;

/* The processor's model is QEMU's software emulation, which leaves some faults out. */
bool is_emulated(void);

uint64_t now(void); /* nanoseconds */

/* -- verdicts -- */

/* Ends the test, from whichever of its threads. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

void expect_equal_at(const char *file, int line, const char *what, uint64_t actual,
                     uint64_t expected);
void expect_error_at(const char *file, int line, const char *what, uint64_t actual,
                     enum limen_error expected);

#define expect(condition)                                                                          \
    ((condition) ? (void)0 : fail("%s:%d: not so: %s", __FILE__, __LINE__, #condition))
#define expect_equal(actual, expected)                                                             \
    expect_equal_at(__FILE__, __LINE__, #actual, (uint64_t)(actual), (uint64_t)(expected))
#define expect_error(actual, expected)                                                             \
    expect_error_at(__FILE__, __LINE__, #actual, actual, expected)
#define expect_ok(actual) expect_error(actual, LIMEN_OK)

/* -- objects -- */

/* Empty slots in a row; the first. */
uint32_t slots(unsigned count);

/* A new object of the arena's memory.  For those of fixed size the order is ignored. */
uint32_t make(enum limen_type type, unsigned order);
uint32_t make_many(enum limen_type type, unsigned order, unsigned count);

/* A copy in a new slot. */
uint32_t copy_of(uint32_t slot, unsigned rights);
uint32_t minted(uint32_t slot, unsigned rights, uint64_t badge);

/* A new frame mapped readable and writable; its address. */
void *map_new(unsigned order, uint32_t *frame);

/* Addresses without a mapping, aligned to 2^order. */
uint64_t addresses(unsigned order);

struct limen_capability inspect(uint32_t slot);
bool is_empty(uint32_t slot);
enum limen_thread_state state_of(uint32_t thread);
uint64_t counter(enum limen_counter which);

/* Any operation, with any words; their results replace them. */
enum limen_error invoke(uint32_t slot, uint32_t label, uint64_t words[8]);

/* -- threads -- */

#define WORKERS_MAX       96u
#define WORKER_STACK_SIZE 8192u

struct worker {
    uint32_t thread;
    uint32_t done; /* a notification, signalled when its function has returned */
    uint32_t frame;
    struct limen_message_page *page;
    uint64_t stack_top;
    void (*entry)(void *argument);
    void *argument;
};

/* The test's own thread. */
struct worker *own_worker(void);

/* A thread with a stack and a message page, stopped.  Its faults end the test. */
struct worker *new_worker(unsigned priority);

/* Sets any priority.  Nobody can set one above its own, so the runner does it. */
void set_priority(uint32_t thread, unsigned priority);

/* Lets it run `entry`, and at its end stop. */
void start(struct worker *worker, void (*entry)(void *argument), void *argument);

/* A new thread that does so at once. */
struct worker *spawn(unsigned priority, void (*entry)(void *argument), void *argument);

void join(struct worker *worker);

/* -- messages -- */

/* One system call that sends or receives, and all of its eight words. */
struct message {
    uint64_t badge;
    uint64_t tag;
    uint64_t words[8];
};

enum limen_error transfer(uint64_t number, uint32_t slot, uint32_t reply, uint64_t deadline,
                          struct message *message);

#endif
