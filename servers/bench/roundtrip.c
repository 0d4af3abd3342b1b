/* SPDX-License-Identifier: MIT */
/*
 * The threshold alone, and calls to a server and back.
 *
 * Both sides use the runtime's stubs for the number of words.  The server answers the first call
 * with each word inverted, which shows that words travel both ways, and later ones with the words
 * that came.
 */
#include "benchmarks.h"
#include "partner.h"
#include "words.h"

enum limen_error bench_null_syscall(struct samples *samples)
{
    while (samples_wanted(samples)) {
        uint64_t begin = stamp();
        limen_null();
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    return LIMEN_OK;
}

static void check_inverted(const uint64_t *words, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        limen_assert(words[i] == ~(uint64_t)(i + 1));
}

static uint64_t partner_target(const struct shared *shared)
{
    return limen_target(shared->endpoint, shared->reply);
}

/* -- no words -- */

static void serve_0(struct shared *shared)
{
    uint64_t target = partner_target(shared), tag = 0;

    limen_syscall0(LIMEN_SYS_WAIT, &target, &tag);
    for (;;) {
        target = partner_target(shared);
        limen_syscall0(LIMEN_SYS_REPLY_WAIT, &target, &tag);
    }
}

static enum limen_error roundtrip_0(struct samples *samples, enum partner_place place)
{
    uint32_t endpoint = partner_shared()->endpoint;
    enum limen_error error = partner_start(place, 0, LIMEN_SLOT_SUPERVISOR, serve_0);

    if (error != LIMEN_OK)
        return error;
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t begin = stamp();
        error = limen_call0(endpoint, 0);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    partner_stop();
    return error;
}

enum limen_error bench_roundtrip_0(struct samples *samples)
{
    return roundtrip_0(samples, PARTNER_ELSEWHERE);
}

enum limen_error bench_roundtrip_same_0(struct samples *samples)
{
    return roundtrip_0(samples, PARTNER_HERE);
}

/* -- words in registers -- */

static void serve_4(struct shared *shared)
{
    uint64_t target = partner_target(shared), tag = 0, words[4] = {0};

    limen_syscall4(LIMEN_SYS_WAIT, &target, &tag, words);
    words_invert(words, 4);
    for (;;) {
        target = partner_target(shared);
        limen_syscall4(LIMEN_SYS_REPLY_WAIT, &target, &tag, words);
    }
}

enum limen_error bench_roundtrip_4(struct samples *samples)
{
    uint32_t endpoint = partner_shared()->endpoint;
    uint64_t words[4];
    enum limen_error error = partner_start(PARTNER_ELSEWHERE, 0, LIMEN_SLOT_SUPERVISOR, serve_4);

    if (error != LIMEN_OK)
        return error;
    words_fill(words, 4);
    error = limen_call4(endpoint, 0, words);
    check_inverted(words, 4);
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t begin = stamp();
        error = limen_call4(endpoint, 0, words);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    partner_stop();
    return error;
}

static void serve_8(struct shared *shared)
{
    uint64_t target = partner_target(shared), tag = 0, words[8] = {0};

    limen_syscall8(LIMEN_SYS_WAIT, &target, &tag, 0, words);
    words_invert(words, 8);
    for (;;) {
        target = partner_target(shared);
        limen_syscall8(LIMEN_SYS_REPLY_WAIT, &target, &tag, 0, words);
    }
}

enum limen_error bench_roundtrip_8(struct samples *samples)
{
    uint32_t endpoint = partner_shared()->endpoint;
    uint64_t words[8];
    enum limen_error error = partner_start(PARTNER_ELSEWHERE, 0, LIMEN_SLOT_SUPERVISOR, serve_8);

    if (error != LIMEN_OK)
        return error;
    words_fill(words, 8);
    error = limen_call8(endpoint, 0, words);
    check_inverted(words, 8);
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t begin = stamp();
        error = limen_call8(endpoint, 0, words);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    partner_stop();
    return error;
}

/* -- words in message pages -- */

static void serve_page(struct shared *shared)
{
    struct limen_received received;

    limen_receive(shared->endpoint, shared->reply, NULL, LIMEN_FOREVER, &received);
    words_invert(limen_message()->words, limen_tag_words(received.tag));
    for (;;) {
        uint64_t answer = received.tag;
        limen_receive(shared->endpoint, shared->reply, &answer, LIMEN_FOREVER, &received);
    }
}

static enum limen_error roundtrip_page(struct samples *samples, unsigned count)
{
    uint32_t endpoint = partner_shared()->endpoint;
    uint64_t tag = limen_tag(0, count, 0);
    unsigned came;
    enum limen_error error = partner_start(PARTNER_ELSEWHERE, 0, LIMEN_SLOT_SUPERVISOR, serve_page);

    if (error != LIMEN_OK)
        return error;
    words_fill(limen_message()->words, count);
    error = limen_transact(endpoint, tag, &came);
    limen_assert(came == count);
    check_inverted(limen_message()->words, count);
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t begin = stamp();
        error = limen_transact(endpoint, tag, &came);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    partner_stop();
    return error;
}

enum limen_error bench_roundtrip_10(struct samples *samples)
{
    return roundtrip_page(samples, 10);
}

enum limen_error bench_roundtrip_64(struct samples *samples)
{
    return roundtrip_page(samples, LIMEN_WORDS_MAX);
}
