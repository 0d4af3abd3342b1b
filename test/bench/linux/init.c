/* SPDX-License-Identifier: MIT */
/* The only program of the Linux guest: prints the conditions it measures in, measures, and ends the
 * machine with a status, in the words and lines of Limen's own command bench. */
#include "benchmarks.h"
#include "partner.h"

#include <errno.h>
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define WARM_UP 16u

#define LAPS      1000u
#define LAPS_LONG 100u

static const struct {
    const char *name; /* Limen's, and the way it is done here */
    benchmark *measure;
    unsigned laps;
    unsigned words;
    int policy; /* of scheduling */
} benchmarks[] = {
    {"null_syscall/getppid", bench_getppid, LAPS, 0, SCHED_OTHER},
    {"ipc_roundtrip_0/futex", bench_futex_roundtrip, LAPS, 0, SCHED_OTHER},
    {"ipc_roundtrip_0/futex-fifo", bench_futex_roundtrip, LAPS, 0, SCHED_FIFO},
    {"ipc_roundtrip_0/pipe", bench_pipe_roundtrip, LAPS, 0, SCHED_OTHER},
    {"ipc_roundtrip_0/pipe-fifo", bench_pipe_roundtrip, LAPS, 0, SCHED_FIFO},
    {"ipc_roundtrip_4/futex", bench_futex_roundtrip, LAPS, 4, SCHED_OTHER},
    {"ipc_roundtrip_4/futex-fifo", bench_futex_roundtrip, LAPS, 4, SCHED_FIFO},
    {"ipc_roundtrip_4/pipe", bench_pipe_roundtrip, LAPS, 4, SCHED_OTHER},
    {"ipc_roundtrip_4/pipe-fifo", bench_pipe_roundtrip, LAPS, 4, SCHED_FIFO},
    {"ipc_roundtrip_8/futex", bench_futex_roundtrip, LAPS, 8, SCHED_OTHER},
    {"ipc_roundtrip_8/futex-fifo", bench_futex_roundtrip, LAPS, 8, SCHED_FIFO},
    {"ipc_roundtrip_8/pipe", bench_pipe_roundtrip, LAPS, 8, SCHED_OTHER},
    {"ipc_roundtrip_8/pipe-fifo", bench_pipe_roundtrip, LAPS, 8, SCHED_FIFO},
    {"ipc_roundtrip_10/futex", bench_futex_roundtrip, LAPS, 10, SCHED_OTHER},
    {"ipc_roundtrip_10/futex-fifo", bench_futex_roundtrip, LAPS, 10, SCHED_FIFO},
    {"ipc_roundtrip_10/pipe", bench_pipe_roundtrip, LAPS, 10, SCHED_OTHER},
    {"ipc_roundtrip_10/pipe-fifo", bench_pipe_roundtrip, LAPS, 10, SCHED_FIFO},
    {"ipc_roundtrip_64/futex", bench_futex_roundtrip, LAPS, WORDS_MAX, SCHED_OTHER},
    {"ipc_roundtrip_64/futex-fifo", bench_futex_roundtrip, LAPS, WORDS_MAX, SCHED_FIFO},
    {"ipc_roundtrip_64/pipe", bench_pipe_roundtrip, LAPS, WORDS_MAX, SCHED_OTHER},
    {"ipc_roundtrip_64/pipe-fifo", bench_pipe_roundtrip, LAPS, WORDS_MAX, SCHED_FIFO},
    {"notify_wake/eventfd-fifo", bench_eventfd_wake, LAPS, 0, SCHED_FIFO},
    {"notify_wake/futex-fifo", bench_futex_wake, LAPS, 0, SCHED_FIFO},
    {"irq_to_user/nanosleep-fifo", bench_nanosleep_wake, LAPS_LONG, 0, SCHED_FIFO},
    {"irq_to_user/timerfd-fifo", bench_timerfd_wake, LAPS_LONG, 0, SCHED_FIFO},
    {"fault_roundtrip/sigsegv", bench_sigsegv, LAPS, 0, SCHED_OTHER},
    {"map_unmap/memfd", bench_map_memfd, LAPS, 0, SCHED_OTHER},
    {"map_unmap/anonymous", bench_map_anonymous, LAPS, 0, SCHED_OTHER},
    {"map_unmap/untouched", bench_map_untouched, LAPS, 0, SCHED_OTHER},
    {"thread_create_join/pthread", bench_pthread, LAPS_LONG, 0, SCHED_OTHER},
    {"thread_create_join/pthread-fifo", bench_pthread, LAPS_LONG, 0, SCHED_FIFO},
    {"context_switch/yield-fifo", bench_yield, LAPS, 0, SCHED_FIFO},
};

