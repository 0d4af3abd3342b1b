/* SPDX-License-Identifier: MIT */
/* Bases of GS and FS that look like the kernel's, while NMIs come from outside
 * (test/entry/bases.py): each finds ring 3's GS base or the kernel's, and has to leave it. */
#include "attack.h"

#include <runtime/environment.h>
#include <stdio.h>
#include <string.h>

#define PASSES 300u

static const uint64_t bases[] = {0xffff800000000000, 0xffffffff80000000, UINT64_MAX, 0,
                                 LIMEN_USER_END};
#define BASES (sizeof bases / sizeof bases[0])

static void run_with(const struct victim *victim, uint64_t gs, uint64_t fs)
{
    struct limen_regs regs = attack_at(victim, attack_bases_and_calls);

    regs.rax = gs;
    regs.rbx = fs;
    regs.rcx = PASSES;
    run_victim(victim, &regs);
}

TEST(attack_nmi, bases_of_the_kernel_s)
{
    unsigned eax = 7, ebx, ecx = 0, edx;
    char line[LIMEN_LOG_WRITE_MAX];

    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    if (!(ebx & 1)) /* no instructions to write the bases */
        return;
    struct victim victims[2] = {new_victim(), new_victim()};
    for (unsigned n = 0; n < 2; n++)
        set_priority(victims[n].worker->thread, LOWER);
    for (unsigned i = 0; i < limen_boot_number("rounds", 1) * BASES; i++) {
        for (unsigned n = 0; n < 2; n++)
            run_with(&victims[n], bases[(i + n) % BASES], bases[(i + 2 * n + 1) % BASES]);
        for (unsigned n = 0; n < 2; n++) {
            struct fault fault = next_fault(&victims[n]);
            expect_equal(fault.detail[0], INVALID_OPCODE);
            expect_equal(fault.regs.r8, 0); /* 1: one of the bases has changed */
            expect_equal(fault.regs.rbp, 0);
            expect_ok(limen_thread_suspend(victims[n].worker->thread));
        }
    }
    snprintf(line, sizeof line, "nmis %lu\n", counter(LIMEN_COUNTER_NMIS));
    expect_ok(limen_log_write(KERNEL, line, strlen(line)));
}
