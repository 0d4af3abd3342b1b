/* SPDX-License-Identifier: MIT */
/* Preconditions, stated where a function begins; compiled in where LIMEN_CHECKS is 1. */
#ifndef KERNEL_ASSERT_H
#define KERNEL_ASSERT_H

#include "arch.h"

#define ASSERT(condition)                                                                          \
    do {                                                                                           \
        if (LIMEN_CHECKS && !(condition))                                                          \
            panic("%s:%u: %s does not hold", __FILE__, (unsigned)__LINE__, #condition);            \
    } while (0)

#endif
