/* SPDX-License-Identifier: MIT */
/* The life of a server: start, end, and perhaps another start. */
#include "server.h"

#include "archive.h"

#include <limen.h>

#define NS_PER_MS 1000000u

struct server servers[LIMEN_MANIFEST_SERVERS_MAX];
unsigned server_count;
static uint32_t init_endpoint;

void servers_init(const struct limen_manifest_server *manifest, unsigned count, uint32_t endpoint)
{
    init_endpoint = endpoint;
    server_count = count;
    for (unsigned i = 0; i < count; i++) {
        struct server *server = &servers[i];
        server->manifest = &manifest[i];
        server->id = i + 1;
        server->caller = limen_slots_take(1);
        limen_must("making a way from a server to init",
                   limen_mint(LIMEN_INIT_TABLE, server->caller, 0, endpoint,
                              LIMEN_RIGHT_WRITE | LIMEN_RIGHT_GRANT,
                              init_badge(INIT_SUPERVISOR, server->id)));
        if (grants_provide(server->manifest))
            limen_must("making the endpoint of a service",
                       limen_make(LIMEN_TYPE_ENDPOINT, 0, 1, &server->endpoint));
    }
}

/* Takes everything back from a server but what outlives it. */
static void destroy(struct server *server)
{
    server->alive = false;
    server->signal_log = 0;
    if (server->untyped != 0) {
        limen_must("taking a server's memory back",
                   limen_revoke(LIMEN_INIT_TABLE, server->untyped));
        limen_untyped_give(server->untyped, server->order);
    }
    if (server->first_slot != 0) {
        /* These two may hold copies of what is init's, and so are not derived from that memory. */
        limen_revoke(LIMEN_INIT_TABLE, server->serving);
        limen_delete(LIMEN_INIT_TABLE, server->serving);
        limen_delete(LIMEN_INIT_TABLE, server->scratch);
        limen_slots_give(server->first_slot, server->slot_count);
    }
}

/* There will be no other life: nobody need wait at its service, and its state serves nobody. */
static void retire(struct server *server)
{
    server->waits_for_start = false;
    if (server->endpoint != 0) {
        limen_revoke(LIMEN_INIT_TABLE, server->endpoint);
        limen_delete(LIMEN_INIT_TABLE, server->endpoint);
        limen_slots_give(server->endpoint, 1);
        server->endpoint = 0;
    }
    if (server->state_untyped != 0) {
        limen_revoke(LIMEN_INIT_TABLE, server->state_untyped);
        limen_untyped_give(server->state_untyped, server->manifest->state_order);
        server->state_untyped = 0;
    }
    if (server->state_first != 0)
        limen_slots_give(server->state_first,
                         1u << (server->manifest->state_order - LIMEN_PAGE_ORDER));
    server->state_first = 0;
}

static bool start_failed(struct server *server, const char *step, const char *problem)
{
    snprintf(server->reason, sizeof server->reason, "not started: %s", problem);
    printf("init: cannot start %s: %s: %s\n", server->manifest->name, step, problem);
    retire(server);
    return false;
}

bool server_start(struct server *server)
{
    struct cpio_file file;
    struct elf_image image;
    const char *problem, *step;
    enum limen_error error;

    if (!archive_find(server->manifest->binary, &file))
        return start_failed(server, "looking in the boot archive", "its binary is not there");
    problem = elf_read(file.content, file.size, &image);
    if (problem != NULL)
        return start_failed(server, "reading its binary", problem);
    server->region_count = 0;
    server->untyped = 0;
    server->first_slot = 0;
    server->signal_log = 0;
    error = server_build(server, &image, init_endpoint, &step);
    if (error != LIMEN_OK) {
        destroy(server);
        return start_failed(server, step, limen_error_text(error));
    }
    server->alive = true;
    server->waits_for_start = false;
    server->starts++;
    server->started = limen_now();
    return true;
}

/* Whether it has made the stores that the life before left to it.  If not, the next life has to. */
static bool has_recovered(const struct server *server)
{
    const uint64_t block = LIMEN_SERVER_MESSAGE + LIMEN_THREAD_BLOCK_OFFSET;
    uint64_t recovered = true;

    server_read(server, block + offsetof(struct limen_thread_block, recovered), &recovered,
                sizeof recovered);
    return recovered;
}

/* The next life learns where this one was: see limen_call_and_record(). */
static void note_registers(struct server *server)
{
    if (!has_recovered(server))
        return;
    bool known = limen_thread_suspend(server->thread) == LIMEN_OK &&
                 limen_thread_get_regs(server->thread, &server->stopped) == LIMEN_OK;

    server->stopped_life = known ? server->starts : 0;
}

