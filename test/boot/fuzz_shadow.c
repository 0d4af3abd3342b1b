/* SPDX-License-Identifier: MIT */
#include "fuzz_shadow.h"

#include <stdio.h>

#define NODES      1024u
#define TABLES     (SHADOW_TABLES_MAX + 2)
#define SIGNATURES 1024u
#define NOWHERE    UINT32_MAX

enum { AREA, SHARED }; /* the first tables */

struct node {
    enum limen_type type; /* NONE: not in use */
    unsigned rights, order;
    uint64_t badge;  /* or what else LIMEN_TABLE_INSPECT tells them apart by */
    uint32_t parent; /* node it was derived from, or NOWHERE */
    uint32_t table;  /* where it is */
    uint32_t index;
    uint32_t names; /* TABLE: which */
};

struct table {
    unsigned slots; /* 0: not in use */
    unsigned names; /* nodes that name it */
    uint32_t nodes[AREA_SLOTS];
};

static struct node nodes[NODES];
static struct table tables[TABLES];
static unsigned node_count, next_node;

/* What has ever stood in the shared table, and so what messages may have carried from there. */
static struct limen_capability signatures[SIGNATURES];
static unsigned signature_count;

static bool is_within(unsigned rights, unsigned limit)
{
    return !(rights & ~limit);
}

/* Whether a capability with these rights or more has stood there. */
static bool has_signature(enum limen_type type, unsigned rights, uint64_t badge)
{
    for (unsigned i = 0; i < signature_count; i++)
        if (signatures[i].type == type && signatures[i].badge == badge &&
            is_within(rights, signatures[i].rights))
            return true;
    return false;
}

static void note_signature(const struct node *node)
{
    if (has_signature(node->type, node->rights, node->badge))
        return;
    expect(signature_count < SIGNATURES);
    signatures[signature_count++] =
        (struct limen_capability){node->type, node->rights, node->badge, node->order};
}

/* -- nodes and tables -- */

static struct table *table_at(uint32_t table)
{
    return &tables[table];
}

static uint32_t new_table(unsigned slots)
{
    uint32_t table = SHARED + 1;
    while (table < TABLES && tables[table].slots)
        table++;
    expect(table < TABLES);
    tables[table].slots = slots;
    tables[table].names = 0;
    for (unsigned i = 0; i < AREA_SLOTS; i++)
        tables[table].nodes[i] = NOWHERE;
    return table;
}

static void place(uint32_t node, uint32_t table, uint32_t index)
{
    nodes[node].table = table;
    nodes[node].index = index;
    table_at(table)->nodes[index] = node;
    if (table == SHARED)
        note_signature(&nodes[node]);
}

static uint32_t new_node(const struct node *like, uint32_t table, uint32_t index)
{
    while (nodes[next_node].type != LIMEN_TYPE_NONE)
        next_node = (next_node + 1) % NODES;
    expect(++node_count < NODES);
    nodes[next_node] = *like;
    if (like->type == LIMEN_TYPE_TABLE)
        tables[like->names].names++;
    place(next_node, table, index);
    return next_node;
}

static void delete_node(uint32_t node);

/* Nobody the fuzzer knows can reach the table any more.  That a thread may still hold it makes no
 * difference here: what is in it is out of reach either way. */
static void delete_table(uint32_t table)
{
    for (uint32_t i = 0; i < tables[table].slots; i++)
        if (tables[table].nodes[i] != NOWHERE)
            delete_node(tables[table].nodes[i]);
    tables[table].slots = 0;
}

static void delete_node(uint32_t node)
{
    expect(node != NOWHERE);
    struct node old = nodes[node];

    nodes[node].type = LIMEN_TYPE_NONE;
    node_count--;
    table_at(old.table)->nodes[old.index] = NOWHERE;
    for (uint32_t i = 0; i < NODES; i++)
        if (nodes[i].type != LIMEN_TYPE_NONE && nodes[i].parent == node)
            nodes[i].parent = old.parent;
    if (old.type == LIMEN_TYPE_TABLE && --tables[old.names].names == 0)
        delete_table(old.names);
}

static bool is_derived(uint32_t node, uint32_t from)
{
    for (node = nodes[node].parent; node != NOWHERE; node = nodes[node].parent)
        if (node == from)
            return true;
    return false;
}

/* The table that the node is in may be among what goes, and the node with it, but only at last. */
static void revoke_node(uint32_t node)
{
    static bool derived[NODES];

    for (uint32_t i = 0; i < NODES; i++)
        derived[i] = nodes[i].type != LIMEN_TYPE_NONE && is_derived(i, node);
    for (uint32_t i = 0; i < NODES; i++)
        if (derived[i] && nodes[i].type != LIMEN_TYPE_NONE)
            delete_node(i);
}

/* The node at a slot of the area, or NOWHERE. */
static uint32_t node_at(uint64_t slot)
{
    if (slot < AREA_FIRST || slot >= AREA_END)
        return NOWHERE;
    return tables[AREA].nodes[slot - AREA_FIRST];
}

