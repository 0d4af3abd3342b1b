/* SPDX-License-Identifier: MIT */
/* I/O ports: what each capability reaches, on devices that every PC has. */
#include "kit.h"
#include "victim.h"

#define CMOS_INDEX    0x70u
#define CMOS_DATA     0x71u
#define CMOS_STATUS_D 0x0du
#define CMOS_VALID    0x80u /* of status D: the clock's battery is good */
#define PCI_ADDRESS   0xcf8u
#define PCI_DATA      0xcfcu
#define PCI_ENABLE    0x80000000u /* bus 0, device 0, function 0, register 0 */
#define POST_CODE     0x80u

static enum limen_error in(uint32_t ports, uint64_t port, uint64_t bytes, uint64_t *value)
{
    uint64_t words[8] = {port, bytes};
    enum limen_error error = invoke(ports, LIMEN_PORTS_IN, words);
    *value = words[0];
    return error;
}

static enum limen_error out(uint32_t ports, uint64_t port, uint64_t bytes, uint64_t value)
{
    return invoke(ports, LIMEN_PORTS_OUT, (uint64_t[8]){port, bytes, value});
}

static uint32_t narrowed(uint32_t ports, uint16_t first, uint16_t last)
{
    uint32_t to = slots(1);
    expect_ok(limen_ports_narrow(ports, first, last, to));
    return to;
}

TEST(ports, bytes_reach_the_device)
{
    uint64_t value;

    expect_ok(out(PORTS, CMOS_INDEX, 1, CMOS_STATUS_D));
    expect_ok(in(PORTS, CMOS_DATA, 1, &value));
    expect_equal(value, CMOS_VALID);
}

/* PCI's configuration ports tell the three widths apart. */
TEST(ports, have_three_widths)
{
    uint64_t whole, part;

    expect_ok(out(PORTS, PCI_ADDRESS, 4, PCI_ENABLE));
    expect_ok(in(PORTS, PCI_ADDRESS, 4, &whole));
    expect_equal(whole, PCI_ENABLE);
    expect_ok(in(PORTS, PCI_DATA, 4, &whole));
    expect(whole != UINT32_MAX && whole != 0);
    for (unsigned i = 0; i < 2; i++) {
        expect_ok(in(PORTS, PCI_DATA + 2 * i, 2, &part));
        expect_equal(part, whole >> 16 * i & 0xffff);
    }
    for (unsigned i = 0; i < 4; i++) {
        expect_ok(in(PORTS, PCI_DATA + i, 1, &part));
        expect_equal(part, whole >> 8 * i & 0xff);
    }
}

/* One after another, to the same port: the last index counts. */
TEST(ports, many_bytes_go_out_in_order)
{
    uint64_t value, words[8] = {CMOS_INDEX, 9};
    uint8_t *bytes = (uint8_t *)&words[2];

    for (unsigned i = 0; i < 9; i++)
        bytes[i] = i < 8 ? 0x0a : CMOS_STATUS_D;
    expect_ok(invoke(PORTS, LIMEN_PORTS_OUT_BYTES, words));
    expect_ok(in(PORTS, CMOS_DATA, 1, &value));
    expect_equal(value, CMOS_VALID);
}

TEST(ports, narrowed_capability_reaches_its_part_only)
{
    uint32_t part = narrowed(PORTS, CMOS_INDEX, CMOS_DATA);
    uint32_t copy = copy_of(part, LIMEN_RIGHTS_ALL), moved = slots(1);
    uint64_t value;

    expect_ok(limen_copy(OWN_TABLE, moved + 0, 0, copy, LIMEN_RIGHTS_ALL));
    const uint32_t all[] = {part, copy, moved, narrowed(part, CMOS_INDEX, CMOS_DATA)};
    for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
        expect_ok(out(all[i], CMOS_INDEX, 1, CMOS_STATUS_D));
        expect_ok(in(all[i], CMOS_DATA, 1, &value));
        expect_equal(value, CMOS_VALID);
        expect_error(in(all[i], CMOS_INDEX - 1, 1, &value), LIMEN_OUT_OF_RANGE);
        expect_error(in(all[i], CMOS_DATA + 1, 1, &value), LIMEN_OUT_OF_RANGE);
        expect_error(in(all[i], CMOS_DATA, 2, &value), LIMEN_OUT_OF_RANGE);
        expect_error(in(all[i], CMOS_INDEX, 4, &value), LIMEN_OUT_OF_RANGE);
        expect_error(out(all[i], CMOS_INDEX - 1, 2, 0), LIMEN_OUT_OF_RANGE);
        expect_error(in(all[i], 0, 1, &value), LIMEN_OUT_OF_RANGE);
        expect_error(in(all[i], CMOS_INDEX + 0x10000, 1, &value), LIMEN_OUT_OF_RANGE);
        expect_error(in(all[i], UINT64_MAX, 1, &value), LIMEN_OUT_OF_RANGE);
        uint64_t words[8] = {CMOS_DATA + 1, 1};
        expect_error(invoke(all[i], LIMEN_PORTS_OUT_BYTES, words), LIMEN_OUT_OF_RANGE);
    }
}

