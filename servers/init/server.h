/* SPDX-License-Identifier: MIT */
/*
 * The servers of the manifest, and what each is made of.
 *
 * All objects of a server are made from one untyped capability, so that revoking it takes back the
 * server with everything it made and everything others hold of it.  Two things outlive it: the
 * endpoint of its service, at which its clients go on waiting, and the pages of its state.
 */
#ifndef INIT_SERVER_H
#define INIT_SERVER_H

#include "elf.h"
#include "restart.h"

#include <limen/manifest.h>
#include <limen/regs.h>
#include <stdbool.h>

/* What init offers at its one endpoint; the badge of each capability says which and to whom. */
enum init_service { INIT_SUPERVISOR, INIT_PROCESS, INIT_POWER };

static inline uint64_t init_badge(enum init_service service, uint32_t id)
{
    return (uint64_t)service << 32 | id;
}

/* Mapped pages that init holds the frames of: image, stack, message page, state. */
struct region {
    uint64_t address;
    unsigned pages;
    unsigned rights;
    uint32_t first; /* slot of the first page's frame */
};

#define REGIONS_MAX (ELF_SEGMENTS_MAX + 4)

struct server {
    const struct limen_manifest_server *manifest;
    uint32_t id;     /* from 1 */
    uint32_t caller; /* slot: init's endpoint with this server's badge, its way to its supervisor */
    bool alive;
    bool waits_for_start; /* dead, and started again at start_at */
    uint64_t start_at;    /* nanoseconds */
    uint64_t started;     /* nanoseconds */
    unsigned starts;
    unsigned failures; /* restart.h */
    char reason[64];   /* why it ended */

    /* Across its lives, until it ends for good: */
    uint32_t endpoint;      /* of the service it provides; 0: none */
    uint32_t state_untyped; /* what the pages of its state are made from; 0: none yet */
    uint32_t state_first;   /* slot of the first one's frame */
    uint32_t stopped_life;  /* the last that recovered, and ended with the registers ... */
    struct limen_regs stopped;

    /* While it lives: */
    uint32_t untyped; /* the one that all is made from */
    unsigned order;
    uint32_t first_slot; /* of the slots in init's table that hold its objects */
    unsigned slot_count;
    unsigned table_order;
    unsigned space_order;
    uint32_t thread, space, table, grant, notification, context;
    uint32_t serving;    /* slot: the endpoint, as this life has it */
    uint32_t signal_log; /* slot, or 0 */
    uint32_t scratch;    /* slot through which capabilities are made for its table */
    struct region regions[REGIONS_MAX];
    unsigned region_count;
};

extern struct server servers[LIMEN_MANIFEST_SERVERS_MAX];
extern unsigned server_count;

/* Gives every server of the manifest its place and its number. */
void servers_init(const struct limen_manifest_server *manifest, unsigned count, uint32_t endpoint);

/* Makes a server and starts it.  False, with the reason noted and logged, when that failed, and
 * then it has ended for good. */
bool server_start(struct server *server);

/* Notes why a server ended, takes everything back, and plans its next start where the manifest
 * wants one.  A server that waits for its start already can end too: by a kill. */
void server_end(struct server *server, enum server_end end, const char *reason);

/* Memory that the server has of init: what it lives on, and its state; 0 once it is dead for good.
 */
uint64_t server_memory(const struct server *server);

/* When the next planned start is due, in nanoseconds, or LIMEN_FOREVER; and making those that are.
 */
uint64_t servers_next_start(void);
void servers_start_due(void);

/* The server that asks with this badge, if it asks at that service. */
struct server *server_asking(uint64_t badge, enum init_service service);

struct server *server_by_id(uint64_t id);
struct server *server_by_name(const char *name);

/* Reads a living server's memory, within one page. */
bool server_read(const struct server *server, uint64_t address, void *buffer, size_t size);

/* -- build.c: how a server is made -- */

enum limen_error server_build(struct server *server, const struct elf_image *image,
                              uint32_t endpoint, const char **step);

/* -- grants.c: what the manifest gives it -- */

enum limen_error grants_make(struct server *server, uint32_t endpoint,
                             struct limen_environment *environment);

/* What a slot of a server's table was given as: a name, empty for those init did not fill. */
const char *grants_name(const struct limen_manifest_server *manifest, uint32_t slot);

/* The name of the server, or init, that answers calls by the capability given there, or "". */
const char *grants_server(const struct server *client, uint32_t slot);

/* Whether the manifest lets the server provide a service. */
bool grants_provide(const struct limen_manifest_server *manifest);

#endif