void server_end(struct server *server, enum server_end end, const char *reason)
{
    const char *name = server->manifest->name;
    uint64_t now = limen_now();

    snprintf(server->reason, sizeof server->reason, "%s", reason);
    if (server->alive) {
        note_registers(server);
        destroy(server);
    }
    uint64_t delay = restart_delay((enum limen_restart)server->manifest->restart, end,
                                   now - server->started, &server->failures);
    if (delay == RESTART_NOT || delay == RESTART_GIVEN_UP) {
        if (delay == RESTART_GIVEN_UP)
            printf("init: %s ended %u times in a row soon after its start, and is given up\n", name,
                   server->failures);
        retire(server);
    } else if (delay == 0) {
        if (server_start(server))
            printf("init: %s is started again\n", name);
    } else {
        printf("init: %s will be started again in %lu ms\n", name, delay / NS_PER_MS);
        server->waits_for_start = true;
        server->start_at = now + delay;
    }
}

uint64_t server_memory(const struct server *server)
{
    uint64_t memory = server->alive ? 1ull << server->order : 0;

    if (server->state_untyped != 0)
        memory += 1ull << server->manifest->state_order;
    return memory;
}

uint64_t servers_next_start(void)
{
    uint64_t next = LIMEN_FOREVER;

    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].waits_for_start && servers[i].start_at < next)
            next = servers[i].start_at;
    return next;
}

void servers_start_due(void)
{
    uint64_t now = limen_now();

    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].waits_for_start && servers[i].start_at <= now && server_start(&servers[i]))
            printf("init: %s is started again\n", servers[i].manifest->name);
}

struct server *server_asking(uint64_t badge, enum init_service service)
{
    return badge >> 32 == service ? server_by_id((uint32_t)badge) : NULL;
}

struct server *server_by_id(uint64_t id)
{
    return id >= 1 && id <= server_count ? &servers[id - 1] : NULL;
}

struct server *server_by_name(const char *name)
{
    for (unsigned i = 0; i < server_count; i++)
        if (strcmp(servers[i].manifest->name, name) == 0)
            return &servers[i];
    return NULL;
}

/* Reads from a frame, by a second capability to it, for the first is mapped already. */
static bool read_frame(const struct server *server, uint32_t frame, uint64_t offset, void *buffer,
                       size_t size)
{
    uint64_t window = limen_addresses_take(1);
    bool done = false;

    if (window != 0 &&
        limen_copy(LIMEN_INIT_TABLE, server->scratch, 0, frame, LIMEN_RIGHT_READ) == LIMEN_OK) {
        if (limen_map(server->scratch, LIMEN_INIT_SPACE, window, LIMEN_RIGHT_READ,
                      LIMEN_CACHE_NORMAL) == LIMEN_OK) {
            memcpy(buffer, (const void *)(window + offset), size);
            done = true;
        }
        limen_delete(LIMEN_INIT_TABLE, server->scratch);
    }
    if (window != 0)
        limen_addresses_give(window, 1);
    return done;
}

/* Reads what the server mapped itself, such as the stack of a thread it started: its own table has
 * the frame.  A capability tells where it is mapped only in the table of who asks, so each comes
 * over for an instant. */
static bool read_own(const struct server *server, uint64_t address, void *buffer, size_t size)
{
    uint32_t visitor = limen_slots_take(1);
    bool done = false;

    for (uint32_t slot = LIMEN_SLOT_GRANTS;
         visitor != 0 && !done && slot < 1u << server->table_order; slot++) {
        struct limen_capability capability;
        struct limen_frame_info frame;
        if (limen_inspect(server->table, slot, &capability) != LIMEN_OK ||
            capability.type != LIMEN_TYPE_FRAME || capability.order != LIMEN_PAGE_ORDER ||
            limen_move(LIMEN_INIT_TABLE, visitor, server->table, slot) != LIMEN_OK)
            continue;
        if (limen_frame_info(visitor, &frame) == LIMEN_OK && frame.mapped != 0 && !frame.device &&
            address - frame.mapped < LIMEN_PAGE_SIZE)
            done = read_frame(server, visitor, address - frame.mapped, buffer, size);
        limen_move(server->table, slot, 0, visitor);
    }
    if (visitor != 0)
        limen_slots_give(visitor, 1);
    return done;
}

bool server_read(const struct server *server, uint64_t address, void *buffer, size_t size)
{
    uint64_t offset = address % LIMEN_PAGE_SIZE;

    if (!server->alive || size > LIMEN_PAGE_SIZE - offset)
        return false;
    for (unsigned i = 0; i < server->region_count; i++) {
        const struct region *region = &server->regions[i];
        if (address >= region->address &&
            address - region->address < region->pages * LIMEN_PAGE_SIZE) {
            uint32_t page = (uint32_t)((address - region->address) / LIMEN_PAGE_SIZE);
            return read_frame(server, region->first + page, offset, buffer, size);
        }
    }
    return read_own(server, address, buffer, size);
}
