/* SPDX-License-Identifier: MIT */
/*
 * What clients have written and the terminal has not yet shown.  Pure.
 *
 * Each client has a bounded queue of its own, and queues take turns, a line each: who floods fills
 * its own queue and waits.  The wait is a ticket, which the owner of this structure answers when
 * output_ready() hands it out.
 */
#ifndef CONSOLE_OUTPUT_H
#define CONSOLE_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OUTPUT_CLIENTS 16u
#define OUTPUT_QUEUE   2048u
#define OUTPUT_ROOM    480u /* a client whose queue has less room than this must wait */
#define OUTPUT_TICKETS 4u   /* of one client: several of its threads can wait */
#define OUTPUT_TURN    256u /* bytes of a line after which the turn passes all the same */

struct output_client {
    uint64_t badge;
    size_t start; /* of the queue's content, in the ring */
    size_t length;
    uint32_t tickets[OUTPUT_TICKETS];
    unsigned ticket_count;
    uint32_t flush; /* the ticket that waits for the queue to be empty, or 0 */
    char ring[OUTPUT_QUEUE];
};

struct output {
    struct output_client clients[OUTPUT_CLIENTS];
    unsigned turn; /* the client whose turn it is */
    size_t turn_used;
};

enum output_result {
    OUTPUT_TAKEN,   /* queued, with room for more */
    OUTPUT_WAIT,    /* queued; the client must wait, with a ticket */
    OUTPUT_REFUSED, /* no room at all */
};

/* Queues text of the client with that badge. */
enum output_result output_add(struct output *output, uint64_t badge, const char *text,
                              size_t length);

/* Keeps the ticket, not 0, of a client told to wait.  False when it has too many. */
bool output_wait(struct output *output, uint64_t badge, uint32_t ticket);

/* Keeps a ticket until all that the client has queued is taken.  False when it has one already. */
bool output_flush(struct output *output, uint64_t badge, uint32_t ticket);

bool output_pending(const struct output *output);
bool output_is_flushing(const struct output *output); /* somebody waits in output_flush() */

/* Takes the next bytes to show, never more than one client's line. */
size_t output_take(struct output *output, char *bytes, size_t size);

/* A ticket that can be answered, or 0.  Flush tickets come out only when `idle`: nothing that was
 * taken still waits in the device. */
uint32_t output_ready(struct output *output, bool idle, bool *flush);

#endif
