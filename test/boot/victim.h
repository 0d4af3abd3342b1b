/* SPDX-License-Identifier: MIT */
/* A thread that is made to fault, and its handler: the test itself. */
#ifndef BOOT_VICTIM_H
#define BOOT_VICTIM_H

#include "kit.h"
#include "registers.h"
#include <limen/fault.h>

struct victim {
    struct worker *worker;
    uint32_t endpoint, reply;
    uint64_t stack_top;
};

struct fault {
    uint64_t badge;
    uint32_t label;
    unsigned words;
    uint64_t detail[LIMEN_FAULT_DETAIL_WORDS];
    struct limen_regs regs;
};

#define VICTIM_BADGE 0xfau

enum vector {
    DIVIDE_ERROR = 0,
    DEBUG = 1,
    BREAKPOINT = 3,
    OVERFLOW = 4,
    INVALID_OPCODE = 6,
    STACK_FAULT = 12,
    GENERAL_PROTECTION = 13,
    PAGE_FAULT = 14,
    X87_ERROR = 16,
    ALIGNMENT_CHECK = 17,
    SIMD_ERROR = 19,
};

/* Bits of a page fault's error code. */
#define PF_PRESENT 0x01u
#define PF_WRITE   0x02u
#define PF_USER    0x04u
#define PF_FETCH   0x10u

/* A stopped thread whose faults come to a new endpoint. */
struct victim new_victim(void);

/* Lets it run from these registers. */
void run_victim(const struct victim *victim, const struct limen_regs *regs);

/* Waits for its next fault. */
struct fault next_fault(const struct victim *victim);

/* The same, which must be this exception, and in exactly these registers. */
struct fault expect_exception(const struct victim *victim, enum vector vector, uint64_t error,
                              const struct limen_regs *regs);

/* Lets the victim go on: as it is, or with other registers. */
void resume_victim(const struct victim *victim);
void resume_victim_with(const struct victim *victim, const struct limen_regs *regs);

/* Code of one instruction or a few, in snippets.S. */
#define SNIPPETS(X)                                                                                \
    X(nop_ud2)                                                                                     \
    X(ud2)                                                                                         \
    X(int3) X(int_3) X(int_4) X(int_80) X(div) X(icebp) X(hlt) X(cli) X(sti) X(in) X(out) X(ins)   \
        X(outs) X(mov_from_cr0) X(mov_to_cr0) X(mov_to_cr3) X(mov_to_cr4) X(mov_to_cr8)            \
            X(mov_from_dr7) X(mov_to_dr7) X(lgdt) X(lidt) X(lldt) X(ltr) X(lmsw) X(clts) X(rdmsr)  \
                X(wrmsr) X(invlpg) X(invd) X(wbinvd) X(swapgs) X(sysret) X(iret_to_ring_0)         \
                    X(rdpmc) X(xsetbv) X(far_return_to_ring_0) X(load_kernel_ss) X(load_kernel_ds) \
                        X(sgdt) X(sidt) X(sldt) X(str) X(smsw) X(load) X(store) X(jump) X(push)    \
                            X(x87_divide) X(sse_divide) X(misaligned) X(syscall) X(syscall_nop)    \
                                X(popf_all) X(spin) X(red_zone)
#define SNIPPET_DECLARATION(name) extern const char snippet_##name[];
SNIPPETS(SNIPPET_DECLARATION)
#undef SNIPPET_DECLARATION

#endif
