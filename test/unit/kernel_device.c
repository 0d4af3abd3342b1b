/* SPDX-License-Identifier: MIT */
/* Interrupt lines and I/O ports. */
#include "world.h"

#define INIT    LIMEN_INIT_TABLE
#define CONTROL LIMEN_INIT_IRQ_CONTROL
#define PORTS   LIMEN_INIT_PORTS

static enum limen_error issue(uint64_t line, uint64_t mode, uint64_t untyped, uint64_t to)
{
    return OP(CONTROL, LIMEN_IRQ_CONTROL_ISSUE, line, mode, untyped, to);
}

static unsigned line(unsigned number)
{
    unsigned to = fresh();
    assert_int_equal(issue(number, LIMEN_IRQ_LEVEL_LOW, world.untyped, to), LIMEN_OK);
    return to;
}

static unsigned bits_with_badge(uint64_t badge)
{
    return minted(make(LIMEN_TYPE_NOTIFICATION, 0), badge);
}

static uint64_t bits_of(unsigned slot)
{
    return ((struct notification *)object_at(slot))->bits;
}

/* -- interrupts -- */

static void test_issue(void **state)
{
    (void)state;
    unsigned irq = line(9);
    assert_int_equal(slot_at(irq)->type, LIMEN_TYPE_IRQ);
    assert_true(host.irqs[9].attached);
    assert_false(host.irqs[9].unmasked);
    assert_int_equal(host.irqs[9].mode, LIMEN_IRQ_LEVEL_LOW);
    assert_int_equal(issue(9, 0, world.untyped, fresh()), LIMEN_BUSY);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, irq);
    assert_false(host.irqs[9].attached);
    line(9);
}

static void test_issue_refuses(void **state)
{
    (void)state;
    unsigned small = make(LIMEN_TYPE_UNTYPED, 6), full = make(LIMEN_TYPE_UNTYPED, 7);
    unsigned weak = copy_of(CONTROL, LIMEN_RIGHT_READ);
    make_from(full, LIMEN_TYPE_REPLY, 0);
    unsigned to = fresh();
    assert_int_equal(issue(HOST_IRQS, 0, world.untyped, to), LIMEN_OUT_OF_RANGE);
    assert_int_equal(issue(UINT64_MAX, 0, world.untyped, to), LIMEN_OUT_OF_RANGE);
    assert_int_equal(issue(1, 3, world.untyped, to), LIMEN_BAD_ARGUMENT);
    assert_int_equal(issue(1, 0, to, to), LIMEN_BAD_CAPABILITY);
    assert_int_equal(issue(1, 0, CONTROL, to), LIMEN_WRONG_TYPE);
    assert_int_equal(issue(1, 0, world.device, to), LIMEN_WRONG_TYPE);
    assert_int_equal(issue(1, 0, world.untyped, INIT), LIMEN_SLOT_OCCUPIED);
    assert_int_equal(issue(1, 0, world.untyped, 0), LIMEN_OUT_OF_RANGE);
    assert_int_equal(issue(1, 0, world.untyped, UINT64_MAX), LIMEN_OUT_OF_RANGE);
    assert_int_equal(issue(1, 0, small, to), LIMEN_NO_MEMORY);
    assert_int_equal(issue(1, 0, full, to), LIMEN_NO_MEMORY);
    EXPECT(NO_RIGHT, weak, LIMEN_IRQ_CONTROL_ISSUE, 1, 0, world.untyped, to);
    EXPECT(BAD_OPERATION, CONTROL, 2, 0);
    host.irq_error = LIMEN_NOT_FOUND;
    assert_int_equal(issue(1, 0, world.untyped, to), LIMEN_NOT_FOUND);
    host.irq_error = LIMEN_OK;
    assert_true(slot_is_empty(slot_at(to)));
    assert_int_equal(issue(1, 0, world.untyped, to), LIMEN_OK);
}

