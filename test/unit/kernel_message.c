/* SPDX-License-Identifier: MIT */
/*
 * Messages between a client and a server: what arrives, what does not, and what is refused.
 *
 * Most tests run twice, with and without the direct switch, whichever side comes second.
 */
#include "world.h"

#define PATTERN 0x5eed000000000000ull

/* Two threads of init's table, as important as init, and what they talk through. */
static struct {
    struct actor client, server;
    unsigned endpoint, badged, reply;
} talk;

#define BADGE 0xbad9e

static int talk_setup(void **state)
{
    world_boot(state);
    talk.client = make_actor(255, false);
    talk.server = make_actor(255, false);
    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    talk.badged = minted(talk.endpoint, BADGE);
    talk.reply = make(LIMEN_TYPE_REPLY, 0);
    return 0;
}

static int general_setup(void **state)
{
    talk_setup(state);
    EXPECT(OK, LIMEN_INIT_KERNEL, LIMEN_KERNEL_FAST_PATH, 0);
    return 0;
}

#define TALK_TEST(test) cmocka_unit_test_setup(test, talk_setup)
#define BOTH_PATHS(test)                                                                           \
    {#test " (direct)", test, talk_setup, NULL, NULL},                                             \
    {                                                                                              \
#test " (general)", test, general_setup, NULL, NULL                                        \
    }

static uint64_t wait_target(unsigned endpoint, unsigned reply)
{
    return endpoint | (uint64_t)reply << 32;
}

static void server_waits(void)
{
    become(talk.server.thread);
    enter(LIMEN_SYS_WAIT, wait_target(talk.endpoint, talk.reply), 0);
}

static void client_calls(uint64_t tag)
{
    become(talk.client.thread);
    enter(LIMEN_SYS_CALL, talk.badged, tag);
}

static void server_answers(uint64_t tag)
{
    become(talk.server.thread);
    enter(LIMEN_SYS_REPLY_WAIT, wait_target(talk.endpoint, talk.reply), tag);
}

/* Every register of a frame different from every other's, the user's constants apart. */
static void fill(struct thread *thread, unsigned which)
{
    struct limen_regs *regs = regs_of(thread);
    uint64_t *words = limen_regs_words(regs);
    uint64_t cs = regs->cs, ss = regs->ss, rflags = regs->rflags;
    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++)
        words[i] = PATTERN + which * 0x100 + i;
    regs->cs = cs;
    regs->ss = ss;
    regs->rflags = rflags;
    if (thread->page)
        for (unsigned i = 0; i < LIMEN_WORDS_MAX; i++)
            thread->page->words[i] = PATTERN + which * 0x1000 + 0x800 + i;
}

/* The receiver has exactly the message and, for the rest, its own registers as they were. */
static void assert_received(const struct thread *to, struct limen_regs before,
                            const struct limen_regs *sent, unsigned words, uint64_t tag,
                            uint64_t rdi)
{
    const struct limen_regs *after = regs_of(to);
    before.rax = LIMEN_OK;
    before.rdi = rdi;
    before.rsi = tag;
    before.origin = after->origin;
    before.error = after->error;
    for (unsigned i = 0; i < words && i < LIMEN_WORDS_IN_REGISTERS; i++)
        before.words[i] = sent->words[i];
    assert_memory_equal(after, &before, sizeof(before));
}

/* -- what arrives -- */

static void call_and_answer(unsigned words, bool server_first)
{
    struct thread *client = talk.client.thread, *server = talk.server.thread;
    uint64_t tag = limen_tag(0xca11, words, 0), answer = limen_tag(0xa25, words, 0);

    fill(client, 1);
    fill(server, 2);
    struct limen_regs client_before = *regs_of(client), server_before = *regs_of(server);
    if (server_first)
        server_waits();
    client_calls(tag);
    if (!server_first)
        server_waits();
    assert_int_equal(client->state, LIMEN_THREAD_WAITING_REPLY);
    assert_int_equal(server->state, LIMEN_THREAD_READY);
    assert_received(server, server_before, &client_before, words, tag, BADGE);
    fill(server, 3);
    server_before = *regs_of(server);
    server_answers(answer);
    assert_int_equal(client->state, LIMEN_THREAD_READY);
    assert_int_equal(server->state, LIMEN_THREAD_RECEIVING);
    assert_received(client, client_before, &server_before, words, answer, 0);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_RESUME);
}

