/* SPDX-License-Identifier: MIT */
#include "table.h"

#include "cpu.h"
#include "invoke.h"
#include "irq.h"
#include "scheduler.h"

/* Entries looked at in one step of taking a table apart. */
#define REAP_STEP 16u

void table_create(struct slot *table, unsigned order)
{
    table->header.slots = 1u << order;
}

bool table_reap(struct slot *table)
{
    for (unsigned i = 0; i < REAP_STEP && table->header.slots > 1; i++) {
        struct slot *slot = &table[table->header.slots - 1];
        if (!slot_is_empty(slot)) {
            slot_drop_step(slot);
            return false;
        }
        table->header.slots--;
    }
    return table->header.slots == 1;
}

/* The source of a copy: an entry of the table named by word 1, or of the caller's own. */
static enum limen_error find_source(struct invocation *call, struct slot **source)
{
    if (call->word[1] == 0) {
        *source = table_lookup(call->self, call->word[2]);
        return *source ? LIMEN_OK : LIMEN_BAD_CAPABILITY;
    }
    struct slot *table;
    enum limen_error error =
        invoke_argument(call, call->word[1], LIMEN_TYPE_TABLE, LIMEN_RIGHT_WRITE, &table);
    if (error)
        return error;
    *source = table_entry(table, call->word[2]);
    return *source && !slot_is_empty(*source) ? LIMEN_OK : LIMEN_BAD_CAPABILITY;
}

/* What a copy and a move begin with: the destination, which must be empty, and the source. */
static enum limen_error find_both(struct invocation *call, struct slot **to, struct slot **from)
{
    *to = table_entry(call->slot, call->word[0]);
    if (!*to)
        return LIMEN_OUT_OF_RANGE;
    enum limen_error error = find_source(call, from);
    if (error)
        return error;
    return slot_is_empty(*to) ? LIMEN_OK : LIMEN_SLOT_OCCUPIED;
}

static bool has_badge(const struct slot *slot)
{
    return slot->type == LIMEN_TYPE_ENDPOINT || slot->type == LIMEN_TYPE_NOTIFICATION;
}

static enum limen_error copy(struct invocation *call, bool mint)
{
    struct slot *to = NULL, *from = NULL;
    enum limen_error error = find_both(call, &to, &from);

    if (error)
        return error;
    if (mint && !has_badge(from))
        return LIMEN_WRONG_TYPE;
    if (mint && from->badge)
        return LIMEN_NO_RIGHT;

    /* Point of no return, unless the source cannot be copied at all. */
    error = slot_copy(to, from, (unsigned)call->word[3] & LIMEN_RIGHTS_ALL);
    if (!error && mint)
        to->badge = call->word[4];
    return error;
}

static enum limen_error move(struct invocation *call)
{
    struct slot *to = NULL, *from = NULL;
    enum limen_error error = find_both(call, &to, &from);

    if (!error)
        slot_move(to, from);
    return error;
}

/* What tells capabilities of one type apart.  The rest that a slot holds is the kernel's own. */
static uint64_t distinction(const struct slot *slot)
{
    switch ((enum limen_type)slot->type) {
    case LIMEN_TYPE_ENDPOINT:
    case LIMEN_TYPE_NOTIFICATION:
        return slot->badge;
    case LIMEN_TYPE_PORTS:
        return slot->first_port | (uint64_t)slot->last_port << 16;
    case LIMEN_TYPE_IRQ:
        return ((const struct irq *)slot->object)->line;
    default:
        return 0;
    }
}

static enum limen_error inspect(struct invocation *call)
{
    struct slot *slot = table_entry(call->slot, call->word[0]);

    if (!slot)
        return LIMEN_OUT_OF_RANGE;
    call->word[0] = slot->type;
    call->word[1] = slot->rights;
    call->word[2] = distinction(slot);
    call->word[3] = slot->order;
    call->results = 4;
    return LIMEN_OK;
}

/* The capabilities that a deletion in steps was called on and with, after somebody else ran. */
static enum limen_error find_again(const struct invocation *call, uint64_t index,
                                   struct slot **table, struct slot **slot)
{
    enum limen_error error =
        invoke_argument(call, call->index, LIMEN_TYPE_TABLE, LIMEN_RIGHT_WRITE, table);

    if (error)
        return error;
    *slot = table_entry(*table, index);
    return *slot ? LIMEN_OK : LIMEN_OUT_OF_RANGE;
}

/* Deletes or revokes in steps.  When another thread ran between two everything may have changed,
 * the invoked capability included; work already done stays done.  Once the capability is gone its
 * slot may be filled again at any time, and only the dead are left to do.  A revocation that
 * reaches the invoked capability itself keeps it to the last, so that none ends half-way by its own
 * doing. */
static enum limen_error take_back(struct invocation *call)
{
    uint64_t index = call->word[0];
    bool revoke = call->label == LIMEN_TABLE_REVOKE;
    struct slot *table = call->slot, *slot = table_entry(table, index);
    enum limen_error error = slot ? LIMEN_OK : LIMEN_OUT_OF_RANGE;
    bool taken = false;

    while (!error) {
        if (!taken)
            taken = revoke ? slot_revoke_step(slot, table) : slot_drop_step(slot);
        else if (slot_reap_step())
            break;
        if (call->self->state != LIMEN_THREAD_READY)
            break;
        if (scheduler_window() && !taken)
            error = find_again(call, index, &table, &slot);
    }
    return error;
}

enum limen_error table_invoke(struct invocation *call)
{
    bool reads = call->label == LIMEN_TABLE_INSPECT || call->label == LIMEN_TABLE_INFO;

    if (!(call->slot->rights & (reads ? LIMEN_RIGHT_READ : LIMEN_RIGHT_WRITE)))
        return LIMEN_NO_RIGHT;
    switch (call->label) {
    case LIMEN_TABLE_COPY:
        return copy(call, false);
    case LIMEN_TABLE_MINT:
        return copy(call, true);
    case LIMEN_TABLE_MOVE:
        return move(call);
    case LIMEN_TABLE_DELETE:
    case LIMEN_TABLE_REVOKE:
        return take_back(call);
    case LIMEN_TABLE_INSPECT:
        return inspect(call);
    case LIMEN_TABLE_INFO:
        call->word[0] = table_slots(call->slot);
        call->results = 1;
        return LIMEN_OK;
    default:
        return LIMEN_BAD_OPERATION;
    }
}
