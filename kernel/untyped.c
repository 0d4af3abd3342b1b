/* SPDX-License-Identifier: MIT */
/*
 * Retyping: memory becomes objects.
 *
 * The watermark of an untyped capability only rises, and falls back to zero when nothing derived
 * from it is left.  Memory is cleared before anything is made of it, a page at a time with a window
 * after each; how far that came is remembered in the capability, so a call that is interrupted, or
 * made again, goes on from there.
 */
#include "untyped.h"

#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "notification.h"
#include "scheduler.h"
#include "space.h"
#include "table.h"

/* Slots looked at between two windows. */
#define PLACES_STEP 16u

unsigned untyped_object_order(enum limen_type type, uint64_t order)
{
    switch (type) {
    case LIMEN_TYPE_UNTYPED:
        return order >= LIMEN_UNTYPED_ORDER_MIN && order <= LIMEN_UNTYPED_ORDER_MAX
                   ? (unsigned)order
                   : 0;
    case LIMEN_TYPE_TABLE:
        return order >= LIMEN_TABLE_ORDER_MIN && order <= LIMEN_TABLE_ORDER_MAX
                   ? (unsigned)order + LIMEN_SLOT_ORDER
                   : 0;
    case LIMEN_TYPE_SPACE:
        return order >= LIMEN_SPACE_ORDER_MIN && order <= LIMEN_SPACE_ORDER_MAX ? (unsigned)order
                                                                                : 0;
    case LIMEN_TYPE_FRAME:
        return order == LIMEN_PAGE_ORDER || order == LIMEN_LARGE_PAGE_ORDER ? (unsigned)order : 0;
    case LIMEN_TYPE_THREAD:
        return LIMEN_THREAD_ORDER;
    case LIMEN_TYPE_ENDPOINT:
        return LIMEN_ENDPOINT_ORDER;
    case LIMEN_TYPE_NOTIFICATION:
        return LIMEN_NOTIFICATION_ORDER;
    case LIMEN_TYPE_REPLY:
        return LIMEN_REPLY_ORDER;
    case LIMEN_TYPE_CONTEXT:
        return LIMEN_CONTEXT_ORDER;
    default:
        return 0;
    }
}

uint64_t untyped_place(uint64_t used, unsigned order)
{
    uint64_t size = 1ull << order;
    return (used + size - 1) & ~(size - 1);
}

/* How much of the object's start must be clear before it is made.  Ring 3 sees all of a frame, the
 * kernel trusts empty slots; the rest of a space becomes tables, each cleared when it is taken, and
 * what follows a thread's own structure is the processor's side's, which clears what it needs. */
static uint64_t bytes_to_clear(enum limen_type type, unsigned order)
{
    switch (type) {
    case LIMEN_TYPE_UNTYPED:
        return 0;
    case LIMEN_TYPE_SPACE:
        return 2 * LIMEN_PAGE_SIZE;
    case LIMEN_TYPE_THREAD:
        return sizeof(struct thread);
    default:
        return 1ull << order;
    }
}

void untyped_make(struct slot *slot, struct slot *untyped, enum limen_type type, unsigned order,
                  void *memory)
{
    struct object *object = memory;

    switch (type) {
    case LIMEN_TYPE_TABLE:
        order -= LIMEN_SLOT_ORDER;
        table_create(memory, order);
        break;
    case LIMEN_TYPE_THREAD:
        thread_create(memory);
        break;
    case LIMEN_TYPE_SPACE:
        space_create(memory, order);
        break;
    case LIMEN_TYPE_ENDPOINT:
        endpoint_create(memory);
        break;
    case LIMEN_TYPE_NOTIFICATION:
        notification_create(memory);
        break;
    case LIMEN_TYPE_CONTEXT:
        context_create(memory);
        break;
    default:
        ASSERT(type == LIMEN_TYPE_UNTYPED || type == LIMEN_TYPE_FRAME || type == LIMEN_TYPE_REPLY);
        break;
    }
    slot_fill(slot, untyped, type, LIMEN_RIGHTS_ALL, order, object);
}

struct retype {
    enum limen_type type;
    unsigned order; /* of one object, in bytes */
    uint64_t table; /* slot of the destination table, 0: own */
    uint64_t first; /* index in it */
    uint64_t count;
    uint64_t made;
    struct slot *untyped; /* where these are, until another thread has run: the memory ... */
    struct slot *places;  /* ... and the first of the destinations */
};

/* A watermark without anything derived is what is left of objects that have gone.  Without one,
 * `cleared` is the progress of a call that has made nothing yet, and stays. */
void untyped_reclaim(struct slot *untyped)
{
    if (!untyped->child && untyped->used) {
        untyped->used = 0;
        untyped->cleared = 0;
    }
}

/* Nothing the kernel relies on is made of memory that others may write: a device, the firmware. */
enum limen_error untyped_check(const struct slot *untyped, enum limen_type type)
{
    bool any = type == LIMEN_TYPE_FRAME || type == LIMEN_TYPE_UNTYPED;
    if (untyped->device && !any)
        return LIMEN_WRONG_TYPE;
    return untyped->doomed ? LIMEN_BUSY : LIMEN_OK;
}

