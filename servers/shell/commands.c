/* SPDX-License-Identifier: MIT */
/* The shell's commands. */
#include "commands.h"

#include <limen.h>
#include <protocol/power.h>
#include <protocol/process.h>

#define KIB 1024u

int command_failed(const char *what, enum limen_error error)
{
    printf("%s: %s\n", what, limen_error_text(error));
    return STATUS_FAILED;
}

static int help(int count, char **words)
{
    (void)count;
    (void)words;
    for (const struct command *command = commands; command->name != NULL; command++) {
        int width = (int)strlen(command->name) + 1;
        printf("%s %-*s %s\n", command->name, 29 - width, command->arguments, command->about);
    }
    return STATUS_OK;
}

static int echo(int count, char **words)
{
    for (int i = 1; i < count; i++)
        printf("%s%s", words[i], i + 1 < count ? " " : "");
    printf("\n");
    return STATUS_OK;
}

static const char *state_text(uint64_t state)
{
    static const char *const texts[] = {
        [LIMEN_THREAD_STOPPED] = "stopped",      [LIMEN_THREAD_READY] = "ready",
        [LIMEN_THREAD_SENDING] = "sending",      [LIMEN_THREAD_RECEIVING] = "receiving",
        [LIMEN_THREAD_WAITING] = "notification", [LIMEN_THREAD_WAITING_REPLY] = "answer",
        [LIMEN_THREAD_PARKED] = "time",
    };
    return state < sizeof texts / sizeof texts[0] ? texts[state] : "?";
}

enum limen_error server_info(uint64_t position, struct server_info *info)
{
    return process_get(limen_lookup("process"), position, &info->id, info->name, &info->alive,
                       &info->state, &info->priority, &info->granted, &info->mapped,
                       &info->nanoseconds, &info->starts, info->reason);
}

static int ps(int count, char **words)
{
    struct server_info info;
    enum limen_error error = LIMEN_OK;

    (void)count;
    (void)words;
    printf("ID NAME            PRIO  MEMORY  MAPPED   TIME ms STARTS WAITS FOR\n");
    for (uint64_t position = 0; (error = server_info(position, &info)) == LIMEN_OK; position++) {
        if (info.alive == 1)
            printf("%2lu %-15s %4lu %6luK %6luK %9lu %6lu %s\n", info.id, info.name, info.priority,
                   info.granted / KIB, info.mapped / KIB, info.nanoseconds / NS_PER_MS, info.starts,
                   state_text(info.state));
        else
            printf("%2lu %-15s %4lu       -       -         - %6lu %s: %s\n", info.id, info.name,
                   info.priority, info.starts,
                   info.alive == 0 ? "dead" : "dead, to be started again", info.reason);
    }
    return error == LIMEN_NOT_FOUND ? STATUS_OK : command_failed("ps", error);
}

static int mem(int count, char **words)
{
    uint64_t machine, granted, free;
    enum limen_error error = process_memory(limen_lookup("process"), &machine, &granted, &free);

    (void)count;
    (void)words;
    if (error != LIMEN_OK)
        return command_failed("mem", error);
    printf("memory of the machine %10lu KiB\n", machine / KIB);
    printf("granted to servers    %10lu KiB\n", granted / KIB);
    printf("free                  %10lu KiB\n", free / KIB);
    return STATUS_OK;
}

static int show_log(int count, char **words)
{
    char text[LIMEN_LOG_READ_MAX];
    uint64_t position = 0;
    size_t length;

    (void)count;
    (void)words;
    for (;;) {
        enum limen_error error = limen_log_read(limen_lookup("log"), &position, text, &length);
        if (error != LIMEN_OK)
            return command_failed("log", error);
        if (length == 0)
            return STATUS_OK;
        printf("%.*s", (int)length, text);
    }
}

static int kill_server(int count, char **words)
{
    enum limen_error error = process_kill(limen_lookup("process"), words[1]);

    (void)count;
    return error == LIMEN_OK ? STATUS_OK : command_failed(words[1], error);
}

static int uptime(int count, char **words)
{
    uint64_t now = limen_now();

    (void)count;
    (void)words;
    printf("up %lu.%03lu s\n", now / NS_PER_S, now / NS_PER_MS % 1000);
    return STATUS_OK;
}

static int reboot(int count, char **words)
{
    (void)count;
    (void)words;
    return command_failed("reboot", power_reboot(limen_lookup("power")));
}

static int poweroff(int count, char **words)
{
    (void)count;
    (void)words;
    return command_failed("poweroff", power_off(limen_lookup("power")));
}

const struct command commands[] = {
    {"help", "", "lists these commands", 1, help},
    {"echo", "[WORD...]", "prints its words", 1, echo},
    {"ps", "", "lists the servers", 1, ps},
    {"waits", "", "tells for whom each thread waits, and who waits in a circle", 1, command_waits},
    {"caps", "[NAME]", "lists the capabilities of servers", 1, command_caps},
    {"mem", "", "tells how much memory is granted and free", 1, mem},
    {"log", "", "shows the kernel's log", 1, show_log},
    {"bench", "[NAME|all [histogram]]", "measures the kernel", 1, command_bench},
    {"kill", "NAME", "ends a server and takes all it has back", 2, kill_server},
    {"uptime", "", "tells how long the kernel has run", 1, uptime},
    {"poweroff", "", "turns the machine off", 1, poweroff},
    {"reboot", "", "starts the machine anew", 1, reboot},
    {NULL, NULL, NULL, 0, NULL},
};
