/* SPDX-License-Identifier: MIT */
#include "kit.h"

#include "runner.h"
#include <cpuid.h>
#include <runtime/environment.h>
#include <stdio.h>
#include <string.h>

#define CPUID_HYPERVISOR 0x40000000u
#define TCG_SIGNATURE    0x54474354u /* "TCGT" */

/* Where tests map what they make.  Page tables stay where they were once needed, so large frames
 * have addresses of their own. */
#define MAP_FIRST   0x0000100000000000ull
#define LARGE_FIRST 0x0000180000000000ull

/* Message pages of the workers, one after another. */
#define PAGES_FIRST 0x0000200000000000ull

char reason[REASON_MAX];

static uint32_t next_slot;
static uint64_t next_address, next_large;
static unsigned next_worker;
static struct worker workers[WORKERS_MAX];
static _Alignas(16) char stacks[WORKERS_MAX][WORKER_STACK_SIZE];

void kit_reset(void)
{
    next_slot = FIRST_FREE;
    next_address = MAP_FIRST;
    next_large = LARGE_FIRST;
    next_worker = 0;
    reason[0] = '\0';
}

uint32_t kit_slots_end(void)
{
    return next_slot;
}

bool is_emulated(void)
{
    unsigned eax, ebx, ecx, edx;
    __cpuid(CPUID_HYPERVISOR, eax, ebx, ecx, edx);
    return ebx == TCG_SIGNATURE;
}

uint64_t now(void)
{
    return limen_now();
}

/* -- verdicts -- */

_Noreturn void fail(const char *format, ...)
{
    struct message message = {0};
    va_list arguments;

    if (reason[0] == '\0') { /* the first failure counts */
        va_start(arguments, format);
        vsnprintf(reason, sizeof reason, format, arguments);
        va_end(arguments);
    }
    if (runner_works)
        runner_failed(reason);
    limen_signal(FINISHED);
    for (;;)
        transfer(LIMEN_SYS_WAIT, NEVER, 0, LIMEN_FOREVER, &message);
}

void expect_equal_at(const char *file, int line, const char *what, uint64_t actual,
                     uint64_t expected)
{
    if (actual != expected)
        fail("%s:%d: %s is 0x%lx, want 0x%lx", file, line, what, actual, expected);
}

void expect_error_at(const char *file, int line, const char *what, uint64_t actual,
                     enum limen_error expected)
{
    if (actual != expected)
        fail("%s:%d: %s says %lu (%s), want %u (%s)", file, line, what, actual,
             limen_error_text((enum limen_error)actual), expected, limen_error_text(expected));
}

/* -- objects -- */

uint32_t slots(unsigned count)
{
    uint32_t first = next_slot;
    next_slot += count;
    expect(next_slot <= 1u << LIMEN_INIT_TABLE_ORDER);
    return first;
}

uint32_t make_many(enum limen_type type, unsigned order, unsigned count)
{
    uint32_t first = slots(count);
    expect_ok(limen_retype(ARENA, type, order, first, count));
    return first;
}

uint32_t make(enum limen_type type, unsigned order)
{
    return make_many(type, order, 1);
}

uint32_t copy_of(uint32_t slot, unsigned rights)
{
    uint32_t copy = slots(1);
    expect_ok(limen_copy(OWN_TABLE, copy, 0, slot, rights));
    return copy;
}

uint32_t minted(uint32_t slot, unsigned rights, uint64_t badge)
{
    uint32_t copy = slots(1);
    expect_ok(limen_mint(OWN_TABLE, copy, 0, slot, rights, badge));
    return copy;
}

uint64_t addresses(unsigned order)
{
    uint64_t size = 1ull << order;
    uint64_t *next = order < LIMEN_LARGE_PAGE_ORDER ? &next_address : &next_large;
    uint64_t address = (*next + size - 1) & ~(size - 1);

    *next = address + size;
    return address;
}

