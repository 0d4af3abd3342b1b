/* SPDX-License-Identifier: MIT */
/* Reply objects used out of order, capabilities sent along, and badges. */
#include "kit.h"

static uint32_t endpoint;

/* -- answers out of order -- */

#define CLIENTS 8u

static struct client {
    uint32_t slot; /* badged with its number + 1 */
    struct message answer;
    unsigned order; /* in which it was answered */
} clients[CLIENTS];
static unsigned answered;

static void call_and_note(void *client)
{
    struct client *self = client;

    self->answer.tag = limen_tag(1, 1, 0);
    self->answer.words[0] = (uint64_t)(self - clients);
    expect_ok(transfer(LIMEN_SYS_CALL, self->slot, 0, LIMEN_FOREVER, &self->answer));
    self->order = answered++;
}

TEST(reply, answers_come_in_any_order)
{
    static const uint8_t order[CLIENTS] = {3, 0, 7, 1, 6, 2, 5, 4};
    uint32_t replies = make_many(LIMEN_TYPE_REPLY, 0, CLIENTS);
    struct message message;

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    answered = 0;
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i].slot = minted(endpoint, LIMEN_RIGHT_WRITE, i + 1);
        spawn(HIGHER, call_and_note, &clients[i]);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, replies + i, LIMEN_FOREVER, &message));
        expect_equal(message.badge, i + 1);
        expect_equal(message.words[0], i);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        message.tag = limen_tag(0, 1, 0);
        message.words[0] = 100 + order[i];
        expect_ok(transfer(LIMEN_SYS_SEND, replies + order[i], 0, LIMEN_FOREVER, &message));
        expect_equal(answered, i + 1);
        expect_equal(clients[order[i]].order, i);
        expect_equal(clients[order[i]].answer.words[0], 100 + order[i]);
        expect_equal(clients[order[i]].answer.badge, 0);
    }
}

/* A reply capability can be handed to another thread's table index, and answers just the same. */
TEST(reply, a_copy_answers_as_well)
{
    struct message message = {0};
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);
    uint32_t copy = copy_of(reply, LIMEN_RIGHTS_ALL);

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    clients[0].slot = endpoint;
    answered = 0;
    spawn(HIGHER, call_and_note, &clients[0]);
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    message.tag = limen_tag(0, 0, 0);
    expect_ok(transfer(LIMEN_SYS_SEND, copy, 0, LIMEN_FOREVER, &message));
    expect_equal(answered, 1);
}

/* -- capabilities sent along -- */

/* What the receiver set aside, and what came. */
static struct {
    uint32_t first, count;
    struct message got;
} taker;

static void take_caps(void *reply)
{
    limen_message()->receive_first = taker.first;
    limen_message()->receive_count = taker.count;
    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, *(uint32_t *)reply, LIMEN_FOREVER, &taker.got));
}

