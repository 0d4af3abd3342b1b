/* SPDX-License-Identifier: MIT */
/*
 * Accounts of time, for the model checker Spin: threads run on scheduling contexts, passive ones on
 * those of whoever sent the message, along chains; an account runs dry and is refilled; contexts are
 * taken away, and die with others still on them.
 *
 * As in ipc.pml one process makes all transitions, each a way through the kernel with interrupts
 * off, and the comment above each names the C it stands for.  Of the rendezvous there is only what
 * moves accounts; who is first in a queue is left open, and so are priorities: `leaving`, the
 * scheduler takes any thread that is ready.
 *
 * After each transition invariants() holds: a thread is among the parked or the guests of the
 * account it draws on, and of no other; the refill is waited for as long as somebody is parked;
 * whoever has a context of its own is never left without an account; nobody draws on a dead one.
 * What a thread runs is owed by one account, and charged to that one, once.
 */
#define THREADS  3
#define CONTEXTS 2
#define LIMITED  0
#define ROOT     1 /* unlimited, and never dies */
#define NONE     3

mtype = { STOPPED, READY, PARKED, SENDING, RECEIVING, WAITING_REPLY };
mtype = { LIVE, DYING, DEAD };

/* struct thread, kernel/thread.h.  Each has an endpoint and a reply object: it receives at its own,
 * and sends to threads of higher numbers only, so that chains end.  0 is a client, which loses and
 * changes contexts; the others are servers, which may have the second for their own. */
typedef thread {
    mtype state = STOPPED;
    byte own = NONE;     /* context_slot */
    byte payer = NONE;
    bit passive;
    byte partner = NONE; /* SENDING: to whom.  WAITING_REPLY: whose reply object holds it */
    byte holds = NONE;   /* the caller in its reply object */
}
thread threads[THREADS];

/* struct context, kernel/context.h */
typedef context {
    mtype life = LIVE;
    bit left;            /* something of this period's budget */
    bit due;             /* a new period can begin */
    bit refill;          /* the deadline is set ... */
    bit ripe;            /* ... and has passed */
    bit guest[THREADS];  /* its two lists */
    bit parked[THREADS];
}
context contexts[CONTEXTS];

/* struct cpu: NONE is the rest of the machine, which has accounts of its own. */
byte current = NONE;
bit leaving; /* the kernel is about to choose who runs */
bit over;    /* and not to stay with whose budget is used up */
bit uncharged;
byte debtor = NONE; /* who owes what was not charged yet: of the model, not of the kernel */

#define T threads[t]
#define U threads[u]
#define C contexts[c]
#define L contexts[LIMITED]
#define PAYER(x) contexts[threads[x].payer]

byte t, u, c, i, k;
bit found, was_parked;

/* -- kernel/context.c -- */

/* context_charge() */
inline charge()
{
    if
    :: uncharged ->
        assert(current != NONE && threads[current].payer == debtor);
        contexts[debtor].left = debtor == ROOT;
        uncharged = 0;
        debtor = NONE
    :: else
    fi
}

/* context_can_pay(), with refill(): the answer is in found. */
inline can_pay(x)
{
    found = 0;
    if
    :: threads[x].payer != NONE ->
        if
        :: PAYER(x).due -> PAYER(x).due = 0; PAYER(x).left = 1
        :: else
        fi;
        found = PAYER(x).left
    :: else
    fi
}

inline park(x)
{
    threads[x].state = PARKED;
    if
    :: threads[x].payer != NONE ->
        PAYER(x).parked[x] = 1;
#ifndef BROKEN_PARK_REFILL
        if
        :: !PAYER(x).refill -> PAYER(x).refill = 1; PAYER(x).ripe = PAYER(x).due
        :: else
        fi
#endif
    :: else
    fi
}

#define is_parked_at(p) (p.parked[0] || p.parked[1] || p.parked[2])