/* What can be refused is refused here and in check_places(), before anything is made. */
static enum limen_error find_places(const struct invocation *call, struct retype *want)
{
    struct slot *entries = call->self->table, *table;
    uint64_t slots = call->self->slots;

    if (want->table) {
        enum limen_error error =
            invoke_argument(call, want->table, LIMEN_TYPE_TABLE, LIMEN_RIGHT_WRITE, &table);
        if (error)
            return error;
        entries = table_of(table);
        slots = table_slots(table);
    }
    if (want->first - 1 >= slots - 1 || want->count > slots - want->first)
        return LIMEN_OUT_OF_RANGE;
    want->places = &entries[want->first];
    return LIMEN_OK;
}

/* After another thread has run. */
static __attribute__((noinline)) enum limen_error find_again(const struct invocation *call,
                                                             struct retype *want)
{
    enum limen_error error =
        invoke_argument(call, call->index, LIMEN_TYPE_UNTYPED, LIMEN_RIGHT_WRITE, &want->untyped);

    if (!error)
        error = untyped_check(want->untyped, want->type);
    return error ? error : find_places(call, want);
}

static enum limen_error check(const struct invocation *call, struct retype *want)
{
    const struct slot *untyped = want->untyped;

    if (!want->order)
        return LIMEN_BAD_ARGUMENT;
    if (want->count == 0 || want->count > LIMEN_RETYPE_COUNT_MAX)
        return LIMEN_OUT_OF_RANGE;
    enum limen_error error = untyped_check(untyped, want->type);
    if (error)
        return error;
    uint64_t used = untyped->child ? untyped->used : 0;
    if (want->order > untyped->order ||
        untyped_place(used, want->order) + (want->count << want->order) > 1ull << untyped->order)
        return LIMEN_NO_MEMORY;
    return find_places(call, want);
}

/* Some at a time: what a window changes of the first is seen again when they are filled. */
static enum limen_error check_places(const struct invocation *call, struct retype *want)
{
    for (uint64_t i = 0; i < want->count; i++) {
        if (!slot_is_empty(&want->places[i]))
            return LIMEN_SLOT_OCCUPIED;
        if (i % PLACES_STEP != PLACES_STEP - 1 || !scheduler_window())
            continue;
        enum limen_error error = find_again(call, want);
        if (error)
            return error;
    }
    return LIMEN_OK;
}

/* Clears up to a page of what is not clear below `end`; true when nothing is left to clear.  What
 * the object's alignment skips is cleared with it: `cleared` speaks of everything below, and when
 * this call gets no further something smaller may be made there. */
static bool clear_step(struct slot *untyped, uint64_t end)
{
    if (untyped->cleared < untyped->used)
        untyped->cleared = untyped->used;
    if (untyped->cleared >= end)
        return true;
    uint64_t size = end - untyped->cleared;
    if (size > LIMEN_PAGE_SIZE)
        size = LIMEN_PAGE_SIZE;
    arch_clear_words((char *)untyped->object + untyped->cleared, size / sizeof(uint64_t));
    untyped->cleared += size;
    return untyped->cleared == end;
}

/* Makes the next object, or gets nearer to it.  Checks again what a window may have changed. */
static enum limen_error make_step(struct retype *want)
{
    struct slot *untyped = want->untyped, *place = &want->places[want->made];

    if (!slot_is_empty(place))
        return LIMEN_SLOT_OCCUPIED;
    untyped_reclaim(untyped);
    uint64_t start = untyped_place(untyped->used, want->order);
    uint64_t end = start + (1ull << want->order);
    if (end > 1ull << untyped->order)
        return LIMEN_NO_MEMORY;
    uint64_t clear = bytes_to_clear(want->type, want->order);
    if (clear && !untyped->device && !clear_step(untyped, start + clear))
        return LIMEN_OK;

    /* Point of no return. */
    untyped->used = end;
    untyped_make(place, untyped, want->type, want->order, (char *)untyped->object + start);
    want->made++;
    return LIMEN_OK;
}

static enum limen_error retype(struct invocation *call)
{
    struct retype want = {
        .type = call->word[0] < LIMEN_TYPE_COUNT ? (enum limen_type)call->word[0] : LIMEN_TYPE_NONE,
        .table = call->word[2],
        .first = call->word[3],
        .count = call->word[4],
        .untyped = call->slot,
    };
    want.order = untyped_object_order(want.type, call->word[1]);
    enum limen_error error = check(call, &want);

    if (!error)
        error = check_places(call, &want);
    while (!error) {
        error = make_step(&want);
        if (error || want.made == want.count)
            break;
        if (scheduler_window())
            error = find_again(call, &want);
    }
    call->word[0] = want.made;
    call->results = 1;
    return error;
}

enum limen_error untyped_invoke(struct invocation *call)
{
    struct slot *untyped = call->slot;

    switch (call->label) {
    case LIMEN_UNTYPED_RETYPE:
        return untyped->rights & LIMEN_RIGHT_WRITE ? retype(call) : LIMEN_NO_RIGHT;
    case LIMEN_UNTYPED_INFO:
        call->word[0] = virt_to_phys(untyped->object);
        call->word[1] = untyped->order;
        call->word[2] = untyped->child ? untyped->used : 0;
        call->word[3] = untyped->device;
        call->results = 4;
        return LIMEN_OK;
    default:
        return LIMEN_BAD_OPERATION;
    }
}
