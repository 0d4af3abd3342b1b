/* SPDX-License-Identifier: MIT */
/* The life of a server: start, end, and perhaps another start. */
#include "server.h"

#include "archive.h"

#include <limen.h>

/* A server that ends this soon after its start, this often in a row, is not started again. */
#define QUICK_NS       1000000000u
#define QUICK_ENDS_MAX 3u

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
    }
}

static bool start_failed(struct server *server, const char *step, const char *problem)
{
    snprintf(server->reason, sizeof server->reason, "not started: %s", problem);
    printf("init: cannot start %s: %s: %s\n", server->manifest->name, step, problem);
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
        server_destroy(server);
        return start_failed(server, step, limen_error_text(error));
    }
    server->alive = true;
    server->starts++;
    server->started = limen_now();
    return true;
}

void server_destroy(struct server *server)
{
    server->alive = false;
    server->signal_log = 0;
    if (server->untyped != 0) {
        limen_must("taking a server's memory back",
                   limen_revoke(LIMEN_INIT_TABLE, server->untyped));
        limen_untyped_give(server->untyped, server->order);
    }
    if (server->first_slot != 0)
        limen_slots_give(server->first_slot, server->slot_count);
}

static bool wants_restart(struct server *server, enum server_end end)
{
    enum limen_restart policy = (enum limen_restart)server->manifest->restart;
    bool quick = limen_now() - server->started < QUICK_NS;

    server->quick_ends = quick ? server->quick_ends + 1 : 0;
    if (policy == LIMEN_RESTART_NEVER || (policy == LIMEN_RESTART_ON_FAULT && end != END_FAULT))
        return false;
    if (server->quick_ends < QUICK_ENDS_MAX)
        return true;
    printf("init: %s ended %u times in a row soon after its start, and is given up\n",
           server->manifest->name, server->quick_ends);
    return false;
}

void server_end(struct server *server, enum server_end end, const char *reason)
{
    snprintf(server->reason, sizeof server->reason, "%s", reason);
    server_destroy(server);
    if (wants_restart(server, end) && server_start(server)) {
        grants_renew(server);
        printf("init: %s is started again\n", server->manifest->name);
    }
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
