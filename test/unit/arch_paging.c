/* SPDX-License-Identifier: MIT */
/*
 * Page tables and PCIDs, on a processor whose TLB forgets only what it must.
 *
 * No emulator here has a TLB that tells address spaces apart: Bochs has PCIDs, but drops everything
 * at each load of CR3.  So this test is the processor: arch/x86_64/paging.c runs as it is compiled
 * here, its privileged instructions fault, and the handler does to a model what the manual says
 * (SDM vol. 3, 4.10).  The model keeps all that it may keep, translations and pointers to tables,
 * so that one that should have been dropped is found by the next access.
 */
#include "internal.h"

#include <asm/prctl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <cmocka.h>

#define LEVELS 4u

static struct arch_cpu cpu;
static struct machine machine;

/* -- memory -- */

#define POOL_PAGES 4096u
static char *pool;
static unsigned pool_used;

static void *page(void)
{
    assert_in_range(pool_used, 0, POOL_PAGES - 1);
    char *taken = pool + pool_used++ * PAGE_SIZE;
    memset(taken, 0, PAGE_SIZE);
    return taken;
}

void *kernel_boot_alloc(size_t pages)
{
    char *first = page();
    while (--pages > 0)
        page();
    return first;
}

void arch_panic(const struct limen_regs *regs, const char *format, ...)
{
    va_list arguments;
    (void)regs;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    abort();
}

/* -- the processor -- */

/* What it remembers of an address: with level 1 or 2 a page; with level 0 the table that the entry
 * for the page is in, whatever that says. */
struct memory {
    uint64_t pcid, address, entry;
    unsigned level;
};

#define MEMORIES_MAX 4096u
static struct processor {
    uint64_t cr3, cr4;
    struct memory memories[MEMORIES_MAX];
    unsigned count;
    unsigned loads, walks;
} processor;

static bool same_region(uint64_t a, uint64_t b, unsigned level)
{
    unsigned shift = level == 1 ? LIMEN_PAGE_ORDER : LIMEN_LARGE_PAGE_ORDER;
    return a >> shift == b >> shift;
}

/* Drops what is kept for the PCID, of one address or of all. */
static void drop(uint64_t pcid, const uint64_t *address)
{
    for (unsigned i = processor.count; i-- > 0;) {
        const struct memory *at = &processor.memories[i];
        if (at->pcid == pcid && (!address || same_region(at->address, *address, at->level)))
            processor.memories[i] = processor.memories[--processor.count];
    }
}

static void load_cr3(uint64_t value)
{
    processor.loads++;
    bool keep = value & CR3_KEEP;
    assert_true(!keep || processor.cr4 & CR4_PCIDE);
    processor.cr3 = value & ~CR3_KEEP;
    if (!keep)
        drop(processor.cr3 & CR3_PCID, NULL);
}

static const struct memory *recall(uint64_t address, bool of_page)
{
    for (unsigned i = 0; i < processor.count; i++) {
        const struct memory *at = &processor.memories[i];
        if (at->pcid == (processor.cr3 & CR3_PCID) && (at->level > 0) == of_page &&
            same_region(at->address, address, at->level))
            return at;
    }
    return NULL;
}

static void remember(uint64_t address, uint64_t entry, unsigned level)
{
    assert_in_range(processor.count, 0, MEMORIES_MAX - 1);
    processor.memories[processor.count++] =
        (struct memory){processor.cr3 & CR3_PCID, address, entry, level};
}

static uint64_t entry_at(uint64_t table, uint64_t address, unsigned level)
{
    const uint64_t *entries = phys_to_virt(table & PTE_ADDRESS);
    return entries[address >> (LIMEN_PAGE_ORDER + 9 * (level - 1)) & (ENTRIES - 1)];
}

/* What the tables say of an address: the entry of its page, or 0. */
static uint64_t walk(uint64_t top, uint64_t address, bool by_processor)
{
    uint64_t entry = top;
    for (unsigned level = LEVELS; level > 0; level--) {
        if (level == 1 && by_processor) {
            const struct memory *table = recall(address, false);
            if (!table)
                remember(address, entry, 0);
        }
        entry = entry_at(entry, address, level);
        if (!(entry & PTE_PRESENT))
            return 0;
        if (level == 1 || (level == 2 && entry & PTE_LARGE)) {
            if (by_processor)
                remember(address, entry, level);
            return entry;
        }
    }
    return 0;
}

/* An access of ring 3's: the entry of the page that it reaches, or 0 for a fault. */
static uint64_t access_page(uint64_t address)
{
    const struct memory *found = recall(address, true);
    if (found)
        return found->entry;
    processor.walks++;
    const struct memory *table = recall(address, false);
    if (!table)
        return walk(processor.cr3, address, true);
    uint64_t entry = entry_at(table->entry, address, 1);
    if (entry & PTE_PRESENT)
        remember(address, entry, 1);
    return entry & PTE_PRESENT ? entry : 0;
}

