/* SPDX-License-Identifier: MIT */
#include "victim.h"

#include <string.h>

struct victim new_victim(void)
{
    struct victim victim = {
        .worker = new_worker(HIGHER),
        .endpoint = make(LIMEN_TYPE_ENDPOINT, 0),
        .reply = make(LIMEN_TYPE_REPLY, 0),
    };
    uint32_t handler = minted(victim.endpoint, LIMEN_RIGHT_WRITE, VICTIM_BADGE);

    expect_ok(limen_thread_configure(victim.worker->thread, OWN_SPACE, OWN_TABLE, handler));
    victim.stack_top = victim.worker->stack_top;
    return victim;
}

struct limen_regs victim_regs(const struct victim *victim, const char *snippet)
{
    struct limen_regs regs;
    fill_pattern(&regs, snippet, victim->stack_top - 512);
    return regs;
}

void run_victim(const struct victim *victim, const struct limen_regs *regs)
{
    expect_ok(limen_thread_set_regs(victim->worker->thread, regs));
    expect_ok(limen_thread_resume(victim->worker->thread));
}

struct fault next_fault(const struct victim *victim)
{
    struct limen_received received;
    struct fault fault;
    const uint64_t *words = limen_message()->words;

    expect_ok(limen_receive(victim->endpoint, victim->reply, NULL, LIMEN_FOREVER, &received));
    fault.badge = received.badge;
    fault.label = limen_tag_label(received.tag);
    fault.words = limen_tag_words(received.tag);
    memcpy(fault.detail, words, sizeof fault.detail);
    memcpy(&fault.regs, &words[LIMEN_FAULT_DETAIL_WORDS], sizeof fault.regs);
    return fault;
}

struct fault expect_exception(const struct victim *victim, enum vector vector, uint64_t error,
                              const struct limen_regs *regs)
{
    struct fault fault = next_fault(victim);
    struct limen_regs want = *regs;

    expect_equal(fault.badge, VICTIM_BADGE);
    expect_equal(fault.label, LIMEN_FAULT_EXCEPTION);
    expect_equal(fault.words, LIMEN_FAULT_WORDS);
    if (fault.detail[0] != vector || fault.detail[1] != error)
        fail("exception %lu with error 0x%lx at 0x%lx, want %u with 0x%lx at 0x%lx",
             fault.detail[0], fault.detail[1], fault.regs.rip, vector, error, regs->rip);
    want.origin = vector;
    want.error = error;
    expect_regs(&fault.regs, &want, "the fault's frame");
    return fault;
}

void resume_victim(const struct victim *victim)
{
    expect_ok(limen_answer(victim->reply, limen_tag(LIMEN_FAULT_RESUME, 0, 0)));
}

void resume_victim_with(const struct victim *victim, const struct limen_regs *regs)
{
    uint64_t *words = limen_message()->words;

    memset(words, 0, LIMEN_FAULT_DETAIL_WORDS * sizeof *words);
    memcpy(&words[LIMEN_FAULT_DETAIL_WORDS], regs, sizeof *regs);
    expect_ok(limen_answer(victim->reply, limen_tag(LIMEN_FAULT_SET_REGS, LIMEN_FAULT_WORDS, 0)));
}
