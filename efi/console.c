/* SPDX-License-Identifier: MIT */
#include "loader.h"
#include "machine.h"
#include "processor.h"
#include "text.h"

enum {
    COM1 = 0x3f8,
    COM1_LINE_STATUS = COM1 + 5,
    TRANSMITTER_EMPTY = 0x20,
    POLLS_MAX = 100000, /* a port that is not there must not hold the loader up */
    LINE_MAX = 320,
};

void console_open(struct loader *loader)
{
    static EFI_GUID global_variable = EFI_GLOBAL_VARIABLE;
    static CHAR16 name[] = L"ConOut";
    unsigned char path[1024];
    UINTN size = sizeof path;
    const EFI_STATUS status =
        loader->system->RuntimeServices->GetVariable(name, &global_variable, NULL, &size, path);
    loader->serial = EFI_ERROR(status) || !machine_console_is_serial(path, size);
}

static void write_serial(char c)
{
    for (unsigned i = 0; i < POLLS_MAX; i++) {
        if ((port_in8(COM1_LINE_STATUS) & TRANSMITTER_EMPTY) != 0) {
            port_out8(COM1, (uint8_t)c);
            return;
        }
    }
}

static void write_line(struct loader *loader, const char *line)
{
    CHAR16 wide[LINE_MAX + 3];
    size_t length = 0;
    for (; line[length] != '\0'; length++)
        wide[length] = (CHAR16)(unsigned char)line[length];
    wide[length] = L'\r';
    wide[length + 1] = L'\n';
    wide[length + 2] = L'\0';
    if (loader->system->ConOut != NULL)
        loader->system->ConOut->OutputString(loader->system->ConOut, wide);
    if (loader->serial) {
        for (size_t i = 0; i < length + 2; i++)
            write_serial((char)wide[i]);
    }
}

void say(struct loader *loader, const char *format, ...)
{
    char line[LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(line, sizeof line, format, arguments);
    va_end(arguments);
    write_line(loader, line);
}

EFI_STATUS fail(struct loader *loader, EFI_STATUS status, const char *format, ...)
{
    char reason[LINE_MAX];
    va_list arguments;
    va_start(arguments, format);
    text_format(reason, sizeof reason, format, arguments);
    va_end(arguments);
    say(loader, "Limen cannot start: %s", reason);
    return status;
}
