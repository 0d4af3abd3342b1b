/* SPDX-License-Identifier: MIT */
/* Descriptor tables and the registers of SYSCALL: all the ways in that entry.S serves. */
#include "internal.h"

/* Segment descriptors, SDM vol. 3, 3.4.5; in 64-bit mode only these bits still mean something. */
#define SEGMENT_ACCESSED  (1ull << 40) /* set, so that the processor need not write it */
#define SEGMENT_WRITABLE  (1ull << 41) /* readable, for code */
#define SEGMENT_CODE      (1ull << 43)
#define SEGMENT_CODE_DATA (1ull << 44)
#define SEGMENT_RING_3    (3ull << 45)
#define SEGMENT_PRESENT   (1ull << 47)
#define SEGMENT_LONG      (1ull << 53)
#define SEGMENT_TSS       (9ull << 40)
#define SEGMENT_DATA      (SEGMENT_PRESENT | SEGMENT_CODE_DATA | SEGMENT_WRITABLE | SEGMENT_ACCESSED)
#define SEGMENT_CODE_64   (SEGMENT_DATA | SEGMENT_CODE | SEGMENT_LONG)

#define TSS_SIZE                                                                                   \
    (sizeof(struct arch_tss) - 2 * sizeof(uint32_t)) /* without the words around it                \
                                                      */

/* A 64-bit gate, SDM vol. 3, 6.14.1. */
struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};
#define GATE_INTERRUPT 0x8eu /* present; clears IF on entry */
#define GATE_DPL_SHIFT 5

struct __attribute__((packed)) table_pointer {
    uint16_t limit;
    uint64_t base;
};

static void load_gdt(struct arch_cpu *cpu)
{
    uint64_t tss = (uint64_t)&cpu->tss.reserved0;
    cpu->tss.iomap = TSS_SIZE;
    cpu->gdt[KERNEL_CS / 8] = SEGMENT_CODE_64;
    cpu->gdt[KERNEL_SS / 8] = SEGMENT_DATA;
    cpu->gdt[USER_SS / 8] = (uint64_t)USER_DATA_HIGH << 32;
    cpu->gdt[USER_CS / 8] = SEGMENT_CODE_64 | SEGMENT_RING_3;
    cpu->gdt[TSS_SELECTOR / 8] = SEGMENT_TSS | SEGMENT_PRESENT | (TSS_SIZE - 1) |
                                 (tss & 0xffffff) << 16 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[TSS_SELECTOR / 8 + 1] = tss >> 32;

    struct table_pointer gdt = {sizeof(cpu->gdt) - 1, (uint64_t)cpu->gdt};
    __asm__ volatile("lgdt %0" : : "m"(gdt));
    __asm__ volatile("pushq %0; lea 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
                     :
                     : "i"(KERNEL_CS)
                     : "rax", "memory");
    /* Null data selectors are what a thread starts with.  Loading GS clears its base. */
    __asm__ volatile("mov %0, %%ss; mov %1, %%ds; mov %1, %%es; mov %1, %%fs; mov %1, %%gs"
                     :
                     : "r"(KERNEL_SS), "r"(0));
    write_msr(MSR_GS_BASE, (uint64_t)cpu);
    __asm__ volatile("ltr %w0" : : "r"(TSS_SELECTOR));
    /* A reset leaves LDTR usable, with base 0 and 64 KiB (SDM vol. 3, table 9-1): memory that ring
     * 3 can map, and so gates into ring 0 that it can write.  The null selector ends that
     * (docs/hazards/ldt.md). */
    __asm__ volatile("lldt %w0" : : "r"(0));
}

static void load_idt(void)
{
    struct gate *gates = kernel_boot_alloc(1);
    for (unsigned i = 0; i < 256; i++) {
        uint64_t entry = vector_table[i].entry;
        if (entry == 0)
            continue;
        gates[i] = (struct gate){
            .offset_low = (uint16_t)entry,
            .selector = KERNEL_CS,
            .ist = (uint8_t)vector_table[i].ist,
            .type = (uint8_t)(GATE_INTERRUPT | vector_table[i].dpl << GATE_DPL_SHIFT),
            .offset_middle = (uint16_t)(entry >> 16),
            .offset_high = (uint32_t)(entry >> 32),
        };
    }
    struct table_pointer idt = {256 * sizeof(struct gate) - 1, (uint64_t)gates};
    __asm__ volatile("lidt %0" : : "m"(idt));
}

void descriptors_init(struct arch_cpu *cpu)
{
    load_gdt(cpu);
    load_idt();

    write_msr(MSR_STAR, (uint64_t)SYSRET_BASE << 48 | (uint64_t)KERNEL_CS << 32);
    write_msr(MSR_LSTAR, (uint64_t)syscall_entry);
    write_msr(MSR_FMASK, SYSCALL_FLAG_MASK);
    write_msr(MSR_EFER, read_msr(MSR_EFER) | EFER_SCE | EFER_NXE);
    write_msr(MSR_KERNEL_GS_BASE, 0);
    /* No code segment is 32-bit, so SYSENTER is the only other way that could be open: with a null
     * selector it is a #GP. */
    write_msr(MSR_SYSENTER_CS, 0);
    write_dr7(DR7_NONE);
    write_dr6(DR6_NONE);
}
