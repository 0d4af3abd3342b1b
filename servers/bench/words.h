/* SPDX-License-Identifier: MIT */
/* What the first message says and how it is answered, on Limen and on Linux: it shows that words
 * travel both ways. */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H

#include <stdint.h>

static inline void words_fill(uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        words[i] = i + 1;
}

static inline void words_invert(uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        words[i] = ~words[i];
}

#endif
