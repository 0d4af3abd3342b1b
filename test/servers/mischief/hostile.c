/* SPDX-License-Identifier: MIT */
/*
 * Hostile servers, one a kind, and their victim, who calls them where the boot line says victim.
 *
 * They serve the protocol bench, of which run takes a number and gives five.
 */
#include "roles.h"

#include <limen.h>
#include <protocol/bench.h>
#include <protocol/process.h>

#define VICTIMS_CALLS 3u

static enum limen_error echo(struct limen_request *request, uint64_t number, uint64_t *min,
                             uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    (void)request;
    *min = *p50 = *p99 = *max = *n = number;
    return LIMEN_OK;
}

static void serve(enum limen_error (*run)(struct limen_request *, uint64_t, uint64_t *, uint64_t *,
                                          uint64_t *, uint64_t *, uint64_t *))
{
    bench_serve(&(struct bench_handlers){.run = run});
}

/* Asks init about itself, without a pause, until the mischief has ended for good. */
static void ask_on(void)
{
    uint32_t process = limen_lookup("process");
    uint64_t id, alive = 1, state, priority, granted, mapped, nanoseconds, starts;
    char name[PROCESS_GET_NAME_MAX + 1], reason[PROCESS_GET_REASON_MAX + 1];

    while (alive != 0)
        for (uint64_t position = 0; position < 3; position++) {
            static const char *const names[] = {"console", "shell", "mischief"};
            limen_must("asking",
                       process_get(process, position, &id, name, &alive, &state, &priority,
                                   &granted, &mapped, &nanoseconds, &starts, reason));
            limen_assert(strcmp(name, names[position]) == 0);
        }
}

/* Of what a server gave to it. */
static void look_at(uint32_t kept)
{
    struct limen_capability capability;

    limen_must("looking", limen_inspect(LIMEN_SLOT_TABLE, kept, &capability));
    printf("victim: what it keeps: type %u, rights %#x\n", capability.type, capability.rights);
}

void victim(void)
{
    char way[8];
    uint32_t kept = 0;

    if (!limen_boot_option("victim", way, sizeof way))
        idle();
    if (strcmp(way, "asks") == 0)
        ask_on();
    if (strcmp(way, "keeps") == 0) {
        kept = limen_slots_take(1);
        limen_message()->receive_first = kept;
        limen_message()->receive_count = 1;
    }
    for (uint64_t i = 1; i <= VICTIMS_CALLS; i++) {
        uint64_t min, p50, p99, max, n;
        enum limen_error error = bench_run(limen_lookup("mischief"), i, &min, &p50, &p99, &max, &n);
        printf("victim: call %lu: %s, %lu %lu\n", i, limen_error_text(error), min, n);
        if (kept != 0)
            look_at(kept);
    }
    idle();
}

/* -- never replies -- */

static enum limen_error put_off(struct limen_request *request, uint64_t number, uint64_t *min,
                                uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    limen_must("putting a request off", limen_defer(request) != 0 ? LIMEN_OK : LIMEN_LIMIT);
    return echo(request, number, min, p50, p99, max, n);
}

void never_replies(void)
{
    serve(put_off);
}

/* -- replies twice -- */

static enum limen_error answer_twice(struct limen_request *request, uint64_t number, uint64_t *min,
                                     uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    uint32_t reply = limen_defer(request);

    bench_run_answer(reply, LIMEN_OK, number, 0, 0, 0, number);
    printf("mischief: the second answer: %s\n",
           limen_error_text(limen_answer(reply, limen_tag(LIMEN_OK, 5, 0))));
    return echo(request, number, min, p50, p99, max, n);
}

void replies_twice(void)
{
    serve(answer_twice);
}

/* -- drops its capabilities while it is called -- */

static enum limen_error drop_reply(struct limen_request *request, uint64_t number, uint64_t *min,
                                   uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    if (number == 2)
        limen_delete(LIMEN_SLOT_TABLE, limen_defer(request));
    return echo(request, number, min, p50, p99, max, n);
}

void drops_reply(void)
{
    serve(drop_reply);
}

/* Its table last, without which it can name nothing, and cannot even say that it is at an end. */
static enum limen_error drop_all(struct limen_request *request, uint64_t number, uint64_t *min,
                                 uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    (void)echo(request, number, min, p50, p99, max, n);
    for (uint32_t slot = limen_environment()->slot_count - 1; slot > 0; slot--)
        limen_delete(LIMEN_SLOT_TABLE, slot);
    for (;;)
        limen_yield();
}

