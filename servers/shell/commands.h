/* SPDX-License-Identifier: MIT */
#ifndef SHELL_COMMANDS_H
#define SHELL_COMMANDS_H

#include <protocol/process.h>

#define WORDS_MAX 16

#define NS_PER_MS 1000000u
#define NS_PER_S  1000000000u

#define STATUS_OK      0
#define STATUS_FAILED  1
#define STATUS_USAGE   2
#define STATUS_UNKNOWN 127 /* as other shells have it */

struct command {
    const char *name;
    const char *arguments; /* for help */
    const char *about;
    int words; /* at least, with the command itself */
    int (*run)(int count, char **words);
};

/* Ends with an entry without a name. */
extern const struct command commands[];

/* What init knows of a server. */
struct server_info {
    uint64_t id, alive, state, priority, granted, mapped, nanoseconds, starts;
    char name[PROCESS_GET_NAME_MAX + 1];
    char reason[PROCESS_GET_REASON_MAX + 1];
};
enum limen_error server_info(uint64_t position, struct server_info *info);

/* Says what went wrong; a command's status. */
int command_failed(const char *what, enum limen_error error);

int command_bench(int count, char **words); /* bench.c */
int command_caps(int count, char **words);  /* inspect.c */
int command_waits(int count, char **words);

#endif
