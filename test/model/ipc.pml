/* SPDX-License-Identifier: MIT */
/*
 * The rendezvous, for the model checker Spin: threads that call, answer, send, wait and fault at one
 * endpoint, two reply objects and a notification, while others suspend and kill them, time runs out
 * and the objects die.
 *
 * The kernel runs with interrupts off but for its windows, so each way through it is one atomic
 * transition here, and a window is where such a transition ends half-way.  One process therefore
 * makes all transitions, in every order there is.  The comment above each names the C it stands for.
 *
 * After each transition invariants() holds: a thread is in one place at most, and in the one that
 * its state says; a reply object holds one caller at most; nobody waits for what is there already.
 * When everything waited for has died, nobody waits.
 *
 * Each BROKEN_... takes one line of the kernel away, and must be found wrong (test/model/model.py).
 */
#define THREADS 3
#define REPLIES 2
#define NONE    7

mtype = { STOPPED, READY, SENDING, RECEIVING, WAITING, WAITING_REPLY };
mtype = { IDLE, SENDERS, RECEIVERS };

/* struct thread, kernel/thread.h */
typedef thread {
    mtype state = READY;
    bit calling;
    bit faulted;
    bit deadline;      /* one is set */
    byte reply = NONE; /* RECEIVING: where a caller will be kept */
    byte at = NONE;    /* WAITING_REPLY: the reply object of waits_on */
    bit pending;       /* a system call has begun, and RAX is not written yet */
    bit window;        /* preempted in ipc_wait(), READY, and will try again ... */
    byte wanted = NONE; /* ... with this reply object */
}
thread threads[THREADS];

/* struct endpoint, notification and reply, kernel/ipc.h */
bit endpoint_lives = 1;
mtype side = IDLE;
chan queue = [THREADS] of { byte };

bit notification_lives = 1;
bit bits;
chan waiters = [THREADS] of { byte };
byte bound = NONE;

bit reply_lives[REPLIES] = 1;
byte caller[REPLIES] = NONE;
byte receiver[REPLIES] = NONE;

#include "rendezvous.pml"

/* -- what must be true -- */

#define in_queue(x)   (queue??[eval(x)] > 0)
#define in_waiters(x) (waiters??[eval(x)] > 0)

inline invariants()
{
    for (i : 0 .. THREADS - 1) {
        assert(in_queue(i) == (threads[i].state == SENDING || threads[i].state == RECEIVING));
        assert(in_waiters(i) == (threads[i].state == WAITING));
        assert(!in_queue(i) || side == (threads[i].state == SENDING -> SENDERS : RECEIVERS));
        assert(threads[i].state != WAITING_REPLY || caller[threads[i].at] == i);
        assert((threads[i].at != NONE) == (threads[i].state == WAITING_REPLY));
        assert(threads[i].reply == NONE ||
               (threads[i].state == RECEIVING && receiver[threads[i].reply] == i));
        assert(!threads[i].deadline ||
               (threads[i].state != READY && threads[i].state != STOPPED));
        assert(threads[i].state != READY || !threads[i].faulted);
        assert(threads[i].state == READY || threads[i].state == STOPPED ||
               threads[i].pending != threads[i].faulted);
        assert((threads[i].state != READY && threads[i].state != STOPPED) ||
               threads[i].pending == threads[i].window)
    }
    for (i : 0 .. REPLIES - 1) {
        assert(caller[i] == NONE || receiver[i] == NONE);
        if
        :: caller[i] != NONE ->
            assert(reply_lives[i]);
            assert(threads[caller[i]].state == WAITING_REPLY && threads[caller[i]].at == i)
        :: else
        fi;
        if
        :: receiver[i] != NONE ->
            assert(reply_lives[i]);
            assert(threads[receiver[i]].reply == i)
        :: else
        fi
    }
    i = 0;
    assert((side == IDLE) == (len(queue) == 0));
    /* Nobody waits for what is there. */
    assert(!bits || len(waiters) == 0);
    if
    :: bound != NONE -> assert(!bits || threads[bound].state != RECEIVING)
    :: else
    fi
}

