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

/* Names for places that C reaches by pointers. */
#define T threads[t]
#define S threads[s]
#define W threads[w]

byte t, s, w, r, i, found;
bit nonblock, timed, spoilt, again;

/* -- kernel/ipc.c, in its order -- */

/* finish(): RAX is written once, for a call, and never into the frame of a fault. */
inline finish(x)
{
    assert(threads[x].pending && !threads[x].faulted);
    threads[x].pending = 0
}

/* queue_at(), dequeue() */
inline queue_at(x, where)
{
    assert(side == IDLE || side == where);
    side = where;
    queue!x
}

inline dequeue(x)
{
    assert(queue??[eval(x)]);
    queue??eval(x);
    if
    :: len(queue) == 0 -> side = IDLE
    :: else
    fi
}

inline forget_deadline(x)
{
    threads[x].deadline = 0
}

inline let_go_of_reply(x)
{
    if
    :: threads[x].reply != NONE -> receiver[threads[x].reply] = NONE
    :: else
    fi;
    threads[x].reply = NONE
}

/* ipc_unwait() */
inline unwait(x)
{
    forget_deadline(x);
    if
    :: threads[x].state == SENDING ->
#ifndef BROKEN_UNWAIT_SENDER
        dequeue(x);
#endif
        skip
    :: threads[x].state == RECEIVING ->
        dequeue(x);
#ifndef BROKEN_UNWAIT_RECEIVER
        let_go_of_reply(x)
#endif
    :: threads[x].state == WAITING -> waiters??eval(x)
    :: threads[x].state == WAITING_REPLY -> caller[threads[x].at] = NONE
    :: else
    fi;
    threads[x].at = NONE
}

/* wake(), and scheduler_ready() of kernel/scheduler.c */
inline wake(x)
{
#ifndef BROKEN_WAKE
    forget_deadline(x);
#endif
    threads[x].state = READY
}

/* thread_stop(), kernel/thread.c */
inline stop(x)
{
    if
    :: threads[x].state == STOPPED
    :: threads[x].state == READY -> threads[x].state = STOPPED
    :: else ->
        unwait(x);
        if
        :: !threads[x].faulted -> finish(x)
        :: else
        fi;
        threads[x].state = STOPPED
    fi
}

/* meet(): the sender is x, the receiver y. */
inline meet(x, y)
{
    finish(y);
    if
    :: threads[x].calling ->
        threads[x].state = WAITING_REPLY;
        threads[x].at = threads[y].reply;
        assert(caller[threads[y].reply] == NONE);
        caller[threads[y].reply] = x
    :: else
    fi;
    let_go_of_reply(y)
}

/* can_keep_caller() */
#define can_keep_caller(x) (threads[x].reply != NONE && caller[threads[x].reply] == NONE)

/* send_to(): t sends. */
inline send_to()
{
    if
    :: side != RECEIVERS ->
        if
        :: nonblock -> finish(t)
        :: else ->
            queue_at(t, SENDERS);
            T.state = SENDING;
            T.deadline = timed
        fi
    :: else ->
        queue?<s>;
        if
        :: T.calling && !can_keep_caller(s) -> finish(t)
        :: else ->
            dequeue(s);
            meet(t, s);
            if
            :: T.calling -> T.deadline = timed
            :: else -> finish(t)
            fi;
            wake(s)
        fi
    fi;
    s = 0
}

/* send_message(), for ipc_call() and ipc_send() on an endpoint, and fast_call() of
 * kernel/fast_path.c, which is the same in fewer instructions. */
inline send(wants_answer)
{
    T.pending = 1;
    T.calling = wants_answer;
    T.faulted = 0;
    send_to()
}

/* ipc_fault(), with a fault endpoint */
inline fault()
{
    T.faulted = 1;
    T.calling = 1;
    found = 1;
    if
    :: side == RECEIVERS ->
        queue?<s>;
        found = can_keep_caller(s);
        s = 0
    :: else
    fi;
    if
    :: found -> send_to()
    :: else -> T.state = STOPPED
    fi;
    found = 0
}

/* answer(), answer_fault(): t answers whom r holds; spoilt: with another label, or with a tag that
 * check_tag() refuses.  found: there was somebody. */
inline answer()
{
    found = caller[r] != NONE;
    if
    :: found ->
        s = caller[r];
        if
        :: spoilt && !S.faulted -> found = 0; again = 1
        :: else ->
            caller[r] = NONE;
            S.at = NONE;
            if
            :: S.faulted ->
                forget_deadline(s);
                S.faulted = 0;
                if
                :: spoilt -> S.state = STOPPED
                :: else -> wake(s)
                fi
            :: else ->
                finish(s);
                wake(s)
            fi
        fi;
        s = 0
    :: else
    fi
}

