/* SPDX-License-Identifier: MIT */
/* Code that must be exact to the register, in registers.S. */
#ifndef BOOT_REGISTERS_H
#define BOOT_REGISTERS_H

#include <limen/regs.h>

/* Executes SYSCALL with all general registers and the flags of `regs`, and leaves in it all that
 * came back; RIP is not touched.  TF must be clear. */
void system_call(struct limen_regs *regs);

/* Where system_call() goes on: what SYSCALL puts into RCX. */
extern const char system_call_return[];

/* The selectors of ring 3. */
static inline uint64_t own_cs(void)
{
    uint64_t cs;
    __asm__("mov %%cs, %0" : "=r"(cs));
    return cs;
}

static inline uint64_t own_ss(void)
{
    uint64_t ss;
    __asm__("mov %%ss, %0" : "=r"(ss));
    return ss;
}

#define FLAG_CF    0x000001ull
#define FLAG_FIXED 0x000002ull
#define FLAG_PF    0x000004ull
#define FLAG_AF    0x000010ull
#define FLAG_ZF    0x000040ull
#define FLAG_SF    0x000080ull
#define FLAG_TF    0x000100ull
#define FLAG_IF    0x000200ull
#define FLAG_DF    0x000400ull
#define FLAG_OF    0x000800ull
#define FLAG_IOPL  0x003000ull
#define FLAG_NT    0x004000ull
#define FLAG_RF    0x010000ull
#define FLAG_AC    0x040000ull
#define FLAG_ID    0x200000ull

#define FLAGS_STATUS (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)
#define FLAGS_ALWAYS (FLAG_FIXED | FLAG_IF) /* set in every frame of ring 3 */

/* Fills every register with a pattern that tells which it is; RIP and RSP as given, RFLAGS
 * FLAGS_ALWAYS, CS and SS as ring 3 has them. */
void fill_pattern(struct limen_regs *regs, const void *rip, uint64_t rsp);

/* Ends the test unless the frames agree, except in the RF that the processor sets in the frame of a
 * fault (SDM vol. 3, 18.3.1.1).  `when` says which frames these are. */
void expect_regs(const struct limen_regs *actual, const struct limen_regs *expected,
                 const char *when);

#endif