void drops_all(void)
{
    lower_priority();
    serve(drop_all);
}

/* -- floods an endpoint -- */

#define FLOODERS 3

static void send_nonsense(void *argument)
{
    (void)argument;
    for (uint64_t i = 0;; i++) {
        uint64_t target = limen_lookup("console"), words[8] = {i, i, i, i, i, i, i, i};
        uint64_t tag =
            limen_tag((uint32_t)(i * 2654435761u), (unsigned)(i % (LIMEN_WORDS_MAX + 1)), 0);
        limen_syscall8(i % 2 ? LIMEN_SYS_CALL : LIMEN_SYS_SEND, &target, &tag, 0, words);
    }
}

void floods_endpoint(void)
{
    static struct limen_thread threads[FLOODERS];

    lower_priority();
    for (unsigned i = 0; i < FLOODERS; i++)
        limen_must("starting a thread", limen_thread_start(&threads[i], "flooder", SHELL_PRIORITY,
                                                           send_nonsense, NULL, LIMEN_PAGE_SIZE));
    printf("mischief: the flood begins\n");
    serve(echo);
}

/* -- maps everything -- */

static void try_map(uint32_t frame, const char *what, uint64_t address, unsigned rights)
{
    enum limen_error error =
        limen_map(frame, LIMEN_SLOT_SPACE, address, rights, LIMEN_CACHE_NORMAL);

    printf("mischief: mapping %s: %s\n", what, limen_error_text(error));
}

/* One page in each stretch that takes a page table of its own, until there are none any more. */
void maps_everything(void)
{
    const unsigned writable = LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE;
    uint32_t frame, spare;
    enum limen_error error = LIMEN_OK;

    limen_must("making a frame", limen_make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 1, &frame));
    for (uint64_t address = LIMEN_SERVER_HEAP; error == LIMEN_OK;
         address += 1ull << LIMEN_LARGE_PAGE_ORDER) {
        spare = limen_slots_take(1);
        error = limen_copy(LIMEN_SLOT_TABLE, spare, 0, frame, writable);
        if (error == LIMEN_OK)
            error = limen_map(spare, LIMEN_SLOT_SPACE, address, writable, LIMEN_CACHE_NORMAL);
    }
    printf("mischief: mapping ended with: %s\n", limen_error_text(error));
    try_map(frame, "over its own code", (uint64_t)maps_everything & ~(LIMEN_PAGE_SIZE - 1),
            writable);
    try_map(frame, "the kernel's half", 1ull << 63, writable);
    try_map(frame, "page 0", 0, writable);
    try_map(frame, "to write and execute", LIMEN_SERVER_HEAP + LIMEN_PAGE_SIZE,
            writable | LIMEN_RIGHT_EXECUTE);
    serve(echo);
}

/* -- exhausts its memory -- */

static enum limen_error exhaust(struct limen_request *request, uint64_t number, uint64_t *min,
                                uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    uint32_t slot;

    for (unsigned order = LIMEN_LARGE_PAGE_ORDER; order >= LIMEN_UNTYPED_ORDER_MIN; order--)
        while (limen_make(LIMEN_TYPE_UNTYPED, order, 1, &slot) == LIMEN_OK)
            ;
    printf("mischief: %lu bytes are left\n", limen_memory_free());
    return echo(request, number, min, p50, p99, max, n);
}

void exhausts_memory(void)
{
    serve(exhaust);
}

/* -- dies of a request -- */

static enum limen_error die(struct limen_request *request, uint64_t number, uint64_t *min,
                            uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    null_pointer();
    return echo(request, number, min, p50, p99, max, n);
}

void dies_of_request(void)
{
    serve(die);
}

/* -- gives its service away, and dies -- */

static enum limen_error give_away(struct limen_request *request, uint64_t number, uint64_t *min,
                                  uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    if (number != 1)
        null_pointer();
    limen_message()->send_caps[0] = limen_provided();
    limen_answer_deferred(limen_defer(request), limen_tag(LIMEN_OK, 5, 1));
    return echo(request, number, min, p50, p99, max, n);
}

void gives_service_away(void)
{
    serve(give_away);
}

/* -- calls itself -- */

void calls_itself(void)
{
    uint64_t min, p50, p99, max, n;

    lower_priority();
    bench_run(limen_provided(), 1, &min, &p50, &p99, &max, &n);
}
