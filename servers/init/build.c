/* SPDX-License-Identifier: MIT */
/* Making a server: its objects, its image, its stack, its first thread. */
#include "server.h"

#include <limen.h>

/* Page tables of a space: its top and two below for the whole layout, one for the image, one for
 * stack and pages at the end, and one for each 2 MiB of heap, twice as many as a dense heap needs.
 */
#define TABLES_FIXED    8u
#define HEAP_PER_TABLE  (1ull << LIMEN_LARGE_PAGE_ORDER)
#define SLOTS_FIXED     64u /* for a server's objects besides frames */
#define STACK_PAGES     ((unsigned)(LIMEN_SERVER_STACK_SIZE / LIMEN_PAGE_SIZE))
#define EXTRA_PAGES     (STACK_PAGES + 2u)         /* message page and environment */
#define INTERRUPTS_SIZE (1ull << LIMEN_PAGE_ORDER) /* all interrupt objects of a server fit it */

_Static_assert(LIMEN_GRANTS_MAX << LIMEN_IRQ_ORDER <= INTERRUPTS_SIZE, "interrupts fit");

struct object {
    enum limen_type type;
    unsigned order; /* as RETYPE wants it */
    unsigned size;  /* its logarithm */
    uint32_t *slot;
};

static unsigned order_of(uint64_t size, unsigned least)
{
    unsigned order = least;

    while (1ull << order < size)
        order++;
    return order;
}

static unsigned image_pages(const struct elf_image *image)
{
    uint64_t pages = 0;

    for (unsigned i = 0; i < image->segment_count; i++)
        pages += image->segments[i].pages;
    return (unsigned)pages;
}

/* The objects that every server has, largest first: so none leaves a gap before it. */
#define OBJECTS 6u
static void list_objects(struct server *server, struct object objects[OBJECTS])
{
    uint64_t memory = 1ull << server->manifest->memory_order;
    unsigned table_order = order_of(LIMEN_SLOT_GRANTS + server->manifest->grant_count +
                                        SLOTS_FIXED + memory / LIMEN_PAGE_SIZE,
                                    LIMEN_TABLE_ORDER_MIN);
    unsigned space_order = order_of((TABLES_FIXED + 2 * memory / HEAP_PER_TABLE) * LIMEN_PAGE_SIZE,
                                    LIMEN_SPACE_ORDER_MIN);

    if (table_order > LIMEN_TABLE_ORDER_MAX)
        table_order = LIMEN_TABLE_ORDER_MAX;
    if (space_order > LIMEN_SPACE_ORDER_MAX)
        space_order = LIMEN_SPACE_ORDER_MAX;
    server->table_order = table_order;
    server->space_order = space_order;
    const struct object all[OBJECTS] = {
        {LIMEN_TYPE_UNTYPED, server->manifest->memory_order, server->manifest->memory_order,
         &server->grant},
        {LIMEN_TYPE_SPACE, space_order, space_order, &server->space},
        {LIMEN_TYPE_TABLE, table_order, table_order + LIMEN_SLOT_ORDER, &server->table},
        {LIMEN_TYPE_THREAD, 0, LIMEN_THREAD_ORDER, &server->thread},
        {LIMEN_TYPE_CONTEXT, 0, LIMEN_CONTEXT_ORDER, &server->context},
        {LIMEN_TYPE_NOTIFICATION, 0, LIMEN_NOTIFICATION_ORDER, &server->notification},
    };
    for (unsigned i = 0; i < OBJECTS; i++) {
        unsigned at = i;
        for (; at > 0 && objects[at - 1].size < all[i].size; at--)
            objects[at] = objects[at - 1];
        objects[at] = all[i];
    }
}

/* Takes the memory and makes objects and frames.  frames: where the frames' slots begin. */
static enum limen_error make_objects(struct server *server, unsigned frame_count, uint32_t *frames)
{
    struct object objects[OBJECTS];
    uint64_t size = frame_count * LIMEN_PAGE_SIZE + INTERRUPTS_SIZE;
    enum limen_error error;

