/* SPDX-License-Identifier: MIT */
/* The shell: reads a line, runs a command, again.  With cmd=LINE on the machine's command line it
 * runs that line instead and ends the machine with its status. */
#include "commands.h"

#include <limen.h>
#include <protocol/console.h>
#include <protocol/power.h>

static int split(char *line, char **words)
{
    int count = 0;

    for (char *at = line; *at != '\0' && count < WORDS_MAX;) {
        if (*at == ' ' || *at == '\t') {
            *at++ = '\0';
            continue;
        }
        words[count++] = at;
        while (*at != '\0' && *at != ' ' && *at != '\t')
            at++;
    }
    return count;
}

static int run(char *line)
{
    char *words[WORDS_MAX];
    int count = split(line, words);

    if (count == 0)
        return STATUS_OK;
    for (const struct command *command = commands; command->name != NULL; command++) {
        if (strcmp(command->name, words[0]) != 0)
            continue;
        if (count < command->words) {
            printf("%s: too few words; usage: %s %s\n", words[0], words[0], command->arguments);
            return STATUS_USAGE;
        }
        return command->run(count, words);
    }
    printf("%s: no such command; help lists those there are\n", words[0]);
    return STATUS_UNKNOWN;
}

int main(void)
{
    char line[LIMEN_INIT_CMDLINE_MAX];
    uint32_t console = limen_lookup("console");

    if (limen_boot_option("cmd", line, sizeof line)) {
        int status = run(line);
        limen_flush();
        console_flush(console);
        power_exit(limen_lookup("power"), (uint64_t)status);
        printf("shell: this machine has no debug-exit device to leave by; status %d\n", status);
    } else {
        printf("\nLimen. Type help for the commands.\n");
    }
    for (;;) {
        enum limen_error error = console_read_line(console, "limen> ", line);
        if (error == LIMEN_OK)
            run(line);
        else if (error != LIMEN_CANCELLED)
            limen_panic("reading a line from the console: %s", limen_error_text(error));
    }
}
