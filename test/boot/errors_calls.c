/* SPDX-License-Identifier: MIT */
/* Every error of the system calls themselves (include/limen/errors.toml), provoked. */
#include "errors.h"

#include <limen/message.h>
#include <limen/syscall.h>

/* What the calls are made on, new for each. */
static struct {
    uint32_t endpoint, other_endpoint, notification, reply;
    uint32_t spent; /* the reply object of another wait */
} the;

static void make_the_world(void)
{
    the.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    the.other_endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    the.notification = make(LIMEN_TYPE_NOTIFICATION, 0);
    the.reply = make(LIMEN_TYPE_REPLY, 0);
    the.spent = make(LIMEN_TYPE_REPLY, 0);
}

/* The kinds of object that a call can be made on, and such that it cannot. */
static uint32_t slot_on(enum limen_type type)
{
    switch (type) {
    case LIMEN_TYPE_ENDPOINT:
        return the.endpoint;
    case LIMEN_TYPE_NOTIFICATION:
        return the.notification;
    case LIMEN_TYPE_REPLY:
        return the.reply;
    default:
        return KERNEL;
    }
}

/* -- what others do meanwhile -- */

static void wait_with_spent(void *unused)
{
    struct message message = {0};

    (void)unused;
    transfer(LIMEN_SYS_WAIT, the.other_endpoint, the.spent, LIMEN_FOREVER, &message);
}

static void wait_without_reply(void *unused)
{
    struct message message = {0};

    (void)unused;
    transfer(LIMEN_SYS_WAIT, the.endpoint, 0, LIMEN_FOREVER, &message);
}

static void call_endpoint(void *unused)
{
    struct message message = {0};

    (void)unused;
    transfer(LIMEN_SYS_CALL, the.endpoint, 0, LIMEN_FOREVER, &message);
}

static void delete_what_is_waited_for(void *unused)
{
    (void)unused;
    limen_delete(OWN_TABLE, the.endpoint);
    limen_delete(OWN_TABLE, the.notification);
}

/* The reply object holds a caller, whom an answer could reach. */
static void fill_reply(void)
{
    struct message message = {0};

    spawn(HIGHER, call_endpoint, NULL);
    expect_ok(transfer(LIMEN_SYS_WAIT, the.endpoint, the.reply, LIMEN_FOREVER, &message));
}

static void take_page(void)
{
    expect_ok(limen_thread_set_message_page(own_worker()->thread, 0));
}

static void take_page_and_fill_reply(void)
{
    fill_reply();
    take_page();
}

static void use_reply_elsewhere(void)
{
    spawn(HIGHER, wait_with_spent, NULL);
}

static void receive_without_reply(void)
{
    spawn(HIGHER, wait_without_reply, NULL);
}

/* At a lower priority: when the call waits. */
static struct worker *destroyer;

static void destroy_later(void)
{
    destroyer = spawn(LOWER, delete_what_is_waited_for, NULL);
}

/* -- what is provoked -- */

enum reply_index { NO_REPLY, THE_REPLY, SPENT_REPLY, EMPTY_SLOT, NO_REPLY_OBJECT };

struct provocation {
    enum limen_type on;
    uint32_t number;
    enum limen_error error;
    uint64_t flags;
    uint64_t tag;
    enum reply_index reply;
    bool weak, empty; /* a capability without rights, none at all */
    void (*before)(void);
};

/* Tags that announce words, as many as there are registers for them and one more, or at all. */
#define LONG_TAG     (LIMEN_WORDS_IN_REGISTERS + 1)
#define TOO_LONG_TAG (LIMEN_WORDS_MAX + 1)
#define RESERVED_TAG LIMEN_TAG_NOTIFICATION

