/* SPDX-License-Identifier: MIT */
/* From the boot information to init: what it holds, what it sees, and what is refused. */
#include "log.h"
#include "world.h"

#include <limen/clock.h>

static const struct limen_init_info *info(void)
{
    struct host_mapping found;
    assert_true(host_translate(&world.init_space->arch, LIMEN_INIT_INFO_ADDRESS, &found));
    assert_int_equal(found.rights, LIMEN_RIGHT_READ);
    return phys_to_virt(found.physical);
}

static void assert_mapped(uint64_t address, uint64_t physical, unsigned rights)
{
    struct host_mapping found;
    assert_true(host_translate(&world.init_space->arch, address, &found));
    assert_int_equal(found.rights, rights);
    if (physical)
        assert_int_equal(found.physical, physical);
}

static void assert_not_mapped(uint64_t address)
{
    struct host_mapping found;
    assert_false(host_translate(&world.init_space->arch, address, &found));
}

static void test_what_init_holds(void **state)
{
    static const struct {
        unsigned slot;
        enum limen_type type;
        unsigned rights;
    } expected[] = {
        {LIMEN_INIT_TABLE, LIMEN_TYPE_TABLE, LIMEN_RIGHTS_ALL},
        {LIMEN_INIT_SPACE, LIMEN_TYPE_SPACE, LIMEN_RIGHTS_ALL},
        {LIMEN_INIT_THREAD, LIMEN_TYPE_THREAD, LIMEN_RIGHTS_ALL},
        {LIMEN_INIT_IRQ_CONTROL, LIMEN_TYPE_IRQ_CONTROL, LIMEN_RIGHTS_ALL},
        {LIMEN_INIT_PORTS, LIMEN_TYPE_PORTS, LIMEN_RIGHTS_ALL},
        {LIMEN_INIT_KERNEL, LIMEN_TYPE_KERNEL, LIMEN_RIGHTS_ALL},
        {LIMEN_INIT_CLOCK, LIMEN_TYPE_FRAME, LIMEN_RIGHT_READ},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_INSPECT, expected[i].slot);
        assert_int_equal(result(0), expected[i].type);
        assert_int_equal(result(1), expected[i].rights);
    }
    assert_int_equal(slot_at(LIMEN_INIT_PORTS)->first_port, 0);
    assert_int_equal(slot_at(LIMEN_INIT_PORTS)->last_port, UINT16_MAX);
}

static void test_init_starts_at_its_entry(void **state)
{
    const struct limen_regs *regs = regs_of(world.init);
    (void)state;
    assert_int_equal(regs->rip, WORLD_INIT_ENTRY);
    assert_int_equal(regs->rsp, LIMEN_INIT_STACK_TOP);
    assert_int_equal(world.init->priority, PRIORITIES - 1);
    assert_ptr_equal(host.loaded, &world.init_space->arch);
}

static void test_init_sees_its_image_stack_and_archive(void **state)
{
    (void)state;
    assert_mapped(WORLD_INIT_ENTRY, 0x801000, LIMEN_RIGHT_READ | LIMEN_RIGHT_EXECUTE);
    assert_not_mapped(WORLD_INIT_ENTRY + LIMEN_PAGE_SIZE);
    assert_mapped(LIMEN_INIT_ARCHIVE, 0x800000, LIMEN_RIGHT_READ);
    assert_mapped(LIMEN_INIT_STACK_TOP - LIMEN_INIT_STACK_SIZE, 0,
                  LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    assert_not_mapped(LIMEN_INIT_STACK_TOP - LIMEN_INIT_STACK_SIZE - LIMEN_PAGE_SIZE);
    assert_not_mapped(LIMEN_INIT_STACK_TOP);
}

/* Every page of free memory is the kernel's, or in exactly one untyped capability, or in none for
 * want of a slot. */
static void test_untyped_capabilities_cover_what_is_left(void **state)
{
    uint64_t memory = 0, device = 0;
    (void)state;
    for (unsigned i = 0; i < info()->untyped_count; i++) {
        const struct limen_init_untyped *told = &info()->untyped[i];
        const struct slot *slot = slot_at(LIMEN_INIT_UNTYPED + i);
        assert_int_equal(slot->type, LIMEN_TYPE_UNTYPED);
        assert_int_equal(virt_to_phys(slot->object), told->address);
        assert_int_equal(slot->order, told->order);
        assert_int_equal(slot->device, told->device);
        assert_int_equal(told->address % (1ull << told->order), 0);
        *(told->device ? &device : &memory) += 1ull << told->order;
    }
    assert_int_equal(device, 0x200 * LIMEN_PAGE_SIZE);
    const uint64_t free = (0x500 + 0x800) * LIMEN_PAGE_SIZE;
    assert_in_range(memory, free - 0x100 * LIMEN_PAGE_SIZE, free - LIMEN_PAGE_SIZE);
}

static void test_info(void **state)
{
    (void)state;
    assert_int_equal(info()->version, LIMEN_INIT_VERSION);
    assert_int_equal(info()->archive, LIMEN_INIT_ARCHIVE);
    assert_int_equal(info()->archive_size, LIMEN_PAGE_SIZE);
    assert_int_equal(info()->memory, (0x500 + 2 + 0x800) * LIMEN_PAGE_SIZE);
    assert_string_equal(info()->cmdline, "quiet");
}

static void test_clock_page(void **state)
{
    const struct limen_clock *clock = object_at(LIMEN_INIT_CLOCK);
    (void)state;
    assert_mapped(info()->clock, virt_to_phys(clock), LIMEN_RIGHT_READ);
    assert_int_equal(clock->tsc_hz, 1000000000ull * HOST_TICKS_A_NS);
    assert_int_equal(limen_clock_ns(clock, clock->tsc_base + 500), 500 / HOST_TICKS_A_NS);
}

/* `quiet` holds back what would be echoed; the log still has it. */
static void test_quiet(void **state)
{
    char text[200];
    uint64_t position = kernel_log_ring()->written;
    (void)state;
    assert_int_equal(host.console_length, 0);
    kernel_log("said %s\n", "softly");
    assert_int_equal(host.console_length, 0);
    assert_int_equal(log_read(kernel_log_ring(), &position, text, sizeof(text)), 12);
    assert_memory_equal(text, "said softly\n", 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WORLD_TEST(test_what_init_holds),
        WORLD_TEST(test_init_starts_at_its_entry),
        WORLD_TEST(test_init_sees_its_image_stack_and_archive),
        WORLD_TEST(test_untyped_capabilities_cover_what_is_left),
        WORLD_TEST(test_info),
        WORLD_TEST(test_clock_page),
        WORLD_TEST(test_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