/* -- its instructions -- */

static const int register_of[16] = {
    REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
    REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
};

struct instruction {
    const uint8_t *at;
    unsigned rex;
    greg_t *registers;
};

static greg_t *field(const struct instruction *i, unsigned number, unsigned extension)
{
    return &i->registers[register_of[number | (i->rex & extension ? 8u : 0u)]];
}

/* The address a ModRM byte names: a register's value, with a displacement of a byte or none. */
static uint64_t operand(struct instruction *i, unsigned modrm)
{
    unsigned mode = modrm >> 6, base = modrm & 7;
    if (base == 4)
        base = *i->at++ & 7; /* SIB without an index, for RSP and R12 */
    uint64_t address = (uint64_t)*field(i, base, 1);
    if (mode == 1)
        address += (uint64_t)(int8_t)*i->at++;
    assert_true(mode <= 1);
    return address;
}

static void invalidate(uint64_t what, const uint64_t descriptor[2])
{
    assert_true(processor.cr4 & CR4_PCIDE);
    drop(descriptor[0], what == INVPCID_ADDRESS ? &descriptor[1] : NULL);
}

static void invalidate_page(uint64_t address)
{
    drop(processor.cr3 & CR3_PCID, &address);
}

static void execute(int signal, siginfo_t *info, void *context)
{
    ucontext_t *state = context;
    greg_t *registers = state->uc_mcontext.gregs;
    struct instruction i = {.at = (const uint8_t *)registers[REG_RIP], .registers = registers};
    (void)signal;
    (void)info;

    bool wide = *i.at == 0x66;
    i.at += wide;
    if ((*i.at & 0xf0) == 0x40)
        i.rex = *i.at++;
    unsigned escape = *i.at++, opcode = *i.at++;
    bool invpcid = wide && opcode == 0x38;
    if (invpcid)
        opcode = *i.at++;
    unsigned modrm = *i.at++;
    if (escape == 0x0f && opcode == 0x20 && (modrm >> 3 & 7) == 3)
        *field(&i, modrm & 7, 1) = (greg_t)processor.cr3;
    else if (escape == 0x0f && opcode == 0x20 && (modrm >> 3 & 7) == 4)
        *field(&i, modrm & 7, 1) = (greg_t)processor.cr4;
    else if (escape == 0x0f && opcode == 0x22 && (modrm >> 3 & 7) == 3)
        load_cr3((uint64_t)*field(&i, modrm & 7, 1));
    else if (escape == 0x0f && !invpcid && opcode == 0x01 && (modrm >> 3 & 7) == 7)
        invalidate_page(operand(&i, modrm));
    else if (escape == 0x0f && invpcid && opcode == 0x82) {
        const uint64_t *descriptor = (const uint64_t *)operand(&i, modrm);
        invalidate((uint64_t)*field(&i, modrm >> 3 & 7, 4), descriptor);
    } else {
        abort(); /* a fault of the test's own */
    }
    registers[REG_RIP] = (greg_t)i.at;
}

/* -- the system -- */

#define SPACES_MAX 8u
#define PAGES      6u

/* Two in one region, one each in others, and one that a large page would hide. */
static const uint64_t places[PAGES] = {0x400000,   0x401000,     0x40000000,
                                       0x80201000, 0x8000000000, 0x7fffffffe000};

static struct system {
    struct arch_space spaces[SPACES_MAX];
    struct arch_thread threads[SPACES_MAX];
    bool alive[SPACES_MAX];
    struct arch_thread idle;
    struct arch_thread *current;
} system_state;

static void create(unsigned n)
{
    arch_space_create(&system_state.spaces[n], page());
    arch_space_set(&system_state.threads[n], &system_state.spaces[n]);
    system_state.alive[n] = true;
}

/* What arch_switch() does for the address space. */
static void switch_to(struct arch_thread *to)
{
    if (to->cr3)
        arch_switch_memory(system_state.current, to);
    system_state.current = to;
}

static void run(unsigned n)
{
    switch_to(&system_state.threads[n]);
}

/* The kernel's own order: mappings and tables go, the threads lose the space, the space goes. */
static void destroy(unsigned n)
{
    arch_space_clear(&system_state.spaces[n]);
    arch_space_set(&system_state.threads[n], NULL);
    arch_space_destroy(&system_state.spaces[n]);
    system_state.alive[n] = false;
}

static enum limen_error map(unsigned n, uint64_t address, uint64_t physical, unsigned order)
{
    struct arch_space *space = &system_state.spaces[n];
    enum limen_error error;
    while ((error = arch_map(space, address, physical, order, LIMEN_RIGHT_READ,
                             LIMEN_CACHE_NORMAL)) == LIMEN_NO_TABLES)
        arch_add_table(space, address, page());
    return error;
}