/* Memory whose objects have gone is dirty, whatever was said of it before. */
static void test_issue_from_memory_used_before(void **state)
{
    (void)state;
    unsigned memory = make(LIMEN_TYPE_UNTYPED, 14);
    unsigned frame = make_from(memory, LIMEN_TYPE_FRAME, 12);
    memset(object_at(frame), HOST_DIRT, LIMEN_PAGE_SIZE);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, frame);
    unsigned irq = fresh();
    assert_int_equal(issue(3, 0, memory, irq), LIMEN_OK);
    assert_ptr_equal(object_at(irq), object_at(memory));
    unsigned table = make_from(memory, LIMEN_TYPE_TABLE, 4);
    for (unsigned i = 1; i < 16; i++) {
        EXPECT(OK, table, LIMEN_TABLE_INSPECT, i);
        assert_int_equal(result(0), LIMEN_TYPE_NONE);
    }
}

static void test_interrupt_becomes_bits(void **state)
{
    (void)state;
    unsigned irq = line(4), bits = bits_with_badge(0x10), other = bits_with_badge(0x20);
    kernel_irq(4);
    assert_int_equal(host_cpu->counters[LIMEN_COUNTER_SPURIOUS_IRQS], 1);
    EXPECT(NOT_CONFIGURED, irq, LIMEN_IRQ_ACK, 0);
    EXPECT(OK, irq, LIMEN_IRQ_BIND, bits);
    assert_true(host.irqs[4].unmasked);
    kernel_irq(4);
    kernel_irq(4);
    assert_int_equal(bits_of(bits), 0x10);
    host.irqs[4].unmasked = false; /* as the interrupt's entry leaves a level-triggered line */
    EXPECT(OK, irq, LIMEN_IRQ_ACK, 0);
    assert_true(host.irqs[4].unmasked);
    EXPECT(OK, irq, LIMEN_IRQ_BIND, other);
    kernel_irq(4);
    assert_int_equal(bits_of(other), 0x20);
    EXPECT(OK, irq, LIMEN_IRQ_BIND, 0);
    assert_false(host.irqs[4].unmasked);
    kernel_irq(4);
    assert_int_equal(host_cpu->counters[LIMEN_COUNTER_SPURIOUS_IRQS], 2);
}

static void test_lines_nobody_has(void **state)
{
    (void)state;
    kernel_irq(7);
    kernel_irq(IRQ_LINES);
    kernel_irq(UINT32_MAX);
    assert_int_equal(host_cpu->counters[LIMEN_COUNTER_SPURIOUS_IRQS], 3);
}

static void test_bind_refuses(void **state)
{
    (void)state;
    unsigned irq = line(4), bits = bits_with_badge(1);
    EXPECT(BAD_CAPABILITY, irq, LIMEN_IRQ_BIND, fresh());
    EXPECT(WRONG_TYPE, irq, LIMEN_IRQ_BIND, irq);
    EXPECT(NO_RIGHT, irq, LIMEN_IRQ_BIND, copy_of(bits, LIMEN_RIGHT_READ));
    EXPECT(NO_RIGHT, copy_of(irq, LIMEN_RIGHT_READ), LIMEN_IRQ_BIND, bits);
    EXPECT(NO_RIGHT, copy_of(irq, LIMEN_RIGHT_READ), LIMEN_IRQ_ACK, 0);
    EXPECT(BAD_OPERATION, irq, 3, 0);
    assert_false(host.irqs[4].unmasked);
}

static void test_notification_that_is_revoked(void **state)
{
    (void)state;
    unsigned irq = line(4), bits = bits_with_badge(1);
    EXPECT(OK, irq, LIMEN_IRQ_BIND, bits);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, bits);
    assert_false(host.irqs[4].unmasked);
    EXPECT(NOT_CONFIGURED, irq, LIMEN_IRQ_ACK, 0);
}