/* -- the end of the machine, as ovmf/machine.py understands it -- */

#define DEBUG_EXIT_PORT 0xf4u
#define EXIT_STATUS_0   0x10u

static _Noreturn void end(unsigned status)
{
    fflush(stdout);
    tcdrain(STDOUT_FILENO);
    if (ioperm(DEBUG_EXIT_PORT, 1, 1) == 0)
        outb((unsigned char)(EXIT_STATUS_0 + status), DEBUG_EXIT_PORT);
    for (;;)
        pause();
}

void must(const char *what, bool fine, long result)
{
    if (fine)
        return;
    printf("init: %s failed: %s\n", what,
           result < -1    ? strerror((int)-result)
           : result == -1 ? strerror(errno)
                          : "wrong result");
    end(1);
}

/* -- the conditions -- */

/* Prints a file's first line. */
static void print_file(const char *name, const char *path)
{
    char line[512] = "";
    FILE *file = fopen(path, "r");

    must(path, file != NULL, -1);
    if (fgets(line, sizeof line, file) != NULL)
        line[strcspn(line, "\n")] = '\0';
    fclose(file);
    printf("%s: %s\n", name, line);
}

/* Prints what the kernel calls the first processor. */
static void print_processor(void)
{
    char name[128] = "unknown", line[512];
    FILE *file = fopen("/proc/cpuinfo", "r");

    must("/proc/cpuinfo", file != NULL, -1);
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "model name : %127[^\n]", name) == 1)
            break;
    fclose(file);
    printf("processor: %s\n", name);
}

static void print_vulnerabilities(void)
{
    glob_t found;

    must("listing the vulnerabilities",
         glob("/sys/devices/system/cpu/vulnerabilities/*", 0, NULL, &found) == 0, 0);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        char name[64];
        snprintf(name, sizeof name, "vulnerability %s", strrchr(found.gl_pathv[i], '/') + 1);
        print_file(name, found.gl_pathv[i]);
    }
    globfree(&found);
}

static void mount_at(const char *type, const char *path)
{
    must("making a mount point", mkdir(path, 0700) == 0 || errno == EEXIST, -1);
    must(path, mount(type, path, type, 0, NULL) == 0, -1);
}

static void print_conditions(void)
{
    struct utsname system;
    const char *unit = stamp_unit();

    mount_at("proc", "/proc");
    mount_at("sysfs", "/sys");
    must("uname", uname(&system) == 0, -1);
    printf("system: %s %s %s\n", system.sysname, system.release, system.version);
    print_file("command line", "/proc/cmdline");
    print_processor();
    print_vulnerabilities();
    printf("unit: %s\n", unit[0] != '\0' ? unit : "none");
    printf("taken off each sample, for two time stamps: %lu\n", stamp_overhead());
}

/* -- the figures -- */

static void print_figures(const char *name, struct samples *samples)
{
    struct figures is = samples_figures(samples);

    printf("%-30s %10lu %10lu %10lu %10lu %6lu\n", name, is.min, is.p50, is.p99, is.max, is.n);
    printf("histogram %s", name);
    for (unsigned i = 0, same; i < samples->count; i += same) {
        same = samples_equal(samples, i);
        printf(" %lu:%u", samples->value[i], same);
    }
    printf("\n");
}

static void measure_all(void)
{
    static struct samples samples;

    print_conditions();
    partner_prepare();
    for (unsigned i = 0; i < sizeof benchmarks / sizeof benchmarks[0]; i++) {
        /* The serial port's own interrupts must not fall into what is measured. */
        fflush(stdout);
        tcdrain(STDOUT_FILENO);
        partner_choose(benchmarks[i].policy);
        samples_begin(&samples, WARM_UP, benchmarks[i].laps);
        benchmarks[i].measure(&samples, benchmarks[i].words);
        samples_end(&samples);
        print_figures(benchmarks[i].name, &samples);
    }
    end(0);
}

/* The kernel reports each signal that its first process handles itself, so another one measures.
 * The word "ticks" on the kernel's command line becomes an argument: cycles are not to be counted.
 */
int main(int count, char **words)
{
    int status;
    pid_t measuring = fork();

    must("forking", measuring >= 0, measuring);
    if (measuring == 0) {
        if (count < 2 || strcmp(words[1], "ticks") != 0)
            cycles_open();
        measure_all();
    }
    must("waiting for the measuring process", waitpid(measuring, &status, 0) == measuring, -1);
    printf("init: the measuring process was ended by signal %d\n", WTERMSIG(status));
    end(1);
}
