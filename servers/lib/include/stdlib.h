/* SPDX-License-Identifier: MIT */
#ifndef STDLIB_H
#define STDLIB_H

_Noreturn void exit(int status);
_Noreturn void abort(void);

#endif
