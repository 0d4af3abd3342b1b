/* SPDX-License-Identifier: MIT */
/*
 * Messages between two threads: whoever comes first, of every length, by the registers and the
 * message page; and that a message carries what was sent and nothing else.
 */
#include "kit.h"
#include "registers.h"

#include <limen/syscall.h>
#include <string.h>

#define BADGE 0x7766554433221100ull
#define LABEL 0xabcd1234u

/* What both sides agree on for a message of n words. */
static uint64_t request_word(unsigned count, unsigned i)
{
    return 0x1000000000000000ull + count * 0x10000 + i;
}

static uint64_t answer_word(unsigned count, unsigned i)
{
    return 0x2000000000000000ull + count * 0x10000 + i;
}

/* One side of a conversation: the registers it enters with, and those it leaves with. */
struct side {
    struct worker *worker;
    struct limen_regs before;
    struct limen_regs regs;
    uint64_t page[LIMEN_WORDS_MAX]; /* the words behind the eighth, as they came */
};

static void prepare(struct side *side, uint64_t number, uint64_t target, uint64_t tag,
                    uint64_t (*word)(unsigned, unsigned))
{
    unsigned count = limen_tag_words(tag);
    struct limen_regs *regs = &side->before;

    fill_pattern(regs, NULL, 0);
    regs->rax = number;
    regs->rdi = target;
    regs->rsi = tag;
    memset(limen_message()->words, 0x5a, sizeof limen_message()->words);
    for (unsigned i = 0; i < count; i++) {
        if (i < LIMEN_WORDS_IN_REGISTERS)
            regs->words[i] = word(count, i);
        else
            limen_message()->words[i] = word(count, i);
    }
    side->regs = *regs;
}

static void enter(struct side *side)
{
    system_call(&side->regs);
    memcpy(side->page, limen_message()->words, sizeof side->page);
}

/* A received message is whole, and every register it did not need is as it was. */
static void expect_received(const struct side *side, unsigned count, uint64_t badge,
                            uint64_t (*word)(unsigned, unsigned))
{
    struct limen_regs want = side->before;

    want.rax = LIMEN_OK;
    want.rdi = badge;
    want.rsi = limen_tag(LABEL, count, 0);
    want.rcx = (uint64_t)system_call_return;
    want.r11 = want.rflags;
    for (unsigned i = 0; i < count && i < LIMEN_WORDS_IN_REGISTERS; i++)
        want.words[i] = word(count, i);
    expect_regs(&side->regs, &want, "the receiver's registers");
    for (unsigned i = LIMEN_WORDS_IN_REGISTERS; i < LIMEN_WORDS_MAX; i++)
        expect_equal(side->page[i], i < count ? word(count, i) : 0x5a5a5a5a5a5a5a5a);
}

/* A message that was sent leaves its sender's registers alone, but for the fate in RAX. */
static void expect_sent(const struct side *side)
{
    struct limen_regs want = side->before;

    want.rax = LIMEN_OK;
    want.rcx = (uint64_t)system_call_return;
    want.r11 = want.rflags;
    expect_regs(&side->regs, &want, "the sender's registers");
}

static struct {
    uint32_t endpoint, reply;
    uint32_t send; /* badged, to the endpoint */
    unsigned count;
    bool calling;
    struct side client, server;
} talk;

static void be_client(void *unused)
{
    (void)unused;
    prepare(&talk.client, talk.calling ? LIMEN_SYS_CALL : LIMEN_SYS_SEND, talk.send,
            limen_tag(LABEL, talk.count, 0), request_word);
    enter(&talk.client);
}

static void receive(void)
{
    prepare(&talk.server, LIMEN_SYS_WAIT,
            limen_target(talk.endpoint, talk.calling ? talk.reply : 0), 0, request_word);
    enter(&talk.server);
    expect_received(&talk.server, talk.count, BADGE, request_word);
}

