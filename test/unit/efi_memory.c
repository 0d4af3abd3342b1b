/* SPDX-License-Identifier: MIT */
#include "../../efi/memory.h"
#include "efi_cmocka.h"
#include <efi.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ull
#define MIB  (1ull << 20)
#define GIB  (1ull << 30)

enum { DESCRIPTORS_MAX = LIMEN_BOOT_RANGES_MAX + 1, RESERVATIONS_MAX = 8 };

static EFI_MEMORY_DESCRIPTOR map[DESCRIPTORS_MAX];
static struct reservation reservations[RESERVATIONS_MAX];
static struct memory_view view;
static struct limen_memory_range ranges[LIMEN_BOOT_RANGES_MAX];
static uint32_t count;

static int setup(void **state)
{
    (void)state;
    memset(map, 0, sizeof map);
    view = (struct memory_view){
        .map = map, .descriptor_size = sizeof *map, .reservations = reservations};
    return 0;
}

static void add(uint32_t type, uint64_t start, uint64_t end)
{
    map[view.map_size / sizeof *map] = (EFI_MEMORY_DESCRIPTOR){
        .Type = type,
        .PhysicalStart = start,
        .NumberOfPages = (end - start) / PAGE,
        .Attribute = type == EfiMemoryMappedIO ? EFI_MEMORY_UC : EFI_MEMORY_UC | EFI_MEMORY_WB,
    };
    view.map_size += sizeof *map;
}

static void reserve(enum limen_memory_kind kind, uint64_t start, uint64_t end, bool read_only)
{
    reservations[view.reservation_count++] = (struct reservation){
        .start = start, .pages = (end - start) / PAGE, .kind = kind, .read_only = read_only};
}

static void convert(void)
{
    assert_null(memory_check(&view));
    assert_true(memory_ranges(&view, ranges, &count));
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(ranges[i].start % PAGE, 0);
        assert_int_not_equal(ranges[i].pages, 0);
        if (i != 0)
            assert_true(ranges[i - 1].start + ranges[i - 1].pages * PAGE <= ranges[i].start);
    }
}

static void assert_range(uint32_t i, uint32_t kind, uint64_t start, uint64_t end)
{
    assert_true(i < count);
    assert_int_equal(ranges[i].kind, kind);
    assert_int_equal(ranges[i].start, start);
    assert_int_equal(ranges[i].start + ranges[i].pages * PAGE, end);
}

static void what_the_firmware_gives_back_is_free(void **state)
{
    (void)state;
    add(EfiBootServicesData, 2 * MIB, 3 * MIB); /* the order does not matter */
    add(EfiConventionalMemory, 1 * MIB, 2 * MIB);
    add(EfiLoaderCode, 3 * MIB, 4 * MIB);
    add(EfiLoaderData, 4 * MIB, 5 * MIB);
    add(EfiBootServicesCode, 5 * MIB, 6 * MIB);
    convert();
    assert_int_equal(count, 3);
    assert_range(0, LIMEN_MEMORY_DEVICE, PAGE, 1 * MIB);
    assert_range(1, LIMEN_MEMORY_FREE, 1 * MIB, 6 * MIB);
    assert_range(2, LIMEN_MEMORY_DEVICE, 6 * MIB, 4 * GIB);
    assert_int_equal(memory_free(&view), 5 * MIB);
    assert_int_equal(memory_top(&view), 6 * MIB);
    assert_int_equal(memory_at(&view, 1 * MIB).end, 6 * MIB);
}

static void a_stretch_is_of_one_sort(void **state)
{
    (void)state;
    add(EfiACPIReclaimMemory, 5 * GIB, 6 * GIB);
    add(EfiACPIMemoryNVS, 6 * GIB, 7 * GIB);
    add(EfiMemoryMappedIO, 7 * GIB, 8 * GIB);
    assert_int_equal(memory_at(&view, 5 * GIB).end, 7 * GIB);
    convert();
    assert_range(1, LIMEN_MEMORY_DEVICE, 5 * GIB, 8 * GIB);
}

