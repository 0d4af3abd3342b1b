/* SPDX-License-Identifier: MIT */
/* The MADT's reader, on tables made here and then damaged in every way it checks for. */
#include "../../efi/acpi.h"

#include "efi_cmocka.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* A little physical memory.  Address 0 means "none" to the tables, so it starts higher. */
#define BASE 0x1000u
#define ROOT 0x1000u
#define LIST 0x1100u
#define MADT 0x1200u
#define SIZE 0x110000u /* more than any table may have */

static uint8_t memory[SIZE];
static size_t madt_size;

/* Each answer is a block of its own and of just that size, so that the address sanitizer sees what
 * is read beyond what was asked for. */
static void *blocks[256];
static size_t block_count;

static const void *reader(const void *context, uint64_t physical, size_t size)
{
    (void)context;
    if (physical < BASE || physical - BASE > SIZE || size > SIZE - (physical - BASE))
        return NULL;
    assert_in_range(block_count, 0, sizeof(blocks) / sizeof(*blocks) - 1);
    void *block = malloc(size);
    assert_non_null(block);
    memcpy(block, &memory[physical - BASE], size);
    blocks[block_count++] = block;
    return block;
}

static int tear_down(void **state)
{
    (void)state;
    while (block_count > 0)
        free(blocks[--block_count]);
    return 0;
}

static uint8_t *at(uint64_t physical)
{
    return &memory[physical - BASE];
}

static void put(uint64_t physical, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        at(physical)[i] = (uint8_t)(value >> 8 * i);
}

static void checksum(uint64_t physical, size_t size, size_t byte)
{
    uint8_t sum = 0;
    at(physical)[byte] = 0;
    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + at(physical)[i]);
    at(physical)[byte] = (uint8_t)-sum;
}

static void header(uint64_t physical, const char *signature, size_t size)
{
    memcpy(at(physical), signature, 4);
    put(physical + 4, size, 4);
}

static void finish(uint64_t physical)
{
    size_t size;
    uint32_t length;
    memcpy(&length, at(physical + 4), sizeof(length));
    size = length;
    checksum(physical, size, 9);
}

static void finish_root(void)
{
    checksum(ROOT, 20, 8);
    checksum(ROOT, 36, 32);
}

static void entry(const uint8_t *bytes, size_t size)
{
    memcpy(at(MADT + madt_size), bytes, size);
    madt_size += size;
    put(MADT + 4, madt_size, 4);
    finish(MADT);
}

/* A machine with an XSDT whose second table is a MADT with one I/O APIC. */
static int set_up(void **state)
{
    (void)state;
    memset(memory, 0, sizeof(memory));
    memcpy(at(ROOT), "RSD PTR ", 8);
    at(ROOT)[15] = 2;
    put(ROOT + 20, 36, 4);
    put(ROOT + 24, LIST, 8);
    finish_root();
    header(LIST, "XSDT", 36 + 16);
    put(LIST + 36, LIST, 8);
    put(LIST + 44, MADT, 8);
    finish(LIST);
    header(MADT, "APIC", 44);
    put(MADT + 36, 0xfee00000, 4);
    madt_size = 44;
    const uint8_t io_apic[12] = {1, 12, 0, 0, 0x00, 0x00, 0xc0, 0xfe};
    entry(io_apic, sizeof(io_apic));
    return 0;
}

static void expect_good(struct limen_boot_interrupts *out)
{
    const char *wrong = acpi_read(ROOT, reader, NULL, out);
    if (wrong)
        fail_msg("%s", wrong);
}

/* Refused, and the defaults stand. */
static void expect_wrong(const char *reason)
{
    struct limen_boot_interrupts out;
    memset(&out, 0xff, sizeof(out));
    const char *wrong = acpi_read(ROOT, reader, NULL, &out);
    assert_non_null(wrong);
    assert_string_equal(wrong, reason);
    assert_int_equal(out.io_apic_count, 1);
    assert_int_equal(out.io_apics[0].address, 0xfec00000);
    assert_int_equal(out.isa[0].gsi, 2);
    assert_int_equal(out.isa[4].gsi, 4);
    assert_int_equal(out.nmi_lint, 1);
    assert_int_equal(out.assumed, 1);
}

static void reads_a_plain_machine(void **state)
{
    (void)state;
    struct limen_boot_interrupts out;
    expect_good(&out);
    assert_int_equal(out.io_apic_count, 1);
    assert_int_equal(out.io_apics[0].address, 0xfec00000);
    assert_int_equal(out.io_apics[0].first, 0);
    assert_int_equal(out.nmi_lint, LIMEN_BOOT_NO_LINT);
    assert_int_equal(out.assumed, 0);
    for (unsigned i = 0; i < LIMEN_BOOT_ISA_LINES; i++) {
        assert_int_equal(out.isa[i].gsi, i);
        assert_false(out.isa[i].level);
        assert_false(out.isa[i].low);
    }
}

static void reads_overrides(void **state)
{
    (void)state;
    struct limen_boot_interrupts out;
    entry((const uint8_t[]){2, 10, 0, 0, 2, 0, 0, 0, 0, 0}, 10);     /* timer: conforms */
    entry((const uint8_t[]){2, 10, 0, 9, 20, 0, 0, 0, 0x0f, 0}, 10); /* SCI: level, low */
    entry((const uint8_t[]){2, 10, 0, 5, 5, 0, 0, 0, 0x0d, 0}, 10);  /* level, high */
    entry((const uint8_t[]){2, 10, 0, 6, 6, 0, 0, 0, 0x05, 0}, 10);  /* edge, high, said aloud */
    expect_good(&out);
    assert_int_equal(out.isa[0].gsi, 2);
    assert_false(out.isa[0].level);
    assert_false(out.isa[6].level);
    assert_false(out.isa[6].low);
    assert_int_equal(out.isa[9].gsi, 20);
    assert_true(out.isa[9].level);
    assert_true(out.isa[9].low);
    assert_true(out.isa[5].level);
    assert_false(out.isa[5].low);
}