inline unpark(x)
{
    if
    :: threads[x].payer != NONE ->
        PAYER(x).parked[x] = 0;
        if
        :: !is_parked_at(PAYER(x)) -> PAYER(x).refill = 0; PAYER(x).ripe = 0
        :: else
        fi
    :: else
    fi
}

/* scheduler_ready(), kernel/scheduler.c */
inline make_ready(x)
{
    if
    :: threads[x].payer == NONE -> park(x)
    :: else -> threads[x].state = READY
    fi
}

/* context_join() */
inline join(x, account)
{
    if
    :: x == current ->
#ifndef BROKEN_JOIN_CHARGE
        charge()
#endif
    :: else
    fi;
    was_parked = threads[x].state == PARKED;
#ifndef BROKEN_JOIN_UNPARK
    if
    :: was_parked -> unpark(x)
    :: else
    fi;
#endif
    if
    :: threads[x].payer != NONE -> PAYER(x).guest[x] = 0
    :: else
    fi;
    threads[x].payer = account;
    if
    :: account != NONE && account != threads[x].own -> PAYER(x).guest[x] = 1
    :: else
    fi;
    if
    :: was_parked -> make_ready(x)
    :: else
    fi;
    was_parked = 0
}

/* context_return() */
inline give_back(x)
{
    if
    :: threads[x].payer != threads[x].own -> join(x, threads[x].own)
    :: else
    fi
}

/* context_serve() */
inline serve(x, sender)
{
    if
    :: threads[x].passive && threads[x].payer != threads[sender].payer ->
        k = threads[sender].payer;
        join(x, k);
        k = 0
    :: else
    fi
}

/* context_wake(), in kernel_timer(): the deadline has passed; t is the first who is parked there. */
inline wake_one()
{
    can_pay(t);
    if
    :: found -> unpark(t); make_ready(t)
    :: else -> L.ripe = 0
    fi;
    found = 0
}

/* configure() */
inline configure()
{
    if
    :: current != NONE && threads[current].payer == LIMITED -> charge()
    :: else
    fi;
    L.left = 0;
    L.due = 1;
    L.ripe = L.refill
}

/* -- what moves accounts in kernel/ipc.c -- */

/* meet(): x sends, y receives. */
inline meet(x, y)
{
    serve(y, x);
    threads[x].state = WAITING_REPLY;
    threads[x].partner = y;
    threads[y].holds = x
}

/* send_to(): t calls u.  A message that wants no answer would show nothing more: its sender runs
 * beside the receiver, on one account, as one does whose wait for the answer was ended. */
inline call()
{
    if
    :: U.state == RECEIVING -> meet(t, u); make_ready(u)
    :: else -> T.state = SENDING; T.partner = u
    fi
}

/* wait_for_message() of t, where u is the first sender; objection(), turn_away(), take_sender() */
inline take_sender()
{
#ifdef BROKEN_OBJECTION
    found = 0;
#else
    found = T.passive && U.payer == NONE;
#endif
    U.partner = NONE;
    if
    :: found -> make_ready(u)
    :: else -> meet(u, t)
    fi;
    found = 0
}

/* answer() */
inline answer()
{
    u = T.holds;
    T.holds = NONE;
    U.partner = NONE;
    make_ready(u);
    u = 0
}

/* ipc_unwait() */
inline unwait(x)
{
    if
    :: threads[x].state == RECEIVING ->
#ifndef BROKEN_UNWAIT_RETURN
        give_back(x);
#endif
        assert(threads[x].payer == threads[x].own) /* it serves nobody */
    :: threads[x].state == WAITING_REPLY -> threads[threads[x].partner].holds = NONE
    :: else
    fi;
    threads[x].partner = NONE
}

/* thread_stop(), kernel/thread.c */
inline stop(x)
{
    if
    :: threads[x].state == STOPPED || threads[x].state == READY
    :: threads[x].state == PARKED ->
#ifndef BROKEN_STOP_UNPARK
        unpark(x)
#endif
    :: else -> unwait(x)
    fi;
    threads[x].state = STOPPED
}

/* -- what others do: kernel/thread.c, kernel/slot.c -- */

