/* SPDX-License-Identifier: MIT */
/* Whether a processor counts its core's cycles, from what CPUID says in leaf 0AH. */
#include "cycles.h"

#include "efi_cmocka.h"

static bool offered(uint32_t eax, uint32_t ecx, uint32_t edx)
{
    return cycles_offered((struct cpuid){.eax = eax, .ecx = ecx, .edx = edx});
}

static void none_without_a_version_that_has_fixed_counters(void **state)
{
    (void)state;
    assert_false(offered(0, 0, 0));
    assert_false(offered(1, 0, 3));
    assert_true(offered(2, 0, 3));
}

/* As a Skylake has it: version 4, four counters of 48 bits, three fixed ones of 48. */
static void some_processors(void **state)
{
    (void)state;
    assert_true(offered(0x07300404, 0, 0x603));
    assert_true(offered(0x07300802, 0, 0x602));
}

static void the_counter_must_be_among_the_fixed_ones(void **state)
{
    (void)state;
    assert_false(offered(2, 0, 0));
    assert_false(offered(2, 0, 0x601));
    assert_true(offered(2, 0, 0x602));
}

static void a_mask_may_name_it(void **state)
{
    (void)state;
    assert_false(offered(5, 0x5, 0x601));
    assert_true(offered(5, 0x2, 0x600));
}

/* Bits beyond the fields are others'. */
static void other_fields_do_not_count(void **state)
{
    (void)state;
    assert_false(offered(0xffffff00, 0, 0x603));
    assert_false(offered(2, 0xfffffffd, 0xffffffe0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(none_without_a_version_that_has_fixed_counters),
        cmocka_unit_test(some_processors),
        cmocka_unit_test(the_counter_must_be_among_the_fixed_ones),
        cmocka_unit_test(a_mask_may_name_it),
        cmocka_unit_test(other_fields_do_not_count),
    };
    return cmocka_run_group_tests_name("arch: core cycles", tests, NULL, NULL);
}
