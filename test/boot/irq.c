/* SPDX-License-Identifier: MIT */
/* Interrupts, from two devices that every PC has: the 8254 timer and the clock with its battery. */
#include "kit.h"

#include <string.h>

#define PIT_LINE      0u
#define PIT_CHANNEL_0 0x40u
#define PIT_COMMAND   0x43u
#define PIT_ONE_SHOT  0x30u /* channel 0, low byte then high byte, mode 0 */
#define PIT_COUNT     1000u

#define RTC_LINE     8u
#define RTC_INDEX    0x70u
#define RTC_DATA     0x71u
#define RTC_STATUS_B 0x0bu
#define RTC_STATUS_C 0x0cu
#define RTC_PERIODIC 0x40u

#define BADGE 0x40ull

/* -- the capability -- */

static enum limen_error issue(uint32_t control, uint64_t line, uint64_t mode, uint64_t untyped,
                              uint64_t to)
{
    return invoke(control, LIMEN_IRQ_CONTROL_ISSUE, (uint64_t[8]){line, mode, untyped, to});
}

TEST(irq, issue_checks_its_arguments)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 12), to = slots(1);
    uint32_t small = make(LIMEN_TYPE_UNTYPED, LIMEN_UNTYPED_ORDER_MIN);
    uint32_t readable = copy_of(IRQ_CONTROL, LIMEN_RIGHT_READ);
    const struct {
        uint32_t control;
        uint64_t line, mode, untyped, to;
        enum limen_error error;
    } refused[] = {
        {IRQ_CONTROL, 100000, 0, untyped, to, LIMEN_OUT_OF_RANGE},
        {IRQ_CONTROL, 1ull << 32, 0, untyped, to, LIMEN_OUT_OF_RANGE},
        {IRQ_CONTROL, UINT64_MAX, 0, untyped, to, LIMEN_OUT_OF_RANGE},
        {IRQ_CONTROL, PIT_LINE, LIMEN_IRQ_LEVEL_LOW + 1, untyped, to, LIMEN_BAD_ARGUMENT},
        {IRQ_CONTROL, PIT_LINE, UINT64_MAX, untyped, to, LIMEN_BAD_ARGUMENT},
        {IRQ_CONTROL, PIT_LINE, 0, to, to, LIMEN_BAD_CAPABILITY},
        {IRQ_CONTROL, PIT_LINE, 0, 0, to, LIMEN_BAD_CAPABILITY},
        {IRQ_CONTROL, PIT_LINE, 0, OWN_TABLE, to, LIMEN_WRONG_TYPE},
        {IRQ_CONTROL, PIT_LINE, 0, small, to, LIMEN_NO_MEMORY},
        {IRQ_CONTROL, PIT_LINE, 0, untyped, untyped, LIMEN_SLOT_OCCUPIED},
        {IRQ_CONTROL, PIT_LINE, 0, untyped, 0, LIMEN_OUT_OF_RANGE},
        {IRQ_CONTROL, PIT_LINE, 0, untyped, NO_SLOT, LIMEN_OUT_OF_RANGE},
        {readable, PIT_LINE, 0, untyped, to, LIMEN_NO_RIGHT},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum limen_error error = issue(refused[i].control, refused[i].line, refused[i].mode,
                                       refused[i].untyped, refused[i].to);
        if (error != refused[i].error)
            fail("row %u: error %u, want %u", i, error, refused[i].error);
        expect(is_empty(to));
    }
    expect_error(limen_call0(IRQ_CONTROL, 0), LIMEN_BAD_OPERATION);
    expect_error(limen_call0(IRQ_CONTROL, 2), LIMEN_BAD_OPERATION);
    expect_ok(issue(IRQ_CONTROL, PIT_LINE, 0, untyped, to));
    expect_equal(inspect(to).type, LIMEN_TYPE_IRQ);
}

