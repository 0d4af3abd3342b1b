/* SPDX-License-Identifier: MIT */
/* What ring 3 tries against the threshold, and which processor it tries it on. */
#ifndef BOOT_ATTACK_H
#define BOOT_ATTACK_H

#include "victim.h"

#include <limen/syscall.h>

#define SYSCALL_LENGTH 2u

/* The registers a victim starts an attack with. */
struct limen_regs attack_at(const struct victim *victim, const void *code);

/* The same, and RAX for a system call that does nothing. */
struct limen_regs attack_null_call(const struct victim *victim, const void *code);

/* What a system call that does nothing makes of them. */
struct limen_regs after_null_call(const struct limen_regs *before);

/* Resumes a victim with other registers after it was stopped wherever it was. */
void restart_victim(const struct victim *victim, const struct limen_regs *regs);

/* One system call that must come back, with these words and a deadline of 0, and with what it may
 * not change unchanged; the registers after it. */
struct limen_regs call_and_look(uint64_t number, uint64_t rdi, uint64_t tag,
                                const uint64_t words[8]);

/* The exceptions of ring 0 that ring 3 has brought about so far, and the kernel has survived. */
uint64_t survived(void);

/* Since it was so many, there have been so many more.  QEMU's emulation raises all of them in ring
 * 3, where other models have entered the kernel, or not left it yet. */
void expect_survived(uint64_t before, unsigned times);

/* Code of one instruction or a few, in attack_code.S. */
#define ATTACKS(X)                                                                                 \
    X(mov_ss_syscall)                                                                              \
    X(mov_ss_int3)                                                                                 \
    X(mov_ss_int_3)                                                                                \
    X(mov_ss_int_4)                                                                                \
    X(mov_ss_int_80)                                                                               \
    X(mov_ss_icebp)                                                                                \
    X(mov_ss_ud2)                                                                                  \
    X(mov_ss_load)                                                                                 \
    X(mov_ss_cli)                                                                                  \
    X(mov_ss_nop)                                                                                  \
    X(mov_ss_mov_ss_syscall)                                                                       \
    X(pop_ss)                                                                                      \
    X(int3_nop)                                                                                    \
    X(icebp_nop)                                                                                   \
    X(syscall_ud2)                                                                                 \
    X(popf_syscall)                                                                                \
    X(iret)                                                                                        \
    X(load_selectors)                                                                              \
    X(load_ds)                                                                                     \
    X(load_es)                                                                                     \
    X(load_fs)                                                                                     \
    X(load_gs)                                                                                     \
    X(load_ss)                                                                                     \
    X(far_jump)                                                                                    \
    X(far_call)                                                                                    \
    X(far_return)                                                                                  \
    X(sysenter)                                                                                    \
    X(int_n)                                                                                       \
    X(store_tables)                                                                                \
    X(store_ldt)                                                                                   \
    X(store_task)                                                                                  \
    X(store_status)                                                                                \
    X(write_fs_base)                                                                               \
    X(write_gs_base)                                                                               \
    X(bases_and_calls)                                                                             \
    X(read_state)                                                                                  \
    X(load_mxcsr)                                                                                  \
    X(restore_extended)                                                                            \
    X(save_extended)                                                                               \
    X(pending_x87)                                                                                 \
    X(touch_x87)                                                                                   \
    X(spin)
#define ATTACK_DECLARATION(name) extern const char attack_##name[];
ATTACKS(ATTACK_DECLARATION)
#undef ATTACK_DECLARATION

#endif
