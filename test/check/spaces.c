/* SPDX-License-Identifier: MIT */
/* Address spaces: the frames that say they are mapped are, and nothing else is. */
#include "space.h"
#include "visit.h"

static void check_mapping(const struct slot *frame)
{
    const struct space *space = frame->space;
    struct ground_mapping found;
    bool listed = false;

    assert_non_null(visit_object(space));
    for (const struct slot *at = space->mapped; at; at = at->mapped_next)
        listed = listed || at == frame;
    assert_true(listed);
    if (space->emptying)
        return;
    assert_true(ground_translate(&space->arch, (uint64_t)frame->page << LIMEN_PAGE_ORDER, &found));
    assert_int_equal(found.physical, virt_to_phys(frame->object));
    assert_int_equal(found.order, frame->order);
    assert_int_equal(found.rights & ~frame->rights, 0);
}

static uint64_t table_pages(const struct space *space)
{
    uint64_t pages = space->own_used;
    for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++) {
        const struct slot *donation = &space->donations[i];
        assert_true(space->donated_used[i] == 0 || !slot_is_empty(donation));
        pages += space->donated_used[i];
    }
    return pages;
}

static void check_space(const struct space *space)
{
    const struct slot *prev = NULL;
    uint64_t bytes = 0;

    for (const struct slot *at = space->mapped; at; at = at->mapped_next) {
        assert_true(visit_has(at));
        assert_int_equal(at->type, LIMEN_TYPE_FRAME);
        assert_ptr_equal(at->space, space);
        assert_ptr_equal(at->mapped_prev, prev);
        bytes += 1ull << at->order;
        prev = at;
    }
    assert_int_equal(space->mapped_bytes, bytes);
    assert_int_equal(table_pages(space), space->emptying ? 0 : ground_tables(&space->arch));
    /* What the kernel mapped for init at boot has no capabilities. */
    if (!space->emptying && !ground_has_fixed_mappings(space))
        assert_int_equal(ground_mapped_bytes(&space->arch), bytes);
}

void check_spaces(void)
{
    for (unsigned i = 0; i < visit.object_count; i++)
        if (visit.objects[i].type == LIMEN_TYPE_SPACE)
            check_space(visit.objects[i].object);
    for (unsigned i = 0; i < visit.slot_count; i++) {
        const struct slot *slot = visit.slots[i];
        if (slot->type == LIMEN_TYPE_FRAME && slot->space)
            check_mapping(slot);
    }
}
