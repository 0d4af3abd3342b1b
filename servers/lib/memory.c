/* SPDX-License-Identifier: MIT */
/* Slots, addresses and memory of this server. */
#include <runtime/environment.h>
#include <runtime/memory.h>
#include <runtime/objects.h>

/* -- runs of numbers, first fit -- */

#define BITS 64u

struct runs {
    uint64_t *taken; /* a bit each */
    unsigned count;
    unsigned *full; /* all below this are taken: not to be looked through again and again */
};

static void mark(struct runs *runs, unsigned first, unsigned count, bool taken)
{
    for (unsigned i = first; i < first + count; i++) {
        uint64_t bit = 1ull << i % BITS;
        if (taken)
            runs->taken[i / BITS] |= bit;
        else
            runs->taken[i / BITS] &= ~bit;
    }
}

/* How many numbers from this one on are taken, or are free, as far as one word of the map tells. */
static unsigned alike(const struct runs *runs, unsigned from, bool taken)
{
    uint64_t word = runs->taken[from / BITS];
    uint64_t others = (taken ? ~word : word) >> from % BITS;

    return others ? (unsigned)__builtin_ctzll(others) : BITS - from % BITS;
}

/* The first number of the run, or runs->count. */
static unsigned take_run(struct runs *runs, unsigned from, unsigned count)
{
    unsigned first = from > *runs->full ? from : *runs->full, length = 0;

    while (first < runs->count && alike(runs, first, true) > 0)
        first += alike(runs, first, true);
    *runs->full = first;
    while (first + count <= runs->count) {
        if (length >= count) {
            mark(runs, first, count, true);
            return first;
        }
        unsigned free = alike(runs, first + length, false);
        length += free;
        if (free == 0) {
            first += length + alike(runs, first + length, true);
            length = 0;
        }
    }
    return runs->count;
}

static void give_run(struct runs *runs, unsigned first, unsigned count)
{
    mark(runs, first, count, false);
    if (first < *runs->full)
        *runs->full = first;
}

/* -- slots -- */

static uint64_t slots_taken[(1u << LIMEN_TABLE_ORDER_MAX) / BITS];

static unsigned slots_full;

static struct runs slots(void)
{
    return (struct runs){slots_taken, limen_environment()->slot_count, &slots_full};
}

uint32_t limen_slots_take(unsigned count)
{
    struct runs runs = slots();
    unsigned first = take_run(&runs, limen_environment()->first_free, count);

    return first < runs.count ? first : 0;
}

void limen_slots_give(uint32_t first, unsigned count)
{
    struct runs runs = slots();
    give_run(&runs, first, count);
}

/* -- addresses, in units that keep the bit map small -- */

#define UNIT 0x10000ull

static uint64_t units_taken[((LIMEN_SERVER_HEAP_END - LIMEN_SERVER_HEAP) / UNIT + BITS - 1) / BITS];

static unsigned units_full;

static struct runs units(void)
{
    const struct limen_environment *environment = limen_environment();
    return (struct runs){
        units_taken, (unsigned)((environment->heap_end - environment->heap) / UNIT), &units_full};
}

static unsigned units_of(size_t pages)
{
    return (unsigned)((pages * LIMEN_PAGE_SIZE + UNIT - 1) / UNIT);
}

uint64_t limen_addresses_take(size_t pages)
{
    struct runs runs = units();
    unsigned first = take_run(&runs, 0, units_of(pages));

    return first < runs.count ? limen_environment()->heap + first * UNIT : 0;
}

void limen_addresses_give(uint64_t address, size_t pages)
{
    struct runs runs = units();
    give_run(&runs, (unsigned)((address - limen_environment()->heap) / UNIT), units_of(pages));
}

/* -- memory -- */

struct untyped {
    uint32_t slot;
    unsigned order;
};

/* Memory that objects are made from, smallest first, so that large pieces stay whole. */
static struct untyped roots[LIMEN_INIT_UNTYPED_MAX];
static unsigned root_count;

/* Pieces given back, to be taken again. */
#define SPARE_MAX 64u
static struct untyped spare[SPARE_MAX];
static unsigned spare_count;

enum limen_error limen_memory_add(uint32_t untyped)
{
    struct limen_untyped_info info;
    enum limen_error error = limen_untyped_info(untyped, &info);
    unsigned at = root_count;

    if (error != LIMEN_OK)
        return error;
    if (root_count == LIMEN_INIT_UNTYPED_MAX)
        return LIMEN_LIMIT;
    for (; at > 0 && roots[at - 1].order > info.order; at--)
        roots[at] = roots[at - 1];
    roots[at] = (struct untyped){untyped, info.order};
    root_count++;
    return LIMEN_OK;
}

enum limen_error limen_make(enum limen_type type, unsigned order, unsigned count, uint32_t *first)
{
    enum limen_error error = LIMEN_NO_MEMORY;
    uint32_t slot = limen_slots_take(count);

    if (slot == 0)
        return LIMEN_LIMIT;
    for (unsigned i = 0; i < root_count && error == LIMEN_NO_MEMORY; i++)
        error = limen_retype(roots[i].slot, type, order, slot, count);
    if (error != LIMEN_OK) {
        limen_slots_give(slot, count);
        return error;
    }
    *first = slot;
    return LIMEN_OK;
}

enum limen_error limen_untyped_take(unsigned order, uint32_t *untyped)
{
    for (unsigned i = 0; i < spare_count; i++) {
        if (spare[i].order == order) {
            *untyped = spare[i].slot;
            spare[i] = spare[--spare_count];
            return LIMEN_OK;
        }
    }
    return limen_make(LIMEN_TYPE_UNTYPED, order, 1, untyped);
}

void limen_untyped_give(uint32_t untyped, unsigned order)
{
    if (spare_count < SPARE_MAX) {
        spare[spare_count++] = (struct untyped){untyped, order};
    } else {
        limen_delete(LIMEN_SLOT_TABLE, untyped);
        limen_slots_give(untyped, 1);
    }
}

enum limen_error limen_map_frames(uint32_t space, uint32_t first, unsigned count, uint64_t address,
                                  unsigned rights)
{
    for (unsigned i = 0; i < count; i++) {
        enum limen_error error =
            limen_map(first + i, space, address + i * LIMEN_PAGE_SIZE, rights, LIMEN_CACHE_NORMAL);
        if (error != LIMEN_OK) {
            while (i-- > 0)
                limen_unmap(first + i);
            return error;
        }
    }
    return LIMEN_OK;
}

void *limen_memory(size_t pages)
{
    uint64_t address = limen_addresses_take(pages);
    size_t done = 0;

    if (address == 0)
        return NULL;
    while (done < pages) {
        uint32_t first;
        unsigned count = pages - done < LIMEN_RETYPE_COUNT_MAX ? (unsigned)(pages - done)
                                                               : LIMEN_RETYPE_COUNT_MAX;
        if (limen_make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, count, &first) != LIMEN_OK)
            return NULL;
        if (limen_map_frames(LIMEN_SLOT_SPACE, first, count, address + done * LIMEN_PAGE_SIZE,
                             LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE) != LIMEN_OK)
            return NULL;
        done += count;
    }
    return (void *)address;
}

uint64_t limen_memory_free(void)
{
    uint64_t free = 0;

    for (unsigned i = 0; i < root_count; i++) {
        struct limen_untyped_info info;
        if (limen_untyped_info(roots[i].slot, &info) == LIMEN_OK)
            free += (1ull << info.order) - info.used;
    }
    for (unsigned i = 0; i < spare_count; i++)
        free += 1ull << spare[i].order;
    return free;
}
