/* SPDX-License-Identifier: MIT */
/*
 * The inline half of kernel/arch.h, which alone includes this file: the types that C needs whole
 * and the functions of the fast path.
 */
#ifndef ARCH_CONTRACT_H
#define ARCH_CONTRACT_H

#include "layout.h"
#include <limen/boot.h>
#include <limen/regs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine; /* what all processors share, written only at boot (internal.h) */

/* The task-state segment, SDM vol. 3, 8.7.  `alignment` shifts it so that the 64-bit fields are
 * aligned; the processor is told the address of `reserved0`. */
struct arch_tss {
    uint32_t alignment;
    uint32_t reserved0;
    uint64_t rsp0; /* top of the current thread's stack, for SYSCALL as for interrupts */
    uint64_t rsp1, rsp2;
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t iomap; /* beyond the limit: no port is open to ring 3 */
    uint32_t padding;
};

/* The processor's part of struct cpu, and its first member, so that GS:0 is its start.  Aligned so
 * that no page boundary falls into the TSS, which the processor reads by physical address. */
struct arch_cpu {
    _Alignas(128) struct arch_tss tss;
    struct cpu *self;         /* its ordinary address */
    uint64_t user_rsp;        /* dead after the fourth instruction of the SYSCALL entry */
    uint64_t interrupt_stack; /* top of the stack the outermost interrupt switches to */
    uint32_t interrupt_depth; /* interrupts being served, one inside the other */
    uint32_t unusual;         /* ARCH_CPU_*: what rules out the shortest paths for all threads */
    uint64_t max_irqs_off;    /* longest stretch with interrupts off, in TSC ticks */
    uint64_t irqs_off_since;  /* TSC when the present stretch began; 0: at boot */
    struct machine *machine;  /* NULL until arch_init has made it */
    uint64_t panics;          /* times arch_panic was entered */
    uint64_t gdt[GDT_ENTRIES];
};