TEST(irq, line_has_one_object_at_a_time)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 12), first = slots(2), second = first + 1;
    struct limen_untyped_info info;

    for (unsigned round = 0; round < 3; round++) {
        expect_ok(issue(IRQ_CONTROL, RTC_LINE, 0, untyped, first));
        expect_error(issue(IRQ_CONTROL, RTC_LINE, 0, untyped, second), LIMEN_BUSY);
        expect_ok(issue(IRQ_CONTROL, PIT_LINE, 0, untyped, second));
        expect_ok(limen_delete(OWN_TABLE, first));
        expect_ok(limen_delete(OWN_TABLE, second));
        expect_ok(limen_untyped_info(untyped, &info));
        expect_equal(info.used, 0);
    }
}

TEST(irq, bind_and_ack_check_their_arguments)
{
    uint32_t irq = slots(1), notification = make(LIMEN_TYPE_NOTIFICATION, 0);

    expect_ok(issue(IRQ_CONTROL, RTC_LINE, 0, make(LIMEN_TYPE_UNTYPED, 12), irq));
    expect_error(limen_irq_ack(irq), LIMEN_NOT_CONFIGURED);
    expect_error(limen_irq_bind(irq, slots(1)), LIMEN_BAD_CAPABILITY);
    expect_error(limen_irq_bind(irq, irq), LIMEN_WRONG_TYPE);
    expect_error(limen_irq_bind(irq, copy_of(notification, LIMEN_RIGHT_READ)), LIMEN_NO_RIGHT);
    expect_error(limen_irq_bind(copy_of(irq, LIMEN_RIGHT_READ), notification), LIMEN_NO_RIGHT);
    expect_error(limen_irq_ack(copy_of(irq, LIMEN_RIGHT_READ)), LIMEN_NO_RIGHT);
    expect_error(limen_call0(irq, 0), LIMEN_BAD_OPERATION);
    expect_error(limen_call0(irq, LIMEN_IRQ_ACK + 1), LIMEN_BAD_OPERATION);
    expect_ok(limen_irq_bind(irq, notification));
    expect_ok(limen_irq_ack(irq));
    expect_ok(limen_irq_bind(irq, 0));
    expect_error(limen_irq_ack(irq), LIMEN_NOT_CONFIGURED);
}

/* An object of an interrupt is small; the memory behind it is as dirty as before, and must be clear
 * in a frame made of it. */
TEST(irq, leaves_no_dirty_memory_behind)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 14), frame = slots(2), irq = frame + 1;
    uint64_t address = addresses(LIMEN_PAGE_ORDER + 2);

    expect_ok(limen_retype(untyped, LIMEN_TYPE_UNTYPED, 13, frame, 1));
    expect_ok(limen_delete(OWN_TABLE, frame));
    for (unsigned i = 0; i < 2; i++) {
        if (i == 1)
            expect_ok(issue(IRQ_CONTROL, RTC_LINE, 0, untyped, irq));
        uint32_t frames = slots(3);
        unsigned count = i == 1 ? 3 : 3;
        expect_ok(limen_retype(untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, count));
        for (unsigned j = 0; j < count; j++) {
            uint64_t *memory = (uint64_t *)(address + j * LIMEN_PAGE_SIZE);
            expect_ok(limen_map(frames + j, OWN_SPACE, (uint64_t)memory,
                                LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE, LIMEN_CACHE_NORMAL));
            for (unsigned k = 0; k < LIMEN_PAGE_SIZE / 8; k++)
                expect_equal(memory[k], 0);
            memset(memory, 0xd1, LIMEN_PAGE_SIZE);
            expect_ok(limen_delete(OWN_TABLE, frames + j));
        }
    }
}

/* -- the timer -- */

static uint32_t irq, notification, badged;

static void port_out(uint16_t port, uint8_t value)
{
    expect_ok(limen_port_out(PORTS, port, 1, value));
}

