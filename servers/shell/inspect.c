/* SPDX-License-Identifier: MIT */
/* The commands caps and waits: what servers hold, and whom they wait for. */
#include "commands.h"

#include <limen.h>
#include <protocol/process.h>

/* -- caps -- */

static const char *type_name(uint64_t type)
{
    static const char *const names[LIMEN_TYPE_COUNT] = {
        [LIMEN_TYPE_UNTYPED] = "untyped", [LIMEN_TYPE_TABLE] = "table",
        [LIMEN_TYPE_THREAD] = "thread",   [LIMEN_TYPE_SPACE] = "space",
        [LIMEN_TYPE_FRAME] = "frame",     [LIMEN_TYPE_ENDPOINT] = "endpoint",
        [LIMEN_TYPE_REPLY] = "reply",     [LIMEN_TYPE_NOTIFICATION] = "notification",
        [LIMEN_TYPE_IRQ] = "interrupt",   [LIMEN_TYPE_IRQ_CONTROL] = "interrupt control",
        [LIMEN_TYPE_PORTS] = "ports",     [LIMEN_TYPE_KERNEL] = "kernel",
        [LIMEN_TYPE_CONTEXT] = "context",
    };
    return type < LIMEN_TYPE_COUNT && names[type] != NULL ? names[type] : "?";
}

static void write_rights(uint64_t rights, char text[5])
{
    static const char letters[] = "rwxg-";

    for (unsigned i = 0; i < 4; i++)
        text[i] = letters[rights >> i & 1 ? i : 4];
    text[4] = '\0';
}

static void write_distinction(uint64_t type, uint64_t value, uint64_t order, char *text,
                              size_t size)
{
    if (type == LIMEN_TYPE_PORTS)
        snprintf(text, size, "%#lx-%#lx", value & UINT16_MAX, value >> 16);
    else if (type == LIMEN_TYPE_IRQ)
        snprintf(text, size, "line %lu", value);
    else if (type == LIMEN_TYPE_ENDPOINT || type == LIMEN_TYPE_NOTIFICATION)
        snprintf(text, size, "badge %#lx", value);
    else if (type == LIMEN_TYPE_UNTYPED || type == LIMEN_TYPE_FRAME)
        snprintf(text, size, "2^%lu bytes", order);
    else
        text[0] = '\0';
}

static enum limen_error list_table(uint64_t position, const char *name)
{
    uint32_t process = limen_lookup("process");
    uint64_t slot, type, rights, distinction, order;
    char given[PROCESS_CAPABILITY_GIVEN_MAX + 1];

    for (uint64_t from = 0;; from = slot + 1) {
        char rights_text[5], what[32];
        enum limen_error error = process_capability(process, position, from, &slot, &type, &rights,
                                                    &distinction, &order, given);
        if (error != LIMEN_OK)
            return error;
        write_rights(rights, rights_text);
        write_distinction(type, distinction, order, what, sizeof what);
        printf("%-15s %5lu %-12s %s %-16s %s\n", name, slot, type_name(type), rights_text, what,
               given[0] != '\0' ? given : "-");
    }
}

int command_caps(int count, char **words)
{
    struct server_info info;
    enum limen_error error = LIMEN_OK;
    bool found = false;

    printf("SERVER           SLOT TYPE         RWXG WHICH            GIVEN AS\n");
    for (uint64_t position = 0; (error = server_info(position, &info)) == LIMEN_OK; position++) {
        if (count > 1 && strcmp(info.name, words[1]) != 0)
            continue;
        found = true;
        error = list_table(position, info.name);
        if (error != LIMEN_NOT_FOUND)
            break;
    }
    if (error != LIMEN_NOT_FOUND)
        return command_failed("caps", error);
    return count == 1 || found ? STATUS_OK : command_failed(words[1], LIMEN_NOT_FOUND);
}

/* -- waits -- */

#define WAITS_MAX 64u

