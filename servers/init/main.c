/* SPDX-License-Identifier: MIT */
/*
 * init: starts the servers of the manifest with what it grants them, and then answers for them:
 * their faults and last words come here, and the shell's questions about them.
 *
 * init calls no server, so no server can make it wait.  What it has to say goes to the kernel's
 * log.
 */
#include "archive.h"
#include "manifest.h"
#include "power.h"
#include "report.h"
#include "server.h"

#include <limen.h>
#include <limen/fault.h>
#include <protocol/power.h>
#include <protocol/process.h>
#include <protocol/supervisor.h>

/* The server that asks, if it asks at the service that the protocol belongs to. */
static struct server *asker(const struct limen_request *request, enum init_service service)
{
    if (request->badge >> 32 != service)
        return NULL;
    return server_by_id((uint32_t)request->badge);
}

/* -- supervisor -- */

static enum limen_error on_exit(struct limen_request *request, uint64_t status)
{
    struct server *server = asker(request, INIT_SUPERVISOR);
    char reason[sizeof server->reason];

    if (server == NULL)
        return LIMEN_NO_RIGHT;
    snprintf(reason, sizeof reason, "main returned %ld", (int64_t)status);
    printf("init: server %s ended: %s\n", server->manifest->name, reason);
    server_end(server, END_EXIT, reason);
    return LIMEN_OK;
}

static enum limen_error on_panic(struct limen_request *request, const char *text)
{
    struct server *server = asker(request, INIT_SUPERVISOR);
    char reason[sizeof server->reason];
    struct limen_regs regs;

    if (server == NULL)
        return LIMEN_NO_RIGHT;
    printf("init: server %s died: %s\n", server->manifest->name, text);
    if (limen_thread_get_regs(server->thread, &regs) == LIMEN_OK)
        report_backtrace(server, &regs);
    snprintf(reason, sizeof reason, "%s", text);
    server_end(server, END_FAULT, reason);
    return LIMEN_OK;
}

static enum limen_error on_say(struct limen_request *request, const char *text)
{
    struct server *server = asker(request, INIT_SUPERVISOR);

    if (server == NULL)
        return LIMEN_NO_RIGHT;
    printf("%s: %s", server->manifest->name, text);
    if (text[0] == '\0' || text[strlen(text) - 1] != '\n')
        printf("\n");
    return LIMEN_OK;
}

/* Faults come as calls at the supervisor's endpoint.  They are never answered: the server's end
 * leaves nobody to answer. */
static uint64_t on_fault(const void *handlers, struct limen_request *request)
{
    struct server *server = asker(request, INIT_SUPERVISOR);
    uint64_t words[LIMEN_FAULT_WORDS];
    char reason[sizeof server->reason];

    (void)handlers;
    if (server == NULL || !server->alive || request->words < LIMEN_FAULT_WORDS)
        return limen_tag(LIMEN_BAD_OPERATION, 0, 0);
    memcpy(words, limen_message()->words, sizeof words);
    report_fault(server, request->label, words, reason, sizeof reason);
    server_end(server, END_FAULT, reason);
    return limen_tag(LIMEN_FAULTED, 0, 0);
}

/* -- process -- */

static enum limen_error on_get(struct limen_request *request, uint64_t position, uint64_t *id,
                               char *name, uint64_t *alive, uint64_t *state, uint64_t *priority,
                               uint64_t *granted, uint64_t *mapped, uint64_t *nanoseconds,
                               uint64_t *starts, char *reason)
{
    const struct server *server = server_by_id(position + 1);
    struct limen_thread_info thread;
    uint64_t space[4] = {0};

    if (asker(request, INIT_PROCESS) == NULL)
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
    *granted = 1ull << server->order;
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
    const struct server *killer = asker(request, INIT_PROCESS);
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
    if (asker(request, INIT_PROCESS) == NULL)
        return LIMEN_NO_RIGHT;
    *machine = init_info()->memory;
    *free = limen_memory_free();
    *granted = 0;
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].alive)
            *granted += 1ull << servers[i].order;
    return LIMEN_OK;
}

/* -- power -- */

static enum limen_error on_off(struct limen_request *request)
{
    if (asker(request, INIT_POWER) == NULL)
        return LIMEN_NO_RIGHT;
    return power_turn_off(init_info()->rsdp);
}

static enum limen_error on_reboot(struct limen_request *request)
{
    return asker(request, INIT_POWER) == NULL ? LIMEN_NO_RIGHT : power_restart();
}

static enum limen_error on_debug_exit(struct limen_request *request, uint64_t status)
{
    return asker(request, INIT_POWER) == NULL ? LIMEN_NO_RIGHT : power_debug_exit(status);
}

static void start_servers(uint32_t endpoint)
{
    const struct limen_manifest_server *manifest;
    struct cpio_file file;
    const char *problem;
    unsigned count, started = 0;

    if (!archive_find(LIMEN_MANIFEST_NAME, &file))
        limen_panic("the boot archive is damaged, or has no file %s", LIMEN_MANIFEST_NAME);
    problem = manifest_read(file.content, file.size, &manifest, &count);
    if (problem != NULL)
        limen_panic("%s", problem);
    servers_init(manifest, count, endpoint);
    for (unsigned i = 0; i < count; i++)
        started += server_start(&servers[i]);
    printf("init: %u of %u servers started\n", started, count);
}

int main(void)
{
    static const struct supervisor_handlers supervisor = {on_exit, on_panic, on_say};
    static const struct process_handlers process = {on_get, on_kill, on_memory};
    static const struct power_handlers power = {on_off, on_reboot, on_debug_exit};
    const struct limen_protocol protocols[] = {
        supervisor_protocol(&supervisor),
        process_protocol(&process),
        power_protocol(&power),
        {LIMEN_FAULT_EXCEPTION & ~LIMEN_METHOD_MASK, on_fault, NULL},
    };
    struct limen_server server = {.protocols = protocols,
                                  .protocol_count = sizeof protocols / sizeof protocols[0]};

    limen_must("making an endpoint", limen_make(LIMEN_TYPE_ENDPOINT, 0, 1, &server.endpoint));
    start_servers(server.endpoint);
    for (;;) {
        limen_server_step(&server, servers_next_start());
        servers_start_due();
    }
}
