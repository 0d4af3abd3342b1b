/* SPDX-License-Identifier: MIT */
/*
 * The register frame: the one structure that every way into the kernel builds, whole, and every way
 * out of it restores.  It is part of the ABI, because a fault message carries it and a debugger
 * reads and writes it.  Assembly and C share the offsets below; each is asserted beside its field.
 *
 * The order serves the threshold: the eight message words and the tag stand lowest, so that a
 * direct switch can pop them from the sender's frame and the rest from the receiver's, and the five
 * highest are what the processor itself pushes and IRETQ pops (SDM vol. 3, 6.14.2).
 */
#ifndef LIMEN_REGS_H
#define LIMEN_REGS_H

#define REGS_RDX    0x00
#define REGS_R10    0x08
#define REGS_R8     0x10
#define REGS_R9     0x18
#define REGS_R12    0x20
#define REGS_R13    0x28
#define REGS_R14    0x30
#define REGS_R15    0x38
#define REGS_RSI    0x40
#define REGS_RDI    0x48
#define REGS_RAX    0x50
#define REGS_RBX    0x58
#define REGS_RBP    0x60
#define REGS_RCX    0x68
#define REGS_R11    0x70
#define REGS_ORIGIN 0x78
#define REGS_ERROR  0x80
#define REGS_RIP    0x88
#define REGS_CS     0x90
#define REGS_RFLAGS 0x98
#define REGS_RSP    0xa0
#define REGS_SS     0xa8
#define REGS_SIZE   0xb0

/* The error-code slot of a frame that SYSCALL built and nothing has written since: SYSRET may leave
 * by it.  No hardware error code has this value, for those are zero-extended from 32 bits. */
#define REGS_BY_SYSCALL (-1)

#ifndef __ASSEMBLER__
#include <stddef.h>
#include <stdint.h>

struct limen_regs {
    union {
        uint64_t words[8]; /* the message words, in order */
        struct {
            uint64_t rdx, r10, r8, r9, r12, r13, r14, r15;
        };
    };
    uint64_t rsi;    /* the message tag */
    uint64_t rdi;    /* capability index; badge on the way back */
    uint64_t rax;    /* system-call number; error code on the way back */
    uint64_t rbx;    /* deadline */
    uint64_t rbp;    /* never touched by a system call */
    uint64_t rcx;    /* RIP again after SYSCALL, as SYSCALL itself leaves it */
    uint64_t r11;    /* RFLAGS again after SYSCALL */
    uint64_t origin; /* vector number, or RAX as it was at SYSCALL */
    uint64_t error;  /* hardware error code, 0, or REGS_BY_SYSCALL */
    uint64_t rip;
    uint64_t cs;
    uint64_t rflags;
    uint64_t rsp;
    uint64_t ss;
};

#define LIMEN_REGS_WORDS (sizeof(struct limen_regs) / sizeof(uint64_t))

#define LIMEN_ASSERT_REGS(field, offset)                                                           \
    _Static_assert(offsetof(struct limen_regs, field) == (offset), #field)
LIMEN_ASSERT_REGS(rdx, REGS_RDX);
LIMEN_ASSERT_REGS(r10, REGS_R10);
LIMEN_ASSERT_REGS(r8, REGS_R8);
LIMEN_ASSERT_REGS(r9, REGS_R9);
LIMEN_ASSERT_REGS(r12, REGS_R12);
LIMEN_ASSERT_REGS(r13, REGS_R13);
LIMEN_ASSERT_REGS(r14, REGS_R14);
LIMEN_ASSERT_REGS(r15, REGS_R15);
LIMEN_ASSERT_REGS(rsi, REGS_RSI);
LIMEN_ASSERT_REGS(rdi, REGS_RDI);
LIMEN_ASSERT_REGS(rax, REGS_RAX);
LIMEN_ASSERT_REGS(rbx, REGS_RBX);
LIMEN_ASSERT_REGS(rbp, REGS_RBP);
LIMEN_ASSERT_REGS(rcx, REGS_RCX);
LIMEN_ASSERT_REGS(r11, REGS_R11);
LIMEN_ASSERT_REGS(origin, REGS_ORIGIN);
LIMEN_ASSERT_REGS(error, REGS_ERROR);
LIMEN_ASSERT_REGS(rip, REGS_RIP);
LIMEN_ASSERT_REGS(cs, REGS_CS);
LIMEN_ASSERT_REGS(rflags, REGS_RFLAGS);
LIMEN_ASSERT_REGS(rsp, REGS_RSP);
LIMEN_ASSERT_REGS(ss, REGS_SS);
_Static_assert(sizeof(struct limen_regs) == REGS_SIZE, "the frame has no padding");

/* The frame as LIMEN_REGS_WORDS words, as messages carry it. */
static inline uint64_t *limen_regs_words(struct limen_regs *regs)
{
    return (uint64_t *)regs;
}
#endif

#endif
