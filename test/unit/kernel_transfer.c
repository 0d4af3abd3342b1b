/* SPDX-License-Identifier: MIT */
/* Capabilities sent along with messages, between threads with tables of their own. */
#include "world.h"

/* In the client's table and in the server's. */
enum { ENDPOINT = 1, WEAK_ENDPOINT, REPLY, GIFT, OTHER_GIFT, FIRST_EMPTY = 20 };

static struct {
    struct actor client, server;
    unsigned endpoint, reply, gift;
} talk;

static int talk_setup(void **state)
{
    world_boot(state);
    talk.client = make_actor(255, true);
    talk.server = make_actor(255, true);
    talk.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    talk.reply = make(LIMEN_TYPE_REPLY, 0);
    talk.gift = minted(make(LIMEN_TYPE_NOTIFICATION, 0), 0x61f7);
    give(&talk.client, ENDPOINT, talk.endpoint, LIMEN_RIGHTS_ALL);
    give(&talk.client, WEAK_ENDPOINT, talk.endpoint, LIMEN_RIGHT_WRITE);
    give(&talk.client, GIFT, talk.gift, LIMEN_RIGHT_WRITE);
    give(&talk.client, OTHER_GIFT, LIMEN_INIT_KERNEL, LIMEN_RIGHT_READ);
    give(&talk.server, ENDPOINT, talk.endpoint, LIMEN_RIGHTS_ALL);
    give(&talk.server, REPLY, talk.reply, LIMEN_RIGHTS_ALL);
    return 0;
}

#define TALK_TEST(test) cmocka_unit_test_setup(test, talk_setup)

static struct slot *in(const struct actor *actor, unsigned index)
{
    return &actor->thread->table[index];
}

static void send_names(const struct actor *actor, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    const uint32_t names[LIMEN_CAPS_MAX] = {a, b, c, d};
    memcpy(actor->thread->page->send_caps, names, sizeof(names));
}

static void room(const struct actor *actor, uint32_t first, uint32_t count)
{
    actor->thread->page->receive_first = first;
    actor->thread->page->receive_count = count;
}

/* A send by the client that the server receives: how many capabilities came. */
static unsigned transfer(unsigned endpoint, unsigned count)
{
    become(talk.client.thread);
    enter(LIMEN_SYS_SEND, endpoint, limen_tag(0, 1, count));
    become(talk.server.thread);
    enter(LIMEN_SYS_WAIT, ENDPOINT, 0);
    assert_int_equal(regs_of(talk.server.thread)->rax, LIMEN_OK);
    become(world.init);
    return limen_tag_caps(regs_of(talk.server.thread)->rsi);
}

static void test_capabilities_arrive_in_order(void **state)
{
    (void)state;
    send_names(&talk.client, GIFT, OTHER_GIFT, ENDPOINT, WEAK_ENDPOINT);
    room(&talk.server, FIRST_EMPTY, 4);
    assert_int_equal(transfer(ENDPOINT, 4), 4);
    const struct slot *got = in(&talk.server, FIRST_EMPTY);
    assert_int_equal(got[0].type, LIMEN_TYPE_NOTIFICATION);
    assert_int_equal(got[0].rights, LIMEN_RIGHT_WRITE);
    assert_int_equal(got[0].badge, 0x61f7);
    assert_int_equal(got[1].type, LIMEN_TYPE_KERNEL);
    assert_int_equal(got[1].rights, LIMEN_RIGHT_READ);
    assert_int_equal(got[2].type, LIMEN_TYPE_ENDPOINT);
    assert_int_equal(got[3].rights, LIMEN_RIGHT_WRITE);
}

/* What was sent is derived from what the sender has. */
static void test_sender_can_take_back(void **state)
{
    (void)state;
    send_names(&talk.client, GIFT, 0, 0, 0);
    room(&talk.server, FIRST_EMPTY, 1);
    assert_int_equal(transfer(ENDPOINT, 1), 1);
    EXPECT(OK, talk.client.table, LIMEN_TABLE_REVOKE, GIFT);
    assert_true(slot_is_empty(in(&talk.server, FIRST_EMPTY)));
}

