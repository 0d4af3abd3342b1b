/* SPDX-License-Identifier: MIT */
/*
 * Stacks: where each lies, what guards it, and which one an address is on.
 *
 * A processor's area at LIMEN_CPUS_BASE is a row of slots, each with a stack at its upper end and
 * nothing mapped below it.  A stack with instances has one slot for each, so that an exception that
 * strikes in its own handler does not lose the outer one's frame, and an empty slot below the last:
 * one nesting too many pushes into that hole, and the panic says so (docs/hazards/ist.md).
 *
 * Thread stacks have addresses of their own, which follow from where in physical memory the thread
 * object is: from LIMEN_STACKS_BASE on, its own 32 KiB, of which the upper half is the stack and
 * the lower half a guard with nothing mapped.  The page tables for all of them are the loader's
 * (boot.h), so the stack comes and goes with the object, and nothing is allocated.
 */
#include "internal.h"

#define SLOT 0x4000u
_Static_assert(SLOT == IST_STRIDE, "an instance to a slot");

enum { INTERRUPT, IDLE, DOUBLE_FAULT, MACHINE_CHECK, DEBUG, NMI, CPU_STACKS };

static const struct {
    const char *name;
    uint8_t slot; /* of the first, uppermost instance */
    uint8_t instances;
    uint8_t ist; /* 0: software switches to it */
    uint16_t size;
} cpu_stacks[CPU_STACKS] = {
    [INTERRUPT] = {"interrupt", 1, 1, 0, 0x4000},
    [IDLE] = {"idle", 2, 1, 0, 0x2000},
    [DOUBLE_FAULT] = {"double fault", 3, 1, IST_DF, 0x2000},
    [MACHINE_CHECK] = {"machine check", 6, 2, IST_MC, 0x2000}, /* 6, 5, and the hole 4 */
    [DEBUG] = {"debug", 9, 2, IST_DB, 0x2000},                 /* 9, 8, and the hole 7 */
    [NMI] = {"NMI", 13, 3, IST_NMI, 0x2000},                   /* 13, 12, 11, and the hole 10 */
};
_Static_assert(14 * SLOT <= CPU_AREA_SIZE, "the slots fit the area");

#define THREAD_SIZE       (1ull << LIMEN_THREAD_ORDER)
#define THREAD_STACK_SIZE (THREAD_SIZE / 2)

static uint64_t slot_top(unsigned slot)
{
    return LIMEN_CPUS_BASE + (uint64_t)(slot + 1) * SLOT;
}

uint64_t ist_pointer(unsigned ist, unsigned instance)
{
    unsigned i = 0;
    while (cpu_stacks[i].ist != ist)
        i++;
    if (instance > cpu_stacks[i].instances)
        instance = cpu_stacks[i].instances;
    return slot_top(cpu_stacks[i].slot - instance) - IST_TOP_WORDS;
}

void stacks_init(struct arch_cpu *cpu)
{
    for (unsigned i = 0; i < CPU_STACKS; i++) {
        for (unsigned n = 0; n < cpu_stacks[i].instances; n++) {
            uint64_t top = slot_top(cpu_stacks[i].slot - n);
            for (uint64_t at = top - cpu_stacks[i].size; at < top; at += PAGE_SIZE)
                kernel_map_page(at, virt_to_phys(kernel_boot_alloc(1)), PTE_KERNEL_DATA);
            if (cpu_stacks[i].ist)
                *(struct cpu **)(top - IST_TOP_WORDS) = cpu->self;
        }
        if (cpu_stacks[i].ist)
            cpu->tss.ist[cpu_stacks[i].ist - 1] = ist_pointer(cpu_stacks[i].ist, 0);
    }
    cpu->interrupt_stack = slot_top(cpu_stacks[INTERRUPT].slot);
}

/* The entries for the pages of a thread's stack.  They lie in one of the loader's tables, for the
 * object is aligned to its size. */
static uint64_t *stack_entries(uint64_t stack_top)
{
    const uint64_t address = stack_top - THREAD_STACK_SIZE;
    uint64_t *table = this_machine()->top;
    for (unsigned shift = 39; shift > 12; shift -= 9)
        table = phys_to_virt(table[address >> shift & (ENTRIES - 1)] & PTE_ADDRESS);
    return &table[address >> 12 & (ENTRIES - 1)];
}

