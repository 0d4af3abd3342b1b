/* SPDX-License-Identifier: MIT */
#include "space.h"

#include "assert.h"
#include "invoke.h"
#include "list.h"

void space_create(struct space *space, unsigned order)
{
    char *top = (char *)space + LIMEN_PAGE_SIZE;

    space->own_pages = (1ull << (order - LIMEN_PAGE_ORDER)) - 2;
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
        space->donations[i].holder = HOLDER_SPACE_DONATION;
    arch_space_create(&space->arch, top);
}

static uint64_t donated_pages(const struct slot *donation)
{
    return slot_is_empty(donation) ? 0 : 1ull << (donation->order - LIMEN_PAGE_ORDER);
}

static char *take_page(struct space *space)
{
    if (space->own_used < space->own_pages)
        return (char *)space + (2 + space->own_used++) * LIMEN_PAGE_SIZE;
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
        if (space->donated_used[i] < donated_pages(&space->donations[i]))
            return (char *)space->donations[i].object + space->donated_used[i]++ * LIMEN_PAGE_SIZE;
    return NULL;
}

/* Makes the highest table that lacks on the way to an address. */
static enum limen_error add_table(struct space *space, uint64_t address)
{
    char *page = take_page(space);
    if (!page)
        return LIMEN_NO_TABLES;
    memset(page, 0, LIMEN_PAGE_SIZE);
    arch_add_table(&space->arch, address, page);
    return LIMEN_OK;
}

/* -- mappings -- */

static void list_mapping(struct space *space, struct slot *frame)
{
    struct slot *next = space->mapped;

    frame->space = space;
    frame->mapped_prev = NULL;
    frame->mapped_next = next;
    if (next)
        next->mapped_prev = frame;
    space->mapped = frame;
    space->mapped_bytes += 1ull << frame->order;
}

static void forget_mapping(struct slot *frame)
{
    struct space *space = frame->space;
    struct slot *prev = frame->mapped_prev, *next = frame->mapped_next;

    if (prev)
        prev->mapped_next = next;
    else
        space->mapped = next;
    if (next)
        next->mapped_prev = prev;
    space->mapped_bytes -= 1ull << frame->order;
    frame->space = NULL;
    frame->page = 0;
}

void space_mapping_moved(struct slot *from, struct slot *to)
{
    if (from->mapped_prev)
        from->mapped_prev->mapped_next = to;
    else
        from->space->mapped = to;
    if (from->mapped_next)
        from->mapped_next->mapped_prev = to;
}

void space_unmap(struct slot *frame)
{
    struct space *space = frame->space;
    ASSERT(space);
    if (!space->emptying)
        arch_unmap(&space->arch, (uint64_t)frame->page << LIMEN_PAGE_ORDER, frame->order);
    forget_mapping(frame);
}

enum limen_error space_map_fixed(struct space *space, uint64_t address, uint64_t physical,
                                 unsigned rights)
{
    enum limen_error error;

    do
        error =
            arch_map(&space->arch, address, physical, LIMEN_PAGE_ORDER, rights, LIMEN_CACHE_NORMAL);
    while (error == LIMEN_NO_TABLES && !add_table(space, address));
    return error;
}

/* -- emptying -- */

/* The tables go first and at once; the capabilities that were mapped learn of it one by one. */
static bool empty_step(struct space *space)
{
    if (!space->emptying) {
        space->emptying = true;
        arch_space_clear(&space->arch);
        space->own_used = 0;
        for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
            space->donated_used[i] = 0;
    }
    if (!space->mapped)
        return true;
    forget_mapping(space->mapped);
    return false;
}

bool space_lost(struct slot *donation)
{
    /* The place lies in the space's header, which is one page. */
    struct space *space = (struct space *)((uint64_t)donation & ~(LIMEN_PAGE_SIZE - 1));
    bool dead = !slot_is_empty(&space->grave);

    if (!empty_step(space))
        return false;
    if (!dead)
        space->emptying = false;
    return true;
}

bool space_reap(struct space *space)
{
    if (!empty_step(space))
        return false;
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
        if (!slot_is_empty(&space->donations[i])) {
            slot_drop_step(&space->donations[i]);
            return false;
        }
    arch_space_destroy(&space->arch);
    return true;
}

/* -- operations -- */

static enum limen_error donate(struct invocation *call)
{
    struct space *space = call->slot->object;
    struct slot *untyped;
    enum limen_error error =
        invoke_argument(call, call->word[0], LIMEN_TYPE_UNTYPED, LIMEN_RIGHT_WRITE, &untyped);
    if (error)
        return error;
    if (untyped->child || untyped->doomed || untyped->device)
        return LIMEN_BUSY;
    if (untyped->order < LIMEN_PAGE_ORDER)
        return LIMEN_OUT_OF_RANGE;
    unsigned free = 0;
    while (free < LIMEN_SPACE_DONATIONS && !slot_is_empty(&space->donations[free]))
        free++;
    if (free == LIMEN_SPACE_DONATIONS)
        return LIMEN_LIMIT;

