/* SPDX-License-Identifier: MIT */
/* Where the injector, outside the machine, takes hold of the guest (docs/injection.md). */
#ifndef ENTRY_PATHS_H
#define ENTRY_PATHS_H

#include <stdbool.h>

/* The injector stops at both.  All that enters the kernel in between is the path `name`. */
void path_begin(const char *name);
void path_end(void);

/* Code that goes round for ever, and where it ends. */
extern const char spin[], spin_end[];

/* Code of one instruction: one that goes nowhere, one that uses an SSE register, with the fault
 * that follows, and one that no thread gets to. */
extern const char stay[], use_extended[], use_extended_end[], unreachable[];

/* All 16 SSE registers and MXCSR, the data segments' bases: what the kernel has no use for and must
 * keep.  FS base is the runtime's. */
struct extended {
    _Alignas(16) unsigned char xmm[16][16];
    unsigned mxcsr;
    unsigned long fs_base, gs_base;
};
void extended_load(const struct extended *from); /* but for FS base */
void extended_store(struct extended *to);

/* Fills them with a pattern that counts from `first`, and notes them all. */
void extended_fill(struct extended *pattern, unsigned first);

/* All of them are still what was noted. */
void expect_extended(const struct extended *pattern);

#endif
