/* SPDX-License-Identifier: MIT */
#include "ground.h"

#include "check.h"
#include "visit.h"

#define LEVELS     4u
#define LEVEL_BITS 9u

static uint64_t *table_of(uint64_t entry)
{
    return phys_to_virt(entry & PTE_ADDRESS);
}

static unsigned order_of(unsigned level)
{
    return LIMEN_PAGE_ORDER + LEVEL_BITS * (level - 1);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
    return level == 1 || entry & PTE_LARGE;
}

bool ground_translate(const struct arch_space *space, uint64_t address,
                      struct ground_mapping *found)
{
    const uint64_t *table = space->top;
    for (unsigned level = LEVELS; level > 0; level--) {
        uint64_t entry = table[address >> order_of(level) & (ENTRIES - 1)];
        if (!(entry & PTE_PRESENT))
            return false;
        ASSERT(entry & PTE_USER);
        if (is_leaf(entry, level)) {
            *found = (struct ground_mapping){
                .physical = entry & PTE_ADDRESS,
                .order = order_of(level),
                .rights = LIMEN_RIGHT_READ | (entry & PTE_WRITE ? LIMEN_RIGHT_WRITE : 0) |
                          (entry & PTE_NX ? 0 : LIMEN_RIGHT_EXECUTE),
            };
            return true;
        }
        table = table_of(entry);
    }
    return false;
}

/* A walk without recursion: one index for each level. */
static void measure(const struct arch_space *space, uint64_t *bytes, uint64_t *below)
{
    const uint64_t *at[LEVELS + 1] = {[LEVELS] = space->top};
    unsigned index[LEVELS + 1] = {0};
    unsigned level = LEVELS;

    *bytes = *below = 0;
    while (level <= LEVELS) {
        if (index[level] == (level == LEVELS ? ENTRIES / 2 : ENTRIES)) {
            level++;
            continue;
        }
        uint64_t entry = at[level][index[level]++];
        if (!(entry & PTE_PRESENT))
            continue;
        if (is_leaf(entry, level)) {
            *bytes += 1ull << order_of(level);
        } else {
            ++*below;
            level--;
            at[level] = table_of(entry);
            index[level] = 0;
        }
    }
}

uint64_t ground_mapped_bytes(const struct arch_space *space)
{
    uint64_t bytes, below;
    measure(space, &bytes, &below);
    return bytes;
}

uint64_t ground_tables(const struct arch_space *space)
{
    uint64_t bytes, below;
    measure(space, &bytes, &below);
    return below;
}

bool ground_has_fixed_mappings(const struct space *space)
{
    return space == the_cpu()->init_table[LIMEN_INIT_SPACE].object;
}