    /* Point of no return. */
    slot_move(&space->donations[free], untyped);
    space->donated_used[free] = 0;
    return LIMEN_OK;
}

static enum limen_error info(struct invocation *call)
{
    const struct space *space = call->slot->object;
    uint64_t held = space->own_pages;
    uint64_t used = space->own_used;

    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++) {
        held += donated_pages(&space->donations[i]);
        used += space->donated_used[i];
    }
    call->word[0] = held;
    call->word[1] = held - used;
    call->word[2] = space->mapped_bytes;
    call->results = 3;
    return LIMEN_OK;
}

enum limen_error space_invoke(struct invocation *call)
{
    switch (call->label) {
    case LIMEN_SPACE_DONATE:
        return call->slot->rights & LIMEN_RIGHT_WRITE ? donate(call) : LIMEN_NO_RIGHT;
    case LIMEN_SPACE_INFO:
        return call->slot->rights & LIMEN_RIGHT_READ ? info(call) : LIMEN_NO_RIGHT;
    default:
        return LIMEN_BAD_OPERATION;
    }
}

/* Maps, or makes the highest table that lacks. */
static inline __attribute__((always_inline)) enum limen_error map_step(struct invocation *call,
                                                                       bool *mapped)
{
    struct slot *frame = call->slot;
    uint64_t address = call->word[1];
    /* The processor has no way to let a page be written or executed but not read. */
    uint64_t rights = call->word[2] | LIMEN_RIGHT_READ;
    uint64_t cache = call->word[3];
    uint64_t size = 1ull << frame->order;
    struct slot *target;

    enum limen_error error =
        invoke_argument(call, call->word[0], LIMEN_TYPE_SPACE, LIMEN_RIGHT_WRITE, &target);
    if (error)
        return error;
    const uint64_t known = LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE | LIMEN_RIGHT_EXECUTE;
    const uint64_t both = LIMEN_RIGHT_WRITE | LIMEN_RIGHT_EXECUTE;
    if (!call->word[2] || rights & ~known || (rights & both) == both)
        return LIMEN_BAD_ARGUMENT;
    if ((frame->rights & rights) != rights)
        return LIMEN_NO_RIGHT;
    if (cache > LIMEN_CACHE_NONE || (cache == LIMEN_CACHE_NONE && !frame->device))
        return LIMEN_BAD_ARGUMENT;
    if (address & (size - 1))
        return LIMEN_MISALIGNED;
    if (address - 1 >= LIMEN_USER_END - size) /* page 0 included */
        return LIMEN_OUT_OF_RANGE;
    if (frame->space)
        return LIMEN_ALREADY_MAPPED;
    struct space *space = target->object;
    if (space->emptying)
        return LIMEN_BUSY;

    /* Point of no return. */
    error = arch_map(&space->arch, address, virt_to_phys(frame->object), frame->order,
                     (unsigned)rights, (enum limen_cache)cache);
    if (error)
        return error == LIMEN_NO_TABLES ? add_table(space, address) : error;
    frame->page = address >> LIMEN_PAGE_ORDER & ((1ull << 36) - 1);
    list_mapping(space, frame);
    *mapped = true;
    return LIMEN_OK;
}

/* In a window everything may change.  The tables made so far stay in the space, whatever becomes of
 * the mapping. */
static __attribute__((noinline)) enum limen_error map(struct invocation *call)
{
    bool mapped = false;

    for (;;) {
        enum limen_error error = map_step(call, &mapped);
        if (error || mapped)
            return error;
        arch_window();
        error = invoke_argument(call, call->index, LIMEN_TYPE_FRAME, 0, &call->slot);
        if (error)
            return error;
    }
}

enum limen_error frame_invoke(struct invocation *call)
{
    struct slot *frame = call->slot;

    switch (call->label) {
    case LIMEN_FRAME_MAP:
        return map(call);
    case LIMEN_FRAME_UNMAP:
        if (!frame->space)
            return LIMEN_NOT_MAPPED;
        space_unmap(frame);
        return LIMEN_OK;
    case LIMEN_FRAME_INFO:
        call->word[0] = virt_to_phys(frame->object);
        call->word[1] = frame->order;
        call->word[2] = frame->device;
        call->word[3] = (uint64_t)frame->page << LIMEN_PAGE_ORDER;
        call->results = 4;
        return LIMEN_OK;
    default:
        return LIMEN_BAD_OPERATION;
    }
}
