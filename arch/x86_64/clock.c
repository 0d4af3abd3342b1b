/* SPDX-License-Identifier: MIT */
/* Time: how fast the TSC and the local APIC's timer run, and ticks in nanoseconds. */
#include "internal.h"

#include <limen/clock.h>

#define NS_PER_SECOND 1000000000ull

#define CPUID_FEATURES_ECX_TSC_DEADLINE 0x01000000u
#define CPUID_FEATURES_ECX_HYPERVISOR   0x80000000u
#define CPUID_CRYSTAL                   0x15u
#define CPUID_HYPERVISOR                0x40000000u
#define CPUID_HYPERVISOR_TIMING         0x40000010u

/* Channel 2 of the 8254, with its gate and output at port 61h. */
#define PIT_HZ            1193182u
#define PIT_CHANNEL_2     0x42u
#define PIT_COMMAND       0x43u
#define PIT_ONE_SHOT      0xb0u /* channel 2, low byte then high byte, mode 0 */
#define PIT_GATE_PORT     0x61u
#define PIT_GATE          0x01u
#define PIT_SPEAKER       0x02u
#define PIT_OUTPUT        0x20u
#define PIT_WAIT_PER_S    100u
#define PIT_POLLS_MAX     10000000u
#define APIC_WAIT_PER_S   1000u
#define APIC_MEASURE_FROM UINT32_MAX

/* dividend * 2^32 / divisor, which must fit 64 bits. */
static uint64_t ratio(uint64_t dividend, uint64_t divisor)
{
    ASSERT(dividend >> 32 < divisor);
    uint64_t quotient, high = dividend >> 32, low = dividend << 32;
    __asm__("divq %3" : "=a"(quotient), "+d"(high) : "a"(low), "r"(divisor) : "cc");
    return quotient;
}

/* What the processor or the hypervisor states needs no measuring. */
static uint64_t stated_tsc_hz(void)
{
    if (cpuid(0, 0).eax >= CPUID_CRYSTAL) {
        struct cpuid crystal = cpuid(CPUID_CRYSTAL, 0);
        if (crystal.eax && crystal.ebx && crystal.ecx)
            return (uint64_t)crystal.ecx * crystal.ebx / crystal.eax;
    }
    if ((cpuid(1, 0).ecx & CPUID_FEATURES_ECX_HYPERVISOR) &&
        cpuid(CPUID_HYPERVISOR, 0).eax >= CPUID_HYPERVISOR_TIMING)
        return cpuid(CPUID_HYPERVISOR_TIMING, 0).eax * 1000ull;
    return 0;
}

static uint64_t measure_tsc_hz(void)
{
    port_out8(PIT_GATE_PORT, (port_in8(PIT_GATE_PORT) & ~PIT_SPEAKER) | PIT_GATE);
    port_out8(PIT_COMMAND, PIT_ONE_SHOT);
    port_out8(PIT_CHANNEL_2, (uint8_t)(PIT_HZ / PIT_WAIT_PER_S));
    port_out8(PIT_CHANNEL_2, (uint8_t)(PIT_HZ / PIT_WAIT_PER_S >> 8));
    uint64_t start = arch_ticks();
    for (unsigned polls = 0; !(port_in8(PIT_GATE_PORT) & PIT_OUTPUT); polls++)
        if (polls == PIT_POLLS_MAX)
            panic("the speed of the TSC is not known, and the 8254 timer does not count");
    return (arch_ticks() - start) * PIT_WAIT_PER_S;
}

static uint64_t measure_apic_hz(uint64_t tsc_hz)
{
    apic_timer_start(APIC_MEASURE_FROM);
    uint64_t start = arch_ticks();
    uint64_t now;
    do
        now = arch_ticks();
    while (now - start < tsc_hz / APIC_WAIT_PER_S);
    uint32_t counted = APIC_MEASURE_FROM - apic_timer_count();
    apic_timer_start(0);
    if (counted == 0)
        panic("the local APIC's timer does not count");
    return (uint64_t)counted * tsc_hz / (now - start);
}

void clock_init(struct machine *machine)
{
    uint64_t start = arch_ticks();
    const char *source = "as the processor states";
    machine->tsc_hz = stated_tsc_hz();
    if (!machine->tsc_hz) {
        machine->tsc_hz = machine->boot->tsc_hz;
        source = "as the loader measured";
    }
    if (!machine->tsc_hz) {
        machine->tsc_hz = measure_tsc_hz();
        source = "by the 8254";
    }
    machine->ns_per_tick = ratio(NS_PER_SECOND, machine->tsc_hz);

    bool deadline = cpuid(1, 0).ecx & CPUID_FEATURES_ECX_TSC_DEADLINE;
    if (!deadline)
        machine->apic_ticks_per_tsc = ratio(measure_apic_hz(machine->tsc_hz), machine->tsc_hz);
    apic_timer_enable(deadline);
    machine->calibration_ticks = arch_ticks() - start;
    kernel_log("clock: TSC at %lu kHz, %s; timer by %s\n", machine->tsc_hz / 1000, source,
               deadline ? "TSC deadline" : "local APIC count");
}

void arch_clock_fill(struct limen_clock *clock)
{
    const struct machine *machine = this_machine();
    *clock = (struct limen_clock){
        .tsc_base = machine->tsc_base,
        .tsc_hz = machine->tsc_hz,
        .multiplier = machine->ns_per_tick,
        .wall_at_base = machine->boot->wall_seconds * NS_PER_SECOND,
    };
}

uint64_t arch_calibration_ticks(void)
{
    return this_machine()->calibration_ticks;
}

/* Rounded up, and the exact inverse of what ring 3 computes from the clock page: once so many ticks
 * have passed, its clock shows at least so many nanoseconds. */
uint64_t arch_ns_to_ticks(uint64_t ns)
{
    uint64_t ns_per_tick = this_machine()->ns_per_tick;
    if (ns >> 32 >= ns_per_tick)
        return UINT64_MAX;
    uint64_t ticks = ratio(ns, ns_per_tick);
    return ticks == UINT64_MAX ? ticks : ticks + 1;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * this_machine()->ns_per_tick >> 32);
}
