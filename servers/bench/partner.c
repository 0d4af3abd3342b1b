/* SPDX-License-Identifier: MIT */
#include "partner.h"

/* What lld writes at the start of every image: its own description. System V ABI, figures 4-3 and
 * 5-1, ELF-64. */
struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, program_headers, section_headers;
    uint32_t flags;
    uint16_t size, program_header_size, program_header_count;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, address, physical, file_size, memory_size, alignment;
};

#define PT_LOAD 1u
#define PF_X    1u
#define PF_W    2u
#define PF_R    4u

extern const struct elf_header __ehdr_start;

/* Header, top table, and the tables below it for the image and for what partners are made of. */
#define SPACE_ORDER 16u

/* A partner: its thread object, two pages of stack, its message page. */
#define STACK_PAGES   2u
#define PARTNER_ORDER 16u
#define FRAMES        (STACK_PAGES + 1)
#define GUARD_PAGES   1u

static struct {
    struct shared *shared;
    uint32_t space;     /* the second one */
    uint32_t untyped;   /* what a partner is made from, anew each time */
    uint32_t thread;    /* slots: the thread object ... */
    uint32_t frames;    /* ... and its frames */
    uint64_t addresses; /* of its guard page, in either space */
    unsigned priority;
} partner;

struct shared *partner_shared(void)
{
    return partner.shared;
}

unsigned partner_priority(void)
{
    return partner.priority;
}

uint32_t partner_thread(void)
{
    return partner.thread;
}

/* -- the second address space -- */

/* A page like the one here at `address`, at the same place there. */
static enum limen_error copy_page(uint64_t address, unsigned rights, uint64_t window)
{
    uint32_t frame;
    enum limen_error error = limen_make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 1, &frame);

    if (error == LIMEN_OK)
        error = limen_map(frame, LIMEN_SLOT_SPACE, window, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                          LIMEN_CACHE_NORMAL);
    if (error != LIMEN_OK)
        return error;
    memcpy((void *)window, (const void *)address, LIMEN_PAGE_SIZE);
    limen_unmap(frame);
    return limen_map(frame, partner.space, address, rights, LIMEN_CACHE_NORMAL);
}

static unsigned rights_of(const struct program_header *segment)
{
    return (segment->flags & PF_R ? LIMEN_RIGHT_READ : 0) |
           (segment->flags & PF_W ? LIMEN_RIGHT_WRITE : 0) |
           (segment->flags & PF_X ? LIMEN_RIGHT_EXECUTE : 0);
}

static enum limen_error copy_image(void)
{
    const char *base = (const char *)&__ehdr_start;
    const struct program_header *segments =
        (const struct program_header *)(const void *)(base + __ehdr_start.program_headers);
    uint64_t window = limen_addresses_take(1);
    enum limen_error error = window != 0 ? LIMEN_OK : LIMEN_LIMIT;

    for (unsigned i = 0; i < __ehdr_start.program_header_count; i++) {
        const struct program_header *segment = &segments[i];
        if (segment->type != PT_LOAD)
            continue;
        for (uint64_t address = segment->address & ~(LIMEN_PAGE_SIZE - 1);
             error == LIMEN_OK && address < segment->address + segment->memory_size;
             address += LIMEN_PAGE_SIZE)
            error = copy_page(address, rights_of(segment), window);
    }
    return error;
}

/* -- what all partners share -- */

/* A frame mapped here and there at one address. */
static enum limen_error make_shared(void)
{
    const unsigned rights = LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE;
    uint64_t address = limen_addresses_take(1);
    uint32_t frame, copy = limen_slots_take(1);

    if (address == 0 || copy == 0)
        return LIMEN_LIMIT;
    enum limen_error error = limen_make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 1, &frame);
    if (error == LIMEN_OK)
        error = limen_copy(LIMEN_SLOT_TABLE, copy, 0, frame, rights);
    if (error == LIMEN_OK)
        error = limen_map(frame, LIMEN_SLOT_SPACE, address, rights, LIMEN_CACHE_NORMAL);
    if (error == LIMEN_OK)
        error = limen_map(copy, partner.space, address, rights, LIMEN_CACHE_NORMAL);
    partner.shared = (struct shared *)address;
    return error;
}

static enum limen_error make_objects(void)
{
    struct shared *shared = partner.shared;
    uint32_t unbadged = 0;
    enum limen_error error = limen_make(LIMEN_TYPE_ENDPOINT, 0, 1, &shared->endpoint);

