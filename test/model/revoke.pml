/* SPDX-License-Identifier: MIT */
/*
 * Deletion and revocation in steps, for the model checker Spin: two threads that delete or revoke,
 * and a third that copies, moves and makes new objects in the windows between their steps.
 *
 * Untyped memory U0 gives U1, and U1 two units of memory, each of which can become a table of two
 * entries or an endpoint.  The capabilities are linked as in kernel/slot.c, field by field; a step
 * between two windows is one atomic transition.  A thread can stop for good in any window, as one
 * that is killed does, and whoever comes next must find its work in order.
 *
 * After each step invariants() holds, and further: nothing derived is left when a revocation ends,
 * every object dies once, memory is used again exactly when nothing derived from it is left, and
 * in the end everything can be taken back.
 *
 * Each BROKEN_... takes one line of the kernel away, and must be found wrong (test/model/model.py).
 */
#define NIL 15

/* Slots.  0 to 3 are the entries of a table that everybody has and nobody takes away; each unit of
 * memory has one for its object's grave, which for a table is entry 0, and two more entries. */
#define SLOTS         10
#define PLACES        4
#define UNITS         2
#define U0            0
#define grave_of(u)   (4 + 3 * (u))
#define entry_of(u,e) (4 + 3 * (u) + (e))
#define is_grave(s)   ((s) == 4 || (s) == 7)

mtype = { NONE, UNTYPED, TABLE, ENDPOINT };

/* struct slot, kernel/slot.h */
typedef slot {
    mtype type = NONE;
    byte object = NIL; /* a unit; untyped memory: which */
    byte child = NIL;
    byte next = NIL;
    byte prev = NIL;
}
slot at[SLOTS];

byte used[2];  /* of U0 and U1, in units of their own */
bit doomed[2]; /* their deletion has begun */

/* What a unit of memory is, and struct object in it. */
mtype made[UNITS] = NONE;
byte references[UNITS];
byte left[UNITS];    /* table: entries not looked at yet by table_reap(); endpoint: threads queued */
byte dying = NIL;    /* struct cpu: the first grave */
byte dying_next[UNITS] = NIL;

/* What the first revoker's target had derived from it when that began, and what came to be since:
 * the revocation ends when none is left.  Not if somebody takes the target itself away. */
bit marked[SLOTS];
bit valid;
byte target = NIL;

#define ACTIONS 1 /* of the third thread */

byte running = 3; /* revokers and the mutator that have not finished */

/* Only inside of atomic transitions. */
byte a, b, d, n, m, s;
byte last = NIL;
bit finished;

/* -- the tree: kernel/slot.c -- */

#define is_first_child(s) (at[s].prev != NIL && at[at[s].prev].child == (s))

inline relink(from, to)
{
    if
    :: is_first_child(from) -> at[at[from].prev].child = to
    :: !is_first_child(from) && at[from].prev != NIL -> at[at[from].prev].next = to
    :: else
    fi;
    if
    :: at[from].next != NIL -> at[at[from].next].prev = to
    :: else
    fi;
    if
    :: at[from].child != NIL -> at[at[from].child].prev = to
    :: else
    fi
}

inline insert_child(parent, s)
{
    at[s].prev = parent;
    at[s].next = at[parent].child;
    if
    :: at[s].next != NIL -> at[at[s].next].prev = s
    :: else
    fi;
    at[parent].child = s
}

inline unlink_node(s)
{
    assert(at[s].child == NIL);
    if
    :: is_first_child(s) -> at[at[s].prev].child = at[s].next
    :: !is_first_child(s) && at[s].prev != NIL -> at[at[s].prev].next = at[s].next
    :: else
    fi;
    if
    :: at[s].next != NIL -> at[at[s].next].prev = at[s].prev
    :: else
    fi
}

inline lift_first_child(s)
{
    b = at[s].child;
    at[s].child = at[b].next;
    if
    :: at[b].next != NIL -> at[at[b].next].prev = s
    :: else
    fi;
    at[b].next = at[s].next;
    if
    :: at[b].next != NIL -> at[at[b].next].prev = b
    :: else
    fi;
    at[b].prev = s;
    at[s].next = b;
    b = 0
}