static uint64_t truth(unsigned n, uint64_t address)
{
    return walk(virt_to_phys(system_state.spaces[n].top), address, false);
}

/* Ring 3 reaches what the tables of its space say, and nothing else. */
static void check_accesses(unsigned n)
{
    for (unsigned i = 0; i < PAGES; i++)
        assert_int_equal(access_page(places[i]), truth(n, places[i]));
}

static unsigned held(uint64_t pcid)
{
    unsigned count = 0;
    for (unsigned i = 0; i < processor.count; i++)
        count += processor.memories[i].pcid == pcid && processor.memories[i].level > 0;
    return count;
}

/* With so many PCIDs to give. */
static int boot(unsigned pcids)
{
    const struct sigaction action = {.sa_sigaction = execute, .sa_flags = SA_SIGINFO | SA_NODEFER};
    if (!pool)
        pool = mmap(NULL, POOL_PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(pool != MAP_FAILED);
    assert_int_equal(sigaction(SIGSEGV, &action, NULL), 0);
    assert_int_equal(syscall(SYS_arch_prctl, ARCH_SET_GS, &cpu), 0);
    pool_used = 0;
    memset(&machine, 0, sizeof(machine));
    memset(&processor, 0, sizeof(processor));
    memset(&system_state, 0, sizeof(system_state));
    cpu.machine = &machine;
    machine.top = page();
    processor.cr3 = virt_to_phys(machine.top);
    system_state.current = &system_state.idle;
    if (pcids) {
        processor.cr4 = CR4_PCIDE;
        machine.pcids = page();
        for (uint16_t pcid = (uint16_t)pcids; pcid > 0; pcid--)
            machine.pcids[machine.pcid_count++] = pcid;
    }
    return 0;
}

static uint64_t pcid_of(unsigned n)
{
    return system_state.spaces[n].cr3 & CR3_PCID;
}

/* -- the tests -- */

static void test_translations_outlive_a_switch(void **state)
{
    (void)state;
    boot(2);
    create(0);
    create(1);
    assert_int_equal(map(0, places[0], 0x1000, LIMEN_PAGE_ORDER), LIMEN_OK);
    assert_int_equal(map(1, places[0], 0x2000, LIMEN_PAGE_ORDER), LIMEN_OK);
    for (unsigned lap = 0; lap < 3; lap++)
        for (unsigned n = 0; n < 2; n++) {
            run(n);
            assert_int_equal(access_page(places[0]), truth(n, places[0]));
        }
    assert_int_equal(processor.walks, 2);
    assert_int_equal(processor.loads, 6);
}

static void test_one_space_is_loaded_once(void **state)
{
    struct arch_thread second;
    (void)state;
    boot(1);
    create(0);
    run(0);
    second = system_state.threads[0];
    switch_to(&second);
    assert_int_equal(processor.loads, 1);
    switch_to(&system_state.idle);
    assert_int_equal(processor.loads, 1);
    assert_int_equal(processor.cr3, system_state.spaces[0].cr3 & ~CR3_KEEP);
}

static void unmapped_elsewhere(unsigned pcids)
{
    boot(pcids);
    create(0);
    create(1);
    for (unsigned i = 0; i < PAGES; i++)
        assert_int_equal(map(0, places[i], 0x1000 * i, LIMEN_PAGE_ORDER), LIMEN_OK);
    run(0);
    check_accesses(0);
    run(1);
    check_accesses(1);
    arch_unmap(&system_state.spaces[0], places[0], LIMEN_PAGE_ORDER);
    arch_unmap(&system_state.spaces[0], places[4], LIMEN_PAGE_ORDER);
    assert_int_equal(held(pcid_of(0)), pcids ? PAGES - 2 : 0);
    run(0);
    check_accesses(0);
    assert_int_equal(access_page(places[0]), 0);
    /* And where it is loaded. */
    arch_unmap(&system_state.spaces[0], places[1], LIMEN_PAGE_ORDER);
    assert_int_equal(access_page(places[1]), 0);
    check_accesses(0);
}

static void test_page_is_unmapped_in_a_space_that_is_not_loaded(void **state)
{
    (void)state;
    unmapped_elsewhere(2);
}

static void test_page_is_unmapped_without_pcids(void **state)
{
    (void)state;
    unmapped_elsewhere(0);
}

/* What it had mapped is gone, in the next space with its number as well. */
static void test_number_is_used_again(void **state)
{
    (void)state;
    boot(2);
    create(0);
    create(1);
    assert_int_equal(map(0, places[0], 0x1000, LIMEN_PAGE_ORDER), LIMEN_OK);
    run(0);
    check_accesses(0);
    uint64_t pcid = pcid_of(0);
    run(1);
    destroy(0);
    create(2);
    assert_int_equal(pcid_of(2), pcid);
    run(2);
    check_accesses(2);
}

static void test_cleared_space_forgets(void **state)
{
    (void)state;
    for (unsigned pcids = 0; pcids < 3; pcids++)
        for (unsigned running = 0; running < 2; running++) {
            boot(pcids);
            create(0);
            create(1);
            assert_int_equal(map(0, places[0], 0x1000, LIMEN_PAGE_ORDER), LIMEN_OK);
            run(0);
            check_accesses(0);
            run(running);
            arch_space_clear(&system_state.spaces[0]);
            run(0);
            check_accesses(0);
            assert_int_equal(map(0, places[0], 0x2000, LIMEN_PAGE_ORDER), LIMEN_OK);
            check_accesses(0);
        }
}

/* Its tables are not the processor's any more, even if nothing else ran since. */
static void test_space_dies_under_the_idle_thread(void **state)
{
    (void)state;
    for (unsigned pcids = 0; pcids < 2; pcids++) {
        boot(pcids);
        create(0);
        run(0);
        switch_to(&system_state.idle);
        destroy(0);
        assert_int_equal(processor.cr3, virt_to_phys(machine.top));
    }
}

static void test_more_spaces_than_numbers(void **state)
{
    (void)state;
    boot(2);
    for (unsigned n = 0; n < 4; n++) {
        create(n);
        assert_int_equal(map(n, places[0], 0x1000 * (n + 1), LIMEN_PAGE_ORDER), LIMEN_OK);
    }
    assert_int_equal(pcid_of(0), 1);
    assert_int_equal(pcid_of(1), 2);
    assert_int_equal(system_state.spaces[2].cr3, virt_to_phys(system_state.spaces[2].top));
    assert_int_equal(pcid_of(3), 0);
    for (unsigned i = 0; i < 12; i++) {
        run(i * 3 % 4);
        check_accesses(i * 3 % 4);
    }
    destroy(1);
    create(4);
    assert_int_equal(pcid_of(4), 2);
}

/* Everything at random, and after each step what is loaded is what the tables say. */
static void random_steps(unsigned pcids, unsigned seed)
{
    boot(pcids);
    srandom(seed);
    for (unsigned step = 0; step < 3000; step++) {
        unsigned n = (unsigned)random() % SPACES_MAX;
        uint64_t address = places[(unsigned)random() % PAGES];
        if (pool_used > POOL_PAGES - 8)
            return;
        if (!system_state.alive[n]) {
            create(n);
            continue;
        }
        switch (random() % 16) {
        case 0:
            if (system_state.current != &system_state.threads[n])
                destroy(n);
            break;
        case 1:
            arch_space_clear(&system_state.spaces[n]);
            break;
        case 2:
            switch_to(&system_state.idle);
            break;
        case 3:
        case 4:
        case 5:
        case 6:
        case 7:
            if (truth(n, address))
                arch_unmap(&system_state.spaces[n], address, LIMEN_PAGE_ORDER);
            else
                (void)map(n, address, (uint64_t)random() % 64 * PAGE_SIZE, LIMEN_PAGE_ORDER);
            break;
        default:
            run(n);
            break;
        }
        for (unsigned i = 0; i < SPACES_MAX; i++)
            if (system_state.current == &system_state.threads[i])
                check_accesses(i);
    }
}

static void test_everything_at_random(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 60; seed++)
        random_steps(seed % 10, seed);
}