/* The table that a slot of the fuzzer's names, 0 being its own. */
static uint32_t table_named(uint64_t slot)
{
    if (slot == 0 || slot == OWN_TABLE)
        return AREA;
    if (slot == SHARED_TABLE)
        return SHARED;
    uint32_t node = node_at(slot);
    expect(node != NOWHERE && nodes[node].type == LIMEN_TYPE_TABLE);
    return nodes[node].names;
}

static uint32_t index_in(uint32_t table, uint64_t index)
{
    return (uint32_t)(table == AREA ? index - AREA_FIRST : index);
}

static uint32_t node_in(uint32_t table, uint64_t index)
{
    return table_at(table)->nodes[index_in(table, index)];
}

/* -- what the kernel's operations do -- */

static void apply_retype(uint32_t slot, const uint64_t words[8], uint64_t made)
{
    static const unsigned orders[LIMEN_TYPE_COUNT] = {
        [LIMEN_TYPE_THREAD] = LIMEN_THREAD_ORDER,
        [LIMEN_TYPE_ENDPOINT] = LIMEN_ENDPOINT_ORDER,
        [LIMEN_TYPE_NOTIFICATION] = LIMEN_NOTIFICATION_ORDER,
        [LIMEN_TYPE_REPLY] = LIMEN_REPLY_ORDER,
        [LIMEN_TYPE_CONTEXT] = LIMEN_CONTEXT_ORDER,
    };
    uint32_t to = table_named(words[2]);
    struct node new = {
        .type = (enum limen_type)words[0], .rights = LIMEN_RIGHTS_ALL, .parent = node_at(slot)};

    new.order = orders[new.type] ? orders[new.type] : (unsigned)words[1];
    for (uint64_t i = 0; i < made; i++) {
        if (new.type == LIMEN_TYPE_TABLE)
            new.names = new_table(1u << new.order);
        new_node(&new, to, index_in(to, words[3] + i));
    }
}

static void apply_to_table(uint32_t slot, uint32_t label, const uint64_t words[8])
{
    bool moves = label <= LIMEN_TABLE_MOVE;
    uint32_t to = table_named(slot);
    uint32_t from = moves ? table_named(words[1]) : to;
    uint32_t node = moves ? node_in(from, words[2]) : NOWHERE;

    expect(!moves || node != NOWHERE);
    switch (label) {
    case LIMEN_TABLE_COPY:
    case LIMEN_TABLE_MINT: {
        struct node copy = nodes[node];
        copy.rights &= (unsigned)words[3];
        copy.parent = node;
        expect(copy.type != LIMEN_TYPE_UNTYPED); /* which would be given out twice */
        if (label == LIMEN_TABLE_MINT) {
            expect(copy.badge == 0); /* a badge stays what it is */
            copy.badge = words[4];
        }
        new_node(&copy, to, index_in(to, words[0]));
        break;
    }
    case LIMEN_TABLE_MOVE:
        table_at(from)->nodes[index_in(from, words[2])] = NOWHERE;
        place(node, to, index_in(to, words[0]));
        break;
    case LIMEN_TABLE_DELETE:
        node = node_in(to, words[0]);
        if (node != NOWHERE)
            delete_node(node);
        break;
    case LIMEN_TABLE_REVOKE:
        node = node_in(to, words[0]);
        if (node != NOWHERE)
            revoke_node(node);
        break;
    default:
        break;
    }
}

static void apply_narrow(uint32_t node, const uint64_t words[8])
{
    uint64_t range = nodes[node].badge;

    expect(words[0] >= (range & UINT16_MAX) && words[1] <= range >> 16 && words[0] <= words[1]);
    new_node(&(struct node){.type = LIMEN_TYPE_PORTS,
                            .rights = nodes[node].rights,
                            .badge = words[0] | words[1] << 16,
                            .parent = node},
             AREA, index_in(AREA, words[2]));
}

void shadow_apply(uint32_t slot, uint32_t label, const uint64_t words[8], uint64_t made)
{
    uint32_t node = node_at(slot);
    enum limen_type type = slot == OWN_TABLE || slot == SHARED_TABLE ? LIMEN_TYPE_TABLE
                           : node == NOWHERE                         ? LIMEN_TYPE_NONE
                                                                     : nodes[node].type;
    if (type == LIMEN_TYPE_UNTYPED && label == LIMEN_UNTYPED_RETYPE)
        apply_retype(slot, words, made);
    else if (type == LIMEN_TYPE_TABLE)
        apply_to_table(slot, label, words);
    else if (type == LIMEN_TYPE_SPACE && label == LIMEN_SPACE_DONATE)
        delete_node(node_at(words[0])); /* it moved into the space, and has no children */
    else if (type == LIMEN_TYPE_IRQ_CONTROL && label == LIMEN_IRQ_CONTROL_ISSUE)
        new_node(&(struct node){.type = LIMEN_TYPE_IRQ,
                                .rights = LIMEN_RIGHTS_ALL,
                                .badge = words[0],
                                .parent = node_at(words[2])},
                 AREA, index_in(AREA, words[3]));
    else if (type == LIMEN_TYPE_PORTS && label == LIMEN_PORTS_NARROW)
        apply_narrow(node, words);
}

