/* SPDX-License-Identifier: MIT */
/* The local APIC and its timer (SDM vol. 3, chapter 11). */
#include "internal.h"

#define APIC_BASE_X2APIC  0x400ull
#define APIC_BASE_ENABLE  0x800ull
#define APIC_BASE_ADDRESS 0x000ffffffffff000ull

/* Register offsets; in x2APIC mode the MSR is MSR_X2APIC + offset / 16. */
#define APIC_ID            0x020u
#define APIC_TASK_PRIORITY 0x080u
#define APIC_EOI           0x0b0u
#define APIC_SPURIOUS      0x0f0u
#define APIC_IN_SERVICE    0x100u
#define APIC_ERROR_STATUS  0x280u
#define APIC_LVT_TIMER     0x320u
#define APIC_LVT_LINT0     0x350u
#define APIC_LVT_ERROR     0x370u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_COUNT   0x390u
#define APIC_TIMER_DIVIDE  0x3e0u

#define APIC_ENABLE       0x100u
#define LVT_NMI           0x00400u
#define LVT_MASKED        0x10000u
#define LVT_TSC_DEADLINE  0x40000u
#define TIMER_DIVIDE_BY_1 0xbu

static uint32_t apic_read(uint32_t offset)
{
    volatile uint32_t *apic = this_machine()->apic;
    return apic ? apic[offset / 4] : (uint32_t)read_msr(MSR_X2APIC + offset / 16);
}

static void apic_write(uint32_t offset, uint32_t value)
{
    volatile uint32_t *apic = this_machine()->apic;
    if (apic)
        apic[offset / 4] = value;
    else
        write_msr(MSR_X2APIC + offset / 16, value);
}

void apic_init(struct machine *machine)
{
    uint64_t base = read_msr(MSR_APIC_BASE);
    kernel_boot_keep(base & APIC_BASE_ADDRESS, PAGE_SIZE);
    if (!(base & APIC_BASE_X2APIC)) {
        write_msr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
        machine->apic = device_map(base & APIC_BASE_ADDRESS, PAGE_SIZE);
    }
    apic_write(APIC_SPURIOUS, APIC_ENABLE | VECTOR_SPURIOUS);
    apic_write(APIC_TASK_PRIORITY, 0);
    for (unsigned lint = 0; lint < 2; lint++)
        apic_write(APIC_LVT_LINT0 + 0x10 * lint,
                   lint == machine->boot->interrupts.nmi_lint ? LVT_NMI : LVT_MASKED);
    apic_write(APIC_LVT_ERROR, VECTOR_APIC_ERROR);
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | LVT_MASKED);
    apic_write(APIC_TIMER_DIVIDE, TIMER_DIVIDE_BY_1);
    /* An interrupt the firmware left in service would keep all lower ones out. */
    for (unsigned i = 0; i < 8; i++)
        for (uint32_t served = apic_read(APIC_IN_SERVICE + 0x10 * i); served; served &= served - 1)
            apic_end_of_interrupt();
}

void apic_end_of_interrupt(void)
{
    apic_write(APIC_EOI, 0);
}

void apic_error(void)
{
    apic_write(APIC_ERROR_STATUS, 0); /* latches the errors since the last write */
    kernel_log("local APIC: error %x\n", apic_read(APIC_ERROR_STATUS));
}

uint32_t apic_id(void)
{
    return this_machine()->apic ? apic_read(APIC_ID) >> 24 : apic_read(APIC_ID);
}

void apic_timer_start(uint32_t count)
{
    apic_write(APIC_TIMER_INITIAL, count);
}

uint32_t apic_timer_count(void)
{
    return apic_read(APIC_TIMER_COUNT);
}

void apic_timer_enable(bool deadline)
{
    apic_write(APIC_LVT_TIMER, VECTOR_TIMER | (deadline ? LVT_TSC_DEADLINE : 0));
    /* The mode must be in force before the first deadline is written (11.5.4.1). */
    __asm__ volatile("mfence" : : : "memory");
}

/* One-shot mode may fire early, because a count has but 32 bits; the kernel looks at the clock. */
void arch_timer_set(uint64_t tick)
{
    const struct machine *machine = this_machine();
    if (machine->apic_ticks_per_tsc == 0) {
        write_msr(MSR_TSC_DEADLINE, tick == UINT64_MAX ? 0 : tick);
        return;
    }
    uint64_t count = 0; /* stops it */
    if (tick != UINT64_MAX) {
        uint64_t now = arch_ticks();
        uint64_t wait = tick > now ? tick - now : 0;
        unsigned __int128 product = (unsigned __int128)wait * machine->apic_ticks_per_tsc;
        count = product >> 64 ? UINT32_MAX : ((uint64_t)product >> 32) + 1;
        if (count > UINT32_MAX)
            count = UINT32_MAX;
    }
    apic_timer_start((uint32_t)count);
}
