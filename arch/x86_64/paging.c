/* SPDX-License-Identifier: MIT */
/*
 * Page tables: four levels, pages of 4 KiB and 2 MiB.
 *
 * The upper half of the loader's level-4 table is copied into every address space and its entries
 * never change after boot, so a kernel address means the same in all of them.  Kernel pages are
 * global, the loader's as well, and stay in the TLB when CR3 changes.  Ring 3's pages stay as well
 * where the processor can tell whose they are (docs/threshold.md).
 */
#include "internal.h"

#define LEVELS     4u
#define LEVEL_BITS 9u

#define PCIDS            4096u
#define CPUID_EXTENDED   7u
#define CPUID_7B_INVPCID 0x400u

/* In the level-4 entry of the processors' areas, halfway up: device registers, mapped at boot. */
#define DEVICES_BASE (LIMEN_CPUS_BASE + (256ull << 30))

static uint64_t *entry_of(uint64_t *table, uint64_t address, unsigned level)
{
    return &table[address >> (LIMEN_PAGE_ORDER + LEVEL_BITS * (level - 1)) & (ENTRIES - 1)];
}

static uint64_t *table_of(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDRESS);
}

/* The kernel's entry for an address at level 1, with tables from the boot allocator. */
static uint64_t *kernel_entry(uint64_t address, unsigned leaf)
{
    uint64_t *table = this_machine()->top;
    for (unsigned level = LEVELS; level > leaf; level--) {
        uint64_t *entry = entry_of(table, address, level);
        if (!(*entry & PTE_PRESENT))
            *entry = virt_to_phys(kernel_boot_alloc(1)) | PTE_PRESENT | PTE_WRITE;
        table = table_of(*entry);
    }
    return entry_of(table, address, leaf);
}

void kernel_map_page(uint64_t address, uint64_t physical, uint64_t flags)
{
    *kernel_entry(address, 1) = physical | flags;
}

volatile void *device_map(uint64_t physical, size_t size)
{
    struct machine *machine = this_machine();
    uint64_t first = physical & ~(LARGE_PAGE_SIZE - 1);
    uint64_t address = DEVICES_BASE + machine->devices_used;
    for (uint64_t at = first; at < physical + size; at += LARGE_PAGE_SIZE) {
        *kernel_entry(DEVICES_BASE + machine->devices_used, 2) =
            at | PTE_KERNEL_DATA | PTE_UNCACHED | PTE_LARGE;
        machine->devices_used += LARGE_PAGE_SIZE;
    }
    return (volatile void *)(address + (physical - first));
}

uint64_t kernel_rights(uint64_t address, uint64_t *size)
{
    uint64_t *table = this_machine()->top;
    uint64_t all = PTE_PRESENT | PTE_WRITE, any = 0;
    *size = PAGE_SIZE;
    for (unsigned level = LEVELS; level > 0; level--) {
        uint64_t entry = *entry_of(table, address, level);
        *size = 1ull << (LIMEN_PAGE_ORDER + LEVEL_BITS * (level - 1));
        if (!(entry & PTE_PRESENT))
            return 0;
        all &= entry;
        any |= entry & (PTE_USER | PTE_NX);
        if (level > 1 && entry & PTE_LARGE)
            break;
        table = table_of(entry);
    }
    return all | any;
}

bool kernel_mapped(uint64_t address, size_t size)
{
    uint64_t of_page;
    for (uint64_t at = address & ~(PAGE_SIZE - 1); at < address + size; at += PAGE_SIZE)
        if (!kernel_rights(at, &of_page))
            return false;
    return true;
}

void paging_init(struct machine *machine)
{
    machine->top = phys_to_virt(read_cr3() & PTE_ADDRESS);
    machine->top[machine->boot->trampoline_pml4] = 0;
    write_cr3(virt_to_phys(machine->top));
}

/* Number 0 is for the spaces that found none left, and what is kept of it is dropped each time that
 * it is loaded.  Without INVPCID a space could not be rid of a translation but by loading it. */
void pcids_init(struct machine *machine)
{
    if (!(read_cr4() & CR4_PCIDE) || !(cpuid(CPUID_EXTENDED, 0).ebx & CPUID_7B_INVPCID))
        return;
    machine->pcids = kernel_boot_alloc(PCIDS * sizeof(*machine->pcids) / PAGE_SIZE);
    for (uint16_t pcid = PCIDS - 1; pcid > 0; pcid--)
        machine->pcids[machine->pcid_count++] = pcid;
}