static void test_words_in_registers(void **state)
{
    (void)state;
    for (unsigned words = 0; words <= LIMEN_WORDS_IN_REGISTERS; words++) {
        call_and_answer(words, false);
        become(world.init);
        call_and_answer(words, true);
        become(world.init);
    }
}

static void test_direct_switch_is_taken(void **state)
{
    (void)state;
    uint64_t before = host_cpu->counters[LIMEN_COUNTER_FAST_IPC];
    server_waits();
    client_calls(limen_tag(1, 8, 0));
    assert_ptr_equal(current(), talk.server.thread);
    server_answers(limen_tag(1, 8, 0));
    assert_ptr_equal(current(), talk.client.thread);
    assert_int_equal(host_cpu->counters[LIMEN_COUNTER_FAST_IPC] - before, 2);
    EXPECT(OK, LIMEN_INIT_KERNEL, LIMEN_KERNEL_FAST_PATH, 0);
    client_calls(limen_tag(1, 8, 0));
    assert_int_equal(host_cpu->counters[LIMEN_COUNTER_FAST_IPC] - before, 2);
}

static void check_long(unsigned words, const struct thread *to, unsigned which)
{
    assert_int_equal(limen_tag_words(regs_of(to)->rsi), words);
    for (unsigned i = 0; i < LIMEN_WORDS_IN_REGISTERS; i++)
        assert_int_equal(regs_of(to)->words[i], PATTERN + which * 0x100 + i);
    for (unsigned i = LIMEN_WORDS_IN_REGISTERS; i < words; i++)
        assert_int_equal(to->page->words[i], PATTERN + which * 0x1000 + 0x800 + i);
}

static void test_words_in_pages(void **state)
{
    (void)state;
    for (unsigned words = 9; words <= LIMEN_WORDS_MAX; words += 11) {
        fill(talk.client.thread, 1);
        fill(talk.server.thread, 2);
        server_waits();
        client_calls(limen_tag(0, words, 0));
        check_long(words, talk.server.thread, 1);
        if (words < LIMEN_WORDS_MAX)
            assert_int_equal(talk.server.thread->page->words[words],
                             PATTERN + 0x2000 + 0x800 + words);
        fill(talk.server.thread, 3);
        server_answers(limen_tag(0, words, 0));
        check_long(words, talk.client.thread, 3);
        EXPECT(OK, talk.server.slot, LIMEN_THREAD_SUSPEND);
        EXPECT(OK, talk.server.slot, LIMEN_THREAD_RESUME);
    }
}

static void test_receiver_without_a_page_gets_eight(void **state)
{
    (void)state;
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    fill(talk.client.thread, 1);
    server_waits();
    client_calls(limen_tag(7, 64, 0));
    assert_int_equal(regs_of(talk.server.thread)->rsi, limen_tag(7, 8, 0));
}

static void test_two_threads_with_one_page(void **state)
{
    (void)state;
    unsigned page = make(LIMEN_TYPE_FRAME, 12);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, page);
    EXPECT(OK, talk.client.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, page);
    fill(talk.client.thread, 1);
    server_waits();
    client_calls(limen_tag(0, 64, 0));
    check_long(64, talk.server.thread, 1);
}

/* -- SEND -- */

static void test_send_reaches_and_expects_no_answer(void **state)
{
    struct thread *client = talk.client.thread, *server = talk.server.thread;
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        fill(client, 1);
        fill(server, 2);
        struct limen_regs client_before = *regs_of(client), server_before = *regs_of(server);
        if (first)
            server_waits();
        become(client);
        enter(LIMEN_SYS_SEND, talk.badged, limen_tag(5, 3, 0));
        if (!first) {
            assert_int_equal(client->state, LIMEN_THREAD_SENDING);
            server_waits();
        }
        assert_int_equal(client->state, LIMEN_THREAD_READY);
        assert_int_equal(regs_of(client)->rax, LIMEN_OK);
        assert_received(server, server_before, &client_before, 3, limen_tag(5, 3, 0), BADGE);
        assert_null(((struct reply *)object_at(talk.reply))->caller);
        become(world.init);
    }
}

