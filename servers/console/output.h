/* SPDX-License-Identifier: MIT */
/*
 * What clients have written and the terminal has not yet shown.  Pure.
 *
 * Each client has a bounded queue of its own, and queues take turns, a line each: who floods fills
 * its own queue and waits.
 *
 * Text is accepted when its client's call is answered, and that must be one with the step of
 * `head`; likewise bytes are sent one with the step of `tail`.  Both steps are the owner's to make,
 * as a struct position.  So the queues are right after any instruction, and they lie where they
 * outlive the server.
 */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_CLIENTS 16u
#define OUTPUT_QUEUE   2048u
#define OUTPUT_ROOM    480u /* a client is answered when its queue has room for as much again */
#define OUTPUT_TICKETS 4u   /* of one client: several of its threads can wait */
#define OUTPUT_TURN    256u /* bytes of a line after which the turn passes all the same */

/* Whose badge no client has: the kernel's log.  Its queue is the first, and no other's. */
#define OUTPUT_LOG UINT64_MAX

/* A step that the owner makes together with what it stands for. */
struct position {
    uint64_t *where;
    uint64_t value;
};

/* -- what outlives the server -- */

struct output_queue {
    uint64_t badge;
    uint64_t head; /* bytes accepted, since ever */
    uint64_t tail; /* bytes sent */
    char ring[OUTPUT_QUEUE];
};

struct output_store {
    uint64_t turn; /* the queue whose turn it is */
    struct output_queue queues[OUTPUT_CLIENTS];
};

/* -- what does not -- */

struct output_waiting {
    uint32_t ticket; /* for the client's call, which waits */
    uint64_t end;    /* the queue's head once it is answered */
};

struct output_client {
    uint64_t filled; /* like head, with the text that is not accepted yet */
    struct output_waiting waiting[OUTPUT_TICKETS];
    unsigned waiting_count;
    uint32_t flush; /* the ticket that waits for the queue to be empty, or 0 */
};

struct output {
    struct output_store *store;
    struct output_client clients[OUTPUT_CLIENTS];
    size_t turn_used;
    bool turn_over;
};

/* Takes up the queues as they are.  False when they make no sense; then they are empty now. */
bool output_init(struct output *output, struct output_store *store);

/* Keeps a client's text and the ticket of its call.  False when there is no room. */
bool output_add(struct output *output, uint64_t badge, uint32_t ticket, const char *text,
                size_t size);

/* Keeps a ticket until all that the client has written is sent.  False when it has one already. */
bool output_flush(struct output *output, uint64_t badge, uint32_t ticket);

/* The log's bytes have positions of their own, which are its queue's.  The position to read next;
 * and text read there, with the position behind it.  False when there is no room, or the log has
 * skipped bytes and the queue must be empty to do the same. */
uint64_t output_log_position(const struct output *output);
bool output_log(struct output *output, uint64_t next, const char *text, size_t size);

bool output_pending(const struct output *output);
bool output_is_flushing(const struct output *output); /* somebody waits in output_flush() */

/* The next bytes to send, never more than one client's line, and the step that goes with them; the
 * bytes stay until it is made.  Then output_sent() is told of them. */
size_t output_next(struct output *output, char *bytes, size_t size, struct position *sent);
void output_sent(struct output *output, const char *bytes, size_t count);

/* Whether the last byte sent ended a line. */
bool output_at_line_start(const struct output *output);

/* A ticket that can be answered, or 0.  With a write goes a step, `where` of a flush is NULL. Flush
 * tickets come out only when `idle`: nothing that was sent still waits in the device. */
uint32_t output_ready(struct output *output, bool idle, struct position *accepted);

#endif
