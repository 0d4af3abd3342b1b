/* SPDX-License-Identifier: MIT */
/* Symbol look-up.  A list is read from its start each time: backtraces are rare. */
#include "symbols.h"

static int digit_value(char digit)
{
    if (digit >= '0' && digit <= '9')
        return digit - '0';
    if (digit >= 'a' && digit <= 'f')
        return digit - 'a' + 10;
    return -1;
}

struct symbol symbol_find(const char *list, size_t size, uint64_t address)
{
    struct symbol found = {0};
    size_t at = 0;

    while (at < size) {
        uint64_t value = 0;
        for (; at < size && digit_value(list[at]) >= 0; at++)
            value = value << 4 | (uint64_t)digit_value(list[at]);
        if (at == size || list[at] != ' ' || value > address)
            break;
        size_t name = ++at;
        while (at < size && list[at] != '\n')
            at++;
        found = (struct symbol){list + name, at - name, address - value};
        at++;
    }
    return found;
}