/* The line keeps its notification alive, and takes it along when it goes. */
static void test_last_holder_of_a_notification(void **state)
{
    (void)state;
    unsigned irq = line(4), root = make(LIMEN_TYPE_NOTIFICATION, 0), bits = minted(root, 1);
    EXPECT(OK, irq, LIMEN_IRQ_BIND, bits);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, bits);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, root);
    kernel_irq(4);
    unsigned seen = check_seen();
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, irq);
    assert_int_equal(check_seen(), seen - 2);
    assert_null(host_cpu->dying);
}

/* -- ports -- */

static const struct host_port_access *last_access(void)
{
    assert_int_not_equal(host.port_accesses, 0);
    return &host.ports[host.port_accesses - 1];
}

static void assert_access(uint16_t port, unsigned bytes, bool out, uint32_t value)
{
    assert_int_equal(last_access()->port, port);
    assert_int_equal(last_access()->bytes, bytes);
    assert_int_equal(last_access()->out, out);
    assert_int_equal(last_access()->value, value);
}

static unsigned narrowed(uint16_t first, uint16_t last)
{
    unsigned to = fresh();
    EXPECT(OK, PORTS, LIMEN_PORTS_NARROW, first, last, to);
    return to;
}

static void test_port_access(void **state)
{
    (void)state;
    host.port_value = 0xabcd;
    EXPECT(OK, PORTS, LIMEN_PORTS_IN, 0x60, 2);
    assert_int_equal(result(0), 0xabcd);
    assert_access(0x60, 2, false, 0xabcd);
    EXPECT(OK, PORTS, LIMEN_PORTS_OUT, 0xcf8, 4, 0x80000000);
    assert_access(0xcf8, 4, true, 0x80000000);
    EXPECT(OK, PORTS, LIMEN_PORTS_OUT, 0xffff, 1, 7);
    assert_access(0xffff, 1, true, 7);
    EXPECT(OK, PORTS, LIMEN_PORTS_IN, 0, 1);
    assert_access(0, 1, false, 0xabcd);
}

static void test_port_ranges(void **state)
{
    static const struct {
        uint64_t port, bytes;
        enum limen_error error;
    } accesses[] = {
        {0x100, 1, LIMEN_OK},
        {0x107, 1, LIMEN_OK},
        {0x104, 4, LIMEN_OK},
        {0x106, 2, LIMEN_OK},
        {0xff, 1, LIMEN_OUT_OF_RANGE},
        {0x108, 1, LIMEN_OUT_OF_RANGE},
        {0x105, 4, LIMEN_OUT_OF_RANGE},
        {0x107, 2, LIMEN_OUT_OF_RANGE},
        {0xfe, 4, LIMEN_OUT_OF_RANGE},
        {0x10100, 1, LIMEN_OUT_OF_RANGE},
        {0x100, 0, LIMEN_BAD_ARGUMENT},
        {0x100, 3, LIMEN_BAD_ARGUMENT},
        {0x100, 8, LIMEN_BAD_ARGUMENT},
        {UINT64_MAX, 1, LIMEN_OUT_OF_RANGE},
        {0x100, UINT64_MAX, LIMEN_BAD_ARGUMENT},
    };
    (void)state;
    unsigned ports = narrowed(0x100, 0x107);
    for (unsigned i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        unsigned before = host.port_accesses;
        assert_int_equal(OP(ports, LIMEN_PORTS_IN, accesses[i].port, accesses[i].bytes),
                         accesses[i].error);
        assert_int_equal(OP(ports, LIMEN_PORTS_OUT, accesses[i].port, accesses[i].bytes),
                         accesses[i].error);
        assert_int_equal(host.port_accesses - before, accesses[i].error ? 0 : 2);
    }
    EXPECT(OUT_OF_RANGE, PORTS, LIMEN_PORTS_IN, 0xffff, 2);
    EXPECT(OUT_OF_RANGE, PORTS, LIMEN_PORTS_OUT, 0x10000, 1);
    unsigned one = narrowed(0, 0);
    EXPECT(OK, one, LIMEN_PORTS_IN, 0, 1);
    EXPECT(OUT_OF_RANGE, one, LIMEN_PORTS_IN, 0, 2);
}