/* Takes one message and, when it is a call, answers with as many words. */
static void be_server(void *unused)
{
    (void)unused;
    receive();
    if (!talk.calling)
        return;
    prepare(&talk.server, LIMEN_SYS_SEND, talk.reply, limen_tag(LABEL, talk.count, 0), answer_word);
    enter(&talk.server);
    expect_sent(&talk.server);
}

static void expect_client_served(void)
{
    if (talk.calling)
        expect_received(&talk.client, talk.count, 0, answer_word);
    else
        expect_sent(&talk.client);
}

static void open_talk(bool calling)
{
    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    talk.reply = make(LIMEN_TYPE_REPLY, 0);
    talk.send = minted(talk.endpoint, LIMEN_RIGHT_WRITE, BADGE);
    talk.calling = calling;
}

/* The more important thread goes first; it waits in the kernel when the other arrives. */
static void every_length(bool calling, bool server_first)
{
    open_talk(calling);
    struct worker *first = new_worker(HIGHER), *second = new_worker(HIGHER);

    for (talk.count = 0; talk.count <= LIMEN_WORDS_MAX; talk.count++) {
        start(first, server_first ? be_server : be_client, NULL);
        expect_equal(state_of(first->thread),
                     server_first ? LIMEN_THREAD_RECEIVING : LIMEN_THREAD_SENDING);
        start(second, server_first ? be_client : be_server, NULL);
        join(first);
        join(second);
        expect_client_served();
        expect_equal(state_of(first->thread), LIMEN_THREAD_STOPPED);
        expect_equal(state_of(second->thread), LIMEN_THREAD_STOPPED);
    }
}

TEST(call, call_finds_the_server_waiting)
{
    every_length(true, true);
}

TEST(call, call_waits_for_the_server)
{
    every_length(true, false);
}

TEST(call, send_finds_the_receiver_waiting)
{
    every_length(false, true);
}

TEST(call, send_waits_for_the_receiver)
{
    every_length(false, false);
}

/* The same by the general path alone. */
TEST(call, call_finds_the_server_waiting_without_fast_path)
{
    expect_ok(limen_call4(KERNEL, LIMEN_KERNEL_FAST_PATH, (uint64_t[4]){0}));
    every_length(true, true);
}

/* REPLY_WAIT answers one client and takes the next, which waits already or comes later. */
static void serve_two(void *unused)
{
    (void)unused;
    receive();
    prepare(&talk.server, LIMEN_SYS_REPLY_WAIT, limen_target(talk.endpoint, talk.reply),
            limen_tag(LABEL, talk.count, 0), answer_word);
    enter(&talk.server);
}

static void reply_wait_every_length(bool second_waits)
{
    open_talk(true);
    struct worker *server = new_worker(second_waits ? LOWER : HIGHER);
    struct worker *one = new_worker(HIGHER), *two = new_worker(HIGHER);

    for (talk.count = 0; talk.count <= LIMEN_WORDS_MAX; talk.count++) {
        start(server, serve_two, NULL);
        start(one, be_client, NULL);
        if (!second_waits) {
            join(one);
            expect_client_served();
        }
        start(two, be_client, NULL);
        join(server);
        struct limen_regs want = talk.server.before;
        want.rax = LIMEN_OK;
        want.rdi = BADGE;
        want.rsi = limen_tag(LABEL, talk.count, 0);
        want.rcx = (uint64_t)system_call_return;
        want.r11 = want.rflags;
        for (unsigned i = 0; i < talk.count && i < LIMEN_WORDS_IN_REGISTERS; i++)
            want.words[i] = request_word(talk.count, i);
        expect_regs(&talk.server.regs, &want, "after REPLY_WAIT");
        for (unsigned i = LIMEN_WORDS_IN_REGISTERS; i < talk.count; i++)
            expect_equal(talk.server.page[i], request_word(talk.count, i));
        /* The second client is left to be answered. */
        prepare(&talk.server, LIMEN_SYS_SEND, talk.reply, limen_tag(LABEL, talk.count, 0),
                answer_word);
        enter(&talk.server);
        if (second_waits)
            join(one);
        join(two);
        expect_client_served();
    }
}