/* thread_set_context() */
inline set_context(to)
{
    found = T.payer != NONE && T.payer != T.own;
    T.own = to;
    if
    :: found -> k = T.payer; join(t, k); k = 0
    :: else -> join(t, to)
    fi;
    found = 0
}

/* thread_lost(), for the context */
inline lose_context()
{
    stop(t);
    T.own = NONE;
    join(t, NONE)
}

/* The last capability of a thread goes: bury(), thread_reap(), and with it its reply object's:
 * reply_reap().  A new one takes its place. */
inline kill()
{
    lose_context();
    T.passive = 0;
    if
    :: T.holds != NONE -> u = T.holds; stop(u); make_ready(u); u = 0
    :: else
    fi
}

/* -- who runs: kernel/scheduler.c -- */

/* scheduler_switch() to x, or with NONE to the rest of the machine */
inline switch_to(x)
{
    if
    :: current != NONE && (x == NONE || threads[x].payer != threads[current].payer) ->
#ifndef BROKEN_SWITCH_CHARGE
        charge()
#endif
    :: else
    fi;
    current = x;
    leaving = 0;
    over = 0
}

/* switch_to_first(), park_unpaid(): t is the first of those who are ready, if need be again. */
inline choose_first()
{
    can_pay(t);
    if
    :: found -> switch_to(t)
    :: else -> park(t)
    fi;
    found = 0
}

/* The timer's interrupt, after which the current thread has run for a while: kernel_reschedule(),
 * budget_lasts(), out_of_budget(). */
inline tick()
{
    assert(threads[current].payer != NONE);
    uncharged = 1;
    debtor = threads[current].payer;
    if
    :: over -> charge(); can_pay(current); leaving = !found; over = !found; found = 0
    :: else
    fi
}

#define is_ready(x) (threads[x].state == READY)

/* runs_on() */
#ifdef BROKEN_RUNS_ON
#define stays (current != NONE && is_ready(current) && !over)
#else
#define stays (current != NONE && is_ready(current) && threads[current].payer != NONE && !over)
#endif

/* -- what must be true -- */

inline invariants()
{
    for (i : 0 .. THREADS - 1) {
        assert(threads[i].payer != NONE || threads[i].own == NONE);
        if
        :: threads[i].own != NONE -> assert(contexts[threads[i].own].life == LIVE)
        :: else
        fi;
        if
        :: threads[i].payer != NONE -> assert(contexts[threads[i].payer].life != DEAD)
        :: else
        fi;
        for (k : 0 .. CONTEXTS - 1) {
            assert(contexts[k].parked[i] == (threads[i].state == PARKED && threads[i].payer == k));
            assert(contexts[k].guest[i] == (threads[i].payer == k && threads[i].own != k))
        }
        k = 0;
        if
        :: threads[i].holds != NONE ->
            assert(threads[threads[i].holds].state == WAITING_REPLY);
            assert(threads[threads[i].holds].partner == i)
        :: else
        fi;
        /* Nobody but a passive thread draws on another's. */
        assert(threads[i].passive || threads[i].payer == threads[i].own)
    }
    i = 0;
    for (k : 0 .. CONTEXTS - 1) {
        assert(contexts[k].refill == is_parked_at(contexts[k]));
        assert(contexts[k].refill || !contexts[k].ripe)
    }
    k = 0;
    assert(!uncharged || current != NONE)
}

inline choose()
{
    if :: t = 0 :: t = 1 :: t = 2 fi;
    if :: u = 0 :: u = 1 :: u = 2 fi;
    if :: c = 0 :: c = 1 fi
}

/* Transitions that have no use for u or c are made for one value of them only. */
#define only_t  (u == 0 && c == 0)
#define only_tu (c == 0)
#define only_tc (u == 0)
#define runs    (t == current && is_ready(t))

/* context_reap() finds no guest left. */
#ifdef BROKEN_REAP
#define is_reaped 1
#else
#define is_reaped (!L.guest[0] && !L.guest[1] && !L.guest[2])
#endif

