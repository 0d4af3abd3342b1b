/* SPDX-License-Identifier: MIT */
/* The capabilities of a server: those every server has, and those the manifest grants. */
#include "server.h"

#include <limen.h>

#define SERVICE_RIGHTS (LIMEN_RIGHT_WRITE | LIMEN_RIGHT_GRANT)

/* Which of init's own services a name means, if any. */
static bool init_service(const char *name, enum init_service *service)
{
    if (strcmp(name, "process") == 0)
        *service = INIT_PROCESS;
    else if (strcmp(name, "power") == 0)
        *service = INIT_POWER;
    else
        return false;
    return true;
}

static const struct server *provider_of(const char *service)
{
    for (unsigned i = 0; i < server_count; i++) {
        const struct limen_manifest_server *manifest = servers[i].manifest;
        for (unsigned j = 0; j < manifest->grant_count; j++)
            if (manifest->grants[j].kind == LIMEN_GRANT_PROVIDES &&
                strcmp(manifest->grants[j].name, service) == 0)
                return &servers[i];
    }
    return NULL;
}

bool grants_provide(const struct limen_manifest_server *manifest)
{
    for (unsigned i = 0; i < manifest->grant_count; i++)
        if (manifest->grants[i].kind == LIMEN_GRANT_PROVIDES)
            return true;
    return false;
}

/* The endpoint lives as long as its server may come back, so a client can have it, and wait at it,
 * before there is a server.  Once there will be none any more, the slot stays empty, and calls fail
 * with BAD_CAPABILITY. */
static enum limen_error give_service(const struct server *client, uint32_t slot, const char *name,
                                     uint32_t init_endpoint)
{
    const struct server *provider;
    enum init_service own;

    if (init_service(name, &own))
        return limen_mint(client->table, slot, 0, init_endpoint, SERVICE_RIGHTS,
                          init_badge(own, client->id));
    provider = provider_of(name);
    if (provider == NULL || provider->endpoint == 0)
        return LIMEN_OK;
    return limen_mint(client->table, slot, 0, provider->endpoint, SERVICE_RIGHTS, client->id);
}

/* Makes a capability in init's scratch slot its owner's. */
static enum limen_error hand_over(const struct server *server, uint32_t slot)
{
    return limen_move(server->table, slot, 0, server->scratch);
}

/* Whatever the server derives from its service, and hands to whomever, is derived from init's copy
 * of this life, and goes with that. */
static enum limen_error give_provided(const struct server *server, uint32_t slot)
{
    enum limen_error error =
        limen_copy(LIMEN_INIT_TABLE, server->serving, 0, server->endpoint, LIMEN_RIGHTS_ALL);
    return error != LIMEN_OK
               ? error
               : limen_copy(server->table, slot, 0, server->serving, LIMEN_RIGHTS_ALL);
}

static enum limen_error give_ports(const struct server *server, uint32_t slot,
                                   const struct limen_manifest_grant *grant)
{
    enum limen_error error = limen_ports_narrow(LIMEN_INIT_PORTS, (uint16_t)grant->first,
                                                (uint16_t)grant->last, server->scratch);
    return error != LIMEN_OK ? error : hand_over(server, slot);
}

/* The interrupt signals one bit of the server's notification, by a capability with that badge. */
static enum limen_error give_interrupt(const struct server *server, uint32_t slot,
                                       const struct limen_manifest_grant *grant, uint64_t bit,
                                       uint32_t badged)
{
    enum limen_error error =
        limen_mint(LIMEN_INIT_TABLE, badged, 0, server->notification, LIMEN_RIGHT_WRITE, bit);
    if (error == LIMEN_OK)
        error = limen_irq_issue(LIMEN_INIT_IRQ_CONTROL, (unsigned)grant->first, LIMEN_IRQ_DEFAULT,
                                server->untyped, server->scratch);
    if (error == LIMEN_OK)
        error = limen_irq_bind(server->scratch, badged);
    return error != LIMEN_OK ? error : hand_over(server, slot);
}

