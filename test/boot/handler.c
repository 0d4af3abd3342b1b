/* SPDX-License-Identifier: MIT */
/* What a fault's handler can do, and what becomes of a thread whose handler is not there. */
#include "victim.h"

#define NOWHERE 0x0000000000777000ull /* in nobody's image */

TEST(fault, resume_repeats_the_instruction)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_load);
    uint32_t frame = make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER);

    regs.rax = addresses(LIMEN_PAGE_ORDER);
    run_victim(&victim, &regs);
    for (unsigned i = 0; i < 3; i++) {
        expect_exception(&victim, PAGE_FAULT, PF_USER, &regs);
        resume_victim(&victim);
    }
    /* As a pager does: put the page there, and let it go on. */
    expect_exception(&victim, PAGE_FAULT, PF_USER, &regs);
    expect_ok(limen_map(frame, OWN_SPACE, regs.rax, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                        LIMEN_CACHE_NORMAL));
    *(uint64_t *)regs.rax = 0x600d600d600d600d;
    resume_victim(&victim);
    regs.rcx = 0x600d600d600d600d;
    regs.rip = (uint64_t)snippet_ud2;
    struct fault fault = next_fault(&victim);
    expect_equal(fault.detail[0], INVALID_OPCODE);
    expect_equal(fault.regs.rcx, regs.rcx);
}

TEST(fault, resume_with_other_registers)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    /* Everything is changed, down to RCX and R11, which SYSRET could not restore. */
    for (unsigned i = 0; i < REGS_RIP / 8; i++)
        ((uint64_t *)&regs)[i] ^= 0xf0f0f0f0f0f0f0f0;
    regs.rip = (uint64_t)snippet_int3;
    regs.rsp -= 64;
    regs.rflags = FLAGS_ALWAYS | FLAGS_STATUS | FLAG_DF | FLAG_ID;
    resume_victim_with(&victim, &regs);
    regs.rip += 1;
    expect_exception(&victim, BREAKPOINT, 0, &regs);
}

TEST(fault, handler_cannot_set_what_ring_3_may_not)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2), greedy;

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    greedy = regs;
    greedy.cs = 0x08;
    greedy.ss = 0x10;
    greedy.rflags = FLAG_IOPL | FLAG_NT | FLAG_ID;
    resume_victim_with(&victim, &greedy);
    regs.rflags = FLAGS_ALWAYS | FLAG_NT | FLAG_ID;
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* A reply too short to hold a frame, or of another label, resumes nothing. */
TEST(fault, other_answers_leave_it_stopped)
{
    static const uint64_t answers[] = {
        2ull << LIMEN_TAG_LABEL_SHIFT,
        0xffffffffull << LIMEN_TAG_LABEL_SHIFT,
        (uint64_t)LIMEN_FAULT_SET_REGS << LIMEN_TAG_LABEL_SHIFT | (LIMEN_FAULT_WORDS - 1),
        (uint64_t)LIMEN_FAULT_SET_REGS << LIMEN_TAG_LABEL_SHIFT,
    };
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2), got;

    for (unsigned i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        run_victim(&victim, &regs);
        expect_exception(&victim, INVALID_OPCODE, 0, &regs);
        expect_ok(limen_answer(victim.reply, answers[i]));
        expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_STOPPED);
        expect_ok(limen_thread_get_regs(victim.worker->thread, &got));
        expect_equal(got.rip, regs.rip);
    }
}

TEST(fault, thread_without_a_handler_stops_and_tells)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_load);
    struct limen_thread_info info;

    regs.rax = NOWHERE;
    expect_ok(limen_thread_configure(victim.worker->thread, OWN_SPACE, OWN_TABLE, 0));
    run_victim(&victim, &regs);
    expect_ok(limen_thread_info(victim.worker->thread, &info));
    expect_equal(info.state, LIMEN_THREAD_STOPPED);
    expect_equal(info.fault_label, LIMEN_FAULT_EXCEPTION);
    expect_equal(info.fault_detail, PAGE_FAULT);
    expect_equal(info.fault_rip, (uint64_t)snippet_load);
    /* It can be mended and resumed by hand. */
    struct limen_regs got;
    expect_ok(limen_thread_get_regs(victim.worker->thread, &got));
    expect_equal(got.rax, NOWHERE);
    regs.rip = (uint64_t)snippet_ud2;
    run_victim(&victim, &regs);
    expect_ok(limen_thread_info(victim.worker->thread, &info));
    expect_equal(info.fault_detail, INVALID_OPCODE);
    /* The kernel said so line by line, to a serial port that it polls as long as no driver has it:
     * that is not held against the stretches without interrupts (docs/caveats.md). */
    (void)limen_counter_reset(KERNEL, LIMEN_COUNTER_MAX_IRQS_OFF);
}

