/* SPDX-License-Identifier: MIT */
/* The environment page, and what is set up from it. */
#include "option.h"

#include <limen/clock.h>
#include <runtime/environment.h>
#include <runtime/panic.h>
#include <string.h>

const struct limen_environment *limen_environment_page;

void limen_runtime_init(const struct limen_environment *page)
{
    limen_environment_page = page;
}

uint32_t limen_lookup(const char *name)
{
    for (uint32_t i = 0; i < limen_environment()->binding_count; i++)
        if (strncmp(limen_environment()->bindings[i].name, name, LIMEN_NAME_MAX) == 0)
            return limen_environment()->bindings[i].slot;
    return 0;
}

const struct limen_binding *limen_binding(const char *name, enum limen_grant_kind kind)
{
    for (uint32_t i = 0; i < limen_environment()->binding_count; i++) {
        const struct limen_binding *binding = &limen_environment()->bindings[i];
        if (binding->kind == kind && strncmp(binding->name, name, LIMEN_NAME_MAX) == 0)
            return binding;
    }
    return NULL;
}

uint32_t limen_provided(void)
{
    for (uint32_t i = 0; i < limen_environment()->binding_count; i++)
        if (limen_environment()->bindings[i].kind == LIMEN_GRANT_PROVIDES)
            return limen_environment()->bindings[i].slot;
    limen_panic("the manifest lets server %s provide no service", limen_environment()->name);
}

bool limen_boot_option(const char *name, char *value, size_t size)
{
    return limen_option(limen_environment()->cmdline, name, value, size);
}

uint64_t limen_boot_number(const char *name, uint64_t otherwise)
{
    char text[24]; /* any number of 64 bits, and its end */
    uint64_t value = 0;

    if (!limen_boot_option(name, text, sizeof text) || !text[0])
        return otherwise;
    for (const char *digit = text; *digit >= '0' && *digit <= '9'; digit++)
        value = value * 10 + (uint64_t)(*digit - '0');
    return value;
}

uint64_t limen_now(void)
{
    const struct limen_clock *clock = (const struct limen_clock *)limen_environment()->clock;

    return limen_clock_ns(clock, __builtin_ia32_rdtsc());
}
