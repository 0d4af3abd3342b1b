/* SPDX-License-Identifier: MIT */
/* The ways through kernel/ipc.c, and what thread.c, slot.c and scheduler.c do to those who wait: the
 * transitions of ipc.pml, which has the state that they change. */

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
