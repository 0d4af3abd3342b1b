/* SPDX-License-Identifier: MIT */
/* Finding the power registers, in tables made here. */
#include "efi_cmocka.h"
#include "init/acpi.h"
#include <string.h>

enum { RSDP = 0x100, RSDT = 0x200, XSDT = 0x300, OTHER = 0x400, FADT = 0x500, DSDT = 0x800 };

static uint8_t memory[0x4000];

static bool read_memory(uint64_t physical, void *buffer, size_t size)
{
    if (physical > sizeof memory || size > sizeof memory - physical)
        return false;
    memcpy(buffer, memory + physical, size);
    return true;
}

static void put(size_t at, uint64_t value, size_t size)
{
    memcpy(memory + at, &value, size);
}

static void table(size_t at, const char *signature, uint32_t length)
{
    memcpy(memory + at, signature, 4);
    put(at + 4, length, 4);
}

static const uint8_t s5[] = {0x08, '_',  'S',  '5',  '_',  0x12, 0x06,
                             0x04, 0x0a, 0x05, 0x01, 0x00, 0x00};

static void put_s5(size_t offset, const uint8_t *code, size_t size)
{
    memcpy(memory + DSDT + offset, code, size);
}

static int setup(void **state)
{
    (void)state;
    memset(memory, 0, sizeof memory);
    memcpy(memory + RSDP, "RSD PTR ", 8);
    put(RSDP + 15, 2, 1);
    put(RSDP + 16, RSDT, 4);
    put(RSDP + 24, XSDT, 8);
    table(RSDT, "RSDT", 36 + 4);
    put(RSDT + 36, FADT, 4);
    table(XSDT, "XSDT", 36 + 16);
    put(XSDT + 36, OTHER, 8);
    put(XSDT + 44, FADT, 8);
    table(OTHER, "APIC", 44);
    table(FADT, "FACP", 244);
    put(FADT + 40, DSDT, 4);
    put(FADT + 48, 0xb2, 4);
    put(FADT + 52, 0xf1, 1);
    put(FADT + 64, 0x604, 4);
    table(DSDT, "DSDT", 0x2000);
    put_s5(0x100, s5, sizeof s5);
    return 0;
}

static void found(uint8_t a, uint8_t b)
{
    struct acpi_power power;

    assert_null(acpi_read_power(read_memory, RSDP, &power));
    assert_int_equal(power.pm1a_control, 0x604);
    assert_int_equal(power.pm1b_control, 0);
    assert_int_equal(power.smi_command, 0xb2);
    assert_int_equal(power.acpi_enable, 0xf1);
    assert_int_equal(power.sleep_a, a);
    assert_int_equal(power.sleep_b, b);
}

static void not_found(const char *words)
{
    struct acpi_power power;
    const char *problem = acpi_read_power(read_memory, RSDP, &power);

    assert_non_null(problem);
    assert_non_null(strstr(problem, words));
}

static void by_either_root(void **state)
{
    (void)state;
    found(5, 1);
    put(RSDP + 15, 0, 1); /* revision 0 has no XSDT */
    put(XSDT + 44, 0, 8);
    found(5, 1);
}

static void the_package_in_its_forms(void **state)
{
    const uint8_t rooted[] = {0x08, '\\', '_', 'S', '5', '_', 0x12, 0x06, 0x02, 0x00, 0x0a, 0x07};
    const uint8_t long_length[] = {0x08, '_',  'S',  '5',  '_',  0x12,
                                   0x46, 0x00, 0x02, 0x0a, 0x03, 0x01};

    (void)state;
    put_s5(0x100, rooted, sizeof rooted);
    found(0, 7);
    put_s5(0x100, long_length, sizeof long_length);
    found(3, 1);
}

static void anywhere_in_the_dsdt(void **state)
{
    (void)state;
    for (size_t at = 40; at<0x2000 - sizeof s5; at += at> 4000 && at < 4200 ? 1 : 37) {
        setup(NULL);
        memset(memory + DSDT + 36, 0, 0x1f00);
        put_s5(at, s5, sizeof s5);
        found(5, 1);
    }
}

static void what_is_missing_is_said(void **state)
{
    struct acpi_power power;

    (void)state;
    assert_non_null(strstr(acpi_read_power(read_memory, 0, &power), "no ACPI tables"));
    memset(memory + DSDT + 0x100, 0, sizeof s5);
    not_found("_S5_");
    setup(NULL);
    put(DSDT + 4, UINT32_MAX, 4); /* no table is as long */
    not_found("_S5_");
    setup(NULL);
    put(DSDT + 0x105, 0x0c, 1); /* no package */
    not_found("_S5_");
    setup(NULL);
    put(DSDT + 0x108, 0x0c, 1); /* a 32-bit element */
    not_found("_S5_");
    setup(NULL);
    put(FADT + 64, 0x10000, 4);
    not_found("power register");
    setup(NULL);
    put(FADT + 40, 0x10000000, 4);
    not_found("_S5_");
    setup(NULL);
    memcpy(memory + FADT, "FACS", 4);
    not_found("FADT");
    setup(NULL);
    put(FADT + 4, 40, 4);
    not_found("FADT");
    setup(NULL);
    put(XSDT + 4, 8, 4);
    not_found("FADT");
    setup(NULL);
    put(RSDP, 0, 1);
    not_found("root pointer");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(by_either_root, setup),
        cmocka_unit_test_setup(the_package_in_its_forms, setup),
        cmocka_unit_test_setup(anywhere_in_the_dsdt, setup),
        cmocka_unit_test_setup(what_is_missing_is_said, setup),
    };
    return cmocka_run_group_tests_name("servers: ACPI", tests, NULL, NULL);
}