    if (error == LIMEN_OK)
        error = limen_make(LIMEN_TYPE_REPLY, 0, 1, &shared->reply);
    if (error == LIMEN_OK)
        error = limen_make(LIMEN_TYPE_NOTIFICATION, 0, 1, &unbadged);
    shared->notification = limen_slots_take(1);
    if (error == LIMEN_OK)
        error =
            limen_mint(LIMEN_SLOT_TABLE, shared->notification, 0, unbadged, LIMEN_RIGHTS_ALL, 1);
    return error;
}

enum limen_error partner_prepare(void)
{
    struct limen_thread_info info;
    enum limen_error error = limen_thread_info(LIMEN_SLOT_THREAD, &info);

    if (error != LIMEN_OK)
        return error;
    partner.priority = info.priority;
    partner.thread = limen_slots_take(1);
    partner.frames = limen_slots_take(FRAMES);
    partner.addresses = limen_addresses_take(GUARD_PAGES + FRAMES);
    if (partner.thread == 0 || partner.frames == 0 || partner.addresses == 0)
        return LIMEN_LIMIT;
    error = limen_make(LIMEN_TYPE_UNTYPED, PARTNER_ORDER, 1, &partner.untyped);
    if (error == LIMEN_OK)
        error = limen_make(LIMEN_TYPE_SPACE, SPACE_ORDER, 1, &partner.space);
    if (error == LIMEN_OK)
        error = make_shared();
    if (error == LIMEN_OK)
        error = make_objects();
    if (error == LIMEN_OK)
        error = copy_image();
    return error;
}

/* -- a partner -- */

static uint64_t message_address(void)
{
    return partner.addresses + (GUARD_PAGES + STACK_PAGES) * LIMEN_PAGE_SIZE;
}

/* The runtime's block of a thread lies in its message page, which is written here first. */
static enum limen_error prepare_message_page(uint32_t frame)
{
    enum limen_error error = limen_map(frame, LIMEN_SLOT_SPACE, message_address(),
                                       LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE, LIMEN_CACHE_NORMAL);

    if (error != LIMEN_OK)
        return error;
    limen_thread_block_init((struct limen_message_page *)message_address());
    return limen_unmap(frame);
}

static enum limen_error make_parts(uint32_t space)
{
    enum limen_error error = limen_retype(partner.untyped, LIMEN_TYPE_THREAD, 0, partner.thread, 1);

    if (error == LIMEN_OK)
        error = limen_retype(partner.untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, partner.frames,
                             FRAMES);
    if (error == LIMEN_OK)
        error = prepare_message_page(partner.frames + STACK_PAGES);
    if (error == LIMEN_OK)
        error = limen_map_frames(space, partner.frames, FRAMES,
                                 partner.addresses + GUARD_PAGES * LIMEN_PAGE_SIZE,
                                 LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    return error;
}

static enum limen_error start(uint32_t space, unsigned priority, uint32_t faults,
                              void (*entry)(struct shared *shared))
{
    const struct limen_launch launch = {
        .rip = (uint64_t)entry,
        .rsp = message_address() - sizeof(uint64_t), /* as a CALL leaves it: 16n + 8 */
        .rdi = (uint64_t)partner.shared,
        .fs_base = message_address() + LIMEN_THREAD_BLOCK_OFFSET,
        .message_page = partner.frames + STACK_PAGES,
        .priority = priority,
        .name = "bench partner",
    };
    enum limen_error error =
        limen_thread_configure(partner.thread, space, LIMEN_SLOT_TABLE, faults);

    return error == LIMEN_OK ? limen_thread_launch(partner.thread, &launch) : error;
}

enum limen_error partner_start(enum partner_place place, unsigned below, uint32_t faults,
                               void (*entry)(struct shared *shared))
{
    uint32_t space = place == PARTNER_HERE ? LIMEN_SLOT_SPACE : partner.space;
    enum limen_error error = make_parts(space);

    if (error == LIMEN_OK)
        error = start(space, partner.priority - below, faults, entry);
    if (error != LIMEN_OK)
        partner_stop();
    return error;
}

void partner_stop(void)
{
    limen_must("ending the partner", limen_revoke(LIMEN_SLOT_TABLE, partner.untyped));
}
