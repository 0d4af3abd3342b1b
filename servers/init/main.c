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
#include "process.h"
#include "report.h"
#include "server.h"

#include <limen.h>
#include <limen/fault.h>
#include <protocol/power.h>
#include <protocol/supervisor.h>

/* -- supervisor -- */

static enum limen_error on_exit(struct limen_request *request, uint64_t status)
{
    struct server *server = server_asking(request->badge, INIT_SUPERVISOR);
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
    struct server *server = server_asking(request->badge, INIT_SUPERVISOR);
    char reason[sizeof server->reason];
    struct limen_regs regs;

    if (server == NULL)
        return LIMEN_NO_RIGHT;
    printf("init: server %s died: %s\n", server->manifest->name, text);
    if (limen_thread_get_regs(server->thread, &regs) == LIMEN_OK)
        report_backtrace(server, &regs);
    report_request(server);
    snprintf(reason, sizeof reason, "%s", text);
    server_end(server, END_FAULT, reason);
    return LIMEN_OK;
}

static enum limen_error on_say(struct limen_request *request, const char *text)
{
    struct server *server = server_asking(request->badge, INIT_SUPERVISOR);

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
    struct server *server = server_asking(request->badge, INIT_SUPERVISOR);
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

/* -- power -- */

static enum limen_error on_off(struct limen_request *request)
{
    if (server_asking(request->badge, INIT_POWER) == NULL)
        return LIMEN_NO_RIGHT;
    return power_turn_off(init_info()->rsdp);
}

static enum limen_error on_reboot(struct limen_request *request)
{
    return server_asking(request->badge, INIT_POWER) == NULL ? LIMEN_NO_RIGHT : power_restart();
}

static enum limen_error on_debug_exit(struct limen_request *request, uint64_t status)
{
    return server_asking(request->badge, INIT_POWER) == NULL ? LIMEN_NO_RIGHT
                                                             : power_debug_exit(status);
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
    static const struct power_handlers power = {on_off, on_reboot, on_debug_exit};
    const struct limen_protocol protocols[] = {
        supervisor_protocol(&supervisor),
        process_protocol(&init_process),
        power_protocol(&power),
        {LIMEN_FAULT_EXCEPTION & ~LIMEN_METHOD_MASK, on_fault, NULL},
    };
    struct limen_server server = {.protocols = protocols,
                                  .protocol_count = sizeof protocols / sizeof protocols[0]};

    limen_must("making an endpoint", limen_make(LIMEN_TYPE_ENDPOINT, 0, 1, &server.endpoint));
    start_servers(server.endpoint);
    for (;;) {
        limen_server_step(&server, servers_next_start());
        if (!server.answering) /* an answer would still stand in the message page */
            servers_start_due();
    }
}
