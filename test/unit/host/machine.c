/* SPDX-License-Identifier: MIT */
#include "machine.h"

#include "invoke.h"
#include "log.h"

#include <limen/clock.h>
#include <limen/message.h>
#include <limen/syscall.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

struct cpu *host_cpu;
char *host_memory;
struct host host;

#define THREAD_STACK_PAGE 4u

/* The address is chosen once, and a multiple of the memory's size like the real physical map's:
 * objects keep their alignment. */
static char *reserve(void)
{
    char *place = mmap(NULL, 2 * HOST_MEMORY, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(place != MAP_FAILED);
    return place + (HOST_MEMORY - (uintptr_t)place % HOST_MEMORY) % HOST_MEMORY;
}

/* A file of dirt: each reset maps it anew, privately, so only the pages that were used cost. */
static int dirt_file(void)
{
    static char page[LIMEN_PAGE_SIZE];
    int file = memfd_create("dirt", 0);
    assert_true(file >= 0);
    memset(page, HOST_DIRT, sizeof(page));
    for (uint64_t at = 0; at < HOST_MEMORY; at += sizeof(page))
        assert_int_equal(write(file, page, sizeof(page)), sizeof(page));
    return file;
}

void host_reset(void)
{
    static int file = -1;
    if (file < 0) {
        file = dirt_file();
        host_memory = reserve();
    }
    void *memory =
        mmap(host_memory, HOST_MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, file, 0);
    assert_ptr_equal(memory, host_memory);
    memset(&host, 0, sizeof(host));
    host.timer = HOST_NEVER;
    host.counts_cycles = true;
    if (host_cpu)
        memset(host_cpu, 0, sizeof(*host_cpu));
}

/* -- processor -- */

void arch_init(struct cpu *cpu, const struct limen_boot *boot)
{
    (void)boot;
    host_cpu = cpu;
    cpu->arch.self = cpu;
}

uint64_t arch_ticks(void)
{
    return host.now;
}

uint64_t arch_ns_to_ticks(uint64_t ns)
{
    return ns > UINT64_MAX / HOST_TICKS_A_NS ? UINT64_MAX : ns * HOST_TICKS_A_NS;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
    return ticks / HOST_TICKS_A_NS;
}

void arch_machine_check_poll(void)
{
}

bool arch_core_cycles(uint64_t *cycles)
{
    if (host.counts_cycles)
        *cycles = 54321;
    return host.counts_cycles;
}

uint64_t arch_calibration_ticks(void)
{
    return 12345;
}

void arch_clock_fill(struct limen_clock *clock)
{
    clock->tsc_hz = HOST_TICKS_A_NS * 1000000000ull;
    clock->multiplier = (1ull << 32) / HOST_TICKS_A_NS;
}

void arch_timer_set(uint64_t tick)
{
    host.timer = tick;
    host.timer_sets++;
}

void arch_window(void)
{
    host.windows++;
    if (host.window)
        host.window();
}

void arch_switch(struct arch_thread *from, struct arch_thread *to)
{
    assert_ptr_not_equal(from, to);
    host.switches++;
    if (to->space)
        host.loaded = to->space;
}

struct limen_regs *host_syscall(struct limen_regs *regs)
{
    if (regs->rax == LIMEN_SYS_CALL)
        return fast_call(regs->rdi, regs->rsi);
    if (regs->rax == LIMEN_SYS_REPLY_WAIT)
        return fast_reply_wait(regs->rdi, regs->rsi);
    return kernel_syscall(regs);
}

struct limen_regs *arch_syscall_invoke(struct slot *slot, struct limen_regs *regs)
{
    return invoke(slot, regs);
}

struct limen_regs *arch_syscall_general(void)
{
    return kernel_syscall(host_cpu->current->arch.regs);
}

struct limen_regs *arch_exit(struct limen_regs *regs)
{
    return regs;
}

/* Where the processor would load registers, the words get into the frame. */
struct limen_regs *arch_fast_exit(uint64_t badge, uint64_t tag, const struct limen_regs *low,
                                  const struct limen_regs *high, struct arch_thread *from,
                                  struct arch_thread *to)
{
    const unsigned half = LIMEN_WORDS_IN_REGISTERS / 2;

    assert_int_equal(to->regs->error, (uint64_t)REGS_BY_SYSCALL);
    for (unsigned i = 0; i < half; i++) {
        to->regs->words[i] = low->words[i];
        to->regs->words[half + i] = high->words[half + i];
    }
    to->regs->rsi = tag;
    to->regs->rdi = badge;
    to->regs->rax = LIMEN_OK;
    arch_switch(from, to);
    return to->regs;
}

/* -- threads -- */

static void user_constants(struct limen_regs *regs)
{
    regs->cs = 0x2b;
    regs->ss = 0x23;
    regs->rflags = 0x202;
}

void arch_thread_create(struct arch_thread *arch, void *memory)
{
    assert_ptr_equal(arch, memory);
    assert_int_equal(virt_to_phys(memory) % (1u << LIMEN_THREAD_ORDER), 0);
    memset(arch, 0, sizeof(*arch));
    arch->stack_top = (uint64_t)memory + (1u << LIMEN_THREAD_ORDER);
    arch->regs = (struct limen_regs *)arch->stack_top - 1;
    arch_regs_clear(arch);
}

/* The stack is gone: whoever still uses it reads dirt. */
void arch_thread_destroy(struct arch_thread *arch)
{
    assert_ptr_not_equal(arch, &host_cpu->current->arch);
    memset((char *)arch + THREAD_STACK_PAGE * LIMEN_PAGE_SIZE, HOST_DIRT,
           (1u << LIMEN_THREAD_ORDER) - THREAD_STACK_PAGE * LIMEN_PAGE_SIZE);
    arch->regs = NULL;
}

void arch_idle_create(struct arch_thread *arch)
{
    static struct limen_regs stack[2];
    memset(stack, 0, sizeof(stack));
    memset(arch, 0, sizeof(*arch));
    arch->stack_top = (uint64_t)&stack[1];
    arch->regs = stack;
}

void arch_regs_clear(struct arch_thread *arch)
{
    *arch->regs = (struct limen_regs){0};
    user_constants(arch->regs);
}

void arch_regs_set(struct arch_thread *arch, const struct limen_regs *from)
{
    *arch->regs = *from;
    user_constants(arch->regs);
    arch->regs->error = 0;
    arch->flags |= ARCH_THREAD_IRET;
}

bool arch_bases_set(struct arch_thread *arch, uint64_t fs, uint64_t gs)
{
    if (fs >= LIMEN_USER_END || gs >= LIMEN_USER_END)
        return false;
    arch->fs_base = fs;
    arch->gs_base = gs;
    return true;
}

/* What may be in DR7 is arch/'s affair, and tested in the guest. */
bool arch_debug_set(struct arch_thread *arch, const uint64_t addresses[4], uint64_t control)
{
    for (unsigned n = 0; n < 4; n++)
        if (addresses[n] >= LIMEN_USER_END)
            return false;
    memcpy(arch->breakpoints, addresses, sizeof(arch->breakpoints));
    arch->breakpoint_control = control;
    return true;
}

/* -- page tables: four levels, as the processor's, with flags of our own -- */

#define LEVELS     4u
#define LEVEL_BITS 9u
#define ENTRIES    (1u << LEVEL_BITS)
#define PRESENT    0x1ull
#define LEAF       0x2ull
#define RIGHTS_AT  4u
#define UNCACHED   0x100ull
#define ADDRESS    (~(LIMEN_PAGE_SIZE - 1))

static uint64_t *entry_of(uint64_t *table, uint64_t address, unsigned level)
{
    return &table[address >> (LIMEN_PAGE_ORDER + LEVEL_BITS * (level - 1)) & (ENTRIES - 1)];
}

static unsigned leaf_level(unsigned order)
{
    assert_true(order == LIMEN_PAGE_ORDER || order == LIMEN_LARGE_PAGE_ORDER);
    return order == LIMEN_PAGE_ORDER ? 1 : 2;
}

void arch_space_create(struct arch_space *space, void *top)
{
    for (uint64_t i = 0; i < LIMEN_PAGE_SIZE; i++)
        assert_int_equal(((char *)top)[i], 0);
    space->top = top;
}

enum limen_error arch_map(struct arch_space *space, uint64_t address, uint64_t physical,
                          unsigned order, unsigned rights, enum limen_cache cache)
{
    assert_int_equal((address | physical) & ((1ull << order) - 1), 0);
    assert_true(address < LIMEN_USER_END && LIMEN_USER_END - address >= 1ull << order);
    uint64_t *table = space->top;
    for (unsigned level = LEVELS; level > leaf_level(order); level--) {
        uint64_t *entry = entry_of(table, address, level);
        if (*entry & LEAF)
            return LIMEN_ALREADY_MAPPED;
        if (!*entry)
            return LIMEN_NO_TABLES;
        table = phys_to_virt(*entry & ADDRESS);
    }
    uint64_t *entry = entry_of(table, address, leaf_level(order));
    if (*entry)
        return LIMEN_ALREADY_MAPPED;
    *entry = physical | PRESENT | LEAF | (uint64_t)rights << RIGHTS_AT |
             (cache == LIMEN_CACHE_NONE ? UNCACHED : 0);
    return LIMEN_OK;
}

void arch_add_table(struct arch_space *space, uint64_t address, const void *page)
{
    const char *bytes = page;
    uint64_t *table = space->top;
    for (unsigned level = LEVELS; level > 1; level--) {
        uint64_t *entry = entry_of(table, address, level);
        assert_false(*entry & LEAF);
        if (!*entry) {
            for (uint64_t i = 0; i < LIMEN_PAGE_SIZE; i++)
                assert_int_equal(bytes[i], 0);
            *entry = virt_to_phys(page) | PRESENT;
            return;
        }
        table = phys_to_virt(*entry & ADDRESS);
    }
    fail_msg("no table lacks on the way to %lx", address);
}

void arch_unmap(struct arch_space *space, uint64_t address, unsigned order)
{
    uint64_t *table = space->top;
    for (unsigned level = LEVELS; level > leaf_level(order); level--) {
        uint64_t entry = *entry_of(table, address, level);
        assert_int_equal(entry & (PRESENT | LEAF), PRESENT);
        table = phys_to_virt(entry & ADDRESS);
    }
    uint64_t *entry = entry_of(table, address, leaf_level(order));
    assert_true(*entry & LEAF);
    *entry = 0;
}

void arch_space_destroy(struct arch_space *space)
{
    for (uint64_t i = 0; i < ENTRIES; i++)
        assert_int_equal(space->top[i], 0);
    space->top = NULL;
}

void arch_space_clear(struct arch_space *space)
{
    memset(space->top, 0, LIMEN_PAGE_SIZE);
}

bool host_translate(const struct arch_space *space, uint64_t address, struct host_mapping *found)
{
    uint64_t *table = space->top;
    for (unsigned level = LEVELS; level > 0; level--) {
        uint64_t entry = *entry_of(table, address, level);
        if (!entry)
            return false;
        if (entry & LEAF) {
            *found = (struct host_mapping){
                .physical = entry & ADDRESS,
                .order = LIMEN_PAGE_ORDER + LEVEL_BITS * (level - 1),
                .rights = entry >> RIGHTS_AT & LIMEN_RIGHTS_ALL,
                .cache = entry & UNCACHED ? LIMEN_CACHE_NONE : LIMEN_CACHE_NORMAL,
            };
            return true;
        }
        table = phys_to_virt(entry & ADDRESS);
    }
    return false;
}

static uint64_t mapped_below(const uint64_t *table, unsigned level)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < ENTRIES; i++) {
        if (table[i] & LEAF)
            bytes += 1ull << (LIMEN_PAGE_ORDER + LEVEL_BITS * (level - 1));
        else if (table[i])
            bytes += mapped_below(phys_to_virt(table[i] & ADDRESS), level - 1);
    }
    return bytes;
}

