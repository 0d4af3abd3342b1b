/* SPDX-License-Identifier: MIT */
/* Mapping a page whose page tables exist, and making a thread. */
#include "benchmarks.h"
#include "system_call.h"

#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE_BYTES 4096l

/* The middle of five pages, of which only the first and the last are mapped: they keep the page
 * tables, and are no neighbours that a mapping in the middle would be merged with. */
#define PAGES  5l
#define MIDDLE 2l

static char *hole(void)
{
    char *pages = mmap(NULL, PAGES * PAGE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    must("mapping some pages", pages != MAP_FAILED, -1);
    must("unmapping those between", munmap(pages + PAGE_BYTES, (PAGES - 2) * PAGE_BYTES) == 0, -1);
    return pages + MIDDLE * PAGE_BYTES;
}

static void map_and_unmap(struct samples *samples, long flags, int file)
{
    char *page = hole();

    while (samples_wanted(samples)) {
        uint64_t begin = stamp();
        long mapped = system_call6(SYS_mmap, (long)page, PAGE_BYTES, PROT_READ | PROT_WRITE,
                                   flags | MAP_FIXED, file, 0);
        long unmapped = system_call3(SYS_munmap, (long)page, PAGE_BYTES, 0);
        uint64_t end = stamp();
        must("mapping a page", mapped == (long)page, mapped);
        must("unmapping it", unmapped == 0, unmapped);
        samples_between(samples, begin, end);
    }
    must("unmapping its neighbours", munmap(page - MIDDLE * PAGE_BYTES, PAGES * PAGE_BYTES) == 0,
         -1);
}

/* A page that exists already, in a file of memory. */
void bench_map_memfd(struct samples *samples, unsigned words)
{
    int file = memfd_create("bench", 0);

    (void)words;
    must("making a file of memory", file >= 0, file);
    must("giving it a page", pwrite(file, "", 1, PAGE_BYTES - 1) == 1, -1);
    map_and_unmap(samples, MAP_SHARED | MAP_POPULATE, file);
    close(file);
}

/* A new page, cleared. */
void bench_map_anonymous(struct samples *samples, unsigned words)
{
    (void)words;
    map_and_unmap(samples, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1);
}

/* No page at all: only the right to touch one. */
void bench_map_untouched(struct samples *samples, unsigned words)
{
    (void)words;
    map_and_unmap(samples, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

static void *return_at_once(void *argument)
{
    return argument;
}

void bench_pthread(struct samples *samples, unsigned words)
{
    pthread_attr_t attributes;

    (void)words;
    must("choosing a small stack",
         pthread_attr_init(&attributes) == 0 &&
             pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN) == 0,
         0);
    while (samples_wanted(samples)) {
        pthread_t thread;
        uint64_t begin = stamp();
        int created = pthread_create(&thread, &attributes, return_at_once, NULL);
        int joined = created == 0 ? pthread_join(thread, NULL) : 0;
        uint64_t end = stamp();
        must("creating a thread", created == 0, -created);
        must("joining it", joined == 0, -joined);
        samples_between(samples, begin, end);
    }
}
