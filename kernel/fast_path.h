/* SPDX-License-Identifier: MIT */
/*
 * The direct switch: a call that finds its server waiting, and an answer whose caller goes on at
 * once.  Both do what the general path (ipc.c) would do, for the one case that matters most, and
 * return NULL, having changed nothing, in every other.
 */
#ifndef KERNEL_FAST_PATH_H
#define KERNEL_FAST_PATH_H

#include "arch.h"

struct limen_regs *fast_call(struct limen_regs *regs);
struct limen_regs *fast_reply_wait(struct limen_regs *regs);

#endif