static void test_answer_by_send(void **state)
{
    (void)state;
    server_waits();
    client_calls(limen_tag(0, 0, 0));
    become(talk.server.thread);
    regs_of(talk.server.thread)->words[0] = 99;
    enter(LIMEN_SYS_SEND, talk.reply, limen_tag(6, 1, 0));
    assert_int_equal(regs_of(talk.server.thread)->rax, LIMEN_OK);
    assert_int_equal(talk.client.thread->state, LIMEN_THREAD_READY);
    assert_int_equal(regs_of(talk.client.thread)->words[0], 99);
    become(talk.server.thread);
    enter(LIMEN_SYS_SEND, talk.reply, limen_tag(6, 1, 0));
    assert_int_equal(regs_of(talk.server.thread)->rax, LIMEN_NO_CALLER);
}

static void test_answer_to_nobody_goes_on_to_wait(void **state)
{
    (void)state;
    server_answers(limen_tag(0, 0, 0));
    assert_int_equal(talk.server.thread->state, LIMEN_THREAD_RECEIVING);
    client_calls(limen_tag(3, 0, 0));
    assert_int_equal(regs_of(talk.server.thread)->rsi, limen_tag(3, 0, 0));
}

static void test_answers_out_of_order(void **state)
{
    struct actor second = make_actor(255, false);
    unsigned other_reply = make(LIMEN_TYPE_REPLY, 0);
    (void)state;
    client_calls(limen_tag(1, 0, 0));
    become(second.thread);
    enter(LIMEN_SYS_CALL, talk.endpoint, limen_tag(2, 0, 0));
    server_waits();
    assert_int_equal(limen_tag_label(regs_of(talk.server.thread)->rsi), 1);
    become(talk.server.thread);
    enter(LIMEN_SYS_WAIT, wait_target(talk.endpoint, other_reply), 0);
    assert_int_equal(limen_tag_label(regs_of(talk.server.thread)->rsi), 2);
    enter(LIMEN_SYS_SEND, other_reply, limen_tag(20, 0, 0));
    assert_int_equal(limen_tag_label(regs_of(second.thread)->rsi), 20);
    assert_int_equal(talk.client.thread->state, LIMEN_THREAD_WAITING_REPLY);
    enter(LIMEN_SYS_SEND, talk.reply, limen_tag(10, 0, 0));
    assert_int_equal(limen_tag_label(regs_of(talk.client.thread)->rsi), 10);
}

