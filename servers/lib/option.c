/* SPDX-License-Identifier: MIT */
/* Options on the machine's command line. */
#include "option.h"

#include <string.h>

static size_t word_length(const char *line)
{
    size_t length = 0;

    if (strncmp(line, "cmd=", 4) == 0)
        return strlen(line);
    while (line[length] != '\0' && line[length] != ' ')
        length++;
    return length;
}

bool limen_option(const char *line, const char *name, char *value, size_t size)
{
    size_t name_length = strlen(name);
    size_t length;

    for (; *line != '\0'; line += length) {
        if (*line == ' ') {
            length = 1;
            continue;
        }
        length = word_length(line);
        if (length < name_length || strncmp(line, name, name_length) != 0)
            continue;
        if (length > name_length && line[name_length] != '=')
            continue;
        const char *from = line + name_length + (length > name_length);
        size_t value_length = (size_t)(line + length - from);
        if (value_length > size - 1)
            value_length = size - 1;
        memcpy(value, from, value_length);
        value[value_length] = '\0';
        return true;
    }
    return false;
}