static void all_other_types_are_devices(void **state)
{
    (void)state;
    for (uint32_t type = 0; type < 20; type++) {
        setup(NULL);
        add(type, 5 * GIB, 6 * GIB);
        convert();
        const bool is_free =
            (type >= EfiLoaderCode && type <= EfiBootServicesData) || type == EfiConventionalMemory;
        assert_int_equal(count, 2);
        assert_range(1, is_free ? LIMEN_MEMORY_FREE : LIMEN_MEMORY_DEVICE, 5 * GIB, 6 * GIB);
        const bool cached = is_free || type == EfiACPIReclaimMemory || type == EfiACPIMemoryNVS ||
                            type == EfiRuntimeServicesCode || type == EfiRuntimeServicesData;
        assert_int_equal(memory_at(&view, 5 * GIB).cached, cached);
    }
}

static void memory_that_cannot_be_cached_is_not_free(void **state)
{
    (void)state;
    add(EfiConventionalMemory, 5 * GIB, 6 * GIB);
    map[0].Attribute = EFI_MEMORY_UC | EFI_MEMORY_WC;
    convert();
    assert_range(1, LIMEN_MEMORY_DEVICE, 5 * GIB, 6 * GIB);
    assert_false(memory_at(&view, 5 * GIB).cached);
    assert_int_equal(memory_top(&view), 0);
    map[0].Type = EfiACPIReclaimMemory;
    assert_false(memory_at(&view, 5 * GIB).cached);
}

static void page_zero_is_nobodys(void **state)
{
    (void)state;
    add(EfiConventionalMemory, 0, 1 * MIB);
    convert();
    assert_range(0, LIMEN_MEMORY_FREE, PAGE, 1 * MIB);
    assert_int_equal(memory_at(&view, 0).kind, 0);
    assert_int_equal(memory_at(&view, 0).end, PAGE);
}

static void reservations_are_carved_out(void **state)
{
    (void)state;
    add(EfiConventionalMemory, 1 * MIB, 8 * MIB);
    reserve(LIMEN_MEMORY_LOADED, 4 * MIB, 5 * MIB, false);
    reserve(LIMEN_MEMORY_KERNEL, 2 * MIB, 3 * MIB, true);
    reserve(LIMEN_MEMORY_KERNEL, 3 * MIB, 4 * MIB, false);
    reserve(LIMEN_MEMORY_FREE, 6 * MIB, 7 * MIB, false);
    reserve(LIMEN_MEMORY_DEVICE, 5 * GIB, 5 * GIB + 16 * MIB, false);
    convert();
    assert_int_equal(count, 7);
    assert_range(1, LIMEN_MEMORY_FREE, 1 * MIB, 2 * MIB);
    assert_range(2, LIMEN_MEMORY_KERNEL, 2 * MIB, 4 * MIB);
    assert_range(3, LIMEN_MEMORY_LOADED, 4 * MIB, 5 * MIB);
    assert_range(4, LIMEN_MEMORY_FREE, 5 * MIB, 8 * MIB);
    assert_range(6, LIMEN_MEMORY_DEVICE, 5 * GIB, 5 * GIB + 16 * MIB);
    assert_int_equal(memory_at(&view, 2 * MIB).end, 3 * MIB);
    assert_false(memory_at(&view, 2 * MIB).writable);
    assert_true(memory_at(&view, 3 * MIB).writable);
    assert_true(memory_at(&view, 2 * MIB).cached);
    assert_false(memory_at(&view, 5 * GIB).cached);
    assert_int_equal(memory_free(&view), 4 * MIB);
    assert_int_equal(memory_top(&view), 8 * MIB);
}

static void an_overlap_is_no_free_memory(void **state)
{
    (void)state;
    add(EfiReservedMemoryType, 3 * MIB, 5 * MIB);
    add(EfiConventionalMemory, 1 * MIB, 4 * MIB);
    add(EfiConventionalMemory, 4 * MIB + PAGE, 8 * MIB);
    convert();
    assert_range(1, LIMEN_MEMORY_FREE, 1 * MIB, 3 * MIB);
    assert_range(2, LIMEN_MEMORY_DEVICE, 3 * MIB, 5 * MIB);
    assert_range(3, LIMEN_MEMORY_FREE, 5 * MIB, 8 * MIB);
    assert_false(memory_at(&view, 3 * MIB).cached);
}