static void test_first_come_first_served(void **state)
{
    struct actor others[5];
    (void)state;
    for (unsigned i = 0; i < 5; i++)
        others[i] = make_actor(255, false);
    for (unsigned i = 0; i < 5; i++) {
        become(others[i].thread);
        enter(LIMEN_SYS_SEND, talk.endpoint, limen_tag(i, 0, 0));
    }
    for (unsigned i = 0; i < 5; i++) {
        server_waits();
        assert_int_equal(limen_tag_label(regs_of(talk.server.thread)->rsi), i);
    }
    for (unsigned i = 0; i < 5; i++) {
        become(others[i].thread);
        enter(LIMEN_SYS_WAIT, talk.endpoint, 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        become(talk.client.thread);
        enter(LIMEN_SYS_SEND, talk.endpoint, limen_tag(100 + i, 0, 0));
        assert_int_equal(limen_tag_label(regs_of(others[i].thread)->rsi), 100 + i);
    }
}

/* -- refusals -- */

/* The call comes back at once with this error, and nothing else has changed. */
static void assert_refused(uint64_t number, uint64_t rdi, uint64_t rsi, enum limen_error error)
{
    struct thread *self = talk.client.thread;
    become(self);
    fill(self, 9);
    struct limen_regs before = *regs_of(self);
    enter(number, rdi, rsi);
    assert_ptr_equal(current(), self);
    before.rax = error;
    before.rdi = rdi;
    before.rsi = rsi;
    before.origin = number;
    before.error = (uint64_t)REGS_BY_SYSCALL;
    assert_memory_equal(regs_of(self), &before, sizeof(before));
}

static void test_bad_tags(void **state)
{
    const uint64_t tags[] = {LIMEN_TAG_NOTIFICATION, 1ull << 12,        1ull << 31, 65, 127,
                             limen_tag(0, 0, 5),     limen_tag(0, 0, 7)};
    (void)state;
    server_waits();
    for (unsigned i = 0; i < sizeof(tags) / sizeof(tags[0]); i++) {
        assert_refused(LIMEN_SYS_CALL, talk.endpoint, tags[i], LIMEN_BAD_ARGUMENT);
        assert_refused(LIMEN_SYS_SEND, talk.endpoint, tags[i], LIMEN_BAD_ARGUMENT);
    }
    EXPECT(OK, talk.client.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    assert_refused(LIMEN_SYS_CALL, talk.endpoint, limen_tag(0, 9, 0), LIMEN_NO_MESSAGE_PAGE);
    assert_refused(LIMEN_SYS_CALL, talk.endpoint, limen_tag(0, 0, 1), LIMEN_NO_MESSAGE_PAGE);
    assert_refused(LIMEN_SYS_SEND, talk.endpoint, limen_tag(0, 9, 0), LIMEN_NO_MESSAGE_PAGE);
}

static void test_bad_answers_leave_the_caller_waiting(void **state)
{
    struct thread *server = talk.server.thread;
    (void)state;
    server_waits();
    client_calls(limen_tag(0, 0, 0));
    server_answers(limen_tag(0, 65, 0));
    assert_int_equal(regs_of(server)->rax, LIMEN_BAD_ARGUMENT);
    assert_ptr_equal(current(), server);
    enter(LIMEN_SYS_SEND, talk.reply, 1ull << 20);
    assert_int_equal(regs_of(server)->rax, LIMEN_BAD_ARGUMENT);
    assert_int_equal(talk.client.thread->state, LIMEN_THREAD_WAITING_REPLY);
}

static void test_rights(void **state)
{
    (void)state;
    unsigned deaf = copy_of(talk.endpoint, LIMEN_RIGHTS_ALL & ~LIMEN_RIGHT_READ);
    unsigned dumb = copy_of(talk.endpoint, LIMEN_RIGHTS_ALL & ~LIMEN_RIGHT_WRITE);
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    unsigned deaf_bits = copy_of(bits, LIMEN_RIGHT_WRITE), dumb_bits = copy_of(bits, 1);
    server_waits();
    assert_refused(LIMEN_SYS_CALL, dumb, 0, LIMEN_NO_RIGHT);
    assert_refused(LIMEN_SYS_SEND, dumb, 0, LIMEN_NO_RIGHT);
    assert_refused(LIMEN_SYS_WAIT, deaf, 0, LIMEN_NO_RIGHT);
    assert_refused(LIMEN_SYS_REPLY_WAIT, deaf, 0, LIMEN_NO_RIGHT);
    assert_refused(LIMEN_SYS_SEND, dumb_bits, 0, LIMEN_NO_RIGHT);
    assert_refused(LIMEN_SYS_WAIT, deaf_bits, 0, LIMEN_NO_RIGHT);
}

/* Everything is checked before anything is done: the caller waits on for its answer. */
static void test_refused_reply_wait_answers_nobody(void **state)
{
    const struct {
        unsigned source;
        enum limen_error error;
    } cases[] = {
        {fresh(), LIMEN_BAD_CAPABILITY},
        {LIMEN_INIT_TABLE, LIMEN_WRONG_TYPE},
        {copy_of(talk.endpoint, LIMEN_RIGHT_WRITE), LIMEN_NO_RIGHT},
    };
    (void)state;
    server_waits();
    client_calls(limen_tag(0, 0, 0));
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        become(talk.server.thread);
        enter(LIMEN_SYS_REPLY_WAIT, wait_target(cases[i].source, talk.reply), limen_tag(9, 0, 0));
        assert_int_equal(regs_of(talk.server.thread)->rax, cases[i].error);
        assert_int_equal(talk.client.thread->state, LIMEN_THREAD_WAITING_REPLY);
    }
}

static void test_bad_capabilities(void **state)
{
    const uint64_t calls[] = {LIMEN_SYS_CALL, LIMEN_SYS_SEND, LIMEN_SYS_WAIT, LIMEN_SYS_REPLY_WAIT};
    const uint64_t indices[] = {0, 1u << LIMEN_INIT_TABLE_ORDER, UINT32_MAX, fresh()};
    (void)state;
    for (unsigned c = 0; c < 4; c++)
        for (unsigned i = 0; i < 4; i++)
            assert_refused(calls[c], indices[i], 0, LIMEN_BAD_CAPABILITY);
    assert_refused(LIMEN_SYS_WAIT, LIMEN_INIT_TABLE, 0, LIMEN_WRONG_TYPE);
    assert_refused(LIMEN_SYS_WAIT, talk.reply, 0, LIMEN_WRONG_TYPE);
    assert_refused(LIMEN_SYS_SEND, LIMEN_INIT_KERNEL, 0, LIMEN_WRONG_TYPE);
    for (unsigned c = 2; c < 4; c++) {
        assert_refused(calls[c], wait_target(talk.endpoint, 4000), 0, LIMEN_BAD_CAPABILITY);
        assert_refused(calls[c], wait_target(talk.endpoint, talk.endpoint), 0, LIMEN_WRONG_TYPE);
    }
}

static void test_nobody_there(void **state)
{
    const uint64_t now = LIMEN_NONBLOCK;
    (void)state;
    assert_refused(LIMEN_SYS_CALL | now, talk.endpoint, 0, LIMEN_WOULD_BLOCK);
    assert_refused(LIMEN_SYS_SEND | now, talk.endpoint, 0, LIMEN_WOULD_BLOCK);
    assert_refused(LIMEN_SYS_WAIT | now, talk.endpoint, 0, LIMEN_WOULD_BLOCK);
    assert_refused(LIMEN_SYS_REPLY_WAIT | now, wait_target(talk.endpoint, talk.reply), 0,
                   LIMEN_WOULD_BLOCK);
    assert_refused(LIMEN_SYS_WAIT | now, make(LIMEN_TYPE_NOTIFICATION, 0), 0, LIMEN_WOULD_BLOCK);
}

static void test_somebody_there(void **state)
{
    (void)state;
    server_waits();
    become(talk.client.thread);
    enter(LIMEN_SYS_SEND | LIMEN_NONBLOCK, talk.endpoint, limen_tag(1, 0, 0));
    assert_int_equal(regs_of(talk.client.thread)->rax, LIMEN_OK);
    client_calls(limen_tag(2, 0, 0));
    become(talk.server.thread);
    enter(LIMEN_SYS_WAIT | LIMEN_NONBLOCK, wait_target(talk.endpoint, talk.reply), 0);
    assert_int_equal(regs_of(talk.server.thread)->rsi, limen_tag(2, 0, 0));
}

static void test_call_that_nobody_could_answer(void **state)
{
    struct thread *server = talk.server.thread, *client = talk.client.thread;
    (void)state;
    become(server);
    enter(LIMEN_SYS_WAIT, talk.endpoint, 0);
    assert_refused(LIMEN_SYS_CALL, talk.endpoint, 0, LIMEN_NO_CALLER);
    assert_int_equal(server->state, LIMEN_THREAD_RECEIVING);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_RESUME);
    /* A caller that waits is sent away by the receiver that comes without a reply object. */
    client_calls(0);
    become(server);
    enter(LIMEN_SYS_WAIT, talk.endpoint, 0);
    assert_int_equal(regs_of(client)->rax, LIMEN_NO_CALLER);
    assert_int_equal(client->state, LIMEN_THREAD_READY);
    assert_int_equal(server->state, LIMEN_THREAD_RECEIVING);
}

