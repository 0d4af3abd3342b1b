/* SPDX-License-Identifier: MIT */
/*
 * System calls: numbers and registers.
 *
 *   RAX  number, with flags      ->  error of the call itself (errors.h)
 *   RDI  capability index (31:0),
 *        reply-capability index (63:32) where the call receives
 *                                ->  badge of the sender, or the notification's bits
 *   RSI  message tag (message.h) ->  tag of the message received
 *   RDX R10 R8 R9 R12 R13 R14 R15    message words 0 to 7, both ways
 *   RBX  deadline, in nanoseconds on the monotonic clock; read only with LIMEN_DEADLINE
 *   RCX, R11  destroyed, by the SYSCALL instruction itself
 *
 * RBX, RBP, RSP, the flags, all extended registers, and the registers of words that the received
 * message does not carry are kept: a receiver sees the words that were sent and none of the rest of
 * the sender's registers.
 *
 * The numbers start at 0x1000, above any that Linux uses, so that a foreign system call can be told
 * from ours by its number alone and reflected to ring 3 (docs/threshold.md).
 */
#ifndef LIMEN_SYSCALL_H
#define LIMEN_SYSCALL_H

#define LIMEN_SYSCALL_BASE 0x1000

/* Does nothing, and so measures the threshold. */
#define LIMEN_SYS_NULL 0x1000

/* Sends a message and waits for its answer.  On an endpoint it reaches a server; on any other
 * capability the kernel serves it.  Blocks.  On an endpoint needs LIMEN_RIGHT_WRITE. */
#define LIMEN_SYS_CALL 0x1001

/* Answers the caller held by the reply capability, then waits as LIMEN_SYS_WAIT does.  When that
 * reply object holds nobody, the answer is dropped and the wait goes on.  Blocks. */
#define LIMEN_SYS_REPLY_WAIT 0x1002

/* On an endpoint: sends and waits until it is received, not for an answer.  On a notification:
 * signals the bits of the capability's badge.  On a reply object: answers.  Blocks on endpoints. */
#define LIMEN_SYS_SEND 0x1003

/* Waits for a message on an endpoint (or a bound notification's bits), or for a notification.
 * A caller is kept in the reply object named by RDI 63:32; without one (0) a call is refused with
 * LIMEN_NO_CALLER to its sender.  Needs LIMEN_RIGHT_READ.  Blocks. */
#define LIMEN_SYS_WAIT 0x1004

/* Gives the processor to the next thread of the same priority. */
#define LIMEN_SYS_YIELD 0x1005

#define LIMEN_SYSCALL_COUNT 6

/* Flags, added to the number. */
#define LIMEN_NONBLOCK 0x100 /* LIMEN_WOULD_BLOCK instead of waiting */
#define LIMEN_DEADLINE 0x200 /* LIMEN_TIMED_OUT once the clock reaches RBX */

#endif
