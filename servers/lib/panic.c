/* SPDX-License-Identifier: MIT */
/* The end of a server, in order or not: init hears of it and never answers. */
#include "format.h"

#include <protocol/supervisor.h>
#include <runtime/environment.h>
#include <runtime/panic.h>
#include <stdio.h>

/* Whatever init's answer would be, the program does not go on: UD2 reports itself as a fault. */
static _Noreturn void stop(void)
{
    for (;;)
        __asm__ volatile("ud2");
}

_Noreturn void limen_panic(const char *format, ...)
{
    char text[SUPERVISOR_PANIC_TEXT_MAX + 1];
    va_list arguments;

    va_start(arguments, format);
    limen_format(text, sizeof text, format, arguments);
    va_end(arguments);
    supervisor_panic(LIMEN_SLOT_SUPERVISOR, text);
    stop();
}

_Noreturn void limen_exit(int status)
{
    limen_flush();
    supervisor_exit(LIMEN_SLOT_SUPERVISOR, (uint64_t)(int64_t)status);
    stop();
}
