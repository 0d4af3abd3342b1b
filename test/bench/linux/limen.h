/* SPDX-License-Identifier: MIT */
/* What servers/bench/measure.c needs of the runtime, from Linux's C library: both guests take their
 * samples and make figures of them by the same code. */
#ifndef LINUX_LIMEN_H
#define LINUX_LIMEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#endif