TEST(call, reply_wait_then_a_call)
{
    reply_wait_every_length(false);
}

TEST(call, reply_wait_takes_a_waiting_call)
{
    reply_wait_every_length(true);
}

/* -- who may, and what is refused -- */

TEST(call, rights_and_types_are_checked)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    uint32_t receive_only = copy_of(endpoint, LIMEN_RIGHT_READ | LIMEN_RIGHT_GRANT);
    uint32_t send_only = copy_of(endpoint, LIMEN_RIGHT_WRITE | LIMEN_RIGHT_GRANT);
    uint32_t listen_only = copy_of(notification, LIMEN_RIGHT_READ);
    uint32_t signal_only = copy_of(notification, LIMEN_RIGHT_WRITE);
    const struct {
        uint64_t number;
        uint32_t slot, reply;
        enum limen_error error;
    } refused[] = {
        {LIMEN_SYS_CALL, receive_only, 0, LIMEN_NO_RIGHT},
        {LIMEN_SYS_SEND, receive_only, 0, LIMEN_NO_RIGHT},
        {LIMEN_SYS_WAIT, send_only, reply, LIMEN_NO_RIGHT},
        {LIMEN_SYS_REPLY_WAIT, send_only, reply, LIMEN_NO_RIGHT},
        {LIMEN_SYS_SEND, listen_only, 0, LIMEN_NO_RIGHT},
        {LIMEN_SYS_WAIT, signal_only, 0, LIMEN_NO_RIGHT},
        {LIMEN_SYS_SEND, OWN_TABLE, 0, LIMEN_WRONG_TYPE},
        {LIMEN_SYS_WAIT, OWN_TABLE, 0, LIMEN_WRONG_TYPE},
        {LIMEN_SYS_WAIT, reply, 0, LIMEN_WRONG_TYPE},
        {LIMEN_SYS_REPLY_WAIT, reply, 0, LIMEN_WRONG_TYPE},
        {LIMEN_SYS_WAIT, endpoint, endpoint, LIMEN_WRONG_TYPE},
        {LIMEN_SYS_REPLY_WAIT, endpoint, endpoint, LIMEN_WRONG_TYPE},
        {LIMEN_SYS_CALL, 0, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_SEND, 0, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_WAIT, 0, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_REPLY_WAIT, 0, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_CALL, NO_SLOT, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_SEND, NO_SLOT, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_WAIT, NO_SLOT, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_REPLY_WAIT, NO_SLOT, 0, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_WAIT, endpoint, NO_SLOT, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_REPLY_WAIT, endpoint, NO_SLOT, LIMEN_BAD_CAPABILITY},
        {LIMEN_SYS_SEND, reply, 0, LIMEN_NO_CALLER},
    };
    for (unsigned i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct message message = {0};
        enum limen_error error =
            transfer(refused[i].number, refused[i].slot, refused[i].reply, LIMEN_FOREVER, &message);
        if (error != refused[i].error)
            fail("row %u: error %u, want %u", i, error, refused[i].error);
    }
}

TEST(call, tags_are_checked)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    static const uint64_t wrong[] = {
        LIMEN_WORDS_MAX + 1,
        LIMEN_TAG_WORDS_MASK,
        5ull << LIMEN_TAG_CAPS_SHIFT,
        LIMEN_TAG_NOTIFICATION,
        1ull << 7,
        1ull << 12,
        1ull << 31,
    };
    static const uint64_t numbers[] = {LIMEN_SYS_CALL, LIMEN_SYS_SEND};

    for (unsigned i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (unsigned j = 0; j < 2; j++) {
            struct message message = {.tag = wrong[i]};
            expect_error(transfer(numbers[j], endpoint, 0, LIMEN_FOREVER, &message),
                         LIMEN_BAD_ARGUMENT);
        }
}

