/* SPDX-License-Identifier: MIT */
/* The counter of core cycles.  Ring 3 may not read it by itself, as CR4.PCE stays off: it would
 * tell what other threads do. */
#include "cycles.h"
#include "internal.h"

#define FIXED_RINGS (3ull << 4 * CORE_CYCLES) /* counts in ring 0 and in others */
#define FIXED_ON    (1ull << (32 + CORE_CYCLES))

void cycles_init(struct machine *machine)
{
    if (cpuid(0, 0).eax < CPUID_MONITORING || !cycles_offered(cpuid(CPUID_MONITORING, 0)))
        return;
    write_msr(MSR_FIXED_CTR_CTRL, FIXED_RINGS);
    write_msr(MSR_PERF_GLOBAL_CTRL, FIXED_ON);
    /* There are emulators, Bochs for one, in which it stands still. */
    uint64_t before = read_msr(MSR_FIXED_CTR0 + CORE_CYCLES);
    machine->counts_cycles = read_msr(MSR_FIXED_CTR0 + CORE_CYCLES) != before;
}

bool arch_core_cycles(uint64_t *cycles)
{
    if (!this_machine()->counts_cycles)
        return false;
    *cycles = read_msr(MSR_FIXED_CTR0 + CORE_CYCLES);
    return true;
}
