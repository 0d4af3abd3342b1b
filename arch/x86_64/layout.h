/* SPDX-License-Identifier: MIT */
/*
 * Numbers that C and the entry file share: selectors, flags, vectors, the offsets of the fields
 * that entry.S reads through GS, and the layout of a processor's area of stacks.
 */
#ifndef ARCH_LAYOUT_H
#define ARCH_LAYOUT_H

/*
 * Selectors.  SYSCALL loads CS from STAR 47:32 and SS from the descriptor after it; SYSRET loads SS
 * from STAR 63:48 + 8 and CS from + 16 (SDM vol. 2, SYSCALL and SYSRET), which fixes the order.
 */
#define KERNEL_CS    0x08
#define KERNEL_SS    0x10
#define SYSRET_BASE  0x1b /* the descriptor itself, for 32-bit code, stays empty */
#define USER_SS      0x23
#define USER_CS      0x2b
#define TSS_SELECTOR 0x30
#define GDT_ENTRIES  8 /* the TSS descriptor takes two */

/* The upper half of the descriptor for ring 3's data: present, writable, accessed (SDM vol. 3,
 * 3.4.5).  The lower half is zero: in 64-bit mode a segment has no base and no limit. */
#define USER_DATA_HIGH 0x0000f300

/* RFLAGS, SDM vol. 1, 3.4.3. */
#define RFLAGS_FIXED  0x000002 /* always one */
#define RFLAGS_STATUS 0x0008d5 /* CF PF AF ZF SF OF */
#define RFLAGS_TF     0x000100
#define RFLAGS_IF     0x000200
#define RFLAGS_DF     0x000400
#define RFLAGS_IOPL   0x003000
#define RFLAGS_NT     0x004000
#define RFLAGS_RF     0x010000
#define RFLAGS_AC     0x040000
#define RFLAGS_ID     0x200000

/* What SYSCALL clears: everything ring 3 can have set. */
#define SYSCALL_FLAG_MASK                                                                          \
    (RFLAGS_STATUS | RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF |     \
     RFLAGS_AC | RFLAGS_ID)

/* Vectors.  0 to 31 are the processor's; the two 8259s are masked, but can still signal a spurious
 * interrupt of their own, for which they keep 16 vectors. */
#define VECTOR_DB         1
#define VECTOR_NMI        2
#define VECTOR_NM         7
#define VECTOR_DF         8
#define VECTOR_GP         13
#define VECTOR_PF         14
#define VECTOR_MC         18
#define VECTOR_8259       0x20
#define VECTOR_LINE       0x30 /* interrupt line n has vector VECTOR_LINE + n */
#define VECTOR_LINE_END   0xb0
#define VECTOR_TIMER      0xfd
#define VECTOR_APIC_ERROR 0xfe
#define VECTOR_SPURIOUS   0xff

#define MSR_GS_BASE 0xc0000101

/* Offsets in struct arch_cpu; asserted in contract.h. */
#define CPU_RSP0            0x08
#define CPU_SELF            0x70
#define CPU_USER_RSP        0x78
#define CPU_INTERRUPT_STACK 0x80
#define CPU_INTERRUPT_DEPTH 0x88
#define CPU_UNUSUAL         0x8c
#define CPU_GDT             0xb0

/* Offsets in struct arch_thread, likewise. */
#define THREAD_REGS    0x00
#define THREAD_FS_BASE 0x18
#define THREAD_GS_BASE 0x20

#define CPU_SELECTORS 0x20000 /* ARCH_CPU_SELECTORS */

/* IST indices as in a gate descriptor: 0 means no switch. */
#define IST_DF  1
#define IST_NMI 2
#define IST_DB  3
#define IST_MC  4

#endif