/* Sends `count` capabilities by the given slot to a waiting taker; how many arrived. */
static unsigned send_caps(uint32_t by, const uint32_t *caps, unsigned count)
{
    uint32_t no_reply = 0;
    struct message message = {.tag = limen_tag(4, 2, count), .words = {11, 12}};
    struct worker *worker = spawn(HIGHER, take_caps, &no_reply);

    for (unsigned i = 0; i < count; i++)
        limen_message()->send_caps[i] = caps[i];
    expect_ok(transfer(LIMEN_SYS_SEND, by, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(limen_tag_label(taker.got.tag), 4);
    expect_equal(limen_tag_words(taker.got.tag), 2);
    expect_equal(taker.got.words[1], 12);
    return limen_tag_caps(taker.got.tag);
}

TEST(reply, capabilities_come_with_their_rights_and_badge)
{
    uint32_t other = make(LIMEN_TYPE_ENDPOINT, 0);
    const uint32_t caps[] = {minted(other, LIMEN_RIGHT_WRITE, 0xbeef),
                             copy_of(CLOCK, LIMEN_RIGHT_READ), minted(other, LIMEN_RIGHTS_ALL, 5),
                             make(LIMEN_TYPE_TABLE, LIMEN_TABLE_ORDER_MIN)};

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    taker.first = slots(4);
    taker.count = 4;
    expect_equal(send_caps(endpoint, caps, 4), 4);
    for (unsigned i = 0; i < 4; i++) {
        struct limen_capability sent = inspect(caps[i]), got = inspect(taker.first + i);
        expect_equal(got.type, sent.type);
        expect_equal(got.rights, sent.rights);
        expect_equal(got.badge, sent.badge);
        expect_equal(got.order, sent.order);
    }
    expect_equal(inspect(taker.first).badge, 0xbeef);
    expect_equal(inspect(taker.first).rights, LIMEN_RIGHT_WRITE);
    /* Copies, derived from what was sent. */
    expect_ok(limen_revoke(OWN_TABLE, caps[0]));
    expect(is_empty(taker.first) && !is_empty(taker.first + 2));
}

TEST(reply, capabilities_need_the_grant_right)
{
    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    taker.first = slots(1);
    taker.count = 1;
    expect_equal(send_caps(copy_of(endpoint, LIMEN_RIGHT_WRITE), &endpoint, 1), 0);
    expect(is_empty(taker.first));
}

TEST(reply, capabilities_stop_at_the_first_that_cannot_come)
{
    uint32_t untyped = make(LIMEN_TYPE_UNTYPED, 12), empty = slots(1);

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    taker.first = slots(4);
    /* Fewer places than capabilities. */
    taker.count = 2;
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint, endpoint, endpoint}, 3), 2);
    /* An occupied place. */
    taker.count = 4;
    expect_ok(limen_delete(OWN_TABLE, taker.first));
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint, endpoint}, 2), 1);
    expect_ok(limen_delete(OWN_TABLE, taker.first));
    expect_ok(limen_delete(OWN_TABLE, taker.first + 1));
    /* An empty slot, and one that cannot be copied. */
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint, empty, endpoint}, 3), 1);
    expect_ok(limen_delete(OWN_TABLE, taker.first));
    expect_equal(send_caps(endpoint, (uint32_t[]){untyped}, 1), 0);
    expect_equal(send_caps(endpoint, (uint32_t[]){NO_SLOT}, 1), 0);
    expect_equal(send_caps(endpoint, (uint32_t[]){0}, 1), 0);
    /* Places outside the receiver's table. */
    taker.first = (1u << LIMEN_INIT_TABLE_ORDER) - 1;
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint, endpoint}, 2), 1);
    expect_ok(limen_delete(OWN_TABLE, taker.first));
    taker.first = UINT32_MAX;
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint}, 1), 0);
    taker.first = 0;
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint}, 1), 0);
    taker.count = 0;
    expect_equal(send_caps(endpoint, (uint32_t[]){endpoint}, 1), 0);
}

/* Capabilities travel in answers too, by a reply capability that may grant. */
static void call_for_cap(void *unused)
{
    (void)unused;
    limen_message()->receive_first = taker.first;
    limen_message()->receive_count = taker.count;
    taker.got.tag = limen_tag(1, 0, 0);
    expect_ok(transfer(LIMEN_SYS_CALL, endpoint, 0, LIMEN_FOREVER, &taker.got));
}

static unsigned answer_with_cap(uint32_t reply, uint32_t by)
{
    struct message message = {0};
    struct worker *worker = spawn(HIGHER, call_for_cap, NULL);

    expect_ok(transfer(LIMEN_SYS_WAIT, endpoint, reply, LIMEN_FOREVER, &message));
    limen_message()->send_caps[0] = endpoint;
    message.tag = limen_tag(0, 0, 1);
    expect_ok(transfer(LIMEN_SYS_SEND, by, 0, LIMEN_FOREVER, &message));
    join(worker);
    return limen_tag_caps(taker.got.tag);
}

TEST(reply, answers_can_bring_capabilities)
{
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    taker.first = slots(1);
    taker.count = 1;
    expect_equal(answer_with_cap(reply, reply), 1);
    expect_equal(inspect(taker.first).type, LIMEN_TYPE_ENDPOINT);
    expect_ok(limen_delete(OWN_TABLE, taker.first));
    expect_equal(answer_with_cap(reply, copy_of(reply, LIMEN_RIGHT_WRITE)), 0);
}

/* A message of the most there is: 64 words and 4 capabilities. */
TEST(reply, capabilities_and_long_messages_together)
{
    uint32_t no_reply = 0;
    struct message message = {.tag = limen_tag(4, LIMEN_WORDS_MAX, LIMEN_CAPS_MAX)};

    endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    taker.first = slots(4);
    taker.count = 4;
    struct worker *worker = spawn(HIGHER, take_caps, &no_reply);
    for (unsigned i = 0; i < LIMEN_CAPS_MAX; i++)
        limen_message()->send_caps[i] = endpoint;
    for (unsigned i = 8; i < LIMEN_WORDS_MAX; i++)
        limen_message()->words[i] = i * 3;
    expect_ok(transfer(LIMEN_SYS_SEND, endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(taker.got.tag, limen_tag(4, LIMEN_WORDS_MAX, LIMEN_CAPS_MAX));
    for (unsigned i = 8; i < LIMEN_WORDS_MAX; i++)
        expect_equal(worker->page->words[i], i * 3);
}