/* The handler is not there yet: the fault waits for it, as any caller does. */
TEST(fault, waits_for_its_handler)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);

    run_victim(&victim, &regs);
    expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_SENDING);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_WAITING_REPLY);
}

/* And the handler that waits for the fault gets it at once. */
TEST(fault, finds_its_handler_waiting)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);

    set_priority(victim.worker->thread, LOWER);
    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    resume_victim(&victim);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

/* A handler with no message page hears the description and the first four registers. */
static struct message heard;

static void hear_fault(void *victim)
{
    const struct victim *faulty = victim;
    expect_ok(transfer(LIMEN_SYS_WAIT, faulty->endpoint, faulty->reply, LIMEN_FOREVER, &heard));
}

TEST(fault, handler_without_a_page_gets_eight_words)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);
    struct worker *handler = new_worker(HIGHER);

    expect_ok(limen_thread_set_message_page(victim.worker->thread, 0)); /* nor needs the victim */
    expect_ok(limen_thread_set_message_page(handler->thread, 0));
    start(handler, hear_fault, &victim);
    run_victim(&victim, &regs);
    join(handler);
    expect_equal(heard.tag, limen_tag(LIMEN_FAULT_EXCEPTION, LIMEN_WORDS_IN_REGISTERS, 0));
    expect_equal(heard.words[0], INVALID_OPCODE);
    expect_equal(heard.words[4], regs.rdx);
    expect_equal(heard.words[7], regs.r9);
    /* Its answer can resume, but not set registers. */
    resume_victim(&victim);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
}

TEST(fault, endpoint_of_the_handler_may_die)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2);

    run_victim(&victim, &regs);
    expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_SENDING);
    expect_ok(limen_revoke(OWN_TABLE, victim.endpoint));
    expect_ok(limen_delete(OWN_TABLE, victim.endpoint));
    expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_STOPPED);
    /* Its registers are its own, with no error code of a system call written over them. */
    struct limen_regs got;
    expect_ok(limen_thread_get_regs(victim.worker->thread, &got));
    regs.origin = INVALID_OPCODE;
    regs.error = 0;
    expect_regs(&got, &regs, "after the handler's death");
}

TEST(fault, handler_s_reply_object_may_die)
{
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_ud2), got;

    run_victim(&victim, &regs);
    expect_exception(&victim, INVALID_OPCODE, 0, &regs);
    expect_ok(limen_delete(OWN_TABLE, victim.reply));
    expect_equal(state_of(victim.worker->thread), LIMEN_THREAD_STOPPED);
    expect_ok(limen_thread_get_regs(victim.worker->thread, &got));
    expect_equal(got.rax, regs.rax);
}

/* Many faults of many threads at one handler keep apart. */
TEST(fault, several_victims_of_one_handler)
{
    enum { VICTIMS = 6 };
    struct victim victims[VICTIMS];
    uint32_t replies = make_many(LIMEN_TYPE_REPLY, 0, VICTIMS);

    for (unsigned i = 0; i < VICTIMS; i++) {
        victims[i] = new_victim();
        uint32_t handler = minted(victims[0].endpoint, LIMEN_RIGHT_WRITE, 10 + i);
        expect_ok(limen_thread_configure(victims[i].worker->thread, OWN_SPACE, OWN_TABLE, handler));
        struct limen_regs regs = victim_regs(&victims[i], snippet_int3);
        regs.rbx = i;
        run_victim(&victims[i], &regs);
    }
    for (unsigned i = 0; i < VICTIMS; i++) {
        struct victim handler = {.endpoint = victims[0].endpoint, .reply = replies + i};
        struct fault fault = next_fault(&handler);
        expect_equal(fault.badge, 10 + i);
        expect_equal(fault.regs.rbx, i);
        expect_equal(fault.detail[0], BREAKPOINT);
    }
    for (unsigned i = VICTIMS; i-- > 0;) {
        struct victim one = {.endpoint = victims[0].endpoint, .reply = replies + i};
        resume_victim(&one);
        struct fault fault = next_fault(&one);
        expect_equal(fault.badge, 10 + i);
        expect_equal(fault.detail[0], INVALID_OPCODE);
    }
}

/* A new thread's first instruction, at 0, faults with all registers zero. */
TEST(fault, new_thread_starts_with_all_registers_zero)
{
    struct victim victim = new_victim();
    struct limen_regs regs = {.cs = own_cs(), .ss = own_ss(), .rflags = FLAGS_ALWAYS};

    expect_ok(limen_thread_resume(victim.worker->thread));
    expect_exception(&victim, PAGE_FAULT, PF_USER | PF_FETCH, &regs);
}