static void test_without_the_right_nothing_comes(void **state)
{
    (void)state;
    send_names(&talk.client, GIFT, 0, 0, 0);
    room(&talk.server, FIRST_EMPTY, 4);
    assert_int_equal(transfer(WEAK_ENDPOINT, 1), 0);
    assert_true(slot_is_empty(in(&talk.server, FIRST_EMPTY)));
}

static void test_no_more_than_there_is_room_for(void **state)
{
    (void)state;
    send_names(&talk.client, GIFT, GIFT, GIFT, GIFT);
    room(&talk.server, FIRST_EMPTY, 2);
    assert_int_equal(transfer(ENDPOINT, 4), 2);
    assert_true(slot_is_empty(in(&talk.server, FIRST_EMPTY + 2)));
    room(&talk.server, FIRST_EMPTY + 2, 0);
    assert_int_equal(transfer(ENDPOINT, 4), 0);
    room(&talk.server, 62, UINT32_MAX); /* the table has 64 entries */
    assert_int_equal(transfer(ENDPOINT, 4), 2);
    room(&talk.server, UINT32_MAX, 4);
    assert_int_equal(transfer(ENDPOINT, 4), 0);
    room(&talk.server, 0, 4);
    assert_int_equal(transfer(ENDPOINT, 4), 0);
}

static void test_stops_at_the_first_that_cannot(void **state)
{
    (void)state;
    send_names(&talk.client, GIFT, 50, GIFT, GIFT); /* 50 is empty */
    room(&talk.server, FIRST_EMPTY, 4);
    assert_int_equal(transfer(ENDPOINT, 4), 1);
    send_names(&talk.client, UINT32_MAX, GIFT, GIFT, GIFT);
    room(&talk.server, FIRST_EMPTY + 1, 4);
    assert_int_equal(transfer(ENDPOINT, 4), 0);
    send_names(&talk.client, GIFT, GIFT, GIFT, GIFT);
    room(&talk.server, FIRST_EMPTY, 4); /* occupied */
    assert_int_equal(transfer(ENDPOINT, 4), 0);
}

static void test_untyped_memory_is_not_sent(void **state)
{
    (void)state;
    unsigned memory = make(LIMEN_TYPE_UNTYPED, 12);
    EXPECT(OK, talk.client.table, LIMEN_TABLE_MOVE, 30, 0, memory);
    send_names(&talk.client, 30, 0, 0, 0);
    room(&talk.server, FIRST_EMPTY, 4);
    assert_int_equal(transfer(ENDPOINT, 1), 0);
    assert_int_equal(in(&talk.client, 30)->type, LIMEN_TYPE_UNTYPED);
}

static void test_receiver_without_a_page_gets_none(void **state)
{
    (void)state;
    send_names(&talk.client, GIFT, 0, 0, 0);
    room(&talk.server, FIRST_EMPTY, 4);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    assert_int_equal(transfer(ENDPOINT, 1), 0);
    assert_true(slot_is_empty(in(&talk.server, FIRST_EMPTY)));
}

static void test_answers_carry_capabilities(void **state)
{
    (void)state;
    become(talk.server.thread);
    enter(LIMEN_SYS_WAIT, ENDPOINT | (uint64_t)REPLY << 32, 0);
    become(talk.client.thread);
    enter(LIMEN_SYS_CALL, ENDPOINT, limen_tag(0, 0, 0));
    room(&talk.client, FIRST_EMPTY, 1);
    send_names(&talk.server, ENDPOINT, 0, 0, 0);
    become(talk.server.thread);
    enter(LIMEN_SYS_REPLY_WAIT, ENDPOINT | (uint64_t)REPLY << 32, limen_tag(0, 0, 1));
    assert_int_equal(limen_tag_caps(regs_of(talk.client.thread)->rsi), 1);
    assert_int_equal(in(&talk.client, FIRST_EMPTY)->type, LIMEN_TYPE_ENDPOINT);
}