TEST(ports, last_port_takes_one_byte)
{
    uint64_t value;

    expect_ok(in(PORTS, 0xffff, 1, &value));
    expect_error(in(PORTS, 0xffff, 2, &value), LIMEN_OUT_OF_RANGE);
    expect_error(in(PORTS, 0xfffe, 4, &value), LIMEN_OUT_OF_RANGE);
    expect_ok(in(PORTS, 0xfffe, 2, &value));
    expect_error(in(PORTS, 0x10000, 1, &value), LIMEN_OUT_OF_RANGE);
    expect_error(out(PORTS, 0x10000, 1, 0), LIMEN_OUT_OF_RANGE);
}

TEST(ports, widths_and_counts_are_checked)
{
    static const uint64_t widths[] = {0, 3, 5, 8, 1ull << 32 | 1, UINT64_MAX};
    uint64_t value;

    for (unsigned i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        expect_error(in(PORTS, POST_CODE, widths[i], &value), LIMEN_BAD_ARGUMENT);
        expect_error(out(PORTS, POST_CODE, widths[i], 0), LIMEN_BAD_ARGUMENT);
    }
    static const uint64_t counts[] = {0, 49, UINT64_MAX};
    for (unsigned i = 0; i < 3; i++)
        expect_error(invoke(PORTS, LIMEN_PORTS_OUT_BYTES, (uint64_t[8]){POST_CODE, counts[i]}),
                     LIMEN_BAD_ARGUMENT);
    expect_ok(invoke(PORTS, LIMEN_PORTS_OUT_BYTES, (uint64_t[8]){POST_CODE, 48}));
    expect_error(invoke(PORTS, 0, (uint64_t[8]){POST_CODE, 1}), LIMEN_BAD_OPERATION);
    expect_error(invoke(PORTS, LIMEN_PORTS_NARROW + 1, (uint64_t[8]){POST_CODE, 1}),
                 LIMEN_BAD_OPERATION);
}

TEST(ports, narrowing_checks_its_arguments)
{
    uint32_t part = narrowed(PORTS, 0x100, 0x1ff), to = slots(1);
    const struct {
        uint64_t first, last, to;
        enum limen_error error;
    } refused[] = {
        {0x101, 0x100, to, LIMEN_OUT_OF_RANGE},      {0xff, 0x1ff, to, LIMEN_OUT_OF_RANGE},
        {0x100, 0x200, to, LIMEN_OUT_OF_RANGE},      {0x10100, 0x10101, to, LIMEN_OUT_OF_RANGE},
        {0x100, UINT64_MAX, to, LIMEN_OUT_OF_RANGE}, {0x100, 0x1ff, part, LIMEN_SLOT_OCCUPIED},
        {0x100, 0x1ff, 0, LIMEN_OUT_OF_RANGE},       {0x100, 0x1ff, NO_SLOT, LIMEN_OUT_OF_RANGE},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        enum limen_error error =
            invoke(part, LIMEN_PORTS_NARROW,
                   (uint64_t[8]){refused[i].first, refused[i].last, refused[i].to});
        if (error != refused[i].error)
            fail("row %u: error %u, want %u", i, error, refused[i].error);
    }
    expect(is_empty(to));
    expect_ok(limen_ports_narrow(part, 0x1ff, 0x1ff, to));
}

TEST(ports, rights_are_checked)
{
    uint32_t readable = copy_of(PORTS, LIMEN_RIGHT_READ);
    uint32_t writable = copy_of(PORTS, LIMEN_RIGHT_WRITE);
    uint64_t value;

    expect_ok(in(readable, CMOS_DATA, 1, &value));
    expect_error(out(readable, POST_CODE, 1, 0), LIMEN_NO_RIGHT);
    expect_error(invoke(readable, LIMEN_PORTS_OUT_BYTES, (uint64_t[8]){POST_CODE, 1}),
                 LIMEN_NO_RIGHT);
    expect_ok(out(writable, POST_CODE, 1, 0));
    expect_error(in(writable, CMOS_DATA, 1, &value), LIMEN_NO_RIGHT);
    /* What is narrowed has no more rights than what it came from. */
    expect_error(out(narrowed(readable, POST_CODE, POST_CODE), POST_CODE, 1, 0), LIMEN_NO_RIGHT);
}

TEST(ports, revoking_takes_the_narrowed_back)
{
    uint32_t part = narrowed(PORTS, 0x100, 0x1ff), smaller = narrowed(part, 0x110, 0x11f);

    expect_ok(limen_revoke(OWN_TABLE, part));
    expect(is_empty(smaller) && !is_empty(part));
}

/* Without the kernel's help: the TSS could have a bitmap of the ports that ring 3 may use, of which
 * the first would be these. */
TEST(ports, none_is_open_to_an_instruction)
{
    enum { PORTS_TRIED = 1024 };
    struct victim victim = new_victim();
    struct limen_regs regs = victim_regs(&victim, snippet_in);

    for (regs.rdx = 0; regs.rdx < PORTS_TRIED; regs.rdx++) {
        run_victim(&victim, &regs);
        expect_exception(&victim, GENERAL_PROTECTION, 0, &regs);
        expect_ok(limen_thread_suspend(victim.worker->thread));
    }
}
