/* SPDX-License-Identifier: MIT */
/*
 * Address spaces.
 *
 * A space is made of its own memory: the header, the top table, and pages for further tables; more
 * pages come as donated untyped memory.  Mapping therefore never allocates.  Table pages come back
 * only all at once, when the space is emptied.
 */
#ifndef KERNEL_SPACE_H
#define KERNEL_SPACE_H

#include "slot.h"

struct space {
    struct object object;
    struct arch_space arch;
    bool emptying;       /* its mappings are being taken away: no new ones */
    struct slot *mapped; /* the frame capabilities mapped here */
    uint64_t mapped_bytes;
    uint64_t own_pages; /* table pages of its own memory, behind the top table */
    uint64_t own_used;
    uint64_t donated_used[LIMEN_SPACE_DONATIONS]; /* pages used of each donation */
    struct slot donations[LIMEN_SPACE_DONATIONS];
    struct slot grave;
};
_Static_assert(sizeof(struct space) <= LIMEN_PAGE_SIZE, "the header is one page");

/* A new space in 2^order bytes whose first two pages are cleared. */
void space_create(struct space *space, unsigned order);

/* Maps a frame's memory without a capability, for what the kernel lays out for init. */
enum limen_error space_map_fixed(struct space *space, uint64_t address, uint64_t physical,
                                 unsigned rights);

void space_unmap(struct slot *frame);

/* The capability that holds a mapping moved to another slot. */
void space_mapping_moved(struct slot *from, struct slot *to);

/* A donation is taken back: one step; true when the space is empty and no longer uses it. */
bool space_lost(struct slot *donation);

/* One step of taking a dead space apart; true when nothing is left. */
bool space_reap(struct space *space);

#endif
