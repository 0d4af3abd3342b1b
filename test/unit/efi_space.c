/* SPDX-License-Identifier: MIT */
#include "../../efi/space.h"
#include "efi_cmocka.h"
#include <efi.h>
#include <stdlib.h>
#include <string.h>

#define PAGE 4096ull
#define MIB  (1ull << 20)
#define GIB  (1ull << 30)

/* Tables live in the test's own memory, whose addresses fit an entry as physical ones do. */
enum { POOL_PAGES = 4000 };

struct pool {
    char *pages;
    unsigned used, limit;
};

static struct pool pool;
static struct tables tables;

static void *take(void *context)
{
    struct pool *p = context;
    return p->used == p->limit ? NULL : p->pages + PAGE * p->used++;
}

static int setup(void **state)
{
    (void)state;
    pool = (struct pool){.pages = aligned_alloc(PAGE, POOL_PAGES * PAGE), .limit = POOL_PAGES};
    assert_non_null(pool.pages);
    memset(pool.pages, 0, POOL_PAGES * PAGE);
    tables = (struct tables){.top = take(&pool), .take = take, .context = &pool};
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(pool.pages);
    return 0;
}

/* Walks the tables as the processor does. */
struct translation {
    uint64_t entry; /* 0: not mapped */
    uint64_t physical;
    uint64_t page_size;
};

static struct translation translate(uint64_t address)
{
    const uint64_t *table = tables.top;
    for (unsigned shift = 39;; shift -= 9) {
        const uint64_t entry = table[address >> shift & 511];
        assert_int_equal(entry & 1 << 2, 0); /* never for ring 3 */
        if ((entry & 1) == 0)
            return (struct translation){0};
        if (shift == 12 || (shift < 39 && (entry & ENTRY_LARGE) != 0)) {
            const uint64_t size = 1ull << shift;
            return (struct translation){.entry = entry,
                                        .physical = (entry & ENTRY_ADDRESS) + address % size,
                                        .page_size = size};
        }
        assert_int_equal(entry & ~ENTRY_ADDRESS, ENTRY_PRESENT | ENTRY_WRITABLE | ENTRY_ACCESSED);
        table = (const uint64_t *)(uintptr_t)(entry & ENTRY_ADDRESS);
    }
}

static void assert_mapped(uint64_t address, uint64_t physical, uint64_t page_size, uint64_t flags)
{
    const struct translation t = translate(address);
    assert_int_not_equal(t.entry, 0);
    assert_int_equal(t.physical, physical);
    assert_int_equal(t.page_size, page_size);
    if (page_size > PAGE) /* in 4 KiB pages the bit means another entry of the PAT */
        flags |= ENTRY_LARGE;
    if ((flags & ENTRY_WRITABLE) != 0)
        flags |= ENTRY_DIRTY;
    assert_int_equal(t.entry & (ENTRY_NO_EXECUTE | (PAGE - 1)),
                     flags | ENTRY_PRESENT | ENTRY_ACCESSED);
}

static void the_largest_page_that_fits(void **state)
{
    (void)state;
    const uint64_t at = LIMEN_PHYSMAP_BASE;
    assert_int_equal(tables_map(&tables, at + GIB - 2 * MIB - PAGE, GIB - 2 * MIB - PAGE,
                                (GIB + 4 * MIB + 2 * PAGE) / PAGE, ENTRY_WRITABLE, LEVEL_1G),
                     TABLES_OK);
    assert_int_equal(translate(at + GIB - 2 * MIB - PAGE - 1).entry, 0);
    assert_mapped(at + GIB - 2 * MIB - PAGE, GIB - 2 * MIB - PAGE, PAGE, ENTRY_WRITABLE);
    assert_mapped(at + GIB - 2 * MIB, GIB - 2 * MIB, 2 * MIB, ENTRY_WRITABLE);
    assert_mapped(at + GIB, GIB, GIB, ENTRY_WRITABLE);
    assert_mapped(at + 2 * GIB - 1, 2 * GIB - 1, GIB, ENTRY_WRITABLE);
    assert_mapped(at + 2 * GIB, 2 * GIB, 2 * MIB, ENTRY_WRITABLE);
    assert_mapped(at + 2 * GIB + 2 * MIB, 2 * GIB + 2 * MIB, PAGE, ENTRY_WRITABLE);
    assert_int_equal(translate(at + 2 * GIB + 2 * MIB + PAGE).entry, 0);
}

