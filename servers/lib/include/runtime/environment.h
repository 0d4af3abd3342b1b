/* SPDX-License-Identifier: MIT */
/* What init gave to this server: names, slots, arguments, and the clock. */
#ifndef RUNTIME_ENVIRONMENT_H
#define RUNTIME_ENVIRONMENT_H

#include <limen/environment.h>
#include <limen/manifest.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The page that init filled in, by way of limen_runtime_init(). */
extern const struct limen_environment *limen_environment_page;

static inline const struct limen_environment *limen_environment(void)
{
    return limen_environment_page;
}

/* Sets the runtime up, before main().  init, which nobody gives a page, makes one of its own. */
void limen_runtime_init(const struct limen_environment *environment);

/* The slot of the grant with that name, in the manifest's words; 0 when there is none. */
uint32_t limen_lookup(const char *name);

/* The endpoint of the service that this server provides; panics when the manifest names none. */
uint32_t limen_provided(void);

/* The whole binding, for the first port or the bit of an interrupt; NULL when there is none. */
const struct limen_binding *limen_binding(const char *name, enum limen_grant_kind kind);

/* Looks for `name` or `name=value` on the machine's command line; the value, or "", lands in
 * `value`. */
bool limen_boot_option(const char *name, char *value, size_t size);

/* The decimal number in `name=number` there, up to the first character that is no digit;
 * `otherwise` where the command line has no such word, or no value in it. */
uint64_t limen_boot_number(const char *name, uint64_t otherwise);

/* Monotonic nanoseconds since the kernel's first instruction; read without a system call. */
uint64_t limen_now(void);

/* Ends this server in order; init takes everything back. */
_Noreturn void limen_exit(int status);

#endif
