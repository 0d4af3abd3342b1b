/* SPDX-License-Identifier: MIT */
/* The command bench: a table of what the bench server measures. */
#include "commands.h"

#include <limen.h>
#include <protocol/bench.h>
#include <protocol/console.h>

static enum limen_error print_conditions(uint32_t service)
{
    char unit[BENCH_CONDITIONS_UNIT_MAX + 1];
    uint64_t overhead, calibration;
    enum limen_error error = bench_conditions(service, unit, &overhead, &calibration);

    if (error != LIMEN_OK)
        return error;
    if (unit[0] != '\0')
        printf("unit: %s\n", unit);
    if (strcmp(unit, "TSC ticks") == 0)
        printf("These are no cycles: nothing here counts those of the processor's core.\n");
    if (unit[0] == '\0')
        printf("unit: the emulator's ticks, which mean nothing; make bench counts instructions\n");
    printf("taken off each sample, for two time stamps: %lu\n", overhead);
    printf("taken off boot_to_init, for calibrating clocks: %lu\n", calibration);
    printf("%-20s %10s %10s %10s %10s %6s\n", "", "min", "p50", "p99", "max", "n");
    return LIMEN_OK;
}

/* Each value that was taken, and how often. */
static enum limen_error print_histogram(uint32_t service, const char *name)
{
    enum limen_error error = LIMEN_OK;

    printf("histogram %s", name);
    for (uint64_t rank = 0, value, count; error == LIMEN_OK; rank += count) {
        error = bench_sample(service, rank, &value, &count);
        if (error == LIMEN_OK)
            printf(" %lu:%lu", value, count);
    }
    printf("\n");
    return error == LIMEN_NOT_FOUND ? LIMEN_OK : error;
}

/* The terminal's own interrupts must not fall into what is measured. */
static enum limen_error run_in_silence(uint32_t service, uint64_t number, const char *name,
                                       bool histogram)
{
    uint64_t min, p50, p99, max, n;

    limen_flush();
    console_flush(limen_lookup("console"));
    enum limen_error error = bench_run(service, number, &min, &p50, &p99, &max, &n);
    if (error == LIMEN_OK)
        printf("%-20s %10lu %10lu %10lu %10lu %6lu\n", name, min, p50, p99, max, n);
    else
        printf("%-20s not measured: %s\n", name, limen_error_text(error));
    return error == LIMEN_OK && histogram ? print_histogram(service, name) : error;
}

int command_bench(int count, char **words)
{
    uint32_t service = limen_lookup("bench");
    const char *only = count > 1 && strcmp(words[1], "all") != 0 ? words[1] : NULL;
    bool histogram = count > 2;
    enum limen_error error;
    bool found = false, failed = false;

    if (histogram && strcmp(words[2], "histogram") != 0) {
        printf("bench: %s is not the word histogram\n", words[2]);
        return STATUS_USAGE;
    }
    error = print_conditions(service);
    for (uint64_t number = 0; error == LIMEN_OK; number++) {
        char name[BENCH_NAME_NAME_MAX + 1];
        error = bench_name(service, number, name);
        if (error != LIMEN_OK || (only != NULL && strcmp(name, only) != 0))
            continue;
        found = true;
        enum limen_error verdict = run_in_silence(service, number, name, histogram);
        failed |= verdict != LIMEN_OK && (only != NULL || verdict != LIMEN_NOT_SUPPORTED);
    }
    if (error != LIMEN_NOT_FOUND)
        return command_failed("bench", error);
    if (!found)
        printf("bench: there is no benchmark %s\n", only);
    return found && !failed ? STATUS_OK : STATUS_FAILED;
}