void *map_new(unsigned order, uint32_t *frame)
{
    uint64_t address = addresses(order);
    uint32_t slot = make(LIMEN_TYPE_FRAME, order);
    expect_ok(limen_map(slot, OWN_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    if (frame)
        *frame = slot;
    return (void *)address;
}

struct limen_capability inspect(uint32_t slot)
{
    struct limen_capability capability;
    expect_ok(limen_inspect(OWN_TABLE, slot, &capability));
    return capability;
}

bool is_empty(uint32_t slot)
{
    return inspect(slot).type == LIMEN_TYPE_NONE;
}

enum limen_thread_state state_of(uint32_t thread)
{
    struct limen_thread_info info;
    expect_ok(limen_thread_info(thread, &info));
    return info.state;
}

uint64_t counter(enum limen_counter which)
{
    uint64_t value;
    expect_ok(limen_counter(KERNEL, which, &value));
    return value;
}

enum limen_error invoke(uint32_t slot, uint32_t label, uint64_t words[8])
{
    return limen_call8(slot, label, words);
}

/* -- threads -- */

static _Noreturn void worker_main(struct worker *worker)
{
    worker->entry(worker->argument);
    limen_signal(worker->done);
    for (;;)
        limen_thread_suspend(worker->thread);
}

struct worker *kit_make_worker(void)
{
    expect(next_worker < WORKERS_MAX);
    unsigned index = next_worker++;
    struct worker *worker = &workers[index];
    uint64_t page = PAGES_FIRST + index * LIMEN_PAGE_SIZE;

    *worker = (struct worker){
        .thread = make(LIMEN_TYPE_THREAD, 0),
        .done = make(LIMEN_TYPE_NOTIFICATION, 0),
        .frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER),
        .page = (struct limen_message_page *)page,
        .stack_top = (uint64_t)stacks[index] + WORKER_STACK_SIZE,
    };
    uint32_t done = minted(worker->done, LIMEN_RIGHTS_ALL, 1);
    worker->done = done;
    expect_ok(limen_map(worker->frame, OWN_SPACE, page, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    struct limen_thread_block *block = limen_thread_block_init(worker->page);
    expect_ok(limen_thread_set_message_page(worker->thread, worker->frame));
    expect_ok(limen_thread_configure(worker->thread, OWN_SPACE, OWN_TABLE, FAULTS));
    expect_ok(limen_thread_set_bases(worker->thread, (uint64_t)block, 0));
    return worker;
}

struct worker *own_worker(void)
{
    return &workers[0]; /* the runner makes it before the test makes any */
}

void set_priority(uint32_t thread, unsigned priority)
{
    expect_ok(limen_call4(FAULTS, RUNNER_SET_PRIORITY, (uint64_t[4]){thread, priority}));
}

struct worker *new_worker(unsigned priority)
{
    struct worker *worker = kit_make_worker();
    set_priority(worker->thread, priority);
    return worker;
}

void start(struct worker *worker, void (*entry)(void *argument), void *argument)
{
    struct limen_regs regs = {
        .rip = (uint64_t)worker_main,
        .rdi = (uint64_t)worker,
        .rsp = worker->stack_top - sizeof(uint64_t), /* as a CALL leaves it: 16n + 8 */
    };
    worker->entry = entry;
    worker->argument = argument;
    expect_ok(limen_thread_set_regs(worker->thread, &regs));
    expect_ok(limen_thread_resume(worker->thread));
}

struct worker *spawn(unsigned priority, void (*entry)(void *argument), void *argument)
{
    struct worker *worker = new_worker(priority);
    start(worker, entry, argument);
    return worker;
}

void join(struct worker *worker)
{
    struct message message = {0};
    expect_ok(transfer(LIMEN_SYS_WAIT, worker->done, 0, LIMEN_FOREVER, &message));
    expect_ok(limen_thread_suspend(worker->thread)); /* it may not have come to that itself */
}

/* -- messages -- */

enum limen_error transfer(uint64_t number, uint32_t slot, uint32_t reply, uint64_t deadline,
                          struct message *message)
{
    if (deadline != LIMEN_FOREVER)
        number |= LIMEN_DEADLINE;
    message->badge = limen_target(slot, reply);
    return (enum limen_error)limen_syscall8(number, &message->badge, &message->tag, deadline,
                                            message->words);
}