static void no_larger_than_allowed_or_aligned(void **state)
{
    (void)state;
    tables_map(&tables, 0, 0, 2 * GIB / PAGE, 0, LEVEL_2M);
    assert_mapped(GIB, GIB, 2 * MIB, 0);
    tables_map(&tables, 4 * GIB, 4 * MIB, 2 * MIB / PAGE, ENTRY_NO_EXECUTE, LEVEL_4K);
    assert_mapped(4 * GIB + 5 * PAGE, 4 * MIB + 5 * PAGE, PAGE, ENTRY_NO_EXECUTE);
    tables_map(&tables, 8 * GIB, PAGE, 2 * MIB / PAGE, 0, LEVEL_1G);
    assert_mapped(8 * GIB, PAGE, PAGE, 0);
}

static void what_is_mapped_stays(void **state)
{
    (void)state;
    assert_int_equal(tables_map(&tables, 2 * MIB, 0, 512, 0, LEVEL_2M), TABLES_OK);
    assert_int_equal(tables_map(&tables, 2 * MIB, 0, 512, 0, LEVEL_2M), TABLES_OCCUPIED);
    assert_int_equal(tables_map(&tables, 3 * MIB, 0, 1, 0, LEVEL_4K), TABLES_OCCUPIED);
    assert_int_equal(tables_map(&tables, 5 * MIB, 0, 1, 0, LEVEL_4K), TABLES_OK);
    assert_int_equal(tables_map(&tables, 4 * MIB, 0, 512, 0, LEVEL_2M), TABLES_OCCUPIED);
    assert_int_equal(tables_map(&tables, 5 * MIB, 0, 1, 0, LEVEL_4K), TABLES_OCCUPIED);
    assert_int_equal(tables_attach(&tables, 4 * MIB, pool.pages, 1), TABLES_OCCUPIED);
    assert_mapped(5 * MIB, 0, PAGE, 0);
}

static void tables_attached(void **state)
{
    (void)state;
    char *last = pool.pages + (POOL_PAGES - 600) * PAGE;
    assert_int_equal(tables_attach(&tables, LIMEN_STACKS_BASE, last, 600), TABLES_OK);
    for (uint64_t i = 0; i < 600; i++) {
        const uint64_t address = LIMEN_STACKS_BASE + i * 2 * MIB;
        uint64_t *entry = (uint64_t *)(void *)(last + i * PAGE);
        assert_int_equal(translate(address).entry, 0);
        entry[511] = (7 * MIB) | ENTRY_PRESENT;
        assert_int_equal(translate(address + 2 * MIB - 1).physical, 7 * MIB + PAGE - 1);
        entry[511] = 0;
    }
}

static void out_of_memory_everywhere(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit <= 4; limit++) {
        teardown(NULL);
        setup(NULL);
        pool.limit = limit;
        assert_int_equal(tables_map(&tables, 0, 0, 1, 0, LEVEL_4K),
                         limit < 4 ? TABLES_NO_MEMORY : TABLES_OK);
    }
}

/* -- the whole address space -- */

#define KERNEL_PHYSICAL (32 * MIB)

static EFI_MEMORY_DESCRIPTOR map[] = {
    {.Type = EfiConventionalMemory, .PhysicalStart = 0, .NumberOfPages = 0xa0, .Attribute = 8},
    {.Type = EfiConventionalMemory, .PhysicalStart = MIB, .NumberOfPages = 0x5ff00, .Attribute = 8},
    {.Type = EfiACPIReclaimMemory,
     .PhysicalStart = MIB + 0x5ff00 * PAGE,
     .NumberOfPages = 0x10,
     .Attribute = 8},
    {.Type = EfiConventionalMemory,
     .PhysicalStart = 4 * GIB,
     .NumberOfPages = 2 * GIB / PAGE,
     .Attribute = 8},
};
static const struct reservation reservations[] = {
    {.start = KERNEL_PHYSICAL, .pages = 2, .kind = LIMEN_MEMORY_KERNEL, .read_only = true},
    {.start = KERNEL_PHYSICAL + 2 * PAGE, .pages = 1, .kind = LIMEN_MEMORY_KERNEL, .read_only = 1},
    {.start = KERNEL_PHYSICAL + 3 * PAGE, .pages = 3, .kind = LIMEN_MEMORY_KERNEL},
    {.start = 0x800000000, .pages = 1024, .kind = LIMEN_MEMORY_DEVICE}, /* a framebuffer */
};
static const struct limen_boot_segment segments[] = {
    {.address = LIMEN_KERNEL_BASE, .physical = KERNEL_PHYSICAL, .pages = 2, .rights = 5},
    {.address = LIMEN_KERNEL_BASE + 0x2000,
     .physical = KERNEL_PHYSICAL + 2 * PAGE,
     .pages = 1,
     .rights = LIMEN_SEGMENT_READ},
    {.address = LIMEN_KERNEL_BASE + 0x5000,
     .physical = KERNEL_PHYSICAL + 3 * PAGE,
     .pages = 3,
     .rights = LIMEN_SEGMENT_READ | LIMEN_SEGMENT_WRITE},
};
static const struct memory_view view = {.map = map,
                                        .map_size = sizeof map,
                                        .descriptor_size = sizeof *map,
                                        .reservations = reservations,
                                        .reservation_count = 4};