static const struct provocation provocations[] = {
#define IN(call, type, answer, ...)                                                                \
    {                                                                                              \
        .on = LIMEN_TYPE_##type, .number = LIMEN_SYS_##call, .error = LIMEN_##answer, __VA_ARGS__  \
    }
#define ANYTHING(call) IN(call, NONE, BAD_CAPABILITY, .empty = true), IN(call, NONE, WRONG_TYPE)
#define SENDING(call)                                                                              \
    IN(call, ENDPOINT, NO_RIGHT, .weak = true),                                                    \
        IN(call, ENDPOINT, BAD_ARGUMENT, .tag = TOO_LONG_TAG),                                     \
        IN(call, ENDPOINT, BAD_ARGUMENT, .tag = RESERVED_TAG),                                     \
        IN(call, ENDPOINT, NO_MESSAGE_PAGE, .tag = LONG_TAG, .before = take_page),                 \
        IN(call, ENDPOINT, WOULD_BLOCK, .flags = LIMEN_NONBLOCK),                                  \
        IN(call, ENDPOINT, TIMED_OUT, .flags = LIMEN_DEADLINE),                                    \
        IN(call, ENDPOINT, CANCELLED, .before = destroy_later)
#define WAITING(call, type)                                                                        \
    IN(call, type, NO_RIGHT, .weak = true), IN(call, type, WOULD_BLOCK, .flags = LIMEN_NONBLOCK),  \
        IN(call, type, TIMED_OUT, .flags = LIMEN_DEADLINE),                                        \
        IN(call, type, CANCELLED, .before = destroy_later)
#define WITH_REPLY(call, type)                                                                     \
    IN(call, type, BAD_CAPABILITY, .reply = EMPTY_SLOT),                                           \
        IN(call, type, WRONG_TYPE, .reply = NO_REPLY_OBJECT)
#define ANSWERING(call, type)                                                                      \
    IN(call, type, BAD_ARGUMENT, .tag = TOO_LONG_TAG, .reply = THE_REPLY, .before = fill_reply),   \
        IN(call, type, BAD_ARGUMENT, .tag = RESERVED_TAG, .reply = THE_REPLY,                      \
           .before = fill_reply),                                                                  \
        IN(call, type, NO_MESSAGE_PAGE, .tag = LONG_TAG, .reply = THE_REPLY,                       \
           .before = take_page_and_fill_reply)

    IN(CALL, NONE, BAD_CAPABILITY, .empty = true),
    SENDING(CALL),
    IN(CALL, ENDPOINT, NO_CALLER, .before = receive_without_reply),
    ANYTHING(SEND),
    SENDING(SEND),
    IN(SEND, NOTIFICATION, NO_RIGHT, .weak = true),
    IN(SEND, REPLY, NO_CALLER),
    ANSWERING(SEND, REPLY),
    ANYTHING(WAIT),
    WAITING(WAIT, ENDPOINT),
    WITH_REPLY(WAIT, ENDPOINT),
    IN(WAIT, ENDPOINT, BUSY, .reply = SPENT_REPLY, .before = use_reply_elsewhere),
    IN(WAIT, ENDPOINT, BUSY, .reply = THE_REPLY, .before = fill_reply),
    WAITING(WAIT, NOTIFICATION),
    ANYTHING(REPLY_WAIT),
    WAITING(REPLY_WAIT, ENDPOINT),
    WITH_REPLY(REPLY_WAIT, ENDPOINT),
    ANSWERING(REPLY_WAIT, ENDPOINT),
    IN(REPLY_WAIT, ENDPOINT, BUSY, .reply = SPENT_REPLY, .before = use_reply_elsewhere),
    WAITING(REPLY_WAIT, NOTIFICATION),
    WITH_REPLY(REPLY_WAIT, NOTIFICATION),
    ANSWERING(REPLY_WAIT, NOTIFICATION),
};

static uint32_t reply_of(enum reply_index index)
{
    const uint32_t slot[] = {0, the.reply, the.spent, NO_SLOT, KERNEL};
    return slot[index];
}

static enum limen_error answer_to(const struct provocation *row)
{
    struct message message = {.tag = row->tag};

    make_the_world();
    destroyer = NULL;
    uint32_t slot = row->empty ? slots(1) : slot_on(row->on);
    if (row->weak)
        slot = copy_of(slot, 0);
    if (row->before)
        row->before();
    enum limen_error error =
        transfer(row->number | row->flags, slot, reply_of(row->reply),
                 row->flags & LIMEN_DEADLINE ? now() : LIMEN_FOREVER, &message);
    expect_ok(limen_thread_set_message_page(own_worker()->thread, own_worker()->frame));
    if (destroyer)
        join(destroyer);
    return error;
}

TEST(errors, of_system_calls)
{
    forget_answers();
    for (unsigned i = 0; i < sizeof provocations / sizeof provocations[0]; i++) {
        const struct provocation *row = &provocations[i];
        enum limen_error answer = answer_to(row);
        if (answer != row->error)
            fail("row %u, call %x: %s, want %s", i, row->number, limen_error_text(answer),
                 limen_error_text(row->error));
        note_answer(row->on, SYSTEM_CALL | row->number, answer);
    }
    expect_all_noted(LIMEN_TYPE_NONE);
}
