/* SPDX-License-Identifier: MIT */
/*
 * The host's stand-in for arch/x86_64/contract.h: a processor that is a few variables, so that all
 * of kernel/ runs in an ordinary program.  Physical memory is one block of the program's own, and
 * what the kernel does to the machine is written down for the tests to look at (machine.h).
 */
#ifndef HOST_CONTRACT_H
#define HOST_CONTRACT_H

#include <limen/boot.h>
#include <limen/regs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arch_cpu {
    struct cpu *self;
    uint64_t max_irqs_off;
    uint32_t unusual;
};

/* The host's threads never have anything unusual to switch. */
#define ARCH_THREAD_SWITCH 0x7u
#define ARCH_THREAD_IRET   0x8u
#define ARCH_THREAD_KERNEL 0x10u
#define ARCH_CPU_SWITCH    0x10000u
#define ARCH_SWITCH_LONGER (ARCH_THREAD_SWITCH | ARCH_CPU_SWITCH)
#define ARCH_CPU_KERNEL    0x100000u

struct arch_thread {
    struct limen_regs *regs; /* the user frame, right below stack_top; it never moves */
    uint64_t stack_top;
    const struct arch_space *space; /* NULL: none */
    uint64_t fs_base;
    uint64_t gs_base;
    uint32_t flags;
    uint64_t breakpoints[4];
    uint64_t breakpoint_control;
};

struct arch_space {
    uint64_t *top;
};

extern struct cpu *host_cpu;
#define this_cpu host_cpu

extern char *host_memory; /* physical address 0 */

static inline void *phys_to_virt(uint64_t physical)
{
    return host_memory + physical;
}

static inline uint64_t virt_to_phys(const void *address)
{
    return (uint64_t)((const char *)address - host_memory);
}

static inline void arch_copy_words(uint64_t *to, const uint64_t *from, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        to[i] = from[i];
}

static inline void arch_clear_words(void *at, uint64_t count)
{
    uint64_t *words = at;
    for (uint64_t i = 0; i < count; i++)
        words[i] = 0;
}

uint64_t arch_ticks(void);
void arch_window(void);
void arch_switch(struct arch_thread *from, struct arch_thread *to);

static inline bool arch_switch_is_longer(uint32_t flags)
{
    return flags;
}

static inline void arch_switch_usual(struct arch_thread *from, struct arch_thread *to)
{
    arch_switch(from, to);
}

static inline bool arch_flags_need_iret(const struct limen_regs *regs)
{
    (void)regs;
    return false;
}

static inline void arch_note_frame(struct arch_thread *arch)
{
    arch->flags &= ~ARCH_THREAD_IRET;
    if (arch->regs->error != (uint64_t)REGS_BY_SYSCALL)
        arch->flags |= ARCH_THREAD_IRET;
}

struct limen_regs *arch_fast_exit(uint64_t badge, uint64_t tag, const struct limen_regs *low,
                                  const struct limen_regs *high, struct arch_thread *from,
                                  struct arch_thread *to);

static inline void arch_space_set(struct arch_thread *arch, const struct arch_space *space)
{
    arch->space = space;
}

#endif
