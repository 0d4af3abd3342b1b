/* SPDX-License-Identifier: MIT */
#include "check.h"

#include "ipc.h"
#include "notification.h"
#include "space.h"
#include "table.h"
#include "visit.h"

/* -- the derivation tree -- */

static void check_links(const struct slot *slot)
{
    if (slot->prev) {
        assert_true(visit_has(slot->prev));
        assert_int_equal((slot->prev->child == slot) + (slot->prev->next == slot), 1);
    }
    if (slot->next) {
        assert_true(visit_has(slot->next));
        assert_ptr_equal(slot->next->prev, slot);
    }
    if (slot->child) {
        assert_true(visit_has(slot->child));
        assert_ptr_equal(slot->child->prev, slot);
        assert_true(slot->type == LIMEN_TYPE_UNTYPED || slot->child->type == slot->type ||
                    (slot->type == LIMEN_TYPE_PORTS && slot->child->type == LIMEN_TYPE_PORTS));
    }
}

/* From the slots without a predecessor every other is reached, once. */
static void check_tree(void)
{
    static struct slot *open[VISIT_SLOTS];
    unsigned depth = 0, reached = 0;

    for (unsigned i = 0; i < visit.slot_count; i++) {
        check_links(visit.slots[i]);
        if (!visit.slots[i]->prev)
            open[depth++] = visit.slots[i];
    }
    while (depth) {
        const struct slot *slot = open[--depth];
        reached++;
        assert_true(reached <= visit.slot_count && depth + 2 <= VISIT_SLOTS);
        if (slot->next)
            open[depth++] = slot->next;
        if (slot->child)
            open[depth++] = slot->child;
    }
    assert_int_equal(reached, visit.slot_count);
}

/* -- counts -- */

static uint32_t references_of(const struct visited_object *object)
{
    if (object->type == LIMEN_TYPE_TABLE)
        return ((struct slot *)object->object)->header.references;
    if (object->type == LIMEN_TYPE_THREAD)
        return ((struct thread *)object->object)->object.references;
    if (object->type == LIMEN_TYPE_SPACE)
        return ((struct space *)object->object)->object.references;
    return ((struct object *)object->object)->references;
}

static void check_counts(void)
{
    unsigned dying = 0, graves = 0;

    for (const struct slot *grave = the_cpu()->dying; grave; grave = grave->header.dying_next) {
        assert_int_equal(grave->holder, HOLDER_GRAVE);
        assert_null(grave->child);
        dying++;
    }
    for (unsigned i = 0; i < visit.object_count; i++) {
        const struct visited_object *object = &visit.objects[i];
        if (object->grave) {
            assert_int_equal(object->capabilities, 0);
            graves++;
        }
        if (object->type == LIMEN_TYPE_TABLE) {
            const struct slot *table = object->object;
            unsigned slots = 1u << (object->order - LIMEN_SLOT_ORDER);
            assert_true(object->grave ? table->header.slots <= slots
                                      : table->header.slots == slots);
            for (unsigned n = table->header.slots; n < slots; n++)
                assert_true(slot_is_empty(&table[n]));
        }
        if (object->type != LIMEN_TYPE_FRAME)
            assert_int_equal(references_of(object), object->capabilities);
    }
    assert_int_equal(dying, graves);
}

/* -- memory -- */

struct range {
    uint64_t start, end;
    const char *what;
};

/* By where they start: Shell's sort, with gaps that halve. */
static void sort(struct range *ranges, unsigned count)
{
    for (unsigned gap = count / 2; gap > 0; gap /= 2)
        for (unsigned i = gap; i < count; i++) {
            struct range moving = ranges[i];
            unsigned at = i;
            for (; at >= gap && ranges[at - gap].start > moving.start; at -= gap)
                ranges[at] = ranges[at - gap];
            ranges[at] = moving;
        }
}

/* What an untyped capability says is clear, is. */
static void check_cleared(const struct slot *untyped)
{
    uint64_t from = untyped->used;
    if (untyped->device || (untyped->used && !untyped->child))
        return;
    const char *memory = untyped->object;
    for (uint64_t at = from; at < untyped->cleared; at += sizeof(uint64_t))
        assert_int_equal(*(const uint64_t *)(memory + at), 0);
}

/* No two objects share memory, and none lies in what an untyped capability still has to give. */
static void check_memory(void)
{
    static struct range ranges[VISIT_OBJECTS + VISIT_SLOTS];
    unsigned count = 0;

    for (unsigned i = 0; i < visit.object_count; i++) {
        const struct visited_object *object = &visit.objects[i];
        uint64_t start = (uint64_t)object->object;
        ranges[count++] = (struct range){start, start + (1ull << object->order), "an object"};
    }
    for (unsigned i = 0; i < visit.slot_count; i++) {
        const struct slot *slot = visit.slots[i];
        if (slot->type != LIMEN_TYPE_UNTYPED)
            continue;
        assert_true(slot->used <= 1ull << slot->order);
        if (slot->doomed)
            continue;
        check_cleared(slot);
        uint64_t start = (uint64_t)slot->object;
        uint64_t used = slot->child ? slot->used : 0;
        if (used < 1ull << slot->order)
            ranges[count++] =
                (struct range){start + used, start + (1ull << slot->order), "free memory"};
    }
    sort(ranges, count);
    for (unsigned i = 1; i < count; i++)
        if (ranges[i].start < ranges[i - 1].end)
            fail_msg("%s at %lx overlaps %s at %lx", ranges[i].what, ranges[i].start,
                     ranges[i - 1].what, ranges[i - 1].start);
}

void check_all(void)
{
    visit_all();
    check_tree();
    check_counts();
    check_memory();
    check_threads();
    check_spaces();
}

unsigned check_seen(void)
{
    return visit.slot_count;
}

unsigned check_objects(void)
{
    return visit.object_count;
}
