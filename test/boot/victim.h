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

/* Registers full of a pattern, to run a snippet with. */
struct limen_regs victim_regs(const struct victim *victim, const char *snippet);

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
extern const char snippet_nop_ud2[], snippet_ud2[], snippet_int3[], snippet_int_3[],
    snippet_int_4[], snippet_int_80[], snippet_div[], snippet_icebp[], snippet_hlt[], snippet_cli[],
    snippet_sti[], snippet_in[], snippet_out[], snippet_ins[], snippet_outs[],
    snippet_mov_from_cr0[], snippet_mov_to_cr0[], snippet_mov_to_cr3[], snippet_mov_to_cr4[],
    snippet_mov_to_cr8[], snippet_mov_from_dr7[], snippet_mov_to_dr7[], snippet_lgdt[],
    snippet_lidt[], snippet_lldt[], snippet_ltr[], snippet_lmsw[], snippet_clts[], snippet_rdmsr[],
    snippet_wrmsr[], snippet_invlpg[], snippet_invd[], snippet_wbinvd[], snippet_swapgs[],
    snippet_sysret[], snippet_iret_to_ring_0[], snippet_rdpmc[], snippet_xsetbv[],
    snippet_far_return_to_ring_0[], snippet_load_kernel_ss[], snippet_load_kernel_ds[],
    snippet_sgdt[], snippet_sidt[], snippet_sldt[], snippet_str[], snippet_smsw[], snippet_load[],
    snippet_store[], snippet_jump[], snippet_push[], snippet_x87_divide[], snippet_sse_divide[],
    snippet_misaligned[], snippet_syscall[], snippet_syscall_nop[], snippet_popf_all[],
    snippet_red_zone[], snippet_spin[], snippet_fxrstor_int3_fxsave[],
    snippet_wrgsbase_int3_rdgsbase[], snippet_read_bases[];

#endif