static void test_busy_reply_objects(void **state)
{
    struct actor second = make_actor(255, false);
    (void)state;
    server_waits();
    become(second.thread);
    enter(LIMEN_SYS_WAIT, wait_target(talk.endpoint, talk.reply), 0);
    assert_int_equal(regs_of(second.thread)->rax, LIMEN_BUSY);
    client_calls(0);
    become(second.thread);
    enter(LIMEN_SYS_WAIT, wait_target(talk.endpoint, talk.reply), 0);
    assert_int_equal(regs_of(second.thread)->rax, LIMEN_BUSY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BOTH_PATHS(test_words_in_registers),
        TALK_TEST(test_direct_switch_is_taken),
        BOTH_PATHS(test_words_in_pages),
        TALK_TEST(test_receiver_without_a_page_gets_eight),
        TALK_TEST(test_two_threads_with_one_page),
        TALK_TEST(test_send_reaches_and_expects_no_answer),
        BOTH_PATHS(test_answer_by_send),
        BOTH_PATHS(test_answer_to_nobody_goes_on_to_wait),
        BOTH_PATHS(test_answers_out_of_order),
        TALK_TEST(test_first_come_first_served),
        BOTH_PATHS(test_bad_tags),
        BOTH_PATHS(test_bad_answers_leave_the_caller_waiting),
        BOTH_PATHS(test_rights),
        BOTH_PATHS(test_refused_reply_wait_answers_nobody),
        BOTH_PATHS(test_bad_capabilities),
        TALK_TEST(test_nobody_there),
        BOTH_PATHS(test_somebody_there),
        BOTH_PATHS(test_call_that_nobody_could_answer),
        BOTH_PATHS(test_busy_reply_objects),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
