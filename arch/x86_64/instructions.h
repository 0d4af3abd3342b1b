/* SPDX-License-Identifier: MIT */
/* Instructions that C has no word for, and the numbers of the registers they reach. */
#ifndef ARCH_INSTRUCTIONS_H
#define ARCH_INSTRUCTIONS_H

#include <stdbool.h>
#include <stdint.h>

/* Model-specific registers, SDM vol. 4. */
#define MSR_APIC_BASE        0x0000001b
#define MSR_SYSENTER_CS      0x00000174
#define MSR_MCG_CAP          0x00000179
#define MSR_MCG_STATUS       0x0000017a
#define MSR_MCG_CTL          0x0000017b
#define MSR_FIXED_CTR0       0x00000309
#define MSR_FIXED_CTR_CTRL   0x0000038d
#define MSR_PERF_GLOBAL_CTRL 0x0000038f
#define MSR_MC0_CTL          0x00000400 /* four to a bank: CTL, STATUS, ADDR, MISC */
#define MSR_TSC_DEADLINE     0x000006e0
#define MSR_X2APIC           0x00000800
#define MSR_EFER             0xc0000080
#define MSR_STAR             0xc0000081
#define MSR_LSTAR            0xc0000082
#define MSR_FMASK            0xc0000084
#define MSR_FS_BASE          0xc0000100
#define MSR_KERNEL_GS_BASE   0xc0000102

/* Control registers, SDM vol. 3, 2.5. */
#define CR0_PE 0x00000001ull
#define CR0_MP 0x00000002ull
#define CR0_TS 0x00000008ull
#define CR0_ET 0x00000010ull
#define CR0_NE 0x00000020ull
#define CR0_WP 0x00010000ull
#define CR0_AM 0x00040000ull
#define CR0_PG 0x80000000ull

/* Where CR4.PCIDE is set: whose translations the TLB is to use, and to keep while others are used.
 */
#define CR3_PCID 0x0000000000000fffull
#define CR3_KEEP                                                                                   \
    0x8000000000000000ull /* never read: a load's wish to keep what it has of the PCID */

#define CR4_DE         0x000008ull
#define CR4_PAE        0x000020ull
#define CR4_MCE        0x000040ull
#define CR4_PGE        0x000080ull
#define CR4_OSFXSR     0x000200ull
#define CR4_OSXMMEXCPT 0x000400ull
#define CR4_UMIP       0x000800ull
#define CR4_FSGSBASE   0x010000ull
#define CR4_PCIDE      0x020000ull
#define CR4_OSXSAVE    0x040000ull
#define CR4_SMEP       0x100000ull
#define CR4_SMAP       0x200000ull

#define EFER_SCE 0x001ull
#define EFER_NXE 0x800ull

/* Debug registers as they are when nobody uses them, SDM vol. 3, 17.2. */
#define DR6_NONE 0xffff0ff0ull
#define DR7_NONE 0x00000400ull

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid r;
    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t read_msr(uint32_t msr)
{
    uint32_t low, high;
    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
                     : "memory");
}

#define REGISTER_ACCESSORS(name)                                                                   \
    static inline uint64_t read_##name(void)                                                       \
    {                                                                                              \
        uint64_t value;                                                                            \
        __asm__ volatile("mov %%" #name ", %0" : "=r"(value) : : "memory");                        \
        return value;                                                                              \
    }                                                                                              \
    static inline void write_##name(uint64_t value)                                                \
    {                                                                                              \
        __asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory");                            \
    }
REGISTER_ACCESSORS(cr0)
REGISTER_ACCESSORS(cr2)
REGISTER_ACCESSORS(cr3)
REGISTER_ACCESSORS(cr4)
REGISTER_ACCESSORS(dr0)
REGISTER_ACCESSORS(dr1)
REGISTER_ACCESSORS(dr2)
REGISTER_ACCESSORS(dr3)
REGISTER_ACCESSORS(dr6)
REGISTER_ACCESSORS(dr7)
#undef REGISTER_ACCESSORS

static inline uint64_t read_rflags(void)
{
    uint64_t value;
    __asm__ volatile("pushfq; pop %0" : "=r"(value) : : "memory");
    return value;
}

static inline void flush_page(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

/* What of a PCID's translations to drop, SDM vol. 2, INVPCID.  Global pages stay. */
#define INVPCID_ADDRESS 0ull
#define INVPCID_ALL     1ull

static inline void flush_pcid(uint64_t what, uint64_t pcid, uint64_t address)
{
    const uint64_t descriptor[2] = {pcid, address};
    __asm__ volatile("invpcid (%0), %1" : : "r"(descriptor), "r"(what) : "memory");
}

static inline uint8_t port_in8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint16_t port_in16(uint16_t port)
{
    uint16_t value;
    __asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline uint32_t port_in32(uint16_t port)
{
    uint32_t value;
    __asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void port_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_out16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void port_out32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#endif
