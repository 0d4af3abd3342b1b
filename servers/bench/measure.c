/* SPDX-License-Identifier: MIT */
#include "measure.h"

#define OVERHEAD_TRIES 100u

uint64_t stamp_overhead(void)
{
    static uint64_t least;

    if (least != 0)
        return least;
    least = UINT64_MAX;
    for (unsigned i = 0; i < OVERHEAD_TRIES; i++) {
        uint64_t begin = stamp();
        uint64_t end = stamp();
        if (end - begin < least)
            least = end - begin;
    }
    return least;
}

/* -- from ticks to cycles -- */

#define CYCLES_MASK ((1ull << 40) - 1) /* what the narrowest counters have */
#define RATIO_SHIFT 20u

static struct moment moment_now(void)
{
    struct moment now = {.ticks = stamp()};

    now.counts_cycles = core_cycles(&now.cycles);
    return now;
}

void samples_begin(struct samples *samples, unsigned warm_up, unsigned wanted)
{
    samples->warm_up = warm_up;
    samples->wanted = wanted;
    samples->count = 0;
    samples->began = moment_now();
}

void samples_end(struct samples *samples)
{
    const struct moment began = samples->began, now = moment_now();

    if (!began.counts_cycles || !now.counts_cycles || now.ticks <= began.ticks)
        return;
    uint64_t cycles = (now.cycles - began.cycles) & CYCLES_MASK;
    uint64_t ratio = (cycles << RATIO_SHIFT) / (now.ticks - began.ticks);
    for (unsigned i = 0; i < samples->count; i++)
        samples->value[i] = samples->value[i] * ratio >> RATIO_SHIFT;
}

/* -- the figures -- */

/* Shell's sort, with gaps 3 n + 1: short, and quick enough for a thousand. */
static void sort(uint64_t *value, unsigned count)
{
    unsigned gap = 1;

    while (gap < count / 3)
        gap = gap * 3 + 1;
    for (; gap > 0; gap /= 3) {
        for (unsigned i = gap; i < count; i++) {
            uint64_t moving = value[i];
            unsigned at = i;
            for (; at >= gap && value[at - gap] > moving; at -= gap)
                value[at] = value[at - gap];
            value[at] = moving;
        }
    }
}

/* The smallest sample that at least `percent` of all do not exceed. */
static uint64_t percentile(const struct samples *samples, unsigned percent)
{
    return samples->value[(samples->count * percent + 99) / 100 - 1];
}

struct figures samples_figures(struct samples *samples)
{
    sort(samples->value, samples->count);
    return (struct figures){
        .min = samples->value[0],
        .p50 = percentile(samples, 50),
        .p99 = percentile(samples, 99),
        .max = samples->value[samples->count - 1],
        .n = samples->count,
    };
}

unsigned samples_equal(const struct samples *samples, unsigned rank)
{
    unsigned end = rank;

    while (end < samples->count && samples->value[end] == samples->value[rank])
        end++;
    return end - rank;
}

/* -- what is counted -- */

#define KNOWN_INSTRUCTIONS 1000u
#define KNOWN_TRIES        3u

/* Does the counter advance by one for each instruction?  No processor that counts time does, three
 * times over. */
static bool counts_instructions(void)
{
    for (unsigned i = 0; i < KNOWN_TRIES; i++) {
        uint64_t begin = stamp();
        __asm__ volatile(".rept %c0; nop; .endr" : : "i"(KNOWN_INSTRUCTIONS));
        uint64_t end = stamp();
        if (end - begin - stamp_overhead() != KNOWN_INSTRUCTIONS)
            return false;
    }
    return true;
}

#define CPUID_FEATURES            1u
#define CPUID_FEATURES_HYPERVISOR (1u << 31) /* of ECX */
#define CPUID_HYPERVISOR          0x40000000u

struct cpuid {
    uint32_t eax, ebx, ecx, edx;
};

static struct cpuid cpuid(uint32_t leaf)
{
    struct cpuid is;
    __asm__("cpuid" : "=a"(is.eax), "=b"(is.ebx), "=c"(is.ecx), "=d"(is.edx) : "a"(leaf), "c"(0));
    return is;
}

/* QEMU's software emulator names itself where a hypervisor would. */
static bool is_emulated(void)
{
    char name[12];

    if (!(cpuid(CPUID_FEATURES).ecx & CPUID_FEATURES_HYPERVISOR))
        return false;
    struct cpuid is = cpuid(CPUID_HYPERVISOR);
    memcpy(name, &is.ebx, 4);
    memcpy(name + 4, &is.ecx, 4);
    memcpy(name + 8, &is.edx, 4);
    return memcmp(name, "TCGTCGTCGTCG", sizeof name) == 0;
}

const char *stamp_unit(void)
{
    uint64_t cycles;

    if (counts_instructions())
        return "instructions";
    if (is_emulated())
        return "";
    return core_cycles(&cycles) ? "cycles" : "TSC ticks";
}