inline clear(s)
{
    at[s].type = NONE;
    at[s].object = NIL;
    at[s].child = NIL;
    at[s].next = NIL;
    at[s].prev = NIL;
    marked[s] = 0;
    valid = valid && target != s
}

inline fill(s, parent, kind, what)
{
    assert(at[s].type == NONE);
    at[s].type = kind;
    at[s].object = what;
    insert_child(parent, s);
    if
    :: kind != UNTYPED -> references[what]++
    :: else
    fi;
    marked[s] = marked[parent] || (valid && target == parent)
}

inline copy(to, from)
{
    fill(to, from, at[from].type, at[from].object);
#ifdef BROKEN_COPY
    references[at[from].object]--
#endif
}

inline move(to, from)
{
    relink(from, to);
    at[to].type = at[from].type;
    at[to].object = at[from].object;
    at[to].child = at[from].child;
    at[to].next = at[from].next;
    at[to].prev = at[from].prev;
    marked[to] = marked[from];
    clear(from)
}

/* -- deletion: kernel/slot.c -- */

/* bury(): u is the object's unit. */
inline bury(s, u)
{
    assert(dying_next[u] == NIL && dying != u);
    if
    :: at[s].type == TABLE -> left[u] = 2
    :: else
    fi;
#ifdef BROKEN_BURY
    unlink_node(s);
    at[s].prev = NIL;
    at[s].next = NIL;
#endif
    move(grave_of(u), s);
    dying_next[u] = dying;
    dying = u
}

/* slot_drop_step() of slot d.  A reply or frame, which dies at once, would be the simpler case. */
inline drop_step()
{
    assert(!is_grave(d) || at[d].type == NONE);
    finished = 1;
    if
    :: at[d].type == NONE
    :: at[d].type != NONE && at[d].child != NIL ->
#ifndef BROKEN_DOOMED
        if
        :: at[d].type == UNTYPED -> doomed[at[d].object] = 1
        :: else
        fi;
#endif
        lift_first_child(d);
        valid = valid && target != d;
        finished = 0
    :: at[d].type == UNTYPED && at[d].child == NIL -> unlink_node(d); clear(d)
    :: else ->
        m = at[d].object;
        references[m]--;
        if
        :: references[m] == 0 -> bury(d, m)
        :: else -> unlink_node(d); clear(d)
        fi;
        m = 0
    fi
}

/* slot_reap_step(), table_reap(), endpoint_reap(); finished: nobody is dying. */
inline reap_step()
{
    if
    :: dying == NIL -> finished = 1
    :: else ->
        a = dying;
        assert(made[a] != NONE && references[a] == 0);
        if
        :: made[a] == ENDPOINT && left[a] > 0 -> left[a]--
        :: made[a] == TABLE && left[a] > 0 ->
            d = entry_of(a, left[a]);
            if
            :: at[d].type != NONE -> drop_step()
            :: else -> left[a]--
            fi;
            d = 0
        :: else ->
            assert(dying == a);
            dying = dying_next[a];
            dying_next[a] = NIL;
            unlink_node(grave_of(a));
            clear(grave_of(a));
            made[a] = NONE
        fi;
        a = 0;
        finished = 0
    fi
}

/* slot_revoke_step() of slot s.  `last` is the capability that the call itself is made on: it is
 * taken away when nothing else is left, for the target is found through it. */
inline revoke_step()
{
    d = at[s].child;
    if
    :: d == NIL -> finished = 1
    :: else ->
#ifndef BROKEN_LAST
        if
        :: d == last && at[d].next != NIL -> d = at[d].next
        :: else
        fi;
#endif
        if
        :: is_grave(d) ->
#ifdef BROKEN_GRAVE
            finished = 1
#else
            reap_step()
#endif
        :: else ->
            a = (d == last && at[d].child == NIL);
            drop_step();
            finished = a;
            a = 0
        fi
    fi;
    d = 0
}

