/* SPDX-License-Identifier: MIT */
#include "registers.h"

#include "kit.h"

/* Every byte of a pattern tells the register's place in the frame. */
#define PATTERN(index) (0x0101010101010101ull * (0x10 + (index)))

static const struct field {
    const char *name;
    unsigned index;
} fields[] = {
    {"rdx", REGS_RDX / 8},       {"r10", REGS_R10 / 8},       {"r8", REGS_R8 / 8},
    {"r9", REGS_R9 / 8},         {"r12", REGS_R12 / 8},       {"r13", REGS_R13 / 8},
    {"r14", REGS_R14 / 8},       {"r15", REGS_R15 / 8},       {"rsi", REGS_RSI / 8},
    {"rdi", REGS_RDI / 8},       {"rax", REGS_RAX / 8},       {"rbx", REGS_RBX / 8},
    {"rbp", REGS_RBP / 8},       {"rcx", REGS_RCX / 8},       {"r11", REGS_R11 / 8},
    {"origin", REGS_ORIGIN / 8}, {"error", REGS_ERROR / 8},   {"rip", REGS_RIP / 8},
    {"cs", REGS_CS / 8},         {"rflags", REGS_RFLAGS / 8}, {"rsp", REGS_RSP / 8},
    {"ss", REGS_SS / 8},
};
_Static_assert(sizeof fields / sizeof fields[0] == LIMEN_REGS_WORDS, "each field has a name");

void fill_pattern(struct limen_regs *regs, const void *rip, uint64_t rsp)
{
    uint64_t *words = (uint64_t *)regs;

    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++)
        words[i] = PATTERN(i);
    regs->rip = (uint64_t)rip;
    regs->rsp = rsp;
    regs->rflags = FLAGS_ALWAYS;
    regs->cs = own_cs();
    regs->ss = own_ss();
}

void expect_regs(const struct limen_regs *actual, const struct limen_regs *expected,
                 const char *when)
{
    const uint64_t *got = (const uint64_t *)actual, *want = (const uint64_t *)expected;

    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++) {
        unsigned index = fields[i].index;
        uint64_t ignored = index == REGS_RFLAGS / 8 ? FLAG_RF : 0;
        if ((got[index] | ignored) != (want[index] | ignored))
            fail("%s: %s is 0x%lx, want 0x%lx", when, fields[i].name, got[index], want[index]);
    }
}
