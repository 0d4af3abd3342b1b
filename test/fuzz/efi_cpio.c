/* SPDX-License-Identifier: MIT */
/* An archive that cpio_check() lets through can be read by a reader that checks nothing. */
#include "../../efi/cpio.h"
#include "fuzz.h"

static size_t number(const char *digits)
{
    char text[9];
    memcpy(text, digits, 8);
    text[8] = '\0';
    char *end;
    const size_t value = strtoul(text, &end, 16);
    require(*end == '\0');
    return value;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (cpio_check(data, size).what != NULL)
        return 0;
    const char *at = (const char *)data;
    for (;;) {
        const char *name = at + 110;
        const size_t file_size = number(at + 54), name_size = number(at + 94);
        require(strlen(name) + 1 == name_size);
        if (strcmp(name, "TRAILER!!!") == 0)
            return 0;
        const char *contents = at + (110 + name_size + 3) / 4 * 4;
        unsigned char sum = 0;
        for (size_t i = 0; i < file_size; i++)
            sum = (unsigned char)(sum + (unsigned char)contents[i]);
        *(volatile unsigned char *)&sum = sum; /* every byte has been read */
        at = contents + (file_size + 3) / 4 * 4;
    }
}
