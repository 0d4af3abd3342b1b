/* SPDX-License-Identifier: MIT */
/* Threads of this server, and what the runtime keeps for each. */
#ifndef RUNTIME_THREAD_H
#define RUNTIME_THREAD_H

#include <limen/errors.h>
#include <limen/message.h>
#include <limen/objects.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LIMEN_OUTPUT_LINE 480u /* bytes of output that wait for the end of their line */

/* The last request that a thread took: what init reports of a server that died of it. */
#define LIMEN_LAST_WORDS 4u
struct limen_last_request {
    bool taken;    /* there was one */
    bool handling; /* its handler has not returned */
    uint32_t label;
    unsigned words; /* that it had; of them the first are kept */
    uint64_t badge;
    uint64_t word[LIMEN_LAST_WORDS];
};

/* Stands in the second half of the message page, since each thread has exactly one of both.  The FS
 * base points at it and its first word at itself, as the x86-64 ABI wants of a thread pointer. */
struct limen_thread_block {
    struct limen_thread_block *self;
    struct limen_message_page *message;
    uint32_t joins;        /* signals the notification on which it waits for threads it joins ... */
    uint32_t joins_memory; /* ... and what that is made from; 0: it has not joined any */
    uint64_t recovered;    /* of a server's first thread: whether limen_state_recover() is done */
    struct limen_last_request last;
    uint32_t output_length;
    char output[LIMEN_OUTPUT_LINE];
};

#define LIMEN_THREAD_BLOCK_OFFSET (LIMEN_PAGE_SIZE / 2)
_Static_assert(sizeof(struct limen_message_page) <= LIMEN_THREAD_BLOCK_OFFSET, "lower half");
_Static_assert(sizeof(struct limen_thread_block) <= LIMEN_THREAD_BLOCK_OFFSET, "upper half");

static inline struct limen_thread_block *limen_thread_block(void)
{
    struct limen_thread_block *block;
    __asm__("movq %%fs:0, %0" : "=r"(block));
    return block;
}

/* Prepares the block in a cleared message page, for a thread whose FS base is its result. */
struct limen_thread_block *limen_thread_block_init(struct limen_message_page *page);

/* A thread that this server started.  It must stay where it is as long as the thread lives. */
struct limen_thread {
    void (*entry)(void *argument);
    void *argument;
    bool ended;         /* entry has returned; atomic, like the next */
    uint32_t joined_by; /* whom to signal then; 0: nobody yet */
    uint32_t untyped;   /* what all of the thread is made from ... */
    unsigned order;     /* ... and how much that is */
    uint32_t thread;    /* the thread object; the slots of its frames follow */
    unsigned count;     /* of all these slots */
    uint64_t addresses; /* of the guard page below its stack */
    size_t pages;       /* from there: guard, stack, message page */
};

/* Starts `entry(argument)` on a new thread, at a priority not above the caller's.  Its stack has an
 * unmapped guard page below it. */
enum limen_error limen_thread_start(struct limen_thread *thread, const char *name,
                                    unsigned priority, void (*entry)(void *argument),
                                    void *argument, size_t stack_size);

/* Waits until entry has returned, and destroys the thread.  For one other thread at most. */
void limen_thread_join(struct limen_thread *thread);

/* Ends another thread, wherever it is, and takes what limen_thread_start() took for it back:
 * memory, slots and addresses.  What it took for itself, the notification of its joins included,
 * stays taken. */
void limen_thread_destroy(struct limen_thread *thread);

#endif
