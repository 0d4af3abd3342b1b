/* SPDX-License-Identifier: MIT */
#include "process.h"

#include "archive.h"
#include "report.h"
#include "server.h"

#include <limen.h>

static enum limen_error on_get(struct limen_request *request, uint64_t position, uint64_t *id,
                               char *name, uint64_t *alive, uint64_t *state, uint64_t *priority,
                               uint64_t *granted, uint64_t *mapped, uint64_t *nanoseconds,
                               uint64_t *starts, char *reason)
{
    const struct server *server = server_by_id(position + 1);
    struct limen_thread_info thread;
    uint64_t space[4] = {0};

    if (server_asking(request->badge, INIT_PROCESS) == NULL)
        return LIMEN_NO_RIGHT;
    if (server == NULL)
        return LIMEN_NOT_FOUND;
    *id = server->id;
    *alive = server->alive ? 1 : server->waits_for_start ? 2 : 0;
    *priority = server->manifest->priority;
    *starts = server->starts;
    snprintf(name, PROCESS_GET_NAME_MAX + 1, "%s", server->manifest->name);
    snprintf(reason, PROCESS_GET_REASON_MAX + 1, "%s", server->reason);
    if (!server->alive)
        return LIMEN_OK;
    *granted = server_memory(server);
    if (limen_thread_info(server->thread, &thread) == LIMEN_OK) {
        *state = thread.state;
        *priority = thread.priority;
        *nanoseconds = thread.nanoseconds;
    }
    if (limen_call4(server->space, LIMEN_SPACE_INFO, space) == LIMEN_OK)
        *mapped = space[2];
    return LIMEN_OK;
}

static enum limen_error on_kill(struct limen_request *request, const char *name)
{
    const struct server *killer = server_asking(request->badge, INIT_PROCESS);
    struct server *server = server_by_name(name);
    char reason[sizeof server->reason];

    if (killer == NULL)
        return LIMEN_NO_RIGHT;
    if (server == NULL || !(server->alive || server->waits_for_start))
        return LIMEN_NOT_FOUND;
    snprintf(reason, sizeof reason, "killed by %s", killer->manifest->name);
    printf("init: server %s ended: %s\n", name, reason);
    server_end(server, END_KILL, reason);
    return LIMEN_OK;
}

static enum limen_error on_memory(struct limen_request *request, uint64_t *machine,
                                  uint64_t *granted, uint64_t *free)
{
    if (server_asking(request->badge, INIT_PROCESS) == NULL)
        return LIMEN_NO_RIGHT;
    *machine = init_info()->memory;
    *free = limen_memory_free();
    *granted = 0;
    for (unsigned i = 0; i < server_count; i++)
        *granted += server_memory(&servers[i]);
    return LIMEN_OK;
}

static enum limen_error on_capability(struct limen_request *request, uint64_t position,
                                      uint64_t from, uint64_t *slot, uint64_t *type,
                                      uint64_t *rights, uint64_t *distinction, uint64_t *order,
                                      char *given)
{
    const struct server *server = server_by_id(position + 1);

    if (server_asking(request->badge, INIT_PROCESS) == NULL)
        return LIMEN_NO_RIGHT;
    if (server == NULL || !server->alive)
        return LIMEN_NOT_FOUND;
    for (uint64_t at = from; at < 1u << server->table_order; at++) {
        struct limen_capability capability;
        if (limen_inspect(server->table, (uint32_t)at, &capability) != LIMEN_OK ||
            capability.type == LIMEN_TYPE_NONE)
            continue;
        *slot = at;
        *type = capability.type;
        *rights = capability.rights;
        *distinction = capability.badge;
        *order = capability.order;
        snprintf(given, PROCESS_CAPABILITY_GIVEN_MAX + 1, "%s",
                 grants_name(server->manifest, (uint32_t)at));
        return LIMEN_OK;
    }
    return LIMEN_NOT_FOUND;
}

/* Puts a copy of the server's thread of that number into init's slot `to`: its first, which init
 * made, and those it has made itself. */
static bool borrow_thread(const struct server *server, uint64_t number, uint32_t to)
{
    if (number == 0)
        return limen_copy(LIMEN_INIT_TABLE, to, 0, server->thread, LIMEN_RIGHT_READ) == LIMEN_OK;
    for (uint32_t slot = LIMEN_SLOT_GRANTS; slot < 1u << server->table_order; slot++) {
        struct limen_capability capability;
        if (limen_inspect(server->table, slot, &capability) == LIMEN_OK &&
            capability.type == LIMEN_TYPE_THREAD && --number == 0)
            return limen_copy(LIMEN_INIT_TABLE, to, server->table, slot, LIMEN_RIGHT_READ) ==
                   LIMEN_OK;
    }
    return false;
}

static bool is_calling(const struct limen_wait_info *wait)
{
    return wait->state == LIMEN_THREAD_SENDING || wait->state == LIMEN_THREAD_WAITING_REPLY;
}

static enum limen_error on_wait(struct limen_request *request, uint64_t position, uint64_t number,
                                char *name, char *thread, uint64_t *state, char *by, char *whom,
                                char *method, uint64_t *flags, uint64_t *deadline)
{
    const struct server *server = server_by_id(position + 1);
    struct limen_thread_info info;
    struct limen_wait_info wait;
    const char *called = NULL;
    enum limen_error error;

    if (server_asking(request->badge, INIT_PROCESS) == NULL)
        return LIMEN_NO_RIGHT;
    if (server == NULL || !server->alive || !borrow_thread(server, number, server->scratch))
        return LIMEN_NOT_FOUND;
    error = limen_thread_info(server->scratch, &info);
    if (error == LIMEN_OK)
        error = limen_thread_wait_info(server->scratch, &wait);
    limen_delete(LIMEN_INIT_TABLE, server->scratch);
    if (error != LIMEN_OK)
        return error;

    *state = wait.state;
    *flags = wait.flags;
    *deadline = wait.deadline;
    snprintf(name, PROCESS_WAIT_SERVER_MAX + 1, "%s", server->manifest->name);
    snprintf(thread, PROCESS_WAIT_THREAD_MAX + 1, "%s", info.name);
    snprintf(by, PROCESS_WAIT_BY_MAX + 1, "%s", grants_name(server->manifest, wait.slot));
    if (wait.flags & LIMEN_WAIT_FAULTED)
        snprintf(whom, PROCESS_WAIT_WHOM_MAX + 1, "init");
    else if (is_calling(&wait))
        snprintf(whom, PROCESS_WAIT_WHOM_MAX + 1, "%s", grants_server(server, wait.slot));
    if (wait.tag != 0)
        called = report_method(limen_tag_label(wait.tag));
    if (called != NULL)
        snprintf(method, PROCESS_WAIT_METHOD_MAX + 1, "%s", called);
    return LIMEN_OK;
}

const struct process_handlers init_process = {
    .get = on_get,
    .kill = on_kill,
    .memory = on_memory,
    .capability = on_capability,
    .wait = on_wait,
};