    list_objects(server, objects);
    for (unsigned i = 0; i < OBJECTS; i++)
        size += 1ull << objects[i].size;
    server->order = order_of(size, LIMEN_PAGE_ORDER);
    error = limen_untyped_take(server->order, &server->untyped);
    if (error != LIMEN_OK)
        return error;
    /* Behind them a scratch slot, the service, and, at most one a grant, badged notifications. */
    server->slot_count = OBJECTS + frame_count + 2 + LIMEN_GRANTS_MAX;
    server->first_slot = limen_slots_take(server->slot_count);
    if (server->first_slot == 0)
        return LIMEN_LIMIT;

    uint32_t slot = server->first_slot;
    for (unsigned i = 0; i < OBJECTS && error == LIMEN_OK; i++) {
        *objects[i].slot = slot;
        if (objects[i].size >= LIMEN_PAGE_ORDER)
            error = limen_retype(server->untyped, objects[i].type, objects[i].order, slot, 1);
        slot++;
    }
    *frames = slot;
    for (unsigned done = 0; done < frame_count && error == LIMEN_OK;) {
        unsigned count = frame_count - done < LIMEN_RETYPE_COUNT_MAX ? frame_count - done
                                                                     : LIMEN_RETYPE_COUNT_MAX;
        error = limen_retype(server->untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, slot, count);
        slot += count;
        done += count;
    }
    for (unsigned i = 0; i < OBJECTS && error == LIMEN_OK; i++)
        if (objects[i].size < LIMEN_PAGE_ORDER)
            error = limen_retype(server->untyped, objects[i].type, objects[i].order,
                                 *objects[i].slot, 1);
    server->serving = slot;
    server->scratch = slot + 1;
    return error;
}

/* Writes content to the start of some frames, by way of init's own space. */
static enum limen_error fill(uint32_t first, unsigned pages, const void *content, size_t size)
{
    unsigned used = (unsigned)((size + LIMEN_PAGE_SIZE - 1) / LIMEN_PAGE_SIZE);
    uint64_t window = limen_addresses_take(pages);
    enum limen_error error = LIMEN_LIMIT;

    if (used == 0)
        used = 1;
    if (window != 0)
        error = limen_map_frames(LIMEN_INIT_SPACE, first, used, window,
                                 LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    if (error == LIMEN_OK) {
        memcpy((void *)window, content, size);
        for (unsigned i = 0; i < used; i++)
            limen_unmap(first + i);
    }
    if (window != 0)
        limen_addresses_give(window, pages);
    return error;
}

/* Maps the next frames into the server's space and keeps note of them. */
static enum limen_error add_region(struct server *server, uint32_t *frames, uint64_t address,
                                   unsigned pages, unsigned rights)
{
    server->regions[server->region_count++] = (struct region){address, pages, rights, *frames};
    enum limen_error error = limen_map_frames(server->space, *frames, pages, address, rights);

    *frames += pages;
    return error;
}

static enum limen_error make_state(struct server *server, unsigned order, unsigned pages)
{
    enum limen_error error = limen_untyped_take(order, &server->state_untyped);

    if (error != LIMEN_OK)
        return error;
    server->state_first = limen_slots_take(pages);
    if (server->state_first == 0)
        return LIMEN_LIMIT;
    return limen_retype(server->state_untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER,
                        server->state_first, pages);
}

/* The pages are made before the first life and mapped into each: they are init's, and a server can
 * neither lose them nor take them along. */
static enum limen_error map_state(struct server *server)
{
    unsigned order = server->manifest->state_order;
    unsigned pages = 1u << (order - LIMEN_PAGE_ORDER);
    enum limen_error error = LIMEN_OK;
    uint32_t frames;

    if (server->state_untyped == 0)
        error = make_state(server, order, pages);
    frames = server->state_first;
    return error != LIMEN_OK ? error
                             : add_region(server, &frames, LIMEN_SERVER_STATE, pages,
                                          LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
}

static enum limen_error load_image(struct server *server, const struct elf_image *image,
                                   uint32_t *frames)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *segment = &image->segments[i];
        unsigned pages = (unsigned)segment->pages;
        enum limen_error error = fill(*frames, pages, segment->content, segment->content_size);
        if (error == LIMEN_OK)
            error = add_region(server, frames, segment->address, pages, segment->rights);
        if (error != LIMEN_OK)
            return error;
    }
    return LIMEN_OK;
}

/* Without a budget of its own the server draws on init's context, as CONFIGURE left it. */
static enum limen_error set_budget(const struct server *server)
{
    const struct limen_manifest_server *manifest = server->manifest;

