/* SPDX-License-Identifier: MIT */
/* From the boot information to init: what it holds, what it sees, and what is refused. */
#include "log.h"
#include "world.h"

#include <limen/clock.h>
#include <sys/wait.h>
#include <unistd.h>

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
        {LIMEN_INIT_CONTEXT, LIMEN_TYPE_CONTEXT, LIMEN_RIGHTS_ALL},
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

/* -- the console -- */

/* Whether the log is echoed by a kernel that is booted with a command line, and has then had ring 3
 * write to a port.  In a process of its own, for the kernel never takes the console back. */
static bool echoes(const char *cmdline, unsigned port)
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct limen_boot boot = world_information();
        strcpy(boot.cmdline, cmdline);
        world_boot_from(&boot);
        bool booted_aloud = host.console_length != 0;
        EXPECT(OK, LIMEN_INIT_PORTS, LIMEN_PORTS_OUT, port, 1, 0);
        host.console_length = 0;
        kernel_log("said\n");
        bool aloud = host.console_length == 5;
        _exit(booted_aloud ? aloud : aloud ? 3 : 2);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) < 3);
    return WEXITSTATUS(status) == 1;
}

static void test_the_word_quiet(void **state)
{
    static const char *const loud[] = {"",       "quietly",   "noquiet",
                                       "qui et", "cmd=quiet", "x quieter"};
    static const char *const quiet[] = {"quiet", "a quiet", "quiet b", "qui  quiet  b", "quiet "};
    (void)state;
    for (unsigned i = 0; i < sizeof(loud) / sizeof(loud[0]); i++)
        assert_true(echoes(loud[i], 0x80));
    for (unsigned i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++)
        assert_false(echoes(quiet[i], 0x80));
}

static void test_console_goes_to_who_writes_to_its_ports(void **state)
{
    (void)state;
    assert_true(echoes("", 0x3f7));
    assert_false(echoes("", 0x3f8));
    assert_false(echoes("", 0x3ff));
    assert_true(echoes("", 0x400));
}

static void test_quiet_is_still_logged(void **state)
{
    char text[200];
    uint64_t position = kernel_log_ring()->written;
    (void)state;
    kernel_log("said %s\n", "softly");
    assert_int_equal(host.console_length, 0);
    assert_int_equal(log_read(kernel_log_ring(), &position, text, sizeof(text)), 12);
    assert_memory_equal(text, "said softly\n", 12);
}

/* -- what cannot be booted -- */

static void assert_panics(const struct limen_boot *boot, const char *text)
{
    host_reset();
    host.panic_expected = true;
    if (!setjmp(host.panic_jump)) {
        kernel_main(boot);
        fail_msg("it booted");
    }
    if (!strstr(host.panic_text, text))
        fail_msg("it should say '%s', but says: %s", text, host.panic_text);
}

static void test_images_that_are_not_acceptable(void **state)
{
    static struct limen_boot boot;
    (void)state;
    boot = world_information();
    boot.segments[0].rights = LIMEN_SEGMENT_WRITE | LIMEN_SEGMENT_EXECUTE;
    assert_panics(&boot, "segment 0 of init");
    boot = world_information();
    boot.segments[0].address = LIMEN_INIT_ARCHIVE;
    assert_panics(&boot, "segment 0 of init");
    boot = world_information();
    boot.archive_size = 1ull << 28;
    assert_panics(&boot, "is the boot archive too large?");
}

/* More pieces of memory than init has slots for are lost, and the log says so. */
static void test_memory_in_small_pieces(void **state)
{
    static struct limen_boot boot;
    static char text[LOG_SIZE];
    (void)state;
    boot = world_information();
    boot.range_count = 301;
    for (unsigned i = 1; i <= 300; i++)
        boot.ranges[i] = (struct limen_memory_range){
            .start = 0x800000 + (uint64_t)i * 0x2000, .pages = 1, .kind = LIMEN_MEMORY_FREE};
    uint64_t position = kernel_log_ring()->written;
    world_boot_from(&boot);
    assert_int_equal(info()->untyped_count, LIMEN_INIT_UNTYPED_MAX);
    size_t length = log_read(kernel_log_ring(), &position, text, sizeof(text) - 1);
    text[length] = '\0';
    assert_non_null(strstr(text, "KiB in small pieces are not used"));
}

int main(void)
{
    /* The first two before anything quietens the kernel of this process. */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_word_quiet),
        cmocka_unit_test(test_console_goes_to_who_writes_to_its_ports),
        WORLD_TEST(test_what_init_holds),
        WORLD_TEST(test_init_starts_at_its_entry),
        WORLD_TEST(test_init_sees_its_image_stack_and_archive),
        WORLD_TEST(test_untyped_capabilities_cover_what_is_left),
        WORLD_TEST(test_info),
        WORLD_TEST(test_clock_page),
        WORLD_TEST(test_quiet_is_still_logged),
        cmocka_unit_test(test_images_that_are_not_acceptable),
        cmocka_unit_test(test_memory_in_small_pieces),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