/* The numbers there are on a machine: all of twelve bits but 0, each once. */
static void test_every_number_once(void **state)
{
    static bool seen[4096];
    (void)state;
    boot(0);
    pcids_init(&machine);
    assert_int_equal(machine.pcid_count, 0); /* CR4 says no */
    processor.cr4 = CR4_PCIDE;
    pcids_init(&machine);
    if (machine.pcid_count == 0)
        skip(); /* this host has no INVPCID */
    assert_int_equal(machine.pcid_count, 4095);
    for (unsigned i = 0; i < machine.pcid_count; i++) {
        assert_in_range(machine.pcids[i], 1, 4095);
        assert_false(seen[machine.pcids[i]]);
        seen[machine.pcids[i]] = true;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translations_outlive_a_switch),
        cmocka_unit_test(test_one_space_is_loaded_once),
        cmocka_unit_test(test_page_is_unmapped_in_a_space_that_is_not_loaded),
        cmocka_unit_test(test_page_is_unmapped_without_pcids),
        cmocka_unit_test(test_number_is_used_again),
        cmocka_unit_test(test_cleared_space_forgets),
        cmocka_unit_test(test_space_dies_under_the_idle_thread),
        cmocka_unit_test(test_more_spaces_than_numbers),
        cmocka_unit_test(test_everything_at_random),
        cmocka_unit_test(test_every_number_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
