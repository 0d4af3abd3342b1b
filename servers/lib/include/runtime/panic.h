/* SPDX-License-Identifier: MIT */
/* How a server gives up: with a last message that init reports with a backtrace. */
#ifndef RUNTIME_PANIC_H
#define RUNTIME_PANIC_H

#include <limen/errors.h>

_Noreturn void limen_panic(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Panics with what failed and why, unless `error` is LIMEN_OK. */
#define limen_must(what, error) limen_must_at(__FILE__, __LINE__, what, error)
void limen_must_at(const char *file, int line, const char *what, enum limen_error error);

#define limen_assert(condition)                                                                    \
    ((condition) ? (void)0                                                                         \
                 : limen_panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #condition))

#endif