/* What C leaves behind and never reads again would only multiply the states. */
inline forget_the_stale()
{
    for (i : 0 .. THREADS - 1) {
        if
        :: threads[i].state != SENDING -> threads[i].calling = 0
        :: else
        fi
    }
    i = 0
}

inline choose()
{
    if :: t = 0 :: t = 1 :: t = 2 fi;
    if :: r = 0 :: r = 1 :: r = NONE fi
}

inline choose_flags()
{
    if :: nonblock = 0; timed = 0 :: nonblock = 1; timed = 0 :: nonblock = 0; timed = 1 fi;
    if :: spoilt = 0 :: spoilt = 1 fi
}

#define runs (T.state == READY && !T.window)

active proctype machine()
{
    do
    :: atomic {
        choose();
        if
        /* What the thread does. */
        :: runs && endpoint_lives && r == NONE ->
            choose_flags();
            if
            :: d_step { send(1) }
            :: d_step { send(0) }
            fi
        :: runs && endpoint_lives ->
            choose_flags();
            d_step { T.pending = 1; try_wait() }
        :: runs && endpoint_lives && r != NONE ->
            choose_flags();
            d_step { reply_wait() }
        :: T.state == READY && T.window && r == T.wanted ->
            choose_flags();
            d_step { try_wait() }
        :: runs && notification_lives && r == NONE ->
            choose_flags();
            d_step { wait_for_bits() }
        :: runs && r != NONE && reply_lives[r] -> /* ipc_send() on a reply object */
            choose_flags();
            d_step { answer(); again = 0; found = 0 }
        :: runs && notification_lives && r == NONE -> d_step { signal(1) }
        :: runs && endpoint_lives && r == NONE -> d_step { timed = 0; nonblock = 0; fault() }
        /* What is done to it. */
        :: T.deadline && r == NONE -> d_step { time_out() }
        :: T.state != STOPPED && r == NONE -> d_step { stop(t) }
        :: T.state == STOPPED && r == NONE -> d_step { resume() }
        :: r == NONE -> d_step { kill() }
        :: notification_lives && r == NONE -> d_step { bind() }
        /* What becomes of the objects.  Dead ones are reaped in steps; new ones are made. */
        :: t == 0 && r == NONE && endpoint_lives -> endpoint_lives = 0
        :: t == 0 && r == NONE && !endpoint_lives && side != IDLE -> d_step { endpoint_reap() }
        :: t == 0 && r == NONE && !endpoint_lives && side == IDLE -> endpoint_lives = 1
        :: t == 0 && r == NONE && notification_lives ->
            d_step { notification_lives = 0; bound = NONE }
        :: t == 0 && r == NONE && !notification_lives && len(waiters) > 0 ->
            d_step { notification_reap() }
        :: t == 0 && r == NONE && !notification_lives && len(waiters) == 0 ->
            d_step { notification_lives = 1; bits = 0 }
        :: t == 0 && r != NONE && reply_lives[r] -> d_step { reply_reap() }
        :: t == 0 && r != NONE && !reply_lives[r] -> reply_lives[r] = 1
        :: else
        fi;
        d_step {
            t = 0; r = 0; nonblock = 0; timed = 0; spoilt = 0;
            forget_the_stale();
            invariants()
        }
       }
    :: break
    od;
    skip; /* a jump cannot end inside of d_step */
    /* Everything that can be waited for dies. */
    d_step {
        do
        :: side != IDLE -> endpoint_reap()
        :: side == IDLE && len(waiters) > 0 -> notification_reap()
        :: else -> break
        od;
        for (r : 0 .. REPLIES - 1) {
            reply_reap()
        }
        for (i : 0 .. THREADS - 1) {
            assert(threads[i].state == READY || threads[i].state == STOPPED)
        }
    }
}
