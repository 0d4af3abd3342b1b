/* SPDX-License-Identifier: MIT */
/*
 * The extended registers: x87, SSE, AVX and AVX-512, of ring 3 only.
 *
 * A thread that has used them has its state saved at each switch away from it and loaded at each
 * switch to it, never later (docs/hazards/lazy-fpu.md).  A thread that has not runs with CR0.TS set
 * and pays nothing; its first use raises #NM, which gives it the initial state.  The state lies in
 * page 1 of the thread object.
 */
#include "internal.h"

#define XCR0_X87    0x01ull
#define XCR0_SSE    0x02ull
#define XCR0_AVX    0x04ull
#define XCR0_AVX512 0xe0ull /* opmask, upper halves, upper registers: all or none */

#define CPUID_XSAVE             0x0du
#define CPUID_XSAVEOPT          0x01u /* leaf 0dh, subleaf 1, EAX */
#define CPUID_EXTENDED_SIZES    0x80000008u
#define CPUID_RESTORES_POINTERS 0x04u       /* its EBX, AMD only */
#define CPUID_VENDOR_AMD        0x68747541u /* "Auth" in EBX of leaf 0 */

/* The legacy area, SDM vol. 1, 10.5.1, and the XSAVE header after it: all that XRSTOR reads of a
 * state whose components are all initial, but for MXCSR. */
#define FPU_CONTROL      0u
#define FPU_MXCSR        24u
#define FPU_INITIAL_SIZE 576u
#define FPU_CONTROL_INIT 0x037fu
#define FPU_MXCSR_INIT   0x1f80u

static void *area_of(const struct arch_thread *arch)
{
    return phys_to_virt(virt_to_phys(arch) + PAGE_SIZE);
}

static void save(void *area)
{
    const struct machine *machine = this_machine();
    uint32_t low = (uint32_t)machine->xcr0, high = (uint32_t)(machine->xcr0 >> 32);
    if (machine->xsaveopt)
        __asm__ volatile("xsaveopt64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
    else if (machine->xcr0)
        __asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
    else
        __asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

static void restore(const void *area)
{
    const struct machine *machine = this_machine();
    /* Older AMD processors leave the last x87 instruction's addresses in place unless an exception
     * is pending, and so tell one thread about another: load something harmless over them. */
    if (machine->fpu_leaks_pointers)
        __asm__ volatile("fnclex; emms; fildl %0" : : "m"(*(const uint32_t *)area));
    uint32_t low = (uint32_t)machine->xcr0, high = (uint32_t)(machine->xcr0 >> 32);
    if (machine->xcr0)
        __asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(low), "d"(high) : "memory");
    else
        __asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
}

static void fill_initial(void *area)
{
    memset(area, 0, FPU_INITIAL_SIZE);
    *(uint16_t *)((char *)area + FPU_CONTROL) = FPU_CONTROL_INIT;
    *(uint32_t *)((char *)area + FPU_MXCSR) = FPU_MXCSR_INIT;
}

void fpu_init(struct machine *machine)
{
    struct cpuid extended = cpuid(0x80000000, 0);
    machine->fpu_leaks_pointers = cpuid(0, 0).ebx == CPUID_VENDOR_AMD &&
                                  (extended.eax < CPUID_EXTENDED_SIZES ||
                                   !(cpuid(CPUID_EXTENDED_SIZES, 0).ebx & CPUID_RESTORES_POINTERS));
    machine->fpu_initial = kernel_boot_alloc(1);
    fill_initial(machine->fpu_initial);

    if (!(read_cr4() & CR4_OSXSAVE))
        return;
    struct cpuid offered = cpuid(CPUID_XSAVE, 0);
    uint64_t xcr0 = offered.eax & (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512);
    if ((xcr0 & XCR0_AVX512) != XCR0_AVX512 || !(xcr0 & XCR0_AVX))
        xcr0 &= ~XCR0_AVX512;
    for (;;) {
        __asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)xcr0), "d"((uint32_t)(xcr0 >> 32)));
        if (cpuid(CPUID_XSAVE, 0).ebx <= PAGE_SIZE)
            break;
        ASSERT(xcr0 & XCR0_AVX512);
        xcr0 &= ~XCR0_AVX512;
    }
    machine->xcr0 = xcr0;
    machine->xsaveopt = cpuid(CPUID_XSAVE, 1).eax & CPUID_XSAVEOPT;
}

void fpu_switch(struct arch_thread *from, const struct arch_thread *to)
{
    bool was = from->flags & ARCH_THREAD_FPU, will = to->flags & ARCH_THREAD_FPU;
    if (was)
        save(area_of(from));
    if (will && !was)
        __asm__ volatile("clts" : : : "memory");
    if (will)
        restore(area_of(to));
    else if (was) {
        restore(this_machine()->fpu_initial);
        write_cr0(read_cr0() | CR0_TS);
    }
}

bool fpu_first_use(void)
{
    struct arch_thread *current = thread_of_stack(this_arch_cpu->tss.rsp0);
    if (current->flags & ARCH_THREAD_FPU)
        return false;
    current->flags |= ARCH_THREAD_FPU;
    __asm__ volatile("clts" : : : "memory");
    fill_initial(area_of(current));
    restore(area_of(current));
    return true;
}