/* -- what must be true -- */

inline invariants()
{
    for (n : 0 .. SLOTS - 1) {
        if
        :: at[n].type == NONE -> assert(at[n].child == NIL && at[n].next == NIL)
        :: else ->
            assert((at[n].prev == NIL) == (n == U0));
            assert(n == U0 || at[at[n].prev].child == n || at[at[n].prev].next == n);
            assert(at[n].next == NIL || at[at[n].next].prev == n);
            assert(at[n].child == NIL || at[at[n].child].prev == n);
            assert(at[n].type == UNTYPED || made[at[n].object] == at[n].type);
            /* Untyped memory has something derived from it as long as an object lies in it. */
            assert(at[n].type != UNTYPED || at[n].object == 0 || doomed[1] || at[n].child != NIL ||
                   (made[0] == NONE && made[1] == NONE));
            assert(n != U0 || at[n].child != NIL || (made[0] == NONE && made[1] == NONE))
        fi
    }
    for (m : 0 .. UNITS - 1) {
        b = 0;
        for (n : 0 .. SLOTS - 1) {
            b = b + (at[n].type != NONE && at[n].type != UNTYPED && at[n].object == m &&
                     !is_grave(n))
        }
        assert(references[m] == b);
        /* A live object has capabilities; a dying one, its grave; and nothing else exists. */
        assert((made[m] != NONE) == (b > 0 || at[grave_of(m)].type != NONE));
        assert(b == 0 || at[grave_of(m)].type == NONE);
        assert((at[grave_of(m)].type != NONE) == (dying == m || dying_next[1 - m] == m))
    }
    n = 0;
    m = 0;
    b = 0
}

/* -- threads that delete and revoke: take_back(), kernel/table.c -- */

/* Entry e of the table that place p names; p 0 is everybody's own. */
#define has_table(p)   (p == 0 || at[p].type == TABLE)
#define slot_of(p, e)  (p == 0 -> e : entry_of(at[p].object, e))

/* Walking up from a slot derived from s leads to s. */
inline mark_derived()
{
    target = s;
    valid = 1;
    for (a : 0 .. SLOTS - 1) {
        for (b : 0 .. SLOTS - 1) {
            if
            :: at[b].prev != NIL ->
                marked[b] = marked[at[b].prev] ||
                                   (at[b].prev == s && at[s].child == b)
            :: else
            fi
        }
    }
    a = 0;
    b = 0
}

inline forget_marks()
{
    valid = 0;
    target = NIL;
    for (n : 0 .. SLOTS - 1) {
        marked[n] = 0
    }
    n = 0
}

/* The first one's work is judged; the second can end in any window. */
proctype revoker(bit judged)
{
    byte p, e;
    bit revoking, taken, own, done;
    atomic {
        if :: p = 0 :: judged -> p = 2 fi;
        if :: e = 1 :: e = 2 :: p == 0 -> e = 0 :: p == 0 -> e = 3 fi;
        if :: revoking = 1 :: p + e > 0 -> revoking = 0 fi;
        if
        :: has_table(p) && revoking && judged -> d_step { s = slot_of(p, e); mark_derived(); s = 0 }
        :: else
        fi
    }
    do
    :: d_step { !done && !taken && has_table(p) ->
        own = p > 0;
        s = slot_of(p, e);
        if
        :: revoking ->
            if
            :: p > 0 -> last = p
            :: else
            fi;
            revoke_step();
            last = NIL
        :: else -> d = s; drop_step(); d = 0
        fi;
        s = 0;
        taken = finished;
        finished = 0;
        own = own && !has_table(p);
        assert(!own || taken || !revoking); /* never half-way by its own doing */
        own = 0;
        if
        :: taken && judged ->
            target = NIL; /* what is made of it from now on may stay */
            for (n : 0 .. SLOTS - 1) {
                assert(!valid || !marked[n] || is_grave(n))
            }
            n = 0
        :: else
        fi;
        invariants()
       }
    :: d_step { !done && taken -> reap_step(); done = finished; finished = 0; invariants() }
    :: !taken && !has_table(p) -> break /* BAD_CAPABILITY: somebody took it away */
    :: done -> d_step {
        for (n : 0 .. SLOTS - 1) {
            assert(!judged || !valid || !marked[n])
        }
        n = 0
       }
       break
    :: !done && !judged -> break /* killed in a window */
    od;
    skip; /* a jump cannot end inside of d_step */
    d_step {
        p = 0; e = 0; revoking = 0; taken = 0; done = 0;
        if
        :: judged -> forget_marks()
        :: else
        fi;
        running--
    }
}