void arch_thread_create(struct arch_thread *arch, void *memory)
{
    ASSERT((void *)arch == memory);
    uint64_t physical = virt_to_phys(memory);
    ASSERT(physical % THREAD_SIZE == 0);
    ASSERT(physical < this_machine()->boot->stacks_pages * LARGE_PAGE_SIZE);
    uint64_t stack = physical + THREAD_SIZE - THREAD_STACK_SIZE;

    *arch = (struct arch_thread){.stack_top = LIMEN_STACKS_BASE + physical + THREAD_SIZE};
    uint64_t *entries = stack_entries(arch->stack_top);
    for (unsigned i = 0; i < THREAD_STACK_SIZE / PAGE_SIZE; i++)
        entries[i] = (stack + i * PAGE_SIZE) | PTE_KERNEL_DATA;

    /* Nobody clears a stack's memory, but arch_check_exit() takes what it finds there for the
     * traces of calls too deep. */
    if (LIMEN_CHECKS)
        memset(phys_to_virt(stack), 0, THREAD_STACK_SIZE);

    arch->regs = (struct limen_regs *)arch->stack_top - 1;
    arch_regs_clear(arch);
}

void arch_thread_destroy(struct arch_thread *arch)
{
    uint64_t *entries = stack_entries(arch->stack_top);
    /* The pages are global, so INVLPG reaches them in every PCID; the way to the table stays. */
    for (unsigned i = 0; i < THREAD_STACK_SIZE / PAGE_SIZE; i++) {
        entries[i] = 0;
        flush_page(arch->stack_top - THREAD_STACK_SIZE + i * PAGE_SIZE);
    }
    arch->regs = NULL;
}

struct arch_thread *thread_of_stack(uint64_t stack_top)
{
    return phys_to_virt(stack_top - LIMEN_STACKS_BASE - THREAD_SIZE);
}

void arch_idle_create(struct arch_thread *arch)
{
    uint64_t top = slot_top(cpu_stacks[IDLE].slot);
    *arch = (struct arch_thread){.stack_top = top, .regs = (struct limen_regs *)top - 1};
    *arch->regs = (struct limen_regs){
        .rip = (uint64_t)idle_loop,
        .cs = KERNEL_CS,
        .rflags = RFLAGS_FIXED | RFLAGS_IF,
        .rsp = top,
        .ss = KERNEL_SS,
    };
}

static bool find_cpu_stack(uint64_t address, struct stack *stack)
{
    uint64_t slot = (address - LIMEN_CPUS_BASE) / SLOT;
    /* The interrupt stack fills its slot; what guards it is the slot below. */
    unsigned below = slot + 1 == cpu_stacks[INTERRUPT].slot;
    slot += below;
    for (unsigned i = 0; i < CPU_STACKS; i++) {
        /* A hole counts as the guard of an instance that is not there. */
        unsigned slots = cpu_stacks[i].instances + (cpu_stacks[i].instances > 1);
        if (slot > cpu_stacks[i].slot || slot + slots <= cpu_stacks[i].slot)
            continue;
        bool hole = slot + cpu_stacks[i].instances == cpu_stacks[i].slot;
        uint64_t top = slot_top((unsigned)slot);
        *stack = (struct stack){.name = cpu_stacks[i].name,
                                .guard = top - (1 + below) * SLOT,
                                .base = hole ? top : top - cpu_stacks[i].size,
                                .top = top,
                                .ist = cpu_stacks[i].ist != 0 && !hole};
        return true;
    }
    return false;
}

bool stack_find(uint64_t address, struct stack *stack)
{
    if (address - LIMEN_CPUS_BASE < CPU_AREA_SIZE)
        return find_cpu_stack(address, stack);

    uint64_t boot_base = LIMEN_BOOT_STACK_BASE + PAGE_SIZE;
    if (address - LIMEN_BOOT_STACK_BASE < PAGE_SIZE + LIMEN_BOOT_STACK_SIZE) {
        *stack = (struct stack){.name = "boot",
                                .guard = LIMEN_BOOT_STACK_BASE,
                                .base = boot_base,
                                .top = boot_base + LIMEN_BOOT_STACK_SIZE};
        return true;
    }

    uint64_t object = (address - LIMEN_STACKS_BASE) & ~(THREAD_SIZE - 1);
    if (object >= this_machine()->boot->stacks_pages * LARGE_PAGE_SIZE)
        return false;
    uint64_t top = LIMEN_STACKS_BASE + object + THREAD_SIZE;
    *stack = (struct stack){.name = "thread",
                            .guard = top - THREAD_SIZE,
                            .base = top - THREAD_STACK_SIZE,
                            .top = top,
                            .object = object};
    return *stack_entries(top) & PTE_PRESENT;
}

const struct limen_regs *ist_frame(uint64_t rsp, unsigned *ist)
{
    uint64_t slot = (rsp - 1 - LIMEN_CPUS_BASE) / SLOT; /* an empty stack's RSP is just above it */
    for (unsigned i = 0; i < CPU_STACKS; i++) {
        if (!cpu_stacks[i].ist || slot > cpu_stacks[i].slot ||
            slot + cpu_stacks[i].instances <= cpu_stacks[i].slot)
            continue;
        *ist = cpu_stacks[i].ist;
        return (const struct limen_regs *)(slot_top((unsigned)slot) - IST_TOP_WORDS) - 1;
    }
    return NULL;
}
