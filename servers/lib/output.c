/* SPDX-License-Identifier: MIT */
/* Where a server's printf goes: to the console, or through init to the kernel's log. */
#include <protocol/console.h>
#include <protocol/supervisor.h>
#include <runtime/environment.h>
#include <stdio.h>
#include <string.h>

static void to_log(const char *text, size_t length)
{
    char line[SUPERVISOR_SAY_TEXT_MAX + 1];

    while (length > 0) {
        size_t part = length < SUPERVISOR_SAY_TEXT_MAX ? length : SUPERVISOR_SAY_TEXT_MAX;
        memcpy(line, text, part);
        line[part] = '\0';
        supervisor_say(LIMEN_SLOT_SUPERVISOR, line);
        text += part;
        length -= part;
    }
}

void limen_output(const char *text, size_t length)
{
    const struct limen_binding *console = limen_binding("console", LIMEN_GRANT_SERVICE);

    while (console != NULL && length > 0) {
        size_t part = length < CONSOLE_WRITE_TEXT_MAX ? length : CONSOLE_WRITE_TEXT_MAX;
        if (console_write(console->slot, text, part) != LIMEN_OK)
            break;
        text += part;
        length -= part;
    }
    to_log(text, length);
}