/* -- the thread that makes: copy(), move() of kernel/table.c, make_step() of kernel/untyped.c -- */

/* A slot that a capability leads to. */
#define reachable(x) (x < PLACES || \
                      (!is_grave(x) && references[(x - 4) / 3] > 0 && made[(x - 4) / 3] == TABLE))

/* Makes an object out of a, untyped memory, in slot b. */
inline retype(kind)
{
    m = at[a].object;
    if
    :: at[a].child == NIL -> used[m] = 0
    :: else
    fi;
    if
    :: doomed[m]
    :: !doomed[m] && m == 0 && used[0] == 0 ->
        used[0] = 1;
        used[1] = 0;
        doomed[1] = 0;
        for (n : 0 .. UNITS - 1) {
            assert(made[n] == NONE)
        }
        fill(b, a, UNTYPED, 1)
    :: !doomed[m] && m == 1 && used[1] < UNITS ->
        n = used[1];
        used[1]++;
        assert(made[n] == NONE && references[n] == 0);
        made[n] = kind;
        left[n] = 0;
        m = n;
        n = 0;
        fill(b, a, kind, m)
    :: else
    fi;
    m = 0
}

inline choose_slot(x)
{
    if
    :: x = 0 :: x = 1 :: x = 2 :: x = 3 :: x = 5 :: x = 6 :: x = 8 :: x = 9
    fi
}

proctype maker()
{
    byte count;
    do
    :: count < ACTIONS ->
        atomic {
            count++;
            choose_slot(a);
            choose_slot(b);
            if
            :: at[a].type != NONE && at[b].type == NONE && reachable(a) && reachable(b) ->
                if
                :: at[a].type != UNTYPED -> d_step { copy(b, a) }
                :: at[a].type == UNTYPED -> d_step { retype(TABLE) }
                :: at[a].type == UNTYPED -> d_step { retype(ENDPOINT) }
                :: a != U0 -> d_step { move(b, a) }
                fi
            :: at[a].type == ENDPOINT && a == b && left[at[a].object] == 0 ->
                left[at[a].object] = 1
            :: else
            fi;
            a = 0;
            b = 0;
            d_step { invariants() }
        }
    :: break
    od;
    atomic { count = 0; running-- }
}

init
{
    atomic {
        d_step {
            at[U0].type = UNTYPED;
            at[U0].object = 0;
            a = U0; b = 1; retype(UNTYPED);
            a = 1; b = 2; retype(TABLE);
            a = 1; b = 3; retype(ENDPOINT);
            a = 0; b = 0
        }
        /* The table's entries: two copies of the endpoint, or one and itself, or U1. */
        if
        :: d_step { copy(5, 3); copy(6, 5) }
        :: d_step { copy(5, 3); copy(6, 2) }
        :: d_step { copy(5, 2); move(6, 1) }
        fi;
        d_step { left[1] = 1; invariants() }
        run revoker(1);
        run revoker(0);
        run maker()
    }
    running == 0;
    /* Everything can be taken back by whoever comes last. */
    d_step {
        do
        :: at[U0].child == NIL && dying == NIL -> break
        :: dying != NIL -> reap_step(); finished = 0
        :: at[U0].child != NIL && dying == NIL -> s = U0; revoke_step(); s = 0; finished = 0
        od;
        for (n : 1 .. SLOTS - 1) {
            assert(at[n].type == NONE)
        }
        for (n : 0 .. UNITS - 1) {
            assert(made[n] == NONE)
        }
    }
}
