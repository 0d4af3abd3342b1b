/* SPDX-License-Identifier: MIT */
#ifndef INIT_POWER_H
#define INIT_POWER_H

#include <limen/errors.h>
#include <stdint.h>

/* Each returns only when it failed; what was tried then stands in the log. */
enum limen_error power_turn_off(uint64_t rsdp);
enum limen_error power_restart(void);
enum limen_error power_debug_exit(uint64_t status);

#endif
