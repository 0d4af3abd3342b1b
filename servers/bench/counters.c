/* SPDX-License-Identifier: MIT */
/* What only the kernel can measure. */
#include "benchmarks.h"
#include "partner.h"

static enum limen_error read_counter(enum limen_counter counter, uint64_t *value)
{
    uint32_t kernel = limen_lookup("counters");
    return kernel != 0 ? limen_counter(kernel, counter, value) : LIMEN_NOT_SUPPORTED;
}

uint64_t calibration_ticks(void)
{
    uint64_t ticks;
    return read_counter(LIMEN_COUNTER_CALIBRATION, &ticks) == LIMEN_OK ? ticks : 0;
}

bool core_cycles(uint64_t *cycles)
{
    return read_counter(LIMEN_COUNTER_CORE_CYCLES, cycles) == LIMEN_OK;
}

/* How many cycles a tick had at the boot, nobody knows: where the others are in cycles, it is not
 * measured. */
enum limen_error bench_boot_to_init(struct samples *samples)
{
    uint64_t boot = 0, init = 0, cycles;
    enum limen_error error =
        core_cycles(&cycles) ? LIMEN_NOT_SUPPORTED : read_counter(LIMEN_COUNTER_BOOT_TSC, &boot);

    if (error == LIMEN_OK)
        error = read_counter(LIMEN_COUNTER_INIT_TSC, &init);
    if (error == LIMEN_OK)
        samples_add(samples, init - boot - calibration_ticks());
    return error;
}

/* -- the longest stretch with interrupts off -- */

#define BLOCK_ORDER  18u
#define BLOCK_FRAMES (1u << (BLOCK_ORDER - LIMEN_PAGE_ORDER))

/* The long operations: clearing memory, and taking away what was made from it, mapped. */
static enum limen_error make_and_revoke(void)
{
    uint32_t untyped = 0, frames = limen_slots_take(BLOCK_FRAMES);
    uint64_t address = limen_addresses_take(BLOCK_FRAMES);
    enum limen_error error =
        frames == 0 || address == 0 ? LIMEN_LIMIT : limen_untyped_take(BLOCK_ORDER, &untyped);

    if (error != LIMEN_OK)
        return error;
    error = limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, BLOCK_FRAMES);
    if (error == LIMEN_OK)
        error = limen_map_frames(LIMEN_SLOT_SPACE, frames, BLOCK_FRAMES, address,
                                 LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    limen_revoke(LIMEN_SLOT_TABLE, untyped);
    limen_untyped_give(untyped, BLOCK_ORDER);
    limen_addresses_give(address, BLOCK_FRAMES);
    limen_slots_give(frames, BLOCK_FRAMES);
    return error;
}

/* Over a load of everything else that is measured here and the long operations. */
enum limen_error bench_max_irqs_off(struct samples *samples)
{
    static struct samples others;
    uint32_t kernel = limen_lookup("counters");
    uint64_t longest;
    enum limen_error error = read_counter(LIMEN_COUNTER_MAX_IRQS_OFF, &longest);

    if (error == LIMEN_OK)
        error = limen_counter_reset(kernel, LIMEN_COUNTER_MAX_IRQS_OFF);
    for (unsigned i = 0; error == LIMEN_OK && benchmarks[i].name != NULL; i++)
        if (benchmarks[i].measure != bench_max_irqs_off)
            error = benchmark_run(&benchmarks[i], &others);
    if (error == LIMEN_OK)
        error = make_and_revoke();
    if (error == LIMEN_OK)
        error = limen_counter(kernel, LIMEN_COUNTER_MAX_IRQS_OFF, &longest);
    if (error == LIMEN_OK)
        samples_add(samples, longest);
    return error;
}
