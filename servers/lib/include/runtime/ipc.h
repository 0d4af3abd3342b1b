/* SPDX-License-Identifier: MIT */
/*
 * The system calls, as inline stubs.
 *
 * The kernel keeps the registers of words that a message does not carry, so a stub for n words
 * names just n registers and the compiler may keep its own values in the others.  That is sound
 * only where the other side is known to send no more than n words back: the kernel's objects, or a
 * partner of one's own.  Toward anybody else use limen_transact() and limen_receive(), which
 * reserve all eight and carry the rest through the message page.
 */
#ifndef RUNTIME_IPC_H
#define RUNTIME_IPC_H

#include <limen/errors.h>
#include <limen/message.h>
#include <limen/syscall.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No deadline: wait as long as it takes. */
#define LIMEN_FOREVER UINT64_MAX

/* RDI of a call that waits: the endpoint, and the reply object that is to hold a caller. */
static inline uint64_t limen_target(uint32_t slot, uint32_t reply)
{
    return (uint64_t)reply << 32 | slot;
}

static inline uint64_t limen_null(void)
{
    uint64_t number = LIMEN_SYS_NULL;
    __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
    return number;
}

/* A message both ways.  `target` and `tag` become the badge and tag of what was received; the error
 * of the call itself is returned.  `number` may carry LIMEN_NONBLOCK. */
static inline uint64_t limen_syscall0(uint64_t number, uint64_t *target, uint64_t *tag)
{
    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(*target), "+S"(*tag)
                     :
                     : "rcx", "r11", "memory");
    return number;
}

static inline uint64_t limen_syscall4(uint64_t number, uint64_t *target, uint64_t *tag,
                                      uint64_t words[4])
{
    register uint64_t word0 __asm__("rdx") = words[0];
    register uint64_t word1 __asm__("r10") = words[1];
    register uint64_t word2 __asm__("r8") = words[2];
    register uint64_t word3 __asm__("r9") = words[3];
    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(*target), "+S"(*tag), "+r"(word0), "+r"(word1),
                       "+r"(word2), "+r"(word3)
                     :
                     : "rcx", "r11", "memory");
    words[0] = word0;
    words[1] = word1;
    words[2] = word2;
    words[3] = word3;
    return number;
}

static inline uint64_t limen_syscall8(uint64_t number, uint64_t *target, uint64_t *tag,
                                      uint64_t deadline, uint64_t words[8])
{
    register uint64_t word0 __asm__("rdx") = words[0];
    register uint64_t word1 __asm__("r10") = words[1];
    register uint64_t word2 __asm__("r8") = words[2];
    register uint64_t word3 __asm__("r9") = words[3];
    register uint64_t word4 __asm__("r12") = words[4];
    register uint64_t word5 __asm__("r13") = words[5];
    register uint64_t word6 __asm__("r14") = words[6];
    register uint64_t word7 __asm__("r15") = words[7];
    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(*target), "+S"(*tag), "+r"(word0), "+r"(word1),
                       "+r"(word2), "+r"(word3), "+r"(word4), "+r"(word5), "+r"(word6), "+r"(word7)
                     : "b"(deadline)
                     : "rcx", "r11", "memory");
    words[0] = word0;
    words[1] = word1;
    words[2] = word2;
    words[3] = word3;
    words[4] = word4;
    words[5] = word5;
    words[6] = word6;
    words[7] = word7;
    return number;
}

/* Calls a partner known to answer with at most as many words. */
static inline enum limen_error limen_call0(uint32_t slot, uint32_t label)
{
    uint64_t target = slot, tag = limen_tag(label, 0, 0);
    uint64_t error = limen_syscall0(LIMEN_SYS_CALL, &target, &tag);
    return (enum limen_error)(error != LIMEN_OK ? error : limen_tag_label(tag));
}

static inline enum limen_error limen_call4(uint32_t slot, uint32_t label, uint64_t words[4])
{
    uint64_t target = slot, tag = limen_tag(label, 4, 0);
    uint64_t error = limen_syscall4(LIMEN_SYS_CALL, &target, &tag, words);
    return (enum limen_error)(error != LIMEN_OK ? error : limen_tag_label(tag));
}

static inline enum limen_error limen_call8(uint32_t slot, uint32_t label, uint64_t words[8])
{
    uint64_t target = slot, tag = limen_tag(label, 8, 0);
    uint64_t error = limen_syscall8(LIMEN_SYS_CALL, &target, &tag, 0, words);
    return (enum limen_error)(error != LIMEN_OK ? error : limen_tag_label(tag));
}

/* Signals a notification.  Never blocks. */
static inline enum limen_error limen_signal(uint32_t notification)
{
    uint64_t target = notification, tag = 0;
    return (enum limen_error)limen_syscall0(LIMEN_SYS_SEND, &target, &tag);
}

/* Waits for a notification's bits, until the deadline (LIMEN_FOREVER: none).  Not for an endpoint,
 * whose words would land in registers that the compiler takes for its own. */
static inline enum limen_error limen_wait_notification(uint32_t notification, uint64_t deadline,
                                                       uint64_t *bits)
{
    uint64_t number = deadline == LIMEN_FOREVER ? LIMEN_SYS_WAIT : LIMEN_SYS_WAIT | LIMEN_DEADLINE;
    uint64_t target = notification, tag = 0;
    __asm__ volatile("syscall"
                     : "+a"(number), "+D"(target), "+S"(tag)
                     : "b"(deadline)
                     : "rcx", "r11", "memory");
    *bits = target;
    return (enum limen_error)number;
}

static inline void limen_yield(void)
{
    uint64_t target = 0, tag = 0;
    limen_syscall0(LIMEN_SYS_YIELD, &target, &tag);
}

/* -- whole messages, laid out in the calling thread's message page -- */

/* The calling thread's message page.  The kernel leaves its first eight words alone, so all the
 * words of a message are one array here, and the functions below load and store those eight. */
struct limen_message_page *limen_message(void);

/* Sends the message of the page with this tag and waits for the answer, which replaces it.  Returns
 * what went wrong with the call or what the server answered; *words says how many words came. */
enum limen_error limen_transact(uint32_t slot, uint64_t tag, unsigned *words);

/* The same, and again when the server died before it answered, until one of its later lives answers
 * or there will be none any more.  For methods that may be carried out twice. */
enum limen_error limen_transact_again(uint32_t slot, uint64_t tag, unsigned *words);

/* What limen_receive() took. */
struct limen_received {
    uint64_t badge; /* of the sender; or the notification's bits */
    uint64_t tag;   /* with LIMEN_TAG_NOTIFICATION when it was a notification */
};

/* Answers the caller in `reply` with the page's message, if `answer` is not NULL, and waits for the
 * next message or notification.  LIMEN_TIMED_OUT at the deadline. */
enum limen_error limen_receive(uint32_t endpoint, uint32_t reply, const uint64_t *answer,
                               uint64_t deadline, struct limen_received *received);

/* Answers the caller that `reply` holds with the page's message. */
enum limen_error limen_answer(uint32_t reply, uint64_t tag);

const char *limen_error_text(enum limen_error error);

#endif