static void test_narrow(void **state)
{
    (void)state;
    unsigned ports = narrowed(0x100, 0x1ff), to = fresh();
    EXPECT(OUT_OF_RANGE, ports, LIMEN_PORTS_NARROW, 0xff, 0x180, to);
    EXPECT(OUT_OF_RANGE, ports, LIMEN_PORTS_NARROW, 0x100, 0x200, to);
    EXPECT(OUT_OF_RANGE, ports, LIMEN_PORTS_NARROW, 0x181, 0x180, to);
    EXPECT(OUT_OF_RANGE, ports, LIMEN_PORTS_NARROW, 0x10100, 0x10180, to);
    EXPECT(SLOT_OCCUPIED, ports, LIMEN_PORTS_NARROW, 0x100, 0x180, INIT);
    EXPECT(OUT_OF_RANGE, ports, LIMEN_PORTS_NARROW, 0x100, 0x180, 0);
    EXPECT(OK, ports, LIMEN_PORTS_NARROW, 0x100, 0x180, to);
    assert_int_equal(slot_at(to)->first_port, 0x100);
    assert_int_equal(slot_at(to)->last_port, 0x180);
    unsigned copy = copy_of(to, LIMEN_RIGHT_READ);
    EXPECT(NO_RIGHT, copy, LIMEN_PORTS_OUT, 0x100, 1, 0);
    EXPECT(OK, copy, LIMEN_PORTS_IN, 0x180, 1);
    EXPECT(OUT_OF_RANGE, copy, LIMEN_PORTS_IN, 0x181, 1);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, ports);
    assert_true(slot_is_empty(slot_at(copy)));
}

static void test_many_bytes(void **state)
{
    uint64_t words[8] = {0x3f8, 48};
    (void)state;
    for (unsigned i = 0; i < 48; i++)
        ((uint8_t *)&words[2])[i] = (uint8_t)(0xa0 + i);
    assert_int_equal(operate(PORTS, LIMEN_PORTS_OUT_BYTES, 8, words), LIMEN_OK);
    assert_int_equal(host.port_accesses, 48);
    for (unsigned i = 0; i < 48; i++)
        assert_int_equal(host.ports[i].value, (uint8_t)(0xa0 + i));
    EXPECT(BAD_ARGUMENT, PORTS, LIMEN_PORTS_OUT_BYTES, 0x3f8, 0);
    EXPECT(BAD_ARGUMENT, PORTS, LIMEN_PORTS_OUT_BYTES, 0x3f8, 49);
    EXPECT(BAD_ARGUMENT, PORTS, LIMEN_PORTS_OUT_BYTES, 0x3f8, UINT64_MAX);
    EXPECT(OUT_OF_RANGE, PORTS, LIMEN_PORTS_OUT_BYTES, 0x10000, 1);
    EXPECT(NO_RIGHT, copy_of(PORTS, LIMEN_RIGHT_READ), LIMEN_PORTS_OUT_BYTES, 0x3f8, 1);
    EXPECT(NO_RIGHT, copy_of(PORTS, LIMEN_RIGHT_WRITE), LIMEN_PORTS_IN, 0x3f8, 1);
    EXPECT(BAD_OPERATION, PORTS, 0, 0);
    EXPECT(BAD_OPERATION, PORTS, 5, 0);
    assert_int_equal(host.port_accesses, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_issue),
        WORLD_TEST(test_issue_refuses),
        WORLD_TEST(test_issue_from_memory_used_before),
        WORLD_TEST(test_interrupt_becomes_bits),
        WORLD_TEST(test_lines_nobody_has),
        WORLD_TEST(test_bind_refuses),
        WORLD_TEST(test_notification_that_is_revoked),
        WORLD_TEST(test_last_holder_of_a_notification),
        WORLD_TEST(test_port_access),
        WORLD_TEST(test_port_ranges),
        WORLD_TEST(test_narrow),
        WORLD_TEST(test_many_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