active proctype machine()
{
    contexts[ROOT].left = 1;
    do
    :: atomic {
        choose();
        if
        /* What the thread does. */
        :: runs && only_tu && t < u ->
            d_step { call(); leaving = 1 }
        :: runs && only_tu && T.holds == NONE && U.state == SENDING && U.partner == t ->
            d_step { take_sender(); leaving = 1 }
        :: runs && only_t && t != 0 && T.holds == NONE &&
               !(threads[0].state == SENDING && threads[0].partner == t) &&
               !(threads[1].state == SENDING && threads[1].partner == t) ->
            d_step { T.state = RECEIVING; leaving = 1 }
        :: runs && only_t && T.holds != NONE -> d_step { answer(); leaving = 1 }
        :: runs && only_t -> d_step { tick() }
        :: runs && only_t -> d_step { over = 1; tick() }
        /* What is done to it, by whoever runs. */
        :: only_t && T.state != STOPPED -> d_step { stop(t); leaving = 1 }
        :: only_t && (T.state == SENDING || T.state == RECEIVING ||
                                  T.state == WAITING_REPLY) -> /* time_out() */
            d_step { stop(t); make_ready(t); leaving = 1 }
        :: only_t && T.state == RECEIVING && T.own != NONE -> /* notification_signal() */
            d_step { give_back(t); make_ready(t); leaving = 1 }
        :: only_t && T.state == STOPPED && T.payer != NONE -> /* resume() */
            d_step { make_ready(t); leaving = 1 }
        :: only_t && t != current -> d_step { kill(); leaving = 1 }
        :: only_tc && C.life == LIVE && (t == 0 || c == 1) && T.own != c ->
            d_step { set_context(c); leaving = 1 }
        :: only_t && T.own != NONE -> d_step { set_context(NONE); leaving = 1 }
        :: only_t && t != 0 -> /* set_passive() */
            d_step {
                T.passive = !T.passive;
                if
                :: !T.passive -> give_back(t)
                :: else
                fi;
                leaving = 1
            }
        /* What becomes of the account that can end. */
        :: only_t && t == 0 && !L.due && L.life == LIVE -> d_step { L.due = 1; L.ripe = L.refill }
        :: only_t && L.ripe && L.parked[t] -> d_step { wake_one(); leaving = 1 }
        :: only_t && t == 0 && L.life == LIVE -> d_step { configure(); leaving = 1 }
        :: only_t && T.own == LIMITED -> d_step { lose_context(); leaving = 1 }
        :: only_t && t == 0 && L.life == LIVE && T.own != LIMITED ->
            d_step { L.life = DYING }
        :: only_t && L.life == DYING && L.guest[t] -> /* context_reap(), a step */
            d_step { give_back(t); leaving = 1 }
        :: only_t && t == 0 && L.life == DYING && is_reaped ->
            d_step { L.life = DEAD; L.left = 0; L.due = 0 }
        :: only_t && t == 0 && L.life == DEAD -> d_step { L.life = LIVE; L.due = 1 }
        :: else
        fi;
        /* switch_to_first() */
        do
        :: !leaving -> break
        :: leaving && stays -> leaving = 0
        :: leaving && is_ready(0) -> d_step { t = 0; choose_first() }
        :: leaving && is_ready(1) -> d_step { t = 1; choose_first() }
        :: leaving && is_ready(2) -> d_step { t = 2; choose_first() }
        :: leaving && !is_ready(0) && !is_ready(1) && !is_ready(2) -> d_step { switch_to(NONE) }
        od;
        d_step {
            t = 0; u = 0; c = 0;
            invariants()
        }
       }
    :: break
    od;
    skip; /* a jump cannot end inside of d_step */
    /* In time everybody who is parked and has an account goes on. */
    d_step {
        for (t : 0 .. THREADS - 1) {
            if
            :: L.parked[t] -> assert(L.refill); L.due = 1; wake_one()
            :: else
            fi;
            assert(!L.parked[t])
        }
    }
}
