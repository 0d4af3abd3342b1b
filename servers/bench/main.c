/* SPDX-License-Identifier: MIT */
/* The bench server: measures the kernel from where it is used, and answers with figures. */
#include "benchmarks.h"
#include "load.h"
#include "partner.h"

#include <protocol/bench.h>

#define WARM_UP 16u

const struct benchmark_entry benchmarks[] = {
    {"null_syscall", bench_null_syscall, 1000},
    {"ipc_roundtrip_0", bench_roundtrip_0, 1000},
    {"ipc_roundtrip_4", bench_roundtrip_4, 1000},
    {"ipc_roundtrip_8", bench_roundtrip_8, 1000},
    {"ipc_roundtrip_10", bench_roundtrip_10, 1000},
    {"ipc_roundtrip_64", bench_roundtrip_64, 1000},
    {"ipc_roundtrip_same_0", bench_roundtrip_same_0, 1000},
    {"notify_wake", bench_notify_wake, 1000},
    {"irq_to_user", bench_irq_to_user, 100},
    {"fault_roundtrip", bench_fault_roundtrip, 1000},
    {"map_unmap", bench_map_unmap, 1000},
    {"thread_create_join", bench_thread_create_join, 100},
    {"context_switch", bench_context_switch, 1000},
    {"max_irqs_off", bench_max_irqs_off, 1},
    {"boot_to_init", bench_boot_to_init, 1},
    {NULL, NULL, 0},
};

enum limen_error benchmark_run(const struct benchmark_entry *entry, struct samples *samples)
{
    samples_begin(samples, entry->laps > 1 ? WARM_UP : 0, entry->laps);
    enum limen_error error = entry->measure(samples);
    samples_end(samples);
    return error;
}

static enum limen_error find(uint64_t number, const struct benchmark_entry **entry)
{
    if (number >= sizeof benchmarks / sizeof benchmarks[0] - 1)
        return LIMEN_NOT_FOUND;
    *entry = &benchmarks[number];
    return LIMEN_OK;
}

static enum limen_error get_name(struct limen_request *request, uint64_t number,
                                 char name[BENCH_NAME_NAME_MAX + 1])
{
    const struct benchmark_entry *entry;
    enum limen_error error = find(number, &entry);

    (void)request;
    if (error == LIMEN_OK)
        snprintf(name, BENCH_NAME_NAME_MAX + 1, "%s", entry->name);
    return error;
}

static enum limen_error conditions(struct limen_request *request,
                                   char unit[BENCH_CONDITIONS_UNIT_MAX + 1], uint64_t *overhead,
                                   uint64_t *calibration)
{
    (void)request;
    snprintf(unit, BENCH_CONDITIONS_UNIT_MAX + 1, "%s", stamp_unit());
    *overhead = stamp_overhead();
    *calibration = calibration_ticks();
    return LIMEN_OK;
}

/* Of the last run. */
static struct samples samples;

static enum limen_error run(struct limen_request *request, uint64_t number, uint64_t *min,
                            uint64_t *p50, uint64_t *p99, uint64_t *max, uint64_t *n)
{
    const struct benchmark_entry *entry;
    enum limen_error error = find(number, &entry);

    (void)request;
    if (error != LIMEN_OK)
        return error;
    load_begin();
    error = benchmark_run(entry, &samples);
    load_end();
    if (error != LIMEN_OK)
        return error;
    struct figures figures = samples_figures(&samples);
    *min = figures.min;
    *p50 = figures.p50;
    *p99 = figures.p99;
    *max = figures.max;
    *n = figures.n;
    return LIMEN_OK;
}

static enum limen_error sample(struct limen_request *request, uint64_t rank, uint64_t *value,
                               uint64_t *count)
{
    (void)request;
    if (rank >= samples.count)
        return LIMEN_NOT_FOUND;
    *value = samples.value[rank];
    *count = samples_equal(&samples, (unsigned)rank);
    return LIMEN_OK;
}

int main(void)
{
    const struct bench_handlers handlers = {
        .conditions = conditions,
        .name = get_name,
        .run = run,
        .sample = sample,
    };

    limen_must("preparing a second address space", partner_prepare());
    limen_must("making what the boot options ask for", load_prepare());
    timer_silence();
    bench_serve(&handlers);
}
