/* SPDX-License-Identifier: MIT */
/*
 * Capability slots, and the derivation tree that links them.
 *
 * A capability lives in exactly one slot: mostly an entry of a capability table, sometimes a place
 * inside an object that holds on to another (a thread to its space, say).  Either way it is a node
 * of the tree, so taking a capability back reaches every copy, wherever it is held.
 *
 * The tree needs no parent pointer: prev of a first child is its parent, and prev->child tells that
 * case from the other.  A capability can thus be moved, and its children handed on, in steps of
 * constant length.  A slot is 64 bytes, one cache line.
 */
#ifndef KERNEL_SLOT_H
#define KERNEL_SLOT_H

#include "arch.h"

/* Where a slot is, and so what must happen when its capability is taken away. */
enum holder {
    HOLDER_TABLE = 0, /* an entry of a capability table: nothing */
    HOLDER_THREAD_SPACE,
    HOLDER_THREAD_TABLE,
    HOLDER_THREAD_FAULT,
    HOLDER_THREAD_PAGE,
    HOLDER_THREAD_NOTIFICATION,
    HOLDER_THREAD_CONTEXT,
    HOLDER_IRQ_NOTIFICATION,
    HOLDER_CONTEXT_HANDLER,
    HOLDER_SPACE_DONATION,
    HOLDER_GRAVE, /* the last capability of an object that is being taken apart */
};

struct slot {
    uint64_t type : 8; /* enum limen_type; NONE: the slot is empty */
    uint64_t rights : 8;
    uint64_t order : 6;  /* of an untyped, frame, table or space */
    uint64_t holder : 4; /* enum holder, a property of the place */
    uint64_t device : 1; /* untyped, frame: not ordinary memory */
    uint64_t doomed : 1; /* untyped: its deletion has begun, so nothing is made of it */
    uint64_t page : 36;  /* frame: number of the virtual page where mapped */
    void *object;        /* physical-map address; for ports the range, for a frame its memory */
    struct slot *child;
    struct slot *next;
    struct slot *prev;
    union {
        uint64_t badge;          /* endpoint, notification */
        struct {                 /* frame */
            struct space *space; /* where it is mapped, or NULL */
            struct slot *mapped_next;
            struct slot *mapped_prev;
        };
        struct {              /* untyped */
            uint64_t used;    /* bytes handed out, from the start */
            uint64_t cleared; /* bytes from the start known to be in use or clear */
        };
        struct { /* ports */
            uint16_t first_port;
            uint16_t last_port;
        };
        struct {                 /* entry 0 of a table, and every grave */
            uint32_t references; /* table: capabilities that name it */
            uint32_t slots;      /* table: entries, 0 included; shrinks while it is taken apart */
            struct slot *dying_next;
        } header;
    };
};
_Static_assert(sizeof(struct slot) == 1u << LIMEN_SLOT_ORDER, "a slot is one cache line");

/* What every object begins with, but tables (see struct slot) and threads (see struct thread). */
struct object {
    uint32_t references; /* capabilities that name it */
    uint32_t type;       /* enum limen_type */
};

static inline bool slot_is_empty(const struct slot *slot)
{
    return slot->type == LIMEN_TYPE_NONE;
}

/* Puts a new capability into an empty slot, as the last derived from `parent` (NULL: a root), from
 * whose memory the object is. */
void slot_fill(struct slot *slot, struct slot *parent, enum limen_type type, unsigned rights,
               unsigned order, void *object);

/* Makes `to`, empty, a copy of `from` with at most `rights`, derived from it. */
enum limen_error slot_copy(struct slot *to, struct slot *from, unsigned rights);

/* Makes `to`, empty, the equal of a capability that a thread holds: derived from what that is
 * derived from. */
void slot_share(struct slot *to, struct slot *from);

/* Moves the capability; its place in the tree goes with it. */
void slot_move(struct slot *to, struct slot *from);

/*
 * Deletion, in bounded steps.  Each call does one step and says whether the work is finished; the
 * caller opens a window between steps and afterwards finds the slot anew, for it may be gone.  It
 * also stops when the current thread itself was among what was deleted.
 */

/* Takes one capability away. */
bool slot_drop_step(struct slot *slot);

/* Takes away what is derived from it; `last`, if that is among it, when nothing else is left. */
bool slot_revoke_step(struct slot *slot, const struct slot *last);

/* Puts a copy of a capability, or with NULL nothing, into a slot inside an object, in place of what
 * it holds.  Such copies have nothing derived from them, so one step empties the slot; what it held
 * may then be dying, and is left to the next deletion. */
void slot_hold(struct slot *own, struct slot *given);

/* Takes a capability away that nothing is derived from, that is mapped nowhere, and on which
 * nothing depends any more. */
void slot_release(struct slot *slot);

/* Takes dead objects apart, whoever's deletion they died of.  Not for a thread that is dead itself:
 * it is left to the next deletion. */
bool slot_reap_step(void);

#endif