uint64_t host_mapped_bytes(const struct arch_space *space)
{
    return mapped_below(space->top, LEVELS);
}

static uint64_t tables_below(const uint64_t *table, unsigned level)
{
    uint64_t tables = 0;
    for (unsigned i = 0; i < ENTRIES; i++)
        if (table[i] && !(table[i] & LEAF))
            tables += 1 + tables_below(phys_to_virt(table[i] & ADDRESS), level - 1);
    return tables;
}

uint64_t host_tables(const struct arch_space *space)
{
    return tables_below(space->top, LEVELS);
}

/* -- devices -- */

unsigned arch_irq_count(void)
{
    return HOST_IRQS;
}

enum limen_error arch_irq_attach(unsigned line, enum limen_irq_mode mode)
{
    assert_false(host.irqs[line].attached);
    if (host.irq_error)
        return host.irq_error;
    host.irqs[line].attached = true;
    host.irqs[line].unmasked = false;
    host.irqs[line].mode = mode;
    return LIMEN_OK;
}

void arch_irq_detach(unsigned line)
{
    assert_true(host.irqs[line].attached);
    host.irqs[line].attached = false;
    host.irqs[line].unmasked = false;
}

void arch_irq_unmask(unsigned line)
{
    assert_true(host.irqs[line].attached);
    host.irqs[line].unmasked = true;
}

