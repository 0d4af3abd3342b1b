/* SPDX-License-Identifier: MIT */
/* What one thread causes in another address space, one way or there and back. */
#include "benchmarks.h"
#include "partner.h"

#include <limen/fault.h>

#define PAGE_FAULT 14u /* the exception's vector */

/* -- a notification wakes a thread of higher priority -- */

static void signal_again_and_again(struct shared *shared)
{
    for (;;) {
        shared->stamp = stamp();
        limen_signal(shared->notification);
    }
}

enum limen_error bench_notify_wake(struct samples *samples)
{
    const struct shared *shared = partner_shared();
    enum limen_error error =
        partner_start(PARTNER_ELSEWHERE, 1, LIMEN_SLOT_SUPERVISOR, signal_again_and_again);

    if (error != LIMEN_OK)
        return error;
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t bits;
        error = limen_wait_notification(shared->notification, LIMEN_FOREVER, &bits);
        uint64_t end = stamp();
        samples_between(samples, shared->stamp, end);
    }
    partner_stop();
    return error;
}

/* -- equals take turns -- */

static void yield_again_and_again(struct shared *shared)
{
    for (;;) {
        shared->stamp = stamp();
        limen_yield();
    }
}

enum limen_error bench_context_switch(struct samples *samples)
{
    const struct shared *shared = partner_shared();
    enum limen_error error =
        partner_start(PARTNER_ELSEWHERE, 0, LIMEN_SLOT_SUPERVISOR, yield_again_and_again);

    if (error != LIMEN_OK)
        return error;
    while (samples_wanted(samples)) {
        limen_yield();
        uint64_t end = stamp();
        samples_between(samples, shared->stamp, end);
    }
    partner_stop();
    return LIMEN_OK;
}

/* -- a fault, its handler, and back -- */

/* Reads the first page, which is never mapped, for ever: once resumed it faults again. */
__attribute__((naked)) static void fault_again_and_again(struct shared *shared)
{
    __asm__("xorl %eax, %eax\n\t"
            "1: movl (%rax), %ecx\n\t"
            "jmp 1b");
}

enum limen_error bench_fault_roundtrip(struct samples *samples)
{
    const struct shared *shared = partner_shared();
    const uint64_t resume = limen_tag(LIMEN_FAULT_RESUME, 0, 0);
    struct limen_received fault;
    enum limen_error error =
        partner_start(PARTNER_ELSEWHERE, 0, shared->endpoint, fault_again_and_again);

    if (error != LIMEN_OK)
        return error;
    error = limen_receive(shared->endpoint, shared->reply, NULL, LIMEN_FOREVER, &fault);
    limen_assert(limen_tag_label(fault.tag) == LIMEN_FAULT_EXCEPTION);
    limen_assert(limen_tag_words(fault.tag) == LIMEN_FAULT_WORDS);
    limen_assert(limen_message()->words[0] == PAGE_FAULT);
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t begin = stamp();
        error = limen_receive(shared->endpoint, shared->reply, &resume, LIMEN_FOREVER, &fault);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    partner_stop();
    return error;
}
