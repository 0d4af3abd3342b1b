/* SPDX-License-Identifier: MIT */
/* Mapping a page, and making a thread. */
#include "benchmarks.h"
#include "partner.h"

enum limen_error frame_to_map(uint32_t *slot)
{
    static uint32_t frame;
    enum limen_error error =
        frame != 0 ? LIMEN_OK : limen_make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 1, &frame);

    *slot = frame;
    return error;
}

enum limen_error bench_map_unmap(struct samples *samples)
{
    static uint64_t address;
    uint32_t frame;
    enum limen_error error = frame_to_map(&frame);

    if (address == 0)
        address = limen_addresses_take(1);
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t begin = stamp();
        error = limen_map(frame, LIMEN_SLOT_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                          LIMEN_CACHE_NORMAL);
        if (error == LIMEN_OK)
            error = limen_unmap(frame);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    return error;
}

static void return_at_once(void *argument)
{
    (void)argument;
}

enum limen_error bench_thread_create_join(struct samples *samples)
{
    enum limen_error error = LIMEN_OK;

    while (error == LIMEN_OK && samples_wanted(samples)) {
        struct limen_thread thread;
        uint64_t begin = stamp();
        error = limen_thread_start(&thread, "bench", partner_priority(), return_at_once, NULL,
                                   LIMEN_PAGE_SIZE);
        if (error == LIMEN_OK)
            limen_thread_join(&thread);
        uint64_t end = stamp();
        samples_between(samples, begin, end);
    }
    return error;
}
