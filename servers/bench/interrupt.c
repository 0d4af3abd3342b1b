/* SPDX-License-Identifier: MIT */
/*
 * From a device's interrupt to its driver.
 *
 * The device is the 8254 timer, counting down once.  Meanwhile the partner, in the other address
 * space and one priority lower, reads the time-stamp counter over and over: when the interrupt has
 * stopped it, its registers hold the last stamp it took and its RIP tells how many of its two
 * instructions came after that.  So the tick at which the interrupt was delivered is known to the
 * instruction, without any help from the kernel.
 */
#include "benchmarks.h"
#include "partner.h"

/* The 8254, Intel 231164: channel 0 at its own port, both bytes of the count, mode 0 (one edge when
 * the count has come to zero). */
#define PIT_COUNTER 0x40u
#define PIT_CONTROL 0x43u
#define PIT_ONCE    0x30u

/* Counts of 838 ns.  A driver is back in its wait long before this many have passed. */
#define PIT_COUNT 100u

#define PIT_PATIENCE_NS 1000000000ull

__attribute__((naked)) static void read_stamps(struct shared *shared)
{
    __asm__("1: rdtsc\n\t"
            "jmp 1b");
}

static enum limen_error count_down(uint32_t ports)
{
    enum limen_error error = limen_port_out(ports, PIT_CONTROL, 1, PIT_ONCE);

    if (error == LIMEN_OK)
        error = limen_port_out(ports, PIT_COUNTER, 1, PIT_COUNT & 0xff);
    if (error == LIMEN_OK)
        error = limen_port_out(ports, PIT_COUNTER, 1, PIT_COUNT >> 8);
    return error;
}

/* Counts down once, which ends whatever the firmware had the timer do. */
void timer_silence(void)
{
    const struct limen_binding *ports = limen_binding("pit", LIMEN_GRANT_PORTS);

    if (ports != NULL)
        count_down(ports->slot);
}

/* A machine may have the timer and yet not let it interrupt. */
static enum limen_error try_timer(uint32_t ports, uint32_t irq)
{
    uint64_t bits;
    enum limen_error error = count_down(ports);

    if (error == LIMEN_OK)
        error =
            limen_wait_notification(LIMEN_SLOT_NOTIFICATION, limen_now() + PIT_PATIENCE_NS, &bits);
    if (error == LIMEN_OK)
        error = limen_irq_ack(irq);
    return error == LIMEN_TIMED_OUT ? LIMEN_NOT_SUPPORTED : error;
}

/* Stops the partner where the interrupt left it; the tick of the instruction it would have executed
 * next, in place of which the kernel's first was. */
static enum limen_error delivery(uint64_t *tick)
{
    struct limen_regs regs;
    enum limen_error error = limen_thread_suspend(partner_thread());

    if (error == LIMEN_OK)
        error = limen_thread_get_regs(partner_thread(), &regs);
    if (error != LIMEN_OK)
        return error;
    *tick = (regs.rdx << 32 | regs.rax) + (regs.rip == (uint64_t)read_stamps ? 2 : 1);
    return limen_thread_resume(partner_thread());
}

enum limen_error bench_irq_to_user(struct samples *samples)
{
    const struct limen_binding *ports = limen_binding("pit", LIMEN_GRANT_PORTS);
    const struct limen_binding *irq = limen_binding("pit", LIMEN_GRANT_INTERRUPT);
    enum limen_error error =
        ports != NULL && irq != NULL ? try_timer(ports->slot, irq->slot) : LIMEN_NOT_SUPPORTED;

    if (error == LIMEN_OK)
        error = partner_start(PARTNER_ELSEWHERE, 1, LIMEN_SLOT_SUPERVISOR, read_stamps);
    if (error != LIMEN_OK)
        return error;
    while (error == LIMEN_OK && samples_wanted(samples)) {
        uint64_t bits, delivered = 0;
        error = count_down(ports->slot);
        if (error == LIMEN_OK)
            error = limen_wait_notification(LIMEN_SLOT_NOTIFICATION, LIMEN_FOREVER, &bits);
        uint64_t end = stamp();
        if (error == LIMEN_OK)
            error = limen_irq_ack(irq->slot);
        if (error == LIMEN_OK)
            error = delivery(&delivered);
        if (error == LIMEN_OK)
            samples_add(samples, end - delivered);
    }
    partner_stop();
    return error;
}
