/* SPDX-License-Identifier: MIT */
/*
 * The derivation tree, and deletion.
 *
 * A dead object whose taking apart needs more than one step must keep its memory until the last of
 * them, so the tree node of its last capability moves into the object itself (its grave), and the
 * object joins the processor's list of the dying.  Every deletion works that list off; an
 * interrupted one is thus finished by whoever needs the memory next.
 */
#include "slot.h"

#include "assert.h"
#include "context.h"
#include "cpu.h"
#include "ipc.h"
#include "irq.h"
#include "notification.h"
#include "space.h"
#include "table.h"

_Static_assert(offsetof(struct space, object) == 0 && offsetof(struct endpoint, object) == 0 &&
                   offsetof(struct notification, object) == 0 &&
                   offsetof(struct reply, object) == 0 && offsetof(struct irq, object) == 0 &&
                   offsetof(struct context, object) == 0,
               "the header is what the kernel finds at the start of an object");

/* The count of capabilities that name the slot's object, or NULL where no object dies with them. */
static inline uint32_t *references(const struct slot *slot)
{
#define BEHIND(structure, count) (offsetof(structure, count) + sizeof(uint32_t))
    static const uint16_t behind[LIMEN_TYPE_COUNT] = {
        [LIMEN_TYPE_TABLE] = BEHIND(struct slot, header.references),
        [LIMEN_TYPE_THREAD] = BEHIND(struct thread, object.references),
        [LIMEN_TYPE_SPACE] = BEHIND(struct object, references),
        [LIMEN_TYPE_ENDPOINT] = BEHIND(struct object, references),
        [LIMEN_TYPE_NOTIFICATION] = BEHIND(struct object, references),
        [LIMEN_TYPE_REPLY] = BEHIND(struct object, references),
        [LIMEN_TYPE_IRQ] = BEHIND(struct object, references),
        [LIMEN_TYPE_CONTEXT] = BEHIND(struct object, references),
    };
#undef BEHIND
    size_t end = behind[slot->type];
    return end ? (uint32_t *)((char *)slot->object + end) - 1 : NULL;
}

/* -- the tree -- */

static bool is_first_child(const struct slot *slot)
{
    return slot->prev && slot->prev->child == slot;
}

/* Whatever points at `from` points at `to`. */
static void relink(struct slot *from, struct slot *to)
{
    if (is_first_child(from))
        from->prev->child = to;
    else if (from->prev)
        from->prev->next = to;
    if (from->next)
        from->next->prev = to;
    if (from->child)
        from->child->prev = to;
}

static inline void unlink_node(struct slot *slot)
{
    ASSERT(!slot->child);
    if (is_first_child(slot))
        slot->prev->child = slot->next;
    else if (slot->prev)
        slot->prev->next = slot->next;
    if (slot->next)
        slot->next->prev = slot->prev;
}

/* The first child becomes a sibling: derived from what its parent was derived from. */
static void lift_first_child(struct slot *slot)
{
    struct slot *child = slot->child;

    slot->child = child->next;
    if (child->next)
        child->next->prev = slot;
    child->next = slot->next;
    if (child->next)
        child->next->prev = child;
    child->prev = slot;
    slot->next = child;
}

static inline void slot_clear(struct slot *slot)
{
    *slot = (struct slot){.holder = slot->holder};
}

/* Links a slot that has just been filled, and whose `prev` and `next` say where to. */
static inline void link_node(struct slot *slot)
{
    if (slot->next)
        slot->next->prev = slot;
    uint32_t *count = references(slot);
    if (count)
        ++*count;
}

void slot_fill(struct slot *slot, struct slot *parent, enum limen_type type, unsigned rights,
               unsigned order, void *object)
{
    ASSERT(slot_is_empty(slot));
    *slot = (struct slot){
        .type = type,
        .rights = rights & LIMEN_RIGHTS_ALL,
        .order = order & 0x3f,
        .holder = slot->holder,
        .device = parent ? parent->device : 0,
        .object = object,
        .next = parent ? parent->child : NULL,
        .prev = parent,
    };
    if (parent)
        parent->child = slot;
    link_node(slot);
}

