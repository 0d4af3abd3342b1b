/* SPDX-License-Identifier: MIT */
/* The registers that no frame shows: odd bases of FS and GS, and what a thread starts with. */
#include "attack.h"

#include <string.h>

/* FXSAVE's area, SDM vol. 1, 10.5.1, and what attack_read_state puts behind it. */
#define FX_CONTROL   0u
#define FX_MXCSR     24u
#define FX_REGISTERS 32u
#define FX_END       416u
#define SELECTORS_AT 512u
#define BASES_AT     520u
#define STATE_SIZE   536u

#define CONTROL_INITIAL 0x037fu
#define MXCSR_INITIAL   0x1f80u

static bool has_fsgsbase(void)
{
    unsigned eax = 7, ebx, ecx = 0, edx;
    __asm__("cpuid" : "+a"(eax), "=b"(ebx), "+c"(ecx), "=d"(edx));
    return ebx & 1;
}

/* -- bases -- */

static const uint64_t odd_bases[] = {
    0xffff800000000000,
    0xffffffff80000000,
    0xffffffffffffffff,
    0xffffffffffffff80,
    0x00007fffffffffff,
    LIMEN_USER_END,
    0,
    1,
};
#define ODD_BASES (sizeof odd_bases / sizeof odd_bases[0])

static void spin_for_ever(void *unused)
{
    (void)unused;
    for (;;)
        limen_yield();
}

/* Addresses of the kernel's are as good as any to ring 3's own instruction.  Whatever the bases,
 * the kernel has its own while it runs, at system calls and at the timer's interrupts. */
TEST(attack_state, bases_of_the_kernel_s_across_calls_and_interrupts)
{
    enum { PASSES = 300 };
    if (!has_fsgsbase())
        return;
    struct victim victims[2] = {new_victim(), new_victim()};

    for (unsigned i = 0; i < ODD_BASES; i++) {
        for (unsigned n = 0; n < 2; n++) {
            struct limen_regs regs = attack_at(&victims[n], attack_bases_and_calls);
            regs.rax = odd_bases[(i + n) % ODD_BASES];
            regs.rbx = odd_bases[(i + 3 * n + 1) % ODD_BASES];
            regs.rcx = PASSES;
            set_priority(victims[n].worker->thread, LOWER);
            run_victim(&victims[n], &regs);
        }
        for (unsigned n = 0; n < 2; n++) {
            struct fault fault = next_fault(&victims[n]);
            expect_equal(fault.detail[0], INVALID_OPCODE);
            expect_equal(fault.regs.r8, 0);
            expect_equal(fault.regs.rbp, 0);
            expect_ok(limen_thread_suspend(victims[n].worker->thread));
        }
    }
}

/* The same across exceptions: the bases are there when the victim goes on. */
TEST(attack_state, bases_of_the_kernel_s_across_faults)
{
    static char state[STATE_SIZE] __attribute__((aligned(16)));
    if (!has_fsgsbase())
        return;
    struct victim victim = new_victim();
    spawn(TEST_PRIORITY, spin_for_ever, NULL);

    for (unsigned i = 0; i < ODD_BASES; i++) {
        struct limen_regs regs = attack_at(&victim, attack_write_gs_base);
        regs.rax = odd_bases[i];
        run_victim(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], INVALID_OPCODE);
        limen_yield();
        regs.rip = (uint64_t)snippet_int3;
        resume_victim_with(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], BREAKPOINT);
        regs.rip = (uint64_t)snippet_load;
        regs.rax = 0x777000;
        resume_victim_with(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], PAGE_FAULT);
        limen_yield();
        regs.rip = (uint64_t)attack_read_state;
        regs.rax = (uint64_t)state;
        resume_victim_with(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], INVALID_OPCODE);
        expect_equal(*(uint64_t *)(state + BASES_AT + 8), odd_bases[i]);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}

/* One that is not canonical is refused to the instruction; QEMU's emulation takes any. */
TEST(attack_state, bases_that_are_not_canonical)
{
    static const char *const codes[] = {attack_write_fs_base, attack_write_gs_base};
    if (!has_fsgsbase())
        return;
    struct victim victim = new_victim();

    for (unsigned i = 0; i < 2; i++)
        for (unsigned k = 47; k < 64; k++) {
            struct limen_regs regs = attack_at(&victim, codes[i]);
            regs.rax = 1ull << k;
            run_victim(&victim, &regs);
            struct fault fault = next_fault(&victim);
            if (is_emulated())
                expect_equal(fault.detail[0], INVALID_OPCODE);
            else
                expect_equal(fault.detail[0], GENERAL_PROTECTION);
            /* And the next thread loads its own all the same. */
            expect_ok(limen_thread_suspend(victim.worker->thread));
            expect_ok(limen_thread_set_bases(victim.worker->thread, 0, 0));
        }
}

/* -- what a thread starts with -- */

static void dirty_everything(void *unused)
{
    static const _Alignas(16) char ones[16] = {-1, -1, -1, -1, -1, -1, -1, -1,
                                               -1, -1, -1, -1, -1, -1, -1, -1};
    (void)unused;
    __asm__ volatile("fld1; fldpi; movdqu %0, %%xmm0; movdqu %0, %%xmm7; movdqu %0, %%xmm15"
                     :
                     : "m"(ones)
                     : "memory");
}

/* Nothing of another thread's, or of the one that lived in this memory before. */
TEST(attack_state, new_thread_starts_with_initial_state)
{
    static char state[STATE_SIZE] __attribute__((aligned(16)));
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, LIMEN_THREAD_ORDER);
    struct victim victim = new_victim();

    victim.worker->thread = slots(1);
    for (unsigned round = 0; round < 3; round++) {
        uint32_t thread = victim.worker->thread;
        join(spawn(HIGHER, dirty_everything, NULL));
        expect_ok(limen_retype(untyped, LIMEN_TYPE_THREAD, 0, thread, 1));
        set_priority(thread, HIGHER);
        uint32_t handler = minted(victim.endpoint, LIMEN_RIGHT_WRITE, VICTIM_BADGE);
        expect_ok(limen_thread_configure(thread, OWN_SPACE, OWN_TABLE, handler));
        memset(state, 0, sizeof state); /* FXSAVE leaves reserved bytes alone */
        struct limen_regs regs = attack_at(&victim, attack_read_state);
        regs.rax = (uint64_t)state;
        run_victim(&victim, &regs);
        expect_equal(next_fault(&victim).detail[0], INVALID_OPCODE);

        expect_equal(*(uint16_t *)(state + FX_CONTROL), CONTROL_INITIAL);
        expect_equal(*(uint32_t *)(state + FX_MXCSR), MXCSR_INITIAL);
        for (unsigned at = 2; at < FX_MXCSR; at++) /* status, tags, last instruction and operand */
            expect_equal(state[at], 0);
        for (unsigned at = FX_REGISTERS; at < FX_END; at++)
            expect_equal(state[at], 0);
        for (unsigned i = 0; i < 4; i++)
            expect_equal(((uint16_t *)(state + SELECTORS_AT))[i], 0);
        expect_equal(((uint64_t *)(state + BASES_AT))[0], 0);
        expect_equal(((uint64_t *)(state + BASES_AT))[1], 0);

        expect_ok(limen_thread_suspend(thread));
        start(victim.worker, dirty_everything, NULL); /* for the next one in this memory */
        join(victim.worker);
        expect_ok(limen_delete(OWN_TABLE, thread));
    }
}