static void reads_the_rest(void **state)
{
    (void)state;
    struct limen_boot_interrupts out;
    entry((const uint8_t[]){4, 6, 0xff, 0, 0, 1}, 6);                            /* NMI on LINT1 */
    entry((const uint8_t[]){1, 12, 1, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0}, 12); /* a second one */
    entry((const uint8_t[]){0x7f, 3, 0}, 3);                      /* unknown: passed over */
    entry((const uint8_t[]){1, 8, 2, 0, 0, 0x20, 0xc0, 0xfe}, 8); /* cut short: passed over */
    expect_good(&out);
    assert_int_equal(out.nmi_lint, 1);
    assert_int_equal(out.io_apic_count, 2);
    assert_int_equal(out.io_apics[1].address, 0xfec01000);
    assert_int_equal(out.io_apics[1].first, 24);
}

static void reads_an_rsdt(void **state)
{
    (void)state;
    struct limen_boot_interrupts out;
    at(ROOT)[15] = 0;
    put(ROOT + 16, LIST, 4);
    finish_root();
    header(LIST, "RSDT", 36 + 4);
    put(LIST + 36, MADT, 4);
    finish(LIST);
    expect_good(&out);
    /* An extended root pointer without an XSDT means the RSDT too. */
    at(ROOT)[15] = 2;
    put(ROOT + 24, 0, 8);
    finish_root();
    expect_good(&out);
}

static void refuses_bad_roots(void **state)
{
    struct limen_boot_interrupts out;
    assert_string_equal(acpi_read(0, reader, NULL, &out), "there is no ACPI root pointer");
    assert_string_equal(acpi_read(BASE + SIZE - 8, reader, NULL, &out),
                        "there is no ACPI root pointer");

    at(ROOT)[0] = 'X';
    finish_root();
    expect_wrong("the ACPI root pointer is damaged");
    set_up(state);
    at(ROOT)[8]++;
    expect_wrong("the ACPI root pointer is damaged");
    set_up(state);
    at(ROOT)[32]++;
    expect_wrong("the extended ACPI root pointer is damaged");
}

static void refuses_bad_lists(void **state)
{
    put(ROOT + 24, BASE + SIZE - 8, 8);
    finish_root();
    expect_wrong("the list of ACPI tables is damaged");
    set_up(state);
    at(LIST)[9]++;
    expect_wrong("the list of ACPI tables is damaged");
    set_up(state);
    memcpy(at(LIST), "RSDT", 4);
    finish(LIST);
    expect_wrong("the list of ACPI tables is damaged");
    set_up(state);
    put(LIST + 4, 35, 4); /* less than its own header */
    finish(LIST);
    expect_wrong("the list of ACPI tables is damaged");
    set_up(state);
    put(LIST + 4, 0xffffffff, 4);
    expect_wrong("the list of ACPI tables is damaged");
    set_up(state);
    put(LIST + 4, 0x100001, 4); /* readable, but no table is that long */
    finish(LIST);
    expect_wrong("the list of ACPI tables is damaged");
    set_up(state);
    put(LIST + 44, 0x10, 8); /* a table that cannot be read is passed over */
    finish(LIST);
    expect_wrong("there is no MADT");
}

static void refuses_bad_madts(void **state)
{
    at(MADT)[9]++;
    expect_wrong("the MADT is damaged");
    set_up(state);
    put(MADT + 4, SIZE, 4); /* runs out of memory */
    expect_wrong("the MADT is damaged");
    set_up(state);
    put(MADT + 4, 43, 4);
    finish(MADT);
    expect_wrong("the MADT is shorter than its fixed part");
    set_up(state);
    put(MADT + 4, 44, 4);
    finish(MADT);
    expect_wrong("the MADT names no I/O APIC");
    set_up(state);
    entry((const uint8_t[]){4, 7, 0xff, 0, 0, 1}, 6); /* longer than what is left */
    expect_wrong("an entry of the MADT does not fit the table");
    set_up(state);
    entry((const uint8_t[]){4, 0, 0xff, 0, 0, 1}, 6); /* would never end */
    expect_wrong("an entry of the MADT does not fit the table");
    set_up(state);
    entry((const uint8_t[]){4}, 1);
    expect_wrong("an entry of the MADT does not fit the table");
    set_up(state);
    entry((const uint8_t[]){2, 10, 0, 16, 2, 0, 0, 0, 0, 0}, 10);
    expect_wrong("the MADT overrides an interrupt that is not of the ISA bus");
    set_up(state);
    entry((const uint8_t[]){4, 6, 0xff, 0, 0, 2}, 6);
    expect_wrong("the MADT names a local interrupt pin that does not exist");
    set_up(state);
    for (unsigned i = 0; i < LIMEN_BOOT_IO_APICS_MAX; i++)
        entry((const uint8_t[]){1, 12, 1, 0, 0, 0x10, 0xc0, 0xfe, 24, 0, 0, 0}, 12);
    expect_wrong("the MADT names more I/O APICs than there is room for");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_a_plain_machine, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_overrides, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_the_rest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(reads_an_rsdt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_bad_roots, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_bad_lists, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_bad_madts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