void arch_irq_mask(unsigned line)
{
    assert_true(host.irqs[line].attached);
    host.irqs[line].unmasked = false;
}

static void note_port(struct host_port_access access)
{
    assert_true(host.port_accesses < sizeof(host.ports) / sizeof(host.ports[0]));
    host.ports[host.port_accesses++] = access;
}

uint32_t arch_port_in(uint16_t port, unsigned bytes)
{
    note_port((struct host_port_access){port, (uint8_t)bytes, false, host.port_value});
    return host.port_value;
}

void arch_port_out(uint16_t port, unsigned bytes, uint32_t value)
{
    note_port((struct host_port_access){port, (uint8_t)bytes, true, value});
}

void arch_console_write(const char *text, size_t length)
{
    size_t room = sizeof(host.console) - host.console_length;
    if (length > room)
        length = room;
    memcpy(host.console + host.console_length, text, length);
    host.console_length += length;
}

/* -- the end -- */

void arch_print_regs(const struct limen_regs *regs)
{
    assert_ptr_equal(regs, host_cpu->current->arch.regs);
    host.oopses++;
}

void arch_panic(const struct limen_regs *regs, const char *format, ...)
{
    va_list arguments;
    (void)regs;
    va_start(arguments, format);
    kernel_format(host.panic_text, sizeof(host.panic_text), format, arguments);
    va_end(arguments);
    if (host.panic_expected) {
        host.panic_expected = false;
        longjmp(host.panic_jump, 1);
    }
    fail_msg("panic: %s", host.panic_text);
    __builtin_unreachable();
}