/* Copies a capability to right behind the original, or in front of its children: `next` says. */
static inline void copy_node(struct slot *to, struct slot *from, unsigned rights, struct slot *next)
{
    ASSERT(slot_is_empty(to));
    *to = (struct slot){
        .type = from->type,
        .rights = from->rights & rights,
        .order = from->order,
        .holder = to->holder,
        .device = from->device,
        .object = from->object,
        .next = next,
        .prev = from,
        .badge = from->type == LIMEN_TYPE_FRAME ? 0 : from->badge,
    };
    link_node(to);
}

enum limen_error slot_copy(struct slot *to, struct slot *from, unsigned rights)
{
    ASSERT(!slot_is_empty(from));
    if (from->type == LIMEN_TYPE_UNTYPED)
        return LIMEN_NOT_SUPPORTED;

    copy_node(to, from, rights, from->child);
    from->child = to;
    return LIMEN_OK;
}

void slot_share(struct slot *to, struct slot *from)
{
    ASSERT(from->type != LIMEN_TYPE_FRAME);
    copy_node(to, from, LIMEN_RIGHTS_ALL, from->next);
    from->next = to;
}

void slot_move(struct slot *to, struct slot *from)
{
    ASSERT(slot_is_empty(to) && !slot_is_empty(from));
    unsigned holder = to->holder;

    relink(from, to);
    if (from->type == LIMEN_TYPE_FRAME && from->space)
        space_mapping_moved(from, to);
    *to = *from;
    to->holder = (uint64_t)holder & 0xf;
    slot_clear(from);
}

/* -- deletion -- */

/* The place an object that dies in steps keeps the node of its last capability in; NULL for those
 * that die at once. */
static struct slot *grave_of(const struct slot *slot)
{
    switch (slot->type) {
    case LIMEN_TYPE_TABLE:
        return slot->object;
    case LIMEN_TYPE_THREAD:
        return &((struct thread *)slot->object)->grave;
    case LIMEN_TYPE_SPACE:
        return &((struct space *)slot->object)->grave;
    case LIMEN_TYPE_ENDPOINT:
        return &((struct endpoint *)slot->object)->grave;
    case LIMEN_TYPE_NOTIFICATION:
        return &((struct notification *)slot->object)->grave;
    case LIMEN_TYPE_CONTEXT:
        return &((struct context *)slot->object)->grave;
    default:
        return NULL;
    }
}

/* The last capability of an object goes into its grave. */
static void bury(struct slot *slot, struct slot *grave)
{
    struct cpu *cpu = this_cpu->arch.self;
    uint32_t slots = grave->header.slots;

    if (slot->type == LIMEN_TYPE_THREAD)
        thread_end(slot->object, "thread");
    grave->holder = HOLDER_GRAVE;
    slot_move(grave, slot);
    grave->header.slots = slots;
    grave->header.dying_next = cpu->dying;
    cpu->dying = grave;
}

/* One step of taking a dead object apart; true when nothing is left of it. */
static bool reap(const struct slot *grave)
{
    switch (grave->type) {
    case LIMEN_TYPE_TABLE:
        return table_reap(grave->object);
    case LIMEN_TYPE_THREAD:
        thread_reap(grave->object);
        return true;
    case LIMEN_TYPE_SPACE:
        return space_reap(grave->object);
    case LIMEN_TYPE_ENDPOINT:
        return endpoint_reap(grave->object);
    case LIMEN_TYPE_CONTEXT:
        return context_reap(grave->object);
    default:
        ASSERT(grave->type == LIMEN_TYPE_NOTIFICATION);
        return notification_reap(grave->object);
    }
}

bool slot_reap_step(void)
{
    struct cpu *cpu = this_cpu->arch.self;
    struct slot *grave = cpu->dying;

    if (!grave)
        return true;
    ASSERT(grave->object != cpu->current); /* nobody takes away the stack this runs on */
    cpu->dying = grave->header.dying_next;
    if (reap(grave)) {
        unlink_node(grave);
        slot_clear(grave);
    } else { /* before what its step may have buried */
        grave->header.dying_next = cpu->dying;
        cpu->dying = grave;
    }
    return false;
}