#define BOOT_STACK_PHYSICAL (48 * MIB)
#define JUMP_PAGE           (50 * MIB + 3 * PAGE)

static struct space_plan plan(enum tables_level largest)
{
    enum { STACKS = 6 * 1024 / 2 };
    assert_int_equal(space_stacks_pages(&view), STACKS);
    return (struct space_plan){
        .memory = &view,
        .segments = segments,
        .segment_count = 3,
        .boot_stack = BOOT_STACK_PHYSICAL,
        .stacks_tables = pool.pages + (POOL_PAGES - STACKS) * PAGE,
        .stacks_pages = STACKS,
        .jump_page = JUMP_PAGE,
        .largest_page = largest,
    };
}

static void build(enum tables_level largest)
{
    const struct space_plan p = plan(largest);
    pool.limit = POOL_PAGES - (unsigned)p.stacks_pages;
    assert_int_equal(space_build(&tables, &p), TABLES_OK);
}

static void the_kernel_by_segment(void **state)
{
    (void)state;
    build(LEVEL_1G);
    const uint64_t base = LIMEN_KERNEL_BASE;
    assert_int_equal(translate(base - 1).entry, 0);
    assert_mapped(base, KERNEL_PHYSICAL, PAGE, ENTRY_GLOBAL);
    assert_mapped(base + 0x1000, KERNEL_PHYSICAL + PAGE, PAGE, ENTRY_GLOBAL);
    assert_mapped(base + 0x2000, KERNEL_PHYSICAL + 2 * PAGE, PAGE, ENTRY_GLOBAL | ENTRY_NO_EXECUTE);
    assert_int_equal(translate(base + 0x3000).entry, 0);
    for (unsigned i = 0; i < 3; i++)
        assert_mapped(base + 0x5000 + i * PAGE, KERNEL_PHYSICAL + (3 + i) * PAGE, PAGE,
                      ENTRY_GLOBAL | ENTRY_NO_EXECUTE | ENTRY_WRITABLE);
    assert_int_equal(translate(base + 0x8000).entry, 0);
}

static void the_physical_map(void **state)
{
    (void)state;
    const uint64_t at = LIMEN_PHYSMAP_BASE;
    const uint64_t memory = ENTRY_GLOBAL | ENTRY_NO_EXECUTE | ENTRY_WRITABLE;
    const uint64_t device = memory | ENTRY_UNCACHED;
    build(LEVEL_1G);
    assert_int_equal(translate(at).entry, 0);
    assert_mapped(at + PAGE, PAGE, PAGE, memory);
    assert_mapped(at + 0xa0000, 0xa0000, PAGE, device);
    assert_mapped(at + MIB, MIB, PAGE, memory);
    assert_mapped(at + 2 * MIB, 2 * MIB, 2 * MIB, memory);
    assert_mapped(at + GIB, GIB, 2 * MIB, memory);
    assert_mapped(at + 0x60000000, 0x60000000, PAGE, memory); /* ACPI's tables */
    assert_mapped(at + 0x60010000, 0x60010000, PAGE, device);
    assert_mapped(at + 0xfee00000, 0xfee00000, GIB, device); /* the local APIC */
    assert_mapped(at + 4 * GIB, 4 * GIB, GIB, memory);
    assert_mapped(at + 6 * GIB - 1, 6 * GIB - 1, GIB, memory);
    assert_int_equal(translate(at + 6 * GIB).entry, 0);
    assert_mapped(at + 0x800000000, 0x800000000, 2 * MIB, device);
    assert_int_equal(translate(at + 0x800400000).entry, 0);
    /* What the kernel may not write, it may not write here either. */
    assert_mapped(at + KERNEL_PHYSICAL - PAGE, KERNEL_PHYSICAL - PAGE, 2 * MIB, memory);
    assert_mapped(at + KERNEL_PHYSICAL + 2 * PAGE, KERNEL_PHYSICAL + 2 * PAGE, PAGE,
                  memory & ~ENTRY_WRITABLE);
    assert_mapped(at + KERNEL_PHYSICAL + 3 * PAGE, KERNEL_PHYSICAL + 3 * PAGE, PAGE, memory);
}

