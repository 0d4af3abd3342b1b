/* SPDX-License-Identifier: MIT */
/*
 * The system call alone, and messages to another process and back.
 *
 * The partner answers the first message with each word inverted, which shows that words travel both
 * ways, and later ones with the words that came.
 */
#include "../../../servers/bench/words.h"
#include "benchmarks.h"
#include "partner.h"
#include "system_call.h"

#include <linux/futex.h>
#include <unistd.h>

void bench_getppid(struct samples *samples, unsigned words)
{
    (void)words;
    while (samples_wanted(samples)) {
        uint64_t begin = stamp();
        system_call0(SYS_getppid);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
}

static void check_inverted(const uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        must("having each word inverted", words[i] == ~(uint64_t)(i + 1), 0);
}

/* -- through two pipes; an empty message is one byte, as a pipe carries nothing less -- */

static int there[2], back[2];

static long pipe_bytes(unsigned words)
{
    return words > 0 ? (long)(words * sizeof(uint64_t)) : 1;
}

static void serve_pipe(struct shared *shared, unsigned words)
{
    uint64_t message[WORDS_MAX];
    long bytes = pipe_bytes(words);

    (void)shared;
    must("reading a first message", read(there[0], message, (size_t)bytes) == bytes, -1);
    words_invert(message, words);
    for (;;) {
        system_call3(SYS_write, back[1], (long)message, bytes);
        system_call3(SYS_read, there[0], (long)message, bytes);
    }
}

void bench_pipe_roundtrip(struct samples *samples, unsigned words)
{
    uint64_t message[WORDS_MAX];
    long bytes = pipe_bytes(words);

    must("making a pipe", pipe(there) == 0 && pipe(back) == 0, -1);
    partner_start(0, serve_pipe, words);
    words_fill(message, words);
    must("writing a first message", write(there[1], message, (size_t)bytes) == bytes, -1);
    must("reading a first answer", read(back[0], message, (size_t)bytes) == bytes, -1);
    check_inverted(message, words);
    while (samples_wanted(samples)) {
        uint64_t begin = stamp();
        long written = system_call3(SYS_write, there[1], (long)message, bytes);
        long answered = system_call3(SYS_read, back[0], (long)message, bytes);
        uint64_t end = stamp();
        must("writing to the partner", written == bytes, written);
        must("reading from the partner", answered == bytes, answered);
        samples_between(samples, begin, end);
    }
    partner_stop();
    for (unsigned i = 0; i < 2; i++) {
        close(there[i]);
        close(back[i]);
    }
}

/* -- in shared memory, each side copying into it or out of it, and a futex to wait on -- */

enum turn {
    TURN_CALLER,
    TURN_PARTNER,
};

static void copy(uint64_t *to, const uint64_t *from, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        to[i] = from[i];
}

/* Gives the turn to the other side and waits until it is given back. */
static inline void take_turns(uint32_t *turn, uint32_t mine, uint32_t other)
{
    __atomic_store_n(turn, other, __ATOMIC_RELEASE);
    system_call3(SYS_futex, (long)turn, FUTEX_WAKE, 1);
    while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) != mine)
        system_call4(SYS_futex, (long)turn, FUTEX_WAIT, other, 0);
}

static void serve_futex(struct shared *shared, unsigned words)
{
    uint64_t message[WORDS_MAX];

    while (__atomic_load_n(&shared->turn, __ATOMIC_ACQUIRE) != TURN_PARTNER)
        system_call4(SYS_futex, (long)&shared->turn, FUTEX_WAIT, TURN_CALLER, 0);
    copy(message, shared->words, words);
    words_invert(message, words);
    for (;;) {
        copy(shared->words, message, words);
        take_turns(&shared->turn, TURN_PARTNER, TURN_CALLER);
        copy(message, shared->words, words);
    }
}

void bench_futex_roundtrip(struct samples *samples, unsigned words)
{
    struct shared *shared = partner_shared();
    uint64_t message[WORDS_MAX];

    partner_start(0, serve_futex, words);
    words_fill(message, words);
    copy(shared->words, message, words);
    take_turns(&shared->turn, TURN_CALLER, TURN_PARTNER);
    copy(message, shared->words, words);
    check_inverted(message, words);
    while (samples_wanted(samples)) {
        uint64_t begin = stamp();
        copy(shared->words, message, words);
        take_turns(&shared->turn, TURN_CALLER, TURN_PARTNER);
        copy(message, shared->words, words);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    partner_stop();
}