void shadow_reset(void)
{
    for (unsigned i = 0; i < NODES; i++)
        nodes[i].type = LIMEN_TYPE_NONE;
    for (unsigned i = 0; i < TABLES; i++)
        tables[i].slots = 0;
    node_count = next_node = signature_count = 0;
    tables[AREA].slots = tables[SHARED].slots = 1; /* taken */
    for (unsigned i = 0; i < AREA_SLOTS; i++)
        tables[AREA].nodes[i] = tables[SHARED].nodes[i] = NOWHERE;
    tables[AREA].slots = AREA_SLOTS;
    tables[SHARED].slots = 1u << SHARED_ORDER;
}

void shadow_give(uint32_t slot, const struct limen_capability *capability)
{
    new_node(&(struct node){.type = capability->type,
                            .rights = capability->rights,
                            .order = capability->order,
                            .badge = capability->badge,
                            .parent = NOWHERE},
             AREA, slot - AREA_FIRST);
}

enum limen_type shadow_type(uint32_t slot)
{
    uint32_t node = node_at(slot);
    return node == NOWHERE ? LIMEN_TYPE_NONE : nodes[node].type;
}

enum limen_type shadow_shared_type(uint32_t slot)
{
    uint32_t node = table_at(SHARED)->nodes[slot];
    return node == NOWHERE ? LIMEN_TYPE_NONE : nodes[node].type;
}

uint32_t shadow_shared(enum limen_type type, uint32_t start)
{
    const uint32_t count = SHARED_END - SHARED_FIRST;

    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = SHARED_FIRST + (start - SHARED_FIRST + i) % count;
        if (shadow_shared_type(slot) == type)
            return slot;
    }
    return start;
}

unsigned shadow_table_slots(uint32_t slot)
{
    return tables[table_named(slot)].slots;
}

unsigned shadow_tables(void)
{
    unsigned count = 0;
    for (unsigned i = SHARED + 1; i < TABLES; i++)
        count += tables[i].slots != 0;
    return count;
}

unsigned shadow_count(void)
{
    return node_count;
}

/* -- comparing -- */

/* One slot of a table that the fuzzer names by `name`. */
static bool compare_slot(uint32_t name, uint32_t table, uint32_t index, char *why, size_t size)
{
    static const struct node nothing;
    uint32_t known = table_at(table)->nodes[index];
    const struct node *want = known == NOWHERE ? &nothing : &nodes[known];
    uint32_t slot = table == AREA ? index + AREA_FIRST : index;
    struct limen_capability found;
    enum limen_error error = limen_inspect(name, slot, &found);

    if (error == LIMEN_NO_RIGHT && table > SHARED)
        return true; /* a capability that does not let it look */
    if (error) {
        snprintf(why, size, "slot %u of table %u cannot be inspected: error %u", slot, name, error);
        return false;
    }
    if (found.type == want->type && found.rights == want->rights && found.badge == want->badge &&
        (found.type == LIMEN_TYPE_NONE || found.order == want->order || want->order == 0 ||
         found.order == 0))
        return true;
    snprintf(why, size,
             "slot %u of table %u: type %u, rights %x, badge %lx, order %u; by what it was made "
             "from it is type %u, rights %x, badge %lx, order %u",
             slot, name, found.type, found.rights, found.badge, found.order, want->type,
             want->rights, want->badge, want->order);
    return false;
}

/* What messages carried there must have stood in the table, with no fewer rights. */
static bool compare_received(char *why, size_t size)
{
    for (uint32_t slot = SHARED_END; slot < RECEIVED_END; slot++) {
        struct limen_capability found;
        expect_ok(limen_inspect(SHARED_TABLE, slot, &found));
        if (found.type == LIMEN_TYPE_NONE || has_signature(found.type, found.rights, found.badge))
            continue;
        snprintf(why, size,
                 "a message left type %u, rights %x, badge %lx in slot %u: nobody had that",
                 found.type, found.rights, found.badge, slot);
        return false;
    }
    return true;
}

bool shadow_compare(char *why, size_t size)
{
    for (uint32_t i = 0; i < AREA_SLOTS; i++)
        if (!compare_slot(OWN_TABLE, AREA, i, why, size))
            return false;
    for (uint32_t i = SHARED_FIRST; i < SHARED_END; i++)
        if (!compare_slot(SHARED_TABLE, SHARED, i, why, size))
            return false;
    for (uint32_t i = 0; i < AREA_SLOTS; i++) {
        uint32_t node = tables[AREA].nodes[i];
        if (node == NOWHERE || nodes[node].type != LIMEN_TYPE_TABLE)
            continue;
        uint32_t table = nodes[node].names;
        for (uint32_t n = 1; n < tables[table].slots; n++)
            if (!compare_slot(AREA_FIRST + i, table, n, why, size))
                return false;
    }
    return compare_received(why, size);
}