#define ARCH_ASSERT_CPU(field, offset)                                                             \
    _Static_assert(offsetof(struct arch_cpu, field) == (offset), #field)
ARCH_ASSERT_CPU(tss.rsp0, CPU_RSP0);
ARCH_ASSERT_CPU(self, CPU_SELF);
ARCH_ASSERT_CPU(user_rsp, CPU_USER_RSP);
ARCH_ASSERT_CPU(interrupt_stack, CPU_INTERRUPT_STACK);
ARCH_ASSERT_CPU(interrupt_depth, CPU_INTERRUPT_DEPTH);
ARCH_ASSERT_CPU(unusual, CPU_UNUSUAL);
ARCH_ASSERT_CPU(gdt, CPU_GDT);
_Static_assert(sizeof(struct arch_tss) == 0x70, "104 bytes and two alignment words");

#define this_cpu      ((struct cpu __seg_gs *)0)
#define this_arch_cpu ((struct arch_cpu __seg_gs *)0)

/* What makes a switch to or from a thread take more than its bases. */
#define ARCH_THREAD_FPU       0x1u /* it has used the FPU: its state is saved and restored */
#define ARCH_THREAD_SELECTORS 0x2u /* its data selectors are not all null */
#define ARCH_THREAD_DEBUG     0x4u /* it has breakpoints */
#define ARCH_THREAD_SWITCH    0x7u /* all of these */

/* It waits, and SYSRET cannot leave by its frame. */
#define ARCH_THREAD_IRET 0x8u

#define ARCH_THREAD_KERNEL 0x10u /* from this bit to the sixteenth the flags are kernel/'s */

/* The same for every switch of a processor: the upper half, so that one look is enough for all. */
#define ARCH_CPU_NO_FSGSBASE 0x10000u /* FS and GS base change by MSR */
#define ARCH_CPU_SELECTORS   0x20000u /* data selectors can be loaded (hazards/selectors.md) */
#define ARCH_CPU_SWITCH      0x30000u
#define ARCH_CPU_KERNEL      0x100000u
_Static_assert(ARCH_CPU_SELECTORS == CPU_SELECTORS, "layout.h");

/* All of these, whether a thread's or the processor's. */
#define ARCH_SWITCH_LONGER (ARCH_THREAD_SWITCH | ARCH_CPU_SWITCH)
/* The first member of struct thread, at the start of the thread object's memory. */
struct arch_thread {
    struct limen_regs *regs; /* the user frame, right below stack_top; it never moves */
    uint64_t stack_top;
    uint64_t cr3;     /* its space's; 0: runs in any, as the idle thread does */
    uint64_t fs_base; /* these are the thread's while it is not running */
    uint64_t gs_base;
    uint32_t flags; /* ARCH_THREAD_*, and kernel/'s */
    uint16_t ds, es, fs, gs;
    uint64_t breakpoints[4];     /* DR0 to DR3 */
    uint64_t breakpoint_control; /* DR7 without the bit that is always one; 0: no breakpoints */
};

_Static_assert(offsetof(struct arch_thread, regs) == THREAD_REGS, "regs");
_Static_assert(offsetof(struct arch_thread, fs_base) == THREAD_FS_BASE, "fs_base");
_Static_assert(offsetof(struct arch_thread, gs_base) == THREAD_GS_BASE, "gs_base");

struct arch_space {
    uint64_t *top; /* level 4, physical-map address */
    uint64_t cr3;  /* what to load; with a PCID, if there is one, and then to keep translations */
};

static inline void *phys_to_virt(uint64_t physical)
{
    return (void *)(physical + LIMEN_PHYSMAP_BASE);
}

static inline uint64_t virt_to_phys(const void *address)
{
    return (uint64_t)address - LIMEN_PHYSMAP_BASE;
}

static inline uint64_t arch_ticks(void)
{
    return __builtin_ia32_rdtsc();
}

/* The space a thread that is not running will run in; NULL for none. */
static inline void arch_space_set(struct arch_thread *arch, const struct arch_space *space)
{
    arch->cr3 = space ? space->cr3 : 0;
}

/* Words from one place to another that it does not overlap, where a call would cost more than the
 * copy. */
static inline void arch_copy_words(uint64_t *to, const uint64_t *from, uint64_t count)
{
    __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
}

/* The same for clearing. */
static inline void arch_clear_words(void *at, uint64_t count)
{
    __asm__ volatile("rep stosq" : "+D"(at), "+c"(count) : "a"(0ull) : "memory");
}

#if LIMEN_MEASURE
void arch_irqs_off_begin(void);
void arch_irqs_off_end(void);
#else
static inline void arch_irqs_off_begin(void)
{
}

static inline void arch_irqs_off_end(void)
{
}
#endif

static inline void arch_window(void)
{
    arch_irqs_off_end();
    /* STI holds interrupts back for one more instruction; the NOP is that instruction. */
    __asm__ volatile("sti; nop; cli" : : : "memory");
    arch_irqs_off_begin();
}

/*
 * Ring 3 can load a data selector at any time without the kernel's knowledge, and to look whether
 * it did takes a read of four registers at each switch.  So its data segment is mostly closed: not
 * in the descriptor table, so that the load faults (docs/hazards/selectors.md).
 */
static inline void arch_close_segment(void)
{
    this_arch_cpu->unusual &= ~ARCH_CPU_SELECTORS;
    this_arch_cpu->gdt[USER_SS / 8] = 0;
}

/* IRETQ opened it for the current thread, whose selectors were null.  Where they still are, as is
 * nearly always so, it is closed again. */
static inline bool arch_selectors_are_null(void)
{
    uint32_t ds, es, fs, gs;

    __asm__ volatile("mov %%ds, %0; mov %%es, %1; mov %%fs, %2; mov %%gs, %3"
                     : "=r"(ds), "=r"(es), "=r"(fs), "=r"(gs));
    if (ds | es | fs | gs)
        return false;
    arch_close_segment();
    return true;
}

/* Whether a switch has to do more than change bases, where the two threads and the processor
 * together have these flags. */
static inline bool arch_switch_is_longer(uint32_t flags)
{
    return __builtin_expect(flags, 0) &&
           (flags != ARCH_CPU_SELECTORS || !arch_selectors_are_null());
}

void arch_switch_slow(struct arch_thread *from, struct arch_thread *to);

/* The user's GS base is behind SWAPGS while the kernel runs.  Nothing but the paranoid entries,
 * which assume nothing of GS, can come between the two (docs/hazards/swapgs.md). */
static inline void arch_swap_bases(struct arch_thread *from, const struct arch_thread *to)
{
    __asm__ volatile("rdfsbase %0; wrfsbase %2; swapgs; rdgsbase %1; wrgsbase %3; swapgs"
                     : "=&r"(from->fs_base), "=&r"(from->gs_base)
                     : "r"(to->fs_base), "r"(to->gs_base));
}

/* The stack and the address space of a switch between two threads that have spaces of their own. */
static inline void arch_switch_memory(const struct arch_thread *from, const struct arch_thread *to)
{
    this_arch_cpu->tss.rsp0 = to->stack_top;
    if (to->cr3 != from->cr3)
        __asm__ volatile("mov %0, %%cr3" : : "r"(to->cr3) : "memory");
}

/* SYSRET would lose these. */
static inline bool arch_flags_need_iret(const struct limen_regs *regs)
{
    return regs->rflags & (RFLAGS_TF | RFLAGS_RF);
}

/* SYSRET can leave by the frame: SYSCALL built it, and nothing has written it since. */
static inline bool arch_is_from_syscall(const struct limen_regs *regs)
{
    return regs->error == (uint64_t)REGS_BY_SYSCALL && !arch_flags_need_iret(regs);
}

/* The thread is about to wait: for whoever ends that, notes how its frame has to be left. */
static inline void arch_note_frame(struct arch_thread *arch)
{
    arch->flags &= ~ARCH_THREAD_IRET;
    if (!arch_is_from_syscall(arch->regs))
        arch->flags |= ARCH_THREAD_IRET;
}

struct limen_regs *fast_exit(uint64_t badge, uint64_t tag, const struct limen_regs *low,
                             const struct limen_regs *high, struct arch_thread *from,
                             struct arch_thread *to);
void arch_check_fast_exit(const struct limen_regs *regs);

/* Both threads run in spaces of their own, and that of `from` is the one that is loaded. */
static inline __attribute__((always_inline)) struct limen_regs *
arch_fast_exit(uint64_t badge, uint64_t tag, const struct limen_regs *low,
               const struct limen_regs *high, struct arch_thread *from, struct arch_thread *to)
{
    arch_switch_memory(from, to);
    if (LIMEN_CHECKS)
        arch_check_fast_exit(to->regs);
    return fast_exit(badge, tag, low, high, from, to);
}

/* A switch between two threads with spaces of their own that have none of ARCH_SWITCH_LONGER, on a
 * processor that has not either. */
static inline void arch_switch_usual(struct arch_thread *from, const struct arch_thread *to)
{
    arch_switch_memory(from, to);
    arch_swap_bases(from, to);
}

static inline __attribute__((always_inline)) void arch_switch(struct arch_thread *from,
                                                              struct arch_thread *to)
{
    /* Only the idle thread has no space of its own, and leaves the one it finds. */
    if (to->cr3)
        arch_switch_memory(from, to);
    else
        this_arch_cpu->tss.rsp0 = to->stack_top;
    uint32_t flags = from->flags | to->flags | this_arch_cpu->unusual;
    if (arch_switch_is_longer(flags & ARCH_SWITCH_LONGER))
        arch_switch_slow(from, to);
    else
        arch_swap_bases(from, to);
}

#endif