static uint8_t port_in(uint16_t port)
{
    uint32_t value;
    expect_ok(limen_port_in(PORTS, port, 1, &value));
    return (uint8_t)value;
}

static void take(uint64_t line)
{
    irq = slots(1);
    notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    expect_ok(issue(IRQ_CONTROL, line, 0, make(LIMEN_TYPE_UNTYPED, 12), irq));
    expect_ok(limen_irq_bind(irq, minted(notification, LIMEN_RIGHT_WRITE, BADGE)));
}

static uint64_t poll(void)
{
    struct message message = {0};
    enum limen_error error =
        transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, notification, 0, LIMEN_FOREVER, &message);
    return error == LIMEN_WOULD_BLOCK ? 0 : message.badge;
}

static void wait_for_irq(void)
{
    struct message message = {0};
    expect_ok(transfer(LIMEN_SYS_WAIT, notification, 0, LIMEN_FOREVER, &message));
    expect_equal(message.badge, BADGE);
}

/* The command alone holds the line down: nothing more comes until the count is written. */
static void silence_timer(void)
{
    port_out(PIT_COMMAND, PIT_ONE_SHOT);
}

static void start_timer(void)
{
    port_out(PIT_CHANNEL_0, PIT_COUNT & 0xff);
    port_out(PIT_CHANNEL_0, PIT_COUNT >> 8);
}

TEST(irq, timer_s_interrupt_is_a_notification)
{
    take(PIT_LINE);
    silence_timer();
    poll(); /* what the firmware may have left running */
    expect_ok(limen_irq_ack(irq));
    for (unsigned i = 0; i < 5; i++) {
        expect_equal(poll(), 0);
        start_timer();
        wait_for_irq();
        silence_timer();
        expect_ok(limen_irq_ack(irq));
    }
}

/* It interrupts a thread that spins in ring 3, and runs its driver at once. */
static volatile bool driven;

static void wait_and_tell(void *unused)
{
    (void)unused;
    wait_for_irq();
    driven = true;
}

TEST(irq, preempts_a_spinning_thread)
{
    take(PIT_LINE);
    silence_timer();
    poll();
    expect_ok(limen_irq_ack(irq));
    driven = false;
    spawn(HIGHER, wait_and_tell, NULL);
    start_timer();
    while (!driven)
        ; /* ends only by preemption */
    silence_timer();
}

/* A driver that waits for requests takes its interrupts in the same wait. */
static uint32_t endpoint;
static struct message taken;

static void drive(void *unused)
{
    (void)unused;
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, 0, LIMEN_FOREVER, &taken));
}

TEST(irq, reaches_a_driver_that_waits_for_requests)
{
    struct worker *driver = new_worker(HIGHER);

    take(PIT_LINE);
    silence_timer();
    poll();
    expect_ok(limen_irq_ack(irq));
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    expect_ok(limen_thread_bind(driver->thread, notification));
    start(driver, drive, NULL);
    start_timer();
    join(driver);
    expect_equal(taken.badge, BADGE);
    expect_equal(taken.tag, LIMEN_TAG_NOTIFICATION);
    silence_timer();
}

/* Without anybody bound, or with the object gone, an interrupt ends in the kernel. */
TEST(irq, nobody_s_interrupt_does_no_harm)
{
    take(PIT_LINE);
    silence_timer();
    poll();
    expect_ok(limen_irq_bind(irq, 0));
    start_timer();
    uint64_t end = now() + 5000000; /* some five times the timer's count */
    while (now() < end)
        ;
    expect_equal(poll(), 0);
    expect_ok(limen_revoke(OWN_TABLE, notification));
    expect_ok(limen_delete(OWN_TABLE, notification));
    expect_ok(limen_delete(OWN_TABLE, irq));
    silence_timer();
    start_timer();
    end = now() + 5000000;
    while (now() < end)
        ;
    silence_timer();
}

/* -- in flight: the processor has it, and the kernel is taking away what it is for -- */