    if (manifest->budget == 0)
        return LIMEN_OK;
    enum limen_error error = limen_context_configure(
        server->context, (uint64_t)manifest->budget * LIMEN_MANIFEST_NANOSECONDS,
        (uint64_t)manifest->period * LIMEN_MANIFEST_NANOSECONDS, LIMEN_INIT_CONTEXT);
    return error != LIMEN_OK ? error : limen_thread_set_context(server->thread, server->context);
}

static enum limen_error start_thread(struct server *server, uint64_t entry, uint32_t message_frame)
{
    const struct limen_launch launch = {
        .rip = entry,
        .rsp = LIMEN_SERVER_STACK_TOP,
        .rdi = LIMEN_SERVER_ENVIRONMENT,
        .fs_base = LIMEN_SERVER_MESSAGE + LIMEN_THREAD_BLOCK_OFFSET,
        .message_page = message_frame,
        .priority = server->manifest->priority,
        .name = server->manifest->name,
    };
    uint32_t thread = server->thread;
    enum limen_error error =
        limen_thread_configure(thread, server->space, server->table, server->caller);

    if (error == LIMEN_OK)
        error = set_budget(server);
    if (error == LIMEN_OK)
        error = limen_thread_bind(thread, server->notification);
    if (error == LIMEN_OK)
        error = limen_thread_launch(thread, &launch);
    return error;
}

static struct limen_environment describe(const struct server *server)
{
    struct limen_environment environment = {
        .version = LIMEN_ENVIRONMENT_VERSION,
        .id = server->id,
        .clock = LIMEN_SERVER_CLOCK,
        .message_page = LIMEN_SERVER_MESSAGE,
        .heap = LIMEN_SERVER_HEAP,
        .heap_end = LIMEN_SERVER_HEAP_END,
        .life = server->starts + 1,
        .stopped_life = server->stopped_life,
        .stopped = server->stopped,
        .slot_count = 1u << server->table_order,
        .first_free = LIMEN_SLOT_GRANTS + server->manifest->grant_count,
        .argument_count = server->manifest->argument_count,
    };
    if (server->manifest->state_order != 0) {
        environment.state = LIMEN_SERVER_STATE;
        environment.state_size = 1ull << server->manifest->state_order;
    }
    memcpy(environment.name, server->manifest->name, sizeof environment.name);
    memcpy(environment.arguments, server->manifest->arguments, sizeof environment.arguments);
    memcpy(environment.cmdline, limen_environment()->cmdline, sizeof environment.cmdline);
    return environment;
}

enum limen_error server_build(struct server *server, const struct elf_image *image,
                              uint32_t endpoint, const char **step)
{
    const unsigned readable = LIMEN_RIGHT_READ, writable = LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE;
    struct limen_environment environment;
    uint32_t frames, message_frame;
    enum limen_error error;

    *step = "making its objects";
    error = make_objects(server, image_pages(image) + EXTRA_PAGES, &frames);
    if (error == LIMEN_OK) {
        *step = "loading its image";
        error = load_image(server, image, &frames);
    }
    if (error == LIMEN_OK) {
        *step = "mapping its stack";
        error = add_region(server, &frames, LIMEN_SERVER_STACK_TOP - LIMEN_SERVER_STACK_SIZE,
                           STACK_PAGES, writable);
    }
    message_frame = frames;
    if (error == LIMEN_OK) {
        *step = "mapping its message page";
        error = add_region(server, &frames, LIMEN_SERVER_MESSAGE, 1, writable);
    }
    if (error == LIMEN_OK && server->manifest->state_order != 0) {
        *step = "mapping its state";
        error = map_state(server);
    }
    if (error == LIMEN_OK) {
        *step = "granting what the manifest says";
        environment = describe(server);
        error = grants_make(server, endpoint, &environment);
    }
    if (error == LIMEN_OK) {
        *step = "writing its environment page";
        error = fill(frames, 1, &environment, sizeof environment);
    }
    if (error == LIMEN_OK)
        error = add_region(server, &frames, LIMEN_SERVER_ENVIRONMENT, 1, readable);
    if (error == LIMEN_OK) {
        *step = "starting its thread";
        error = start_thread(server, image->entry, message_frame);
    }
    return error;
}