/* What depends on the capability lets go of it.  False when that takes more steps. */
static bool let_go(struct slot *slot)
{
    switch ((enum holder)slot->holder) {
    case HOLDER_THREAD_SPACE:
    case HOLDER_THREAD_TABLE:
    case HOLDER_THREAD_FAULT:
    case HOLDER_THREAD_PAGE:
    case HOLDER_THREAD_NOTIFICATION:
    case HOLDER_THREAD_CONTEXT:
        thread_lost(slot);
        break;
    case HOLDER_IRQ_NOTIFICATION:
        irq_lost(slot);
        break;
    case HOLDER_SPACE_DONATION:
        return space_lost(slot);
    case HOLDER_CONTEXT_HANDLER:
    case HOLDER_TABLE:
    case HOLDER_GRAVE:
        break;
    }
    return true;
}

/* The last capability of an interrupt takes the notification's along, which goes first. */
static struct slot *goes_first(struct slot *slot)
{
    if (slot->type != LIMEN_TYPE_IRQ || *references(slot) > 1)
        return NULL;
    struct irq *irq = slot->object;
    return slot_is_empty(&irq->notification_slot) ? NULL : &irq->notification_slot;
}

/* The last capability of its object goes, which dies with it.  True if the node lives on. */
static __attribute__((noinline)) bool let_die(struct slot *slot)
{
    struct slot *grave = grave_of(slot);

    if (grave)
        bury(slot, grave);
    else if (slot->type == LIMEN_TYPE_REPLY)
        reply_reap(slot->object);
    else
        irq_reap(slot->object);
    return grave;
}

void slot_release(struct slot *slot)
{
    ASSERT(!slot->child);
    uint32_t *count = references(slot);

    if (count && --*count == 0 && let_die(slot))
        return;
    unlink_node(slot);
    slot_clear(slot);
}

/* One step of deleting a capability that nothing is derived from; true when it is gone. */
static bool drop_leaf(struct slot *slot)
{
    if (slot->holder != HOLDER_TABLE && !let_go(slot))
        return false;
    if (slot->type == LIMEN_TYPE_FRAME && slot->space)
        space_unmap(slot);
    slot_release(slot);
    return true;
}

static inline __attribute__((always_inline)) bool drop_step(struct slot *slot)
{
    if (slot_is_empty(slot))
        return true;
    ASSERT(slot->holder != HOLDER_GRAVE);
    if (slot->child) {
        /* What is lifted from untyped memory still lies in it: until the capability is gone, that
         * it has no children does not mean that its memory is free. */
        slot->doomed = slot->type == LIMEN_TYPE_UNTYPED;
        lift_first_child(slot);
        if (slot->child)
            return false;
    }
    struct slot *first = goes_first(slot);
    return drop_leaf(first ? first : slot) && !first;
}

bool slot_drop_step(struct slot *slot)
{
    return drop_step(slot);
}

/* Whatever is derived from it goes before it, and what it named may have held the slot that is
 * being revoked. */
static __attribute__((noinline)) bool drop_last_of_all(struct slot *slot)
{
    if (!slot->child)
        return slot_drop_step(slot);
    lift_first_child(slot);
    return false;
}

bool slot_revoke_step(struct slot *slot, const struct slot *last)
{
    struct slot *child = slot->child;
    if (!child)
        return true;
    if (child == last) {
        child = child->next;
        if (!child)
            return drop_last_of_all(slot->child);
    }
    if (child->holder == HOLDER_GRAVE)
        slot_reap_step();
    else
        drop_step(child);
    return !slot->child;
}

void slot_hold(struct slot *own, struct slot *given)
{
    if (!slot_is_empty(own)) {
        bool done = slot_drop_step(own);
        ASSERT(done);
        (void)done;
    }
    if (given)
        (void)slot_copy(own, given, given->rights); /* only untyped memory cannot be copied */
}