static void send_without_page(void *unused)
{
    static const uint64_t long_tags[] = {9, LIMEN_WORDS_MAX, 1ull << LIMEN_TAG_CAPS_SHIFT};
    (void)unused;
    for (unsigned i = 0; i < 3; i++) {
        struct message message = {.tag = long_tags[i]};
        expect_error(transfer(LIMEN_SYS_SEND, talk.endpoint, 0, LIMEN_FOREVER, &message),
                     LIMEN_NO_MESSAGE_PAGE);
        message.tag = long_tags[i];
        expect_error(transfer(LIMEN_SYS_CALL, talk.endpoint, 0, LIMEN_FOREVER, &message),
                     LIMEN_NO_MESSAGE_PAGE);
    }
}

TEST(call, long_messages_need_the_sender_s_page)
{
    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct worker *worker = new_worker(HIGHER);

    expect_ok(limen_thread_set_message_page(worker->thread, 0));
    start(worker, send_without_page, NULL);
    join(worker);
}

static struct message received;

static void receive_one(void *unused)
{
    (void)unused;
    expect_ok(transfer(LIMEN_SYS_WAIT, talk.endpoint, 0, LIMEN_FOREVER, &received));
}

TEST(call, receiver_without_a_page_gets_eight_words)
{
    struct message message = {.tag = limen_tag(5, 20, 0), .words = {1, 2, 3, 4, 5, 6, 7, 8}};
    struct worker *worker = new_worker(HIGHER);

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    expect_ok(limen_thread_set_message_page(worker->thread, 0));
    start(worker, receive_one, NULL);
    expect_ok(transfer(LIMEN_SYS_SEND, talk.endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(received.tag, limen_tag(5, 8, 0));
    expect_equal(received.words[7], 8);
}

TEST(call, nonblock_says_would_block)
{
    uint32_t endpoint = make(LIMEN_TYPE_ENDPOINT, 0), reply = make(LIMEN_TYPE_REPLY, 0);
    uint32_t notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    static const uint64_t numbers[] = {LIMEN_SYS_CALL, LIMEN_SYS_SEND, LIMEN_SYS_WAIT,
                                       LIMEN_SYS_REPLY_WAIT};
    struct message message = {0};

    for (unsigned i = 0; i < 4; i++)
        expect_error(transfer(numbers[i] | LIMEN_NONBLOCK, endpoint,
                              numbers[i] == LIMEN_SYS_REPLY_WAIT ? reply : 0, LIMEN_FOREVER,
                              &message),
                     LIMEN_WOULD_BLOCK);
    expect_error(
        transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, notification, 0, LIMEN_FOREVER, &message),
        LIMEN_WOULD_BLOCK);
    /* Nobody is left in the queue behind. */
    expect_error(transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_WOULD_BLOCK);
}

TEST(call, nonblock_works_when_somebody_waits)
{
    struct message message = {.tag = limen_tag(3, 1, 0), .words = {77}};
    struct worker *worker;

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    worker = spawn(HIGHER, receive_one, NULL);
    expect_ok(transfer(LIMEN_SYS_SEND | LIMEN_NONBLOCK, talk.endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(received.words[0], 77);
}

TEST(call, call_to_a_receiver_without_reply_object_is_refused)
{
    struct message message = {.tag = limen_tag(1, 0, 0)};
    struct worker *worker;

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    worker = spawn(HIGHER, receive_one, NULL);
    expect_error(transfer(LIMEN_SYS_CALL, talk.endpoint, 0, LIMEN_FOREVER, &message),
                 LIMEN_NO_CALLER);
    /* The receiver still waits, and takes a plain message. */
    expect_equal(state_of(worker->thread), LIMEN_THREAD_RECEIVING);
    message.tag = limen_tag(2, 0, 0);
    expect_ok(transfer(LIMEN_SYS_SEND, talk.endpoint, 0, LIMEN_FOREVER, &message));
    join(worker);
    expect_equal(limen_tag_label(received.tag), 2);
}

static enum limen_error call_fate;

static void call_once(void *unused)
{
    struct message message = {.tag = limen_tag(9, 0, 0)};
    (void)unused;
    call_fate = transfer(LIMEN_SYS_CALL, talk.endpoint, 0, LIMEN_FOREVER, &message);
}

TEST(call, waiting_without_reply_object_turns_waiting_callers_away)
{
    struct message message = {0};

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    struct worker *one = spawn(HIGHER, call_once, NULL);
    struct worker *two = spawn(HIGHER, call_once, NULL);
    expect_error(
        transfer(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, talk.endpoint, 0, LIMEN_FOREVER, &message),
        LIMEN_WOULD_BLOCK);
    join(one);
    join(two);
    expect_error(call_fate, LIMEN_NO_CALLER);
}

/* Senders are served in the order in which they came. */
static void send_number(void *number)
{
    struct message message = {.tag = limen_tag((uint32_t)(uintptr_t)number, 0, 0)};
    expect_ok(transfer(LIMEN_SYS_SEND, talk.endpoint, 0, LIMEN_FOREVER, &message));
}

TEST(call, senders_queue_first_come_first_served)
{
    struct message message;

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    for (uintptr_t i = 0; i < 8; i++)
        spawn(HIGHER, send_number, (void *)i);
    for (unsigned i = 0; i < 8; i++) {
        expect_ok(transfer(LIMEN_SYS_WAIT, talk.endpoint, 0, LIMEN_FOREVER, &message));
        expect_equal(limen_tag_label(message.tag), i);
        expect_equal(message.badge, 0);
    }
}

/* A reply object that is in use cannot be waited with. */
TEST(call, reply_object_keeps_one_caller)
{
    struct message message = {0};

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);
    spawn(HIGHER, call_once, NULL);
    expect_ok(transfer(LIMEN_SYS_WAIT, talk.endpoint, reply, LIMEN_FOREVER, &message));
    expect_error(transfer(LIMEN_SYS_WAIT, talk.endpoint, reply, LIMEN_FOREVER, &message),
                 LIMEN_BUSY);
    message.tag = 0;
    expect_ok(transfer(LIMEN_SYS_SEND, reply, 0, LIMEN_FOREVER, &message));
    expect_error(call_fate, LIMEN_OK);
    message.tag = 0;
    expect_error(transfer(LIMEN_SYS_SEND, reply, 0, LIMEN_FOREVER, &message), LIMEN_NO_CALLER);
}

static void wait_with_reply(void *reply)
{
    struct message message = {0};
    transfer(LIMEN_SYS_WAIT, talk.endpoint, *(uint32_t *)reply, LIMEN_FOREVER, &message);
}

TEST(call, reply_object_serves_one_receiver)
{
    struct message message = {0};
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    spawn(HIGHER, wait_with_reply, &reply);
    expect_error(
        transfer(LIMEN_SYS_WAIT, make(LIMEN_TYPE_ENDPOINT, 0), reply, LIMEN_FOREVER, &message),
        LIMEN_BUSY);
}

/* An answer that was never asked for is dropped, and the wait goes on. */
TEST(call, reply_wait_without_a_caller_waits)
{
    struct message message = {.tag = limen_tag(1, 3, 0)};
    uint32_t reply = make(LIMEN_TYPE_REPLY, 0);

    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    spawn(HIGHER, send_number, (void *)6);
    expect_ok(transfer(LIMEN_SYS_REPLY_WAIT, talk.endpoint, reply, LIMEN_FOREVER, &message));
    expect_equal(message.tag, limen_tag(6, 0, 0));
    message.tag = 0;
    spawn(HIGHER, send_number, (void *)7);
    expect_ok(transfer(LIMEN_SYS_REPLY_WAIT, talk.endpoint, 0, LIMEN_FOREVER, &message));
    expect_equal(message.tag, limen_tag(7, 0, 0));
}
