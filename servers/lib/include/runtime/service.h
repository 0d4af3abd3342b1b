/* SPDX-License-Identifier: MIT */
/*
 * Serving requests: the loop of a server, and answers given later.
 *
 * The code that servers/lib/protocol.py generates stands between this and a server's handlers: it
 * takes a request's arguments out of the message and puts the results into the answer.
 */
#ifndef RUNTIME_SERVICE_H
#define RUNTIME_SERVICE_H

#include <runtime/ipc.h>
#include <runtime/state.h>

/* One request, as a handler sees it. */
struct limen_request {
    uint64_t badge; /* who asks: the id of the client's server */
    uint32_t label;
    unsigned words;
    uint32_t reply; /* the object that holds the caller */
    bool deferred;
};

/* The labels of one protocol differ in their low byte alone. */
#define LIMEN_METHOD_MASK 0xffu

struct limen_protocol {
    uint32_t label; /* of its methods, with the low byte clear */
    uint64_t (*dispatch)(const void *handlers, struct limen_request *request); /* -> answer's tag */
    const void *handlers;
};

struct limen_server {
    uint32_t endpoint;
    const struct limen_protocol *protocols;
    size_t protocol_count;
    uint32_t reply; /* receives the next caller; made at the first step */
    bool answering; /* it holds a caller, whose answer stands in the message page */
    uint64_t answer;
};

/* Gives the last answer, waits for one request and dispatches it.  Returns the bits of the bound
 * notification if those came instead, 0 otherwise, and when the deadline passes.  Between two
 * steps, while `answering`, the words of an answer stand in the message page: nothing else may use
 * it. */
uint64_t limen_server_step(struct limen_server *server, uint64_t deadline);

/* Serves for ever.  `notified` may be NULL. */
_Noreturn void limen_serve(struct limen_server *server, void (*notified)(uint64_t bits));

/* Keeps the caller waiting after the handler has returned, until the generated
 * PROTOCOL_METHOD_answer() is called with the reply object that this returns; 0 when there is no
 * memory for another, and then the handler must answer at once. */
uint32_t limen_defer(struct limen_request *request);

/* Answers like the next function, and stores what the record says together with that: a life that
 * ends has either answered and stored, or neither. */
enum limen_error limen_answer_and_record(uint32_t reply, uint64_t tag, struct limen_record *record);

/* Answers a deferred caller with the message page's words, and reuses the object.  LIMEN_NO_CALLER
 * when the caller is gone. */
enum limen_error limen_answer_deferred(uint32_t reply, uint64_t tag);

#endif