static enum limen_error give_kernel(struct server *server, uint32_t slot,
                                    const struct limen_manifest_grant *grant, uint32_t badged)
{
    enum limen_error error;

    if (grant->first == LIMEN_KERNEL_GRANT_CONTROL)
        return limen_copy(server->table, slot, 0, LIMEN_INIT_KERNEL, LIMEN_RIGHTS_ALL);
    if (grant->first != LIMEN_KERNEL_GRANT_LOG)
        return limen_copy(server->table, slot, 0, LIMEN_INIT_KERNEL,
                          LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    error = limen_mint(LIMEN_INIT_TABLE, badged, 0, server->notification, LIMEN_RIGHT_WRITE,
                       LIMEN_NOTIFICATION_LOG);
    server->signal_log = error == LIMEN_OK ? badged : 0;
    return error != LIMEN_OK
               ? error
               : limen_copy(server->table, slot, 0, LIMEN_INIT_KERNEL, LIMEN_RIGHT_READ);
}

static enum limen_error give_clock(const struct server *server)
{
    enum limen_error error =
        limen_copy(LIMEN_INIT_TABLE, server->scratch, 0, LIMEN_INIT_CLOCK, LIMEN_RIGHT_READ);
    if (error == LIMEN_OK)
        error = limen_map(server->scratch, server->space, LIMEN_SERVER_CLOCK, LIMEN_RIGHT_READ,
                          LIMEN_CACHE_NORMAL);
    return error != LIMEN_OK ? error : hand_over(server, LIMEN_SLOT_CLOCK);
}

static enum limen_error give_common(const struct server *server)
{
    enum limen_error error = give_clock(server);
    const struct {
        enum limen_slot to;
        uint32_t from;
    } copies[] = {
        {LIMEN_SLOT_TABLE, server->table},
        {LIMEN_SLOT_SPACE, server->space},
        {LIMEN_SLOT_THREAD, server->thread},
        {LIMEN_SLOT_SUPERVISOR, server->caller},
        {LIMEN_SLOT_NOTIFICATION, server->notification},
    };

    for (unsigned i = 0; i < sizeof copies / sizeof copies[0] && error == LIMEN_OK; i++)
        error = limen_copy(server->table, copies[i].to, 0, copies[i].from, LIMEN_RIGHTS_ALL);
    return error != LIMEN_OK ? error
                             : limen_move(server->table, LIMEN_SLOT_UNTYPED, 0, server->grant);
}

enum limen_error grants_make(struct server *server, uint32_t endpoint,
                             struct limen_environment *environment)
{
    enum limen_error error = give_common(server);
    uint32_t badged = server->scratch + 1;
    uint64_t bit = 1;

    for (unsigned i = 0; i < server->manifest->grant_count && error == LIMEN_OK; i++) {
        const struct limen_manifest_grant *grant = &server->manifest->grants[i];
        uint32_t slot = LIMEN_SLOT_GRANTS + i;
        struct limen_binding *binding = &environment->bindings[environment->binding_count++];

        *binding = (struct limen_binding){.slot = slot, .kind = grant->kind, .first = grant->first};
        memcpy(binding->name, grant->name, sizeof binding->name);
        switch (grant->kind) {
        case LIMEN_GRANT_PORTS:
            error = give_ports(server, slot, grant);
            break;
        case LIMEN_GRANT_INTERRUPT:
            error = give_interrupt(server, slot, grant, bit, badged++);
            binding->first = bit;
            bit <<= 1;
            break;
        case LIMEN_GRANT_PROVIDES:
            error = give_provided(server, slot);
            break;
        case LIMEN_GRANT_SERVICE:
            error = give_service(server, slot, grant->name, endpoint);
            break;
        case LIMEN_GRANT_KERNEL:
            error = give_kernel(server, slot, grant, badged++);
            break;
        default:
            error = LIMEN_BAD_ARGUMENT;
            break;
        }
    }
    return error;
}

static const struct limen_manifest_grant *grant_at(const struct limen_manifest_server *manifest,
                                                   uint32_t slot)
{
    if (slot < LIMEN_SLOT_GRANTS || slot - LIMEN_SLOT_GRANTS >= manifest->grant_count)
        return NULL;
    return &manifest->grants[slot - LIMEN_SLOT_GRANTS];
}

const char *grants_name(const struct limen_manifest_server *manifest, uint32_t slot)
{
    static const char *const common[] = {
        [LIMEN_SLOT_TABLE] = "table",
        [LIMEN_SLOT_SPACE] = "space",
        [LIMEN_SLOT_THREAD] = "thread",
        [LIMEN_SLOT_SUPERVISOR] = "supervisor",
        [LIMEN_SLOT_UNTYPED] = "memory",
        [LIMEN_SLOT_CLOCK] = "clock",
        [LIMEN_SLOT_NOTIFICATION] = "notification",
    };
    const struct limen_manifest_grant *grant = grant_at(manifest, slot);

    if (slot != 0 && slot < sizeof common / sizeof common[0])
        return common[slot];
    return grant != NULL ? grant->name : "";
}

const char *grants_server(const struct server *client, uint32_t slot)
{
    const struct limen_manifest_grant *grant = grant_at(client->manifest, slot);
    const struct server *provider;
    enum init_service own;

    if (slot == LIMEN_SLOT_SUPERVISOR)
        return "init";
    if (grant == NULL ||
        (grant->kind != LIMEN_GRANT_SERVICE && grant->kind != LIMEN_GRANT_PROVIDES))
        return "";
    if (init_service(grant->name, &own))
        return "init";
    provider = provider_of(grant->name);
    return provider != NULL ? provider->manifest->name : "";
}
