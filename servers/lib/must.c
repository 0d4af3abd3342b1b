/* SPDX-License-Identifier: MIT */
/* Ways to an end that lead through limen_exit() and limen_panic(), of which init has its own. */
#include <runtime/environment.h>
#include <runtime/ipc.h>
#include <runtime/panic.h>
#include <stdlib.h>

void limen_must_at(const char *file, int line, const char *what, enum limen_error error)
{
    if (error != LIMEN_OK)
        limen_panic("%s:%d: %s: %s", file, line, what, limen_error_text(error));
}

_Noreturn void exit(int status)
{
    limen_exit(status);
}

_Noreturn void abort(void)
{
    limen_panic("abort() was called");
}
