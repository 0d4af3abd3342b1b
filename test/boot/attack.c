/* SPDX-License-Identifier: MIT */
#include "attack.h"

#include <cpuid.h>
#include <stdio.h>
#include <string.h>

struct limen_regs attack_at(const struct victim *victim, const void *code)
{
    struct limen_regs regs;
    fill_pattern(&regs, code, victim->stack_top - 512);
    return regs;
}

struct limen_regs attack_null_call(const struct victim *victim, const void *code)
{
    struct limen_regs regs = attack_at(victim, code);
    regs.rax = LIMEN_SYS_NULL;
    return regs;
}

struct limen_regs after_null_call(const struct limen_regs *before)
{
    struct limen_regs after = *before;

    after.rax = LIMEN_OK;
    after.rip += SYSCALL_LENGTH;
    after.rcx = after.rip;
    after.r11 = after.rflags;
    return after;
}

void restart_victim(const struct victim *victim, const struct limen_regs *regs)
{
    expect_ok(limen_thread_suspend(victim->worker->thread));
    run_victim(victim, regs);
}

struct limen_regs call_and_look(uint64_t number, uint64_t rdi, uint64_t tag,
                                const uint64_t words[8])
{
    struct limen_regs regs, before;

    fill_pattern(&regs, NULL, 0);
    memcpy(regs.words, words, sizeof regs.words);
    regs.rax = number;
    regs.rdi = rdi;
    regs.rsi = tag;
    regs.rbx = 0;
    before = regs;
    system_call(&regs);
    expect_equal(regs.rbx, before.rbx);
    expect_equal(regs.rbp, before.rbp);
    expect_equal(regs.rcx, (uint64_t)system_call_return);
    expect_equal(regs.rflags & ~FLAGS_STATUS, before.rflags);
    expect(regs.rax <= UINT8_MAX);   /* an error code */
    for (unsigned i = 0; i < 8; i++) /* no address of the kernel's leaves it */
        expect(regs.words[i] == before.words[i] || regs.words[i] >> 47 == 0);
    return regs;
}

uint64_t survived(void)
{
    return counter(LIMEN_COUNTER_SURVIVED);
}

void expect_survived(uint64_t before, unsigned times)
{
    expect_equal(survived() - before, is_emulated() ? 0 : times);
}

/* What the attacks below show depends on it (docs/caveats.md), so the log says it. */
TEST(attack_model, says_which_processor_it_is)
{
    unsigned eax, ebx, ecx, edx;
    char vendor[13] = "", line[48];

    __cpuid(0, eax, ebx, ecx, edx);
    memcpy(vendor, &ebx, 4);
    memcpy(vendor + 4, &edx, 4);
    memcpy(vendor + 8, &ecx, 4);
    snprintf(line, sizeof line, "model: %s%s\n", vendor, is_emulated() ? ", by QEMU's TCG" : "");
    expect_ok(limen_log_write(KERNEL, line, strlen(line)));
}
