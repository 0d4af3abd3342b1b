/* SPDX-License-Identifier: MIT */
#include "visit.h"

#include "context.h"
#include "ipc.h"
#include "irq.h"
#include "notification.h"
#include "space.h"
#include "table.h"

#include <limen/init.h>

#define HASH_SIZE 16384u

struct visit visit;

/* The open hash tables that find slots and objects again by their address. */
static unsigned slot_hash[HASH_SIZE];
static unsigned object_hash[HASH_SIZE];

static unsigned hash_of(const void *pointer)
{
    return (unsigned)((uint64_t)pointer * 0x9e3779b97f4a7c15ull >> 48) % HASH_SIZE;
}

bool visit_has(const struct slot *slot)
{
    for (unsigned h = hash_of(slot); slot_hash[h]; h = (h + 1) % HASH_SIZE)
        if (visit.slots[slot_hash[h] - 1] == slot)
            return true;
    return false;
}

static void see(struct slot *slot)
{
    if (!slot || slot_is_empty(slot) || visit_has(slot))
        return;
    assert_true(visit.slot_count < VISIT_SLOTS);
    unsigned h = hash_of(slot);
    while (slot_hash[h])
        h = (h + 1) % HASH_SIZE;
    visit.slots[visit.slot_count++] = slot;
    slot_hash[h] = visit.slot_count;
}

struct visited_object *visit_object(const void *object)
{
    for (unsigned h = hash_of(object); object_hash[h]; h = (h + 1) % HASH_SIZE)
        if (visit.objects[object_hash[h] - 1].object == object)
            return &visit.objects[object_hash[h] - 1];
    return NULL;
}

static struct visited_object *add_object(const struct slot *slot, unsigned order)
{
    assert_true(visit.object_count < VISIT_OBJECTS);
    unsigned h = hash_of(slot->object);
    while (object_hash[h])
        h = (h + 1) % HASH_SIZE;
    struct visited_object *new = &visit.objects[visit.object_count++];
    *new = (struct visited_object){
        .type = (enum limen_type)slot->type, .object = slot->object, .order = order};
    object_hash[h] = visit.object_count;
    return new;
}

static unsigned order_of(const struct slot *slot)
{
    switch (slot->type) {
    case LIMEN_TYPE_TABLE:
        return slot->order + LIMEN_SLOT_ORDER;
    case LIMEN_TYPE_THREAD:
        return LIMEN_THREAD_ORDER;
    case LIMEN_TYPE_ENDPOINT:
        return LIMEN_ENDPOINT_ORDER;
    case LIMEN_TYPE_NOTIFICATION:
        return LIMEN_NOTIFICATION_ORDER;
    case LIMEN_TYPE_REPLY:
        return LIMEN_REPLY_ORDER;
    case LIMEN_TYPE_IRQ:
        return LIMEN_IRQ_ORDER;
    case LIMEN_TYPE_CONTEXT:
        return LIMEN_CONTEXT_ORDER;
    default:
        return slot->order;
    }
}

/* The slots inside an object. */
static void see_inside(const struct visited_object *object)
{
    struct slot *table = object->object;
    struct thread *thread = object->object;
    struct space *space = object->object;

    switch (object->type) {
    case LIMEN_TYPE_TABLE:
        for (unsigned i = 0; i < 1u << (object->order - LIMEN_SLOT_ORDER); i++)
            see(&table[i]);
        break;
    case LIMEN_TYPE_THREAD:
        see(&thread->space_slot);
        see(&thread->table_slot);
        see(&thread->fault_slot);
        see(&thread->page_slot);
        see(&thread->notification_slot);
        see(&thread->context_slot);
        see(&thread->grave);
        break;
    case LIMEN_TYPE_SPACE:
        for (unsigned i = 0; i < LIMEN_SPACE_DONATIONS; i++)
            see(&space->donations[i]);
        see(&space->grave);
        break;
    case LIMEN_TYPE_ENDPOINT:
        see(&((struct endpoint *)object->object)->grave);
        break;
    case LIMEN_TYPE_NOTIFICATION:
        see(&((struct notification *)object->object)->grave);
        break;
    case LIMEN_TYPE_CONTEXT:
        see(&((struct context *)object->object)->handler_slot);
        see(&((struct context *)object->object)->grave);
        break;
    case LIMEN_TYPE_IRQ:
        see(&((struct irq *)object->object)->notification_slot);
        break;
    default:
        break;
    }
}

static bool names_an_object(const struct slot *slot)
{
    return slot->type != LIMEN_TYPE_UNTYPED && slot->type != LIMEN_TYPE_IRQ_CONTROL &&
           slot->type != LIMEN_TYPE_PORTS && slot->type != LIMEN_TYPE_KERNEL;
}

/* A slot is an entry of a table or lies inside another object that was seen. */
static void check_place(const struct slot *slot)
{
    for (unsigned i = 0; i < visit.object_count; i++) {
        const struct visited_object *object = &visit.objects[i];
        uint64_t offset = (uint64_t)slot - (uint64_t)object->object;
        if (object->type != LIMEN_TYPE_FRAME && offset < 1ull << object->order) {
            if (object->type == LIMEN_TYPE_TABLE)
                assert_int_equal(offset % sizeof(struct slot), 0);
            return;
        }
    }
    fail_msg("a slot at %lx that is in no object", (uint64_t)slot);
}

void visit_all(void)
{
    memset(slot_hash, 0, sizeof(slot_hash));
    memset(object_hash, 0, sizeof(object_hash));
    visit.slot_count = 0;
    visit.object_count = 0;

    for (unsigned i = 1; i < 1u << LIMEN_INIT_TABLE_ORDER; i++)
        see(&the_cpu()->init_table[i]);
    for (struct slot *grave = the_cpu()->dying; grave; grave = grave->header.dying_next)
        see(grave);
    for (unsigned i = 0; i < visit.slot_count; i++) {
        struct slot *slot = visit.slots[i];
        see(slot->next);
        see(slot->prev);
        see(slot->child);
        if (!names_an_object(slot))
            continue;
        struct visited_object *object = visit_object(slot->object);
        if (!object) {
            object = add_object(slot, order_of(slot));
            see_inside(object);
        }
        assert_int_equal(object->type, slot->type);
        if (slot->holder == HOLDER_GRAVE) {
            assert_null(object->grave);
            object->grave = slot;
        } else {
            object->capabilities++;
        }
    }
    /* Few slots are outside init's own table; the search is worth it only for them. */
    for (unsigned i = 0; i < visit.slot_count; i++)
        if ((uint64_t)visit.slots[i] - (uint64_t)the_cpu()->init_table >=
            sizeof(struct slot) << LIMEN_INIT_TABLE_ORDER)
            check_place(visit.slots[i]);
}