static void test_mapped_frame_arrives_unmapped(void **state)
{
    (void)state;
    unsigned frame = make(LIMEN_TYPE_FRAME, 12);
    EXPECT(OK, frame, LIMEN_FRAME_MAP, LIMEN_INIT_SPACE, 0x5000000, LIMEN_RIGHT_READ, 0);
    EXPECT(OK, talk.client.table, LIMEN_TABLE_MOVE, 30, 0, frame);
    send_names(&talk.client, 30, 0, 0, 0);
    room(&talk.server, FIRST_EMPTY, 4);
    assert_int_equal(transfer(ENDPOINT, 1), 1);
    const struct slot *got = in(&talk.server, FIRST_EMPTY);
    assert_int_equal(got->order, 12);
    assert_null(got->space);
    assert_int_equal(got->page, 0);
}

/* -- a sender that changes while it waits -- */

static void client_sends_and_waits(uint64_t tag)
{
    become(talk.client.thread);
    enter(LIMEN_SYS_SEND, ENDPOINT, tag);
    assert_int_equal(talk.client.thread->state, LIMEN_THREAD_SENDING);
    become(world.init);
}

static void server_waits(void)
{
    become(talk.server.thread);
    enter(LIMEN_SYS_WAIT, ENDPOINT, 0);
}

static void test_sender_that_loses_its_page(void **state)
{
    (void)state;
    client_sends_and_waits(limen_tag(0, 64, 4));
    EXPECT(OK, talk.client.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    server_waits();
    assert_int_equal(regs_of(talk.client.thread)->rax, LIMEN_NO_MESSAGE_PAGE);
    assert_int_equal(talk.client.thread->state, LIMEN_THREAD_READY);
    assert_int_equal(talk.server.thread->state, LIMEN_THREAD_RECEIVING);
}

static void test_sender_whose_registers_are_set(void **state)
{
    uint64_t words[LIMEN_REGS_WORDS] = {[8] = limen_tag(0, 127, 7)};
    (void)state;
    client_sends_and_waits(limen_tag(0, 1, 0));
    set_words(world.init, LIMEN_REGS_WORDS, words);
    struct limen_regs *regs = regs_of(world.init);
    enter(LIMEN_SYS_CALL, talk.client.slot, limen_tag(LIMEN_THREAD_SET_REGS, 22, 0));
    assert_int_equal(regs->rax, LIMEN_OK);
    assert_int_equal(limen_tag_label(regs->rsi), LIMEN_OK);
    server_waits();
    assert_int_equal(regs_of(talk.client.thread)->rax, LIMEN_BAD_ARGUMENT);
    assert_int_equal(talk.server.thread->state, LIMEN_THREAD_RECEIVING);
}

static void test_receiver_that_loses_its_page(void **state)
{
    (void)state;
    server_waits();
    become(world.init);
    EXPECT(OK, talk.server.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    become(talk.client.thread);
    enter(LIMEN_SYS_SEND, ENDPOINT, limen_tag(0, 64, 4));
    assert_int_equal(regs_of(talk.server.thread)->rsi, limen_tag(0, 8, 0));
}

static void test_sender_that_loses_its_table(void **state)
{
    (void)state;
    client_sends_and_waits(limen_tag(0, 0, 1));
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, talk.client.table);
    assert_int_equal(talk.client.thread->state, LIMEN_THREAD_STOPPED);
    server_waits();
    assert_int_equal(talk.server.thread->state, LIMEN_THREAD_RECEIVING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TALK_TEST(test_capabilities_arrive_in_order),
        TALK_TEST(test_sender_can_take_back),
        TALK_TEST(test_without_the_right_nothing_comes),
        TALK_TEST(test_no_more_than_there_is_room_for),
        TALK_TEST(test_stops_at_the_first_that_cannot),
        TALK_TEST(test_untyped_memory_is_not_sent),
        TALK_TEST(test_receiver_without_a_page_gets_none),
        TALK_TEST(test_answers_carry_capabilities),
        TALK_TEST(test_mapped_frame_arrives_unmapped),
        TALK_TEST(test_sender_that_loses_its_page),
        TALK_TEST(test_sender_whose_registers_are_set),
        TALK_TEST(test_receiver_that_loses_its_page),
        TALK_TEST(test_sender_that_loses_its_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