static void memory_far_above_is_left_alone(void **state)
{
    (void)state;
    add(EfiConventionalMemory, 256 * GIB, 1024 * GIB);
    add(EfiConventionalMemory, 2048 * GIB, 4096 * GIB);
    convert();
    assert_int_equal(count, 2);
    assert_range(1, LIMEN_MEMORY_FREE, 256 * GIB, LIMEN_PHYSMAP_MAX);
    assert_int_equal(memory_top(&view), LIMEN_PHYSMAP_MAX);
}

static void empty_ranges_do_not_count(void **state)
{
    (void)state;
    add(EfiReservedMemoryType, 2 * MIB, 2 * MIB);
    add(EfiConventionalMemory, 1 * MIB, 4 * MIB);
    convert();
    assert_range(1, LIMEN_MEMORY_FREE, 1 * MIB, 4 * MIB);
}

static void larger_descriptors(void **state)
{
    (void)state;
    enum { STRIDE = 48 };
    _Alignas(8) char wide[2 * STRIDE];
    memset(wide, 0xff, sizeof wide);
    add(EfiConventionalMemory, 1 * MIB, 2 * MIB);
    add(EfiConventionalMemory, 3 * MIB, 4 * MIB);
    memcpy(wide, &map[0], sizeof *map);
    memcpy(wide + STRIDE, &map[1], sizeof *map);
    view.map = wide;
    view.map_size = sizeof wide;
    view.descriptor_size = STRIDE;
    convert();
    assert_int_equal(memory_free(&view), 2 * MIB);
}

static void a_map_that_makes_no_sense(void **state)
{
    (void)state;
    add(EfiConventionalMemory, 1 * MIB, 2 * MIB);
    view.descriptor_size = sizeof *map - 8;
    assert_string_equal(memory_check(&view), "has descriptors of an impossible size");
    view.descriptor_size = 0;
    assert_string_equal(memory_check(&view), "has descriptors of an impossible size");
    view.descriptor_size = sizeof *map + 1;
    view.map_size = sizeof *map + 1;
    assert_string_equal(memory_check(&view), "has descriptors of an impossible size");
    view.descriptor_size = sizeof *map;
    assert_string_equal(memory_check(&view), "has descriptors of an impossible size");
    view.map_size = sizeof *map;
    assert_null(memory_check(&view));
    map[0].PhysicalStart += 1;
    assert_string_equal(memory_check(&view), "has a range that is not aligned to pages");
    map[0].PhysicalStart = 1 * MIB;
    map[0].NumberOfPages = UINT64_MAX;
    assert_string_equal(memory_check(&view), "has a range beyond every physical address");
    map[0].PhysicalStart = 1ull << 51;
    map[0].NumberOfPages = 1ull << 39;
    assert_null(memory_check(&view));
    map[0].PhysicalStart = 1ull << 52;
    assert_string_equal(memory_check(&view), "has a range beyond every physical address");
}

static void too_many_ranges(void **state)
{
    (void)state;
    enum { FITTING = LIMEN_BOOT_RANGES_MAX - 1 }; /* what is below 4 GiB is one */
    for (uint32_t i = 0; i < FITTING; i++)
        add(EfiConventionalMemory, 4 * GIB + (1 + 2 * i) * MIB, 4 * GIB + (2 + 2 * i) * MIB);
    convert();
    assert_int_equal(count, LIMEN_BOOT_RANGES_MAX);
    add(EfiConventionalMemory, 16 * GIB, 17 * GIB);
    assert_false(memory_ranges(&view, ranges, &count));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_the_firmware_gives_back_is_free, setup),
        cmocka_unit_test_setup(a_stretch_is_of_one_sort, setup),
        cmocka_unit_test_setup(all_other_types_are_devices, setup),
        cmocka_unit_test_setup(memory_that_cannot_be_cached_is_not_free, setup),
        cmocka_unit_test_setup(page_zero_is_nobodys, setup),
        cmocka_unit_test_setup(reservations_are_carved_out, setup),
        cmocka_unit_test_setup(an_overlap_is_no_free_memory, setup),
        cmocka_unit_test_setup(memory_far_above_is_left_alone, setup),
        cmocka_unit_test_setup(empty_ranges_do_not_count, setup),
        cmocka_unit_test_setup(larger_descriptors, setup),
        cmocka_unit_test_setup(a_map_that_makes_no_sense, setup),
        cmocka_unit_test_setup(too_many_ranges, setup),
    };
    return cmocka_run_group_tests_name("efi memory", tests, NULL, NULL);
}
