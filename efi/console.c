/* SPDX-License-Identifier: MIT */
#include "loader.h"
#include "machine.h"
#include "processor.h"
#include "text.h"

enum {
    COM1 = 0x3f8,
    COM1_DIVISOR = COM1, /* while the divisor latch is open */
    COM1_LINE_CONTROL = COM1 + 3,
    COM1_LINE_STATUS = COM1 + 5,
    DIVISOR_LATCH = 0x80,
    EIGHT_BITS = 0x03,
    DIVISOR_115200 = 1,
    TRANSMITTER_EMPTY = 0x20,
    POLLS_MAX = 100000, /* a port that is not there must not hold the loader up */
    LINE_MAX = 320,
};

/* A firmware that does not use the port may never have set it up. */
static void set_up_serial(void)
{
    port_out8(COM1_LINE_CONTROL, DIVISOR_LATCH);
    port_out8(COM1_DIVISOR, DIVISOR_115200);
    port_out8(COM1_DIVISOR + 1, 0);
    port_out8(COM1_LINE_CONTROL, EIGHT_BITS);
}

void console_open(struct loader *loader)
{
    static EFI_GUID global_variable = EFI_GLOBAL_VARIABLE;
    static CHAR16 name[] = L"ConOut";
    unsigned char path[1024];
    UINTN size = sizeof path;
    const EFI_STATUS status =
        loader->system->RuntimeServices->GetVariable(name, &global_variable, NULL, &size, path);
    loader->serial = EFI_ERROR(status) || !machine_console_is_serial(path, size);
    if (loader->serial)
        set_up_serial();
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