void arch_space_create(struct arch_space *space, void *top)
{
    struct machine *machine = this_machine();
    space->top = top;
    space->cr3 = virt_to_phys(top);
    if (machine->pcid_count)
        space->cr3 |= machine->pcids[--machine->pcid_count] | CR3_KEEP;
    arch_copy_words(&space->top[ENTRIES / 2], &machine->top[ENTRIES / 2], ENTRIES / 2);
}

void arch_space_destroy(struct arch_space *space)
{
    struct machine *machine = this_machine();
    /* The idle thread runs on whatever tables were loaded before it: these are about to go. */
    if ((read_cr3() & PTE_ADDRESS) == virt_to_phys(space->top))
        write_cr3(virt_to_phys(machine->top));
    if (space->cr3 & CR3_PCID)
        machine->pcids[machine->pcid_count++] = space->cr3 & CR3_PCID;
}

static unsigned leaf_level(unsigned order)
{
    return order == LIMEN_PAGE_ORDER ? 1 : 2;
}

/* Finds the entry for an address at the level `leaf`; or false, and the one higher up where the way
 * there ends, at a page or at nothing. */
static inline __attribute__((always_inline)) bool
find_entry(const struct arch_space *space, uint64_t address, unsigned leaf, uint64_t **found)
{
    uint64_t *table = space->top;
#pragma clang loop unroll(full)
    for (unsigned level = LEVELS; level > 0; level--) {
        uint64_t *entry = entry_of(table, address, level);
        *found = entry;
        if (level == leaf)
            return true;
        if (!(*entry & PTE_PRESENT) || (level == 2 && *entry & PTE_LARGE))
            return false;
        table = table_of(*entry);
    }
    return false;
}

/* The entry of a page, by the rights to it. */
#define PAGE_CODE (PTE_PRESENT | PTE_USER)
#define PAGE_DATA (PAGE_CODE | PTE_NX)
static const uint64_t page_flags[] = {
    [LIMEN_RIGHT_READ] = PAGE_DATA,
    [LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE] = PAGE_DATA | PTE_WRITE,
    [LIMEN_RIGHT_READ | LIMEN_RIGHT_EXECUTE] = PAGE_CODE,
};

enum limen_error arch_map(struct arch_space *space, uint64_t address, uint64_t physical,
                          unsigned order, unsigned rights, enum limen_cache cache)
{
    ASSERT(order == LIMEN_PAGE_ORDER || order == LIMEN_LARGE_PAGE_ORDER);
    ASSERT(((address | physical) & ((1ull << order) - 1)) == 0);
    ASSERT(address < LIMEN_USER_END && LIMEN_USER_END - address >= 1ull << order);
    ASSERT(rights < sizeof(page_flags) / sizeof(*page_flags) && page_flags[rights]);

    uint64_t *entry;
    if (!find_entry(space, address, leaf_level(order), &entry))
        return *entry ? LIMEN_ALREADY_MAPPED : LIMEN_NO_TABLES;
    if (*entry)
        return LIMEN_ALREADY_MAPPED;

    uint64_t page = physical | page_flags[rights];
    if (cache == LIMEN_CACHE_NONE)
        page |= PTE_UNCACHED;
    if (order != LIMEN_PAGE_ORDER)
        page |= PTE_LARGE;
    *entry = page;
    return LIMEN_OK;
}

void arch_add_table(struct arch_space *space, uint64_t address, const void *page)
{
    uint64_t *entry = NULL;
    find_entry(space, address, 1, &entry);
    ASSERT(!*entry);
    *entry = virt_to_phys(page) | PTE_PRESENT | PTE_WRITE | PTE_USER;
}

void arch_unmap(struct arch_space *space, uint64_t address, unsigned order)
{
    uint64_t *entry = NULL;
    find_entry(space, address, leaf_level(order), &entry);
    ASSERT(*entry && !(*entry & PTE_LARGE) == (order == LIMEN_PAGE_ORDER));
    *entry = 0;
    /* A space without a PCID has translations in the TLB only while it is loaded.  With one, what
     * is read of CR3 is never the space's, for CR3_KEEP is not read. */
    if (space->cr3 == read_cr3())
        flush_page(address);
    else if (space->cr3 & CR3_PCID)
        flush_pcid(INVPCID_ADDRESS, space->cr3 & CR3_PCID, address);
}

void arch_space_clear(struct arch_space *space)
{
    for (unsigned i = 0; i < ENTRIES / 2; i++)
        space->top[i] = 0;
    if (space->cr3 == read_cr3())
        write_cr3(space->cr3);
    else if (space->cr3 & CR3_PCID)
        flush_pcid(INVPCID_ALL, space->cr3 & CR3_PCID, 0);
}
