/* SPDX-License-Identifier: MIT */
/* Setting the processor up, in the order in which one part needs another. */
#include "internal.h"

#define CPUID_FEATURES 1u
#define CPUID_EXTENDED 7u
#define CPUID_AMD      0x80000001u

enum cpuid_register { EAX, EBX, ECX, EDX };

/* What the kernel switches on where it is, and says so.  A reserved bit of CR4 must never be set.
 */
static const struct feature {
    const char *name;
    uint32_t leaf;
    uint8_t reg; /* enum cpuid_register */
    uint8_t bit;
    bool required;
    uint64_t cr4;
} features[] = {
    {"APIC", CPUID_FEATURES, EDX, 9, true, 0},
    {"FXSR", CPUID_FEATURES, EDX, 24, true, CR4_OSFXSR},
    {"SSE2", CPUID_FEATURES, EDX, 26, true, CR4_OSXMMEXCPT},
    {"NX", CPUID_AMD, EDX, 20, true, 0},
    {"PGE", CPUID_FEATURES, EDX, 13, true, CR4_PGE},
    {"DE", CPUID_FEATURES, EDX, 2, false, CR4_DE},
    {"MCE", CPUID_FEATURES, EDX, 7, false, CR4_MCE},
    {"SMEP", CPUID_EXTENDED, EBX, 7, false, CR4_SMEP},
    {"SMAP", CPUID_EXTENDED, EBX, 20, false, CR4_SMAP},
    {"UMIP", CPUID_EXTENDED, ECX, 2, false, CR4_UMIP},
    {"FSGSBASE", CPUID_EXTENDED, EBX, 0, false, CR4_FSGSBASE},
    {"PCID", CPUID_FEATURES, ECX, 17, false, CR4_PCIDE},
    {"INVPCID", CPUID_EXTENDED, EBX, 10, false, 0},
    {"XSAVE", CPUID_FEATURES, ECX, 26, false, CR4_OSXSAVE},
};

static bool has(const struct feature *feature)
{
    if (cpuid(feature->leaf & 0x80000000u, 0).eax < feature->leaf)
        return false;
    struct cpuid r = cpuid(feature->leaf, 0);
    uint32_t values[] = {[EAX] = r.eax, [EBX] = r.ebx, [ECX] = r.ecx, [EDX] = r.edx};
    return values[feature->reg] >> feature->bit & 1;
}

static void features_init(struct arch_cpu *cpu)
{
    const size_t count = sizeof(features) / sizeof(*features);
    uint64_t cr4 = CR4_PAE;
    bool missing = false;
    kernel_log("processor: on: WP");
    for (size_t i = 0; i < count; i++) {
        if (has(&features[i])) {
            cr4 |= features[i].cr4;
            kernel_log(" %s", features[i].name);
        } else if (features[i].required) {
            panic("this processor has no %s, which Limen cannot do without", features[i].name);
        } else {
            missing = true;
        }
    }
    if (missing) {
        kernel_log("; not there:");
        for (size_t i = 0; i < count; i++)
            if (!has(&features[i]))
                kernel_log(" %s", features[i].name);
    }
    kernel_log("\n");
    write_cr4(cr4);
    write_cr0(CR0_PE | CR0_MP | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
    cpu->unusual = ARCH_CPU_SELECTORS | (cr4 & CR4_FSGSBASE ? 0 : ARCH_CPU_NO_FSGSBASE);
}

void arch_init(struct cpu *kernel_cpu, const struct limen_boot *boot)
{
    uint64_t start = arch_ticks();
    struct arch_cpu *cpu = (struct arch_cpu *)kernel_cpu;
    cpu->self = kernel_cpu;
    write_msr(MSR_GS_BASE, (uint64_t)cpu);

    struct machine *machine = kernel_boot_alloc((sizeof(*machine) + PAGE_SIZE - 1) / PAGE_SIZE);
    machine->boot = boot;
    machine->tsc_base = start;
    cpu->machine = machine;

    paging_init(machine);
    stacks_init(cpu);
    descriptors_init(cpu);
    console_init(machine);
    features_init(cpu);
    pcids_init(machine);
    fpu_init(machine);
    machine_check_init();
    cycles_init(machine);
    interrupts_init(machine);
    clock_init(machine);
    if (LIMEN_CHECKS)
        arch_check_boot();
}
