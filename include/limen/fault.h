/* SPDX-License-Identifier: MIT */
/*
 * Fault messages.
 *
 * A thread that faults becomes a caller on its fault endpoint.  The message's label says which kind
 * of fault, words 0 to 3 describe it, and words 4 to 25 are the whole register frame (regs.h).  The
 * handler's reply resumes the thread: with label LIMEN_FAULT_RESUME unchanged, and with label
 * LIMEN_FAULT_SET_REGS and the same 26 words with the frame of words 4 to 25 put in place first.
 * Any other label, or no reply, leaves the thread stopped.
 *
 * The handler needs a message page for the words beyond the eighth; without one it receives eight.
 */
#ifndef LIMEN_FAULT_H
#define LIMEN_FAULT_H

#include <limen/regs.h>

enum limen_fault_label {
    /* A processor exception: word 0 vector, 1 error code, 2 CR2 for #PF else 0, 3 DR6 for #DB.
     * For #MC: word 1 bank, 2 MCi_STATUS, 3 MCi_ADDR. */
    LIMEN_FAULT_EXCEPTION = 0xf0000001,
    /* A system call outside Limen's numbers with no reflection handler: word 0 its number. */
    LIMEN_FAULT_SYSCALL = 0xf0000002,
    /* The thread used its scheduling context up, and goes to that context's handler: word 0
     * nanoseconds used since the context was made.  Resumed, the thread waits for the next period
     * unless it was given more to draw on. */
    LIMEN_FAULT_TIMEOUT = 0xf0000003,
};

enum limen_fault_reply {
    LIMEN_FAULT_RESUME = 0,
    LIMEN_FAULT_SET_REGS = 1,
};

#define LIMEN_FAULT_DETAIL_WORDS 4u
#define LIMEN_FAULT_WORDS        (LIMEN_FAULT_DETAIL_WORDS + LIMEN_REGS_WORDS)

#endif