static void without_1_gib_pages(void **state)
{
    (void)state;
    build(LEVEL_2M);
    const struct translation t = translate(LIMEN_PHYSMAP_BASE + 5 * GIB);
    assert_int_equal(t.page_size, 2 * MIB);
    assert_int_equal(t.physical, 5 * GIB);
}

static void the_boot_stack_between_guards(void **state)
{
    (void)state;
    build(LEVEL_1G);
    const uint64_t stack = LIMEN_BOOT_STACK_BASE + PAGE;
    assert_int_equal(translate(stack - 1).entry, 0);
    for (uint64_t i = 0; i < LIMEN_BOOT_STACK_SIZE; i += PAGE)
        assert_mapped(stack + i, BOOT_STACK_PHYSICAL + i, PAGE, ENTRY_WRITABLE | ENTRY_NO_EXECUTE);
    assert_int_equal(translate(stack + LIMEN_BOOT_STACK_SIZE).entry, 0);
}

static void one_page_in_the_lower_half(void **state)
{
    (void)state;
    build(LEVEL_1G);
    assert_mapped(JUMP_PAGE, JUMP_PAGE, PAGE, 0);
    assert_int_equal(translate(JUMP_PAGE - 1).entry, 0);
    assert_int_equal(translate(JUMP_PAGE + PAGE).entry, 0);
    for (unsigned i = 1; i < TABLE_ENTRIES / 2; i++)
        assert_int_equal(tables.top[i], 0);
}

static void nothing_writable_and_executable(const uint64_t *table, unsigned level)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++) {
        if (table[i] == 0)
            continue;
        if (level == LEVEL_4K || (level < LEVEL_TOP && (table[i] & ENTRY_LARGE) != 0))
            assert_true((table[i] & ENTRY_WRITABLE) == 0 || (table[i] & ENTRY_NO_EXECUTE) != 0);
        else
            nothing_writable_and_executable((const uint64_t *)(uintptr_t)(table[i] & ENTRY_ADDRESS),
                                            level - 1);
    }
}

static void write_xor_execute(void **state)
{
    (void)state;
    build(LEVEL_1G);
    nothing_writable_and_executable(tables.top, LEVEL_TOP);
}

static void every_shortage_is_reported(void **state)
{
    (void)state;
    build(LEVEL_1G);
    const unsigned needed = pool.used;
    for (unsigned limit = 1; limit < needed; limit++) {
        teardown(NULL);
        setup(NULL);
        const struct space_plan p = plan(LEVEL_1G);
        pool.limit = limit;
        assert_int_equal(space_build(&tables, &p), TABLES_NO_MEMORY);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_largest_page_that_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(no_larger_than_allowed_or_aligned, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_mapped_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(tables_attached, setup, teardown),
        cmocka_unit_test_setup_teardown(out_of_memory_everywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(the_kernel_by_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(the_physical_map, setup, teardown),
        cmocka_unit_test_setup_teardown(without_1_gib_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(the_boot_stack_between_guards, setup, teardown),
        cmocka_unit_test_setup_teardown(one_page_in_the_lower_half, setup, teardown),
        cmocka_unit_test_setup_teardown(write_xor_execute, setup, teardown),
        cmocka_unit_test_setup_teardown(every_shortage_is_reported, setup, teardown),
    };
    return cmocka_run_group_tests_name("efi space", tests, NULL, NULL);
}
