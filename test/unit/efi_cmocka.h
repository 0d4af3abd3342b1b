/* SPDX-License-Identifier: MIT */
/* cmocka, with the headers it wants to come before it. */
#ifndef TEST_UNIT_EFI_CMOCKA_H
#define TEST_UNIT_EFI_CMOCKA_H

/* clang-format off */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif
