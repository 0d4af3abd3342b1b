/* SPDX-License-Identifier: MIT */
/* The loop of a server. */
#include <runtime/memory.h>
#include <runtime/objects.h>
#include <runtime/panic.h>
#include <runtime/service.h>
#include <runtime/thread.h>
#include <string.h>

/* Reply objects that hold nobody. */
#define REPLIES_MAX 32u
static uint32_t free_replies[REPLIES_MAX];
static unsigned free_reply_count;
static unsigned reply_count;

static uint32_t take_reply(void)
{
    uint32_t reply;

    if (free_reply_count > 0)
        return free_replies[--free_reply_count];
    if (reply_count == REPLIES_MAX || limen_make(LIMEN_TYPE_REPLY, 0, 1, &reply) != LIMEN_OK)
        return 0;
    reply_count++;
    return reply;
}

static void give_reply(uint32_t reply)
{
    free_replies[free_reply_count++] = reply;
}

static uint64_t dispatch(struct limen_server *server, struct limen_request *request)
{
    for (size_t i = 0; i < server->protocol_count; i++) {
        const struct limen_protocol *protocol = &server->protocols[i];
        if ((request->label & ~LIMEN_METHOD_MASK) == protocol->label)
            return protocol->dispatch(protocol->handlers, request);
    }
    return limen_tag(LIMEN_BAD_OPERATION, 0, 0);
}

/* Kept where init can read it, should the handler never return. */
static void note(const struct limen_request *request)
{
    struct limen_last_request *last = &limen_thread_block()->last;

    *last = (struct limen_last_request){
        .taken = true,
        .handling = true,
        .label = request->label,
        .words = request->words,
        .badge = request->badge,
    };
    memcpy(last->word, limen_message()->words, sizeof last->word);
}

uint64_t limen_server_step(struct limen_server *server, uint64_t deadline)
{
    struct limen_received received;
    struct limen_request request;
    enum limen_error error;

    if (server->reply == 0) {
        server->reply = take_reply();
        limen_assert(server->reply != 0);
    }
    error = limen_receive(server->endpoint, server->reply,
                          server->answering ? &server->answer : NULL, deadline, &received);
    server->answering = false;
    if (error == LIMEN_TIMED_OUT)
        return 0;
    limen_must("waiting for a request", error);
    if (received.tag & LIMEN_TAG_NOTIFICATION)
        return received.badge;

    request = (struct limen_request){
        .badge = received.badge,
        .label = limen_tag_label(received.tag),
        .words = limen_tag_words(received.tag),
        .reply = server->reply,
    };
    note(&request);
    server->answer = dispatch(server, &request);
    limen_thread_block()->last.handling = false;
    server->answering = !request.deferred;
    if (request.deferred)
        server->reply = 0;
    return 0;
}

_Noreturn void limen_serve(struct limen_server *server, void (*notified)(uint64_t bits))
{
    for (;;) {
        uint64_t bits = limen_server_step(server, LIMEN_FOREVER);
        if (bits != 0 && notified != NULL)
            notified(bits);
    }
}

uint32_t limen_defer(struct limen_request *request)
{
    uint32_t next = take_reply();

    if (next == 0)
        return 0;
    give_reply(next); /* now there is one for the next step */
    request->deferred = true;
    return request->reply;
}

enum limen_error limen_answer_deferred(uint32_t reply, uint64_t tag)
{
    enum limen_error error = limen_answer(reply, tag);

    give_reply(reply);
    return error;
}

enum limen_error limen_answer_and_record(uint32_t reply, uint64_t tag, struct limen_record *record)
{
    uint64_t error =
        limen_call_and_record(record, LIMEN_SYS_SEND, reply, tag, limen_message()->words);

    give_reply(reply);
    return (enum limen_error)error;
}