#define FLIGHT_COUNT 4u     /* of the timer's, before its interrupt */
#define FLIGHT_NS    30000u /* when it has long come */
#define FLIGHTS      400u
#define FLIGHT_STEP  16u /* turns of a loop more before each, so that it comes everywhere */

static void revoke_notification(void)
{
    expect_ok(limen_revoke(OWN_TABLE, notification));
}

static void unbind(void)
{
    expect_ok(limen_irq_bind(irq, 0));
}

static void delete_irq(void)
{
    expect_ok(limen_delete(OWN_TABLE, irq));
}

/* The timer's interrupt comes before, while and after its way is taken away, and in no case is
 * anything signalled once it is.  Where instructions are counted all three cases are met. */
static void expect_no_signal_after(void (*take_away)(void))
{
    uint64_t came = counter(LIMEN_COUNTER_SPURIOUS_IRQS);
    unsigned in_time = 0;

    for (unsigned i = 0; i < FLIGHTS; i++) {
        uint32_t memory = make(LIMEN_TYPE_UNTYPED, 8);
        expect_ok(limen_retype(memory, LIMEN_TYPE_NOTIFICATION, 0, notification, 1));
        expect_ok(limen_mint(OWN_TABLE, badged, 0, notification, LIMEN_RIGHT_WRITE, BADGE));
        expect_ok(issue(IRQ_CONTROL, PIT_LINE, 0, memory, irq));
        silence_timer();
        expect_ok(limen_irq_bind(irq, badged));
        poll();
        uint64_t end = now() + FLIGHT_NS;
        port_out(PIT_CHANNEL_0, FLIGHT_COUNT);
        port_out(PIT_CHANNEL_0, 0);
        for (volatile unsigned turn = 0; turn < i * FLIGHT_STEP; turn++)
            ;
        take_away();
        in_time += poll() != 0;
        while (now() < end)
            ;
        expect_equal(poll(), 0);
        expect_ok(limen_revoke(OWN_TABLE, memory));
        expect_ok(limen_delete(OWN_TABLE, memory));
    }
    silence_timer();
    uint64_t in_flight = counter(LIMEN_COUNTER_SPURIOUS_IRQS) - came;
    expect(in_time > 0 && in_flight > 0 && in_time + in_flight < FLIGHTS);
}

static void fly(void (*take_away)(void))
{
    irq = slots(1);
    notification = slots(1);
    badged = slots(1);
    expect_no_signal_after(take_away);
}

TEST(long, interrupt_in_flight_when_its_notification_is_revoked)
{
    fly(revoke_notification);
}

TEST(long, interrupt_in_flight_when_it_is_unbound)
{
    fly(unbind);
}

TEST(long, interrupt_in_flight_when_its_object_dies)
{
    fly(delete_irq);
}

/* -- the clock: an interrupt that must be read away in the device -- */

static uint8_t rtc_read(uint8_t index)
{
    port_out(RTC_INDEX, index);
    return port_in(RTC_DATA);
}

static void rtc_write(uint8_t index, uint8_t value)
{
    port_out(RTC_INDEX, index);
    port_out(RTC_DATA, value);
}

TEST(irq, clock_interrupts_again_and_again)
{
    uint8_t status = rtc_read(RTC_STATUS_B);

    take(RTC_LINE);
    rtc_read(RTC_STATUS_C);
    poll();
    expect_ok(limen_irq_ack(irq));
    rtc_write(RTC_STATUS_B, status | RTC_PERIODIC);
    /* QEMU's I/O APIC takes a period that ends before the status is read for another edge, so there
     * can be interrupts without a cause. */
    for (unsigned served = 0; served < 5;) {
        wait_for_irq();
        if (rtc_read(RTC_STATUS_C) & RTC_PERIODIC)
            served++;
        expect_ok(limen_irq_ack(irq));
    }
    rtc_write(RTC_STATUS_B, status);
    rtc_read(RTC_STATUS_C);
}
