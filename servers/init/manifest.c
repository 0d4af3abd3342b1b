/* SPDX-License-Identifier: MIT */
/* The host has checked what the manifest says; here only what the code of init relies on is checked
 * again: that it is of this version, whole, and that strings end and counts fit. */
#include "manifest.h"

#include <stdbool.h>
#include <string.h>

static bool ends(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static const char *check_server(const struct limen_manifest_server *server)
{
    if (!ends(server->name, sizeof server->name) || !ends(server->binary, sizeof server->binary))
        return "the manifest has a name without an end";
    if (server->grant_count > LIMEN_GRANTS_MAX)
        return "the manifest grants a server too much";
    if (server->memory_order < LIMEN_MANIFEST_MEMORY_MIN ||
        server->memory_order > LIMEN_MANIFEST_MEMORY_MAX)
        return "the manifest grants a server an impossible amount of memory";
    if (server->state_order != 0 && (server->state_order < LIMEN_MANIFEST_STATE_MIN ||
                                     server->state_order > LIMEN_MANIFEST_STATE_MAX))
        return "the manifest grants a server an impossible amount of state";
    if (server->budget > server->period)
        return "the manifest gives a server more time than there is";
    for (unsigned i = 0; i < server->grant_count; i++)
        if (!ends(server->grants[i].name, sizeof server->grants[i].name))
            return "the manifest has a grant whose name has no end";
    return NULL;
}

const char *manifest_read(const void *bytes, size_t size,
                          const struct limen_manifest_server **servers, unsigned *count)
{
    const struct limen_manifest_header *header = bytes;

    if (size < sizeof *header || header->magic != LIMEN_MANIFEST_MAGIC)
        return "the boot archive's manifest is no compiled manifest";
    if (header->version != LIMEN_MANIFEST_VERSION ||
        header->server_size != sizeof(struct limen_manifest_server))
        return "the boot archive's manifest is of another version than init: build both anew";
    if (header->server_count > LIMEN_MANIFEST_SERVERS_MAX ||
        (size - sizeof *header) / sizeof(struct limen_manifest_server) < header->server_count)
        return "the boot archive's manifest is cut off";
    *servers = (const struct limen_manifest_server *)(header + 1);
    *count = header->server_count;
    for (unsigned i = 0; i < *count; i++) {
        const char *problem = check_server(&(*servers)[i]);
        if (problem != NULL)
            return problem;
    }
    return NULL;
}