struct wait {
    char server[PROCESS_WAIT_SERVER_MAX + 1];
    char thread[PROCESS_WAIT_THREAD_MAX + 1];
    char by[PROCESS_WAIT_BY_MAX + 1];
    char whom[PROCESS_WAIT_WHOM_MAX + 1]; /* "": nobody in particular */
    char method[PROCESS_WAIT_METHOD_MAX + 1];
    uint64_t state, flags, deadline;
    bool reached;
};

/* Whether somebody who waits for `from` could in the end wait for `to`. */
static bool leads(struct wait *waits, unsigned count, const char *from, const char *to)
{
    bool changed = true;

    for (unsigned i = 0; i < count; i++)
        waits[i].reached = false;
    while (changed) {
        changed = false;
        for (unsigned i = 0; i < count; i++) {
            bool next = strcmp(waits[i].server, from) == 0;
            for (unsigned j = 0; j < count && !next; j++)
                next = waits[j].reached && strcmp(waits[j].whom, waits[i].server) == 0;
            changed |= next && !waits[i].reached;
            waits[i].reached |= next;
        }
    }
    for (unsigned i = 0; i < count; i++)
        if (waits[i].reached && strcmp(waits[i].whom, to) == 0)
            return true;
    return strcmp(from, to) == 0;
}

static unsigned gather(uint32_t process, struct wait *waits, enum limen_error *error)
{
    uint64_t position = 0, number = 0;
    unsigned count = 0;

    while (count < WAITS_MAX) {
        struct wait *wait = &waits[count];
        *error = process_wait(process, position, number, wait->server, wait->thread, &wait->state,
                              wait->by, wait->whom, wait->method, &wait->flags, &wait->deadline);
        if (*error == LIMEN_OK) {
            count++;
            number++;
        } else if (*error == LIMEN_NOT_FOUND && position < LIMEN_MANIFEST_SERVERS_MAX) {
            position++;
            number = 0;
        } else {
            break;
        }
    }
    return count;
}

static void print_wait(const struct wait *wait, bool circle)
{
    static const char *const others[] = {
        [LIMEN_THREAD_STOPPED] = "is stopped",
        [LIMEN_THREAD_READY] = "runs",
        [LIMEN_THREAD_RECEIVING] = "waits for requests",
        [LIMEN_THREAD_WAITING] = "waits for signals",
        [LIMEN_THREAD_PARKED] = "waits for time",
    };

    printf("%s", wait->server);
    if (strcmp(wait->server, wait->thread) != 0)
        printf("/%s", wait->thread);
    if (wait->flags & LIMEN_WAIT_FAULTED)
        printf(" -> init (its fault)");
    else if (wait->whom[0] != '\0')
        printf(" -> %s (%s)", wait->whom, wait->method[0] != '\0' ? wait->method : wait->by);
    else if (wait->state < sizeof others / sizeof others[0] && others[wait->state] != NULL)
        printf(" %s", others[wait->state]);
    else
        printf(" waits for whoever has the other side of %s", wait->by);
    if (wait->state == LIMEN_THREAD_SENDING)
        printf(", not taken yet");
    if (wait->flags & LIMEN_WAIT_DEADLINE)
        printf(", until %lu.%03lu s", wait->deadline / NS_PER_S, wait->deadline / NS_PER_MS % 1000);
    printf("%s\n", circle ? ", in a circle" : "");
}

int command_waits(int count, char **words)
{
    static struct wait waits[WAITS_MAX];
    enum limen_error error;
    unsigned found = gather(limen_lookup("process"), waits, &error);

    (void)count;
    (void)words;
    for (unsigned i = 0; i < found; i++)
        print_wait(&waits[i],
                   waits[i].whom[0] != '\0' && leads(waits, found, waits[i].whom, waits[i].server));
    return error == LIMEN_OK || error == LIMEN_NOT_FOUND ? STATUS_OK
                                                         : command_failed("waits", error);
}