/* objection(), turn_away(), take_sender(): t meets the first sender.  spoilt: check_tag() objects to
 * what the sender's tag has become. */
inline take_or_turn_away()
{
    queue?<s>;
    if
    :: (S.calling && r == NONE) || (spoilt && !S.faulted) ->
        dequeue(s);
        forget_deadline(s);
        if
        :: S.faulted -> S.state = STOPPED
        :: else -> finish(s); S.state = READY
        fi;
        T.window = 1;
        T.wanted = r
    :: else ->
        T.reply = r;
        dequeue(s);
        meet(s, t);
        if
        :: S.calling
        :: else -> finish(s); wake(s)
        fi
    fi;
    s = 0
}

/* try_wait() and wait_for_message(), for ipc_wait() on an endpoint, and fast_reply_wait() */
inline try_wait()
{
    T.window = 0;
    T.wanted = NONE;
    if
    :: !endpoint_lives -> finish(t)
    :: endpoint_lives && r != NONE && !reply_lives[r] -> finish(t)
#ifndef BROKEN_BUSY_REPLY
    :: endpoint_lives && r != NONE && reply_lives[r] &&
           (caller[r] != NONE || receiver[r] != NONE) -> finish(t)
#endif
    :: else ->
        if
        :: bound == t && bits -> bits = 0; finish(t)
        :: else ->
            if
            :: side == SENDERS -> take_or_turn_away()
            :: side != SENDERS && nonblock -> finish(t)
            :: else ->
                T.reply = r;
                if
                :: r != NONE -> receiver[r] = t
                :: else
                fi;
                queue_at(t, RECEIVERS);
                T.state = RECEIVING;
                T.deadline = timed
            fi
        fi
    fi
}

/* ipc_reply_wait() */
inline reply_wait()
{
    T.pending = 1;
    again = 0;
    if
    :: r != NONE && reply_lives[r] -> answer()
    :: else
    fi;
    if
    :: again -> finish(t)
    :: else -> try_wait()
    fi;
    again = 0;
    found = 0
}

/* wait_for_bits() */
inline wait_for_bits()
{
    T.pending = 1;
    if
    :: bits -> bits = 0; finish(t)
    :: !bits && nonblock -> finish(t)
    :: else ->
        waiters!t;
        T.state = WAITING;
        T.deadline = timed
    fi
}

/* notification_signal() */
inline signal(bit_set)
{
    bits = bits | bit_set;
    if
    :: bits && len(waiters) > 0 ->
        waiters?w;
        bits = 0;
        finish(w);
        wake(w)
    :: bits && len(waiters) == 0 && bound != NONE && threads[bound].state == RECEIVING ->
        w = bound;
        dequeue(w);
        let_go_of_reply(w);
        bits = 0;
        finish(w);
        wake(w)
    :: else
    fi;
    w = 0
}

/* endpoint_reap(), notification_reap(): one step of each */
inline endpoint_reap()
{
    queue?<w>;
    stop(w);
    if
    :: !W.faulted -> W.state = READY
    :: else
    fi;
    w = 0
}

inline notification_reap()
{
    waiters?<w>;
    stop(w);
    W.state = READY;
    w = 0
}

/* reply_reap() */
inline reply_reap()
{
    reply_lives[r] = 0;
    if
    :: caller[r] != NONE ->
        w = caller[r];
#ifndef BROKEN_REPLY_REAP
        stop(w);
        if
        :: !W.faulted -> W.state = READY
        :: else
        fi;
#else
        caller[r] = NONE;
#endif
        w = 0
    :: else
    fi;
    if
    :: receiver[r] != NONE -> w = receiver[r]; let_go_of_reply(w); w = 0
    :: else
    fi
}

/* -- what others do to a thread and its objects: kernel/thread.c, kernel/slot.c -- */

/* bind() */
inline bind()
{
    if
    :: bound == NONE ->
        bound = t;
#ifndef BROKEN_BIND
        signal(0)
#endif
    :: bound == t -> bound = NONE
    :: else
    fi
}

/* resume() */
inline resume()
{
    T.faulted = 0;
    T.state = READY
}

/* The last capability of a thread goes: bury(), thread_reap().  A new one takes its place. */
inline kill()
{
    stop(t);
    if
    :: bound == t -> bound = NONE
    :: else
    fi;
    T.window = 0;
    T.wanted = NONE;
    T.pending = 0;
    T.faulted = 0;
    T.calling = 0;
    T.state = READY
}

/* kernel_timer(), kernel/scheduler.c: one that is due */
inline time_out()
{
    T.deadline = 0;
    stop(t);
    assert(!T.faulted);
    T.state = READY
}

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
