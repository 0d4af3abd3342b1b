/* SPDX-License-Identifier: MIT */
/* Faults as messages, their answers, and system calls that are not Limen's. */
#include "world.h"

#define BADGE  0xfa17
#define VECTOR 13

static struct {
    struct actor worker, handler;
    unsigned endpoint, badged, reply;
} scene;

static int scene_setup(void **state)
{
    world_boot(state);
    scene.worker = make_actor(255, false);
    scene.handler = make_actor(255, false);
    scene.endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    scene.badged = minted(scene.endpoint, BADGE);
    scene.reply = make(LIMEN_TYPE_REPLY, 0);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, LIMEN_INIT_TABLE,
           scene.badged);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_RESUME);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static uint64_t with_reply(void)
{
    return scene.endpoint | (uint64_t)scene.reply << 32;
}

static void fill(struct thread *thread)
{
    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++)
        limen_regs_words(regs_of(thread))[i] = 0x1000 + i;
}

/* The worker raises an exception; its registers at that moment. */
static struct limen_regs fault(void)
{
    become(scene.worker.thread);
    struct limen_regs *regs = regs_of(scene.worker.thread);
    fill(scene.worker.thread);
    regs->origin = VECTOR;
    regs->error = 0x55;
    struct limen_regs before = *regs;
    const struct limen_regs *out = kernel_exception(regs, 0xc2, 0xd6);
    assert_ptr_equal(out, regs_of(current()));
    assert_ptr_not_equal(current(), scene.worker.thread);
    check_all();
    return before;
}

static void handler_waits(uint64_t target)
{
    become(scene.handler.thread);
    enter(LIMEN_SYS_WAIT, target, 0);
}

static void handler_answers(uint64_t tag)
{
    become(scene.handler.thread);
    enter(LIMEN_SYS_SEND, scene.reply, tag);
    assert_int_equal(regs_of(scene.handler.thread)->rax, LIMEN_OK);
}

static void assert_message(const struct limen_regs *frame, unsigned words)
{
    const struct thread *handler = scene.handler.thread;
    uint64_t expected[LIMEN_FAULT_WORDS] = {VECTOR, 0x55, 0xc2, 0xd6};
    memcpy(expected + LIMEN_FAULT_DETAIL_WORDS, frame, sizeof(*frame));

    assert_int_equal(regs_of(handler)->rax, LIMEN_OK);
    assert_int_equal(regs_of(handler)->rdi, BADGE);
    assert_int_equal(regs_of(handler)->rsi, limen_tag(LIMEN_FAULT_EXCEPTION, words, 0));
    for (unsigned i = 0; i < words; i++)
        assert_int_equal(i < 8 ? regs_of(handler)->words[i] : handler->page->words[i], expected[i]);
}

static void test_fault_is_a_message(void **state)
{
    (void)state;
    for (unsigned first = 0; first < 2; first++) {
        if (first)
            handler_waits(with_reply());
        struct limen_regs frame = fault();
        if (!first)
            handler_waits(with_reply());
        assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_WAITING_REPLY);
        assert_message(&frame, LIMEN_FAULT_WORDS);
        assert_memory_equal(regs_of(scene.worker.thread), &frame, sizeof(frame));
        handler_answers(limen_tag(LIMEN_FAULT_RESUME, 0, 0));
        assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_READY);
        assert_memory_equal(regs_of(scene.worker.thread), &frame, sizeof(frame));
    }
    assert_int_equal(host.oopses, 0);
}

static void test_handler_without_a_page_gets_eight_words(void **state)
{
    (void)state;
    become(world.init);
    EXPECT(OK, scene.handler.slot, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    handler_waits(with_reply());
    struct limen_regs frame = fault();
    assert_message(&frame, 8);
}

static void test_answer_with_registers(void **state)
{
    uint64_t words[LIMEN_FAULT_WORDS];
    (void)state;
    handler_waits(with_reply());
    fault();
    for (unsigned i = 0; i < LIMEN_FAULT_WORDS; i++)
        words[i] = 0x7000 + i;
    set_words(scene.handler.thread, LIMEN_FAULT_WORDS, words);
    handler_answers(limen_tag(LIMEN_FAULT_SET_REGS, LIMEN_FAULT_WORDS, 0));
    const struct limen_regs *regs = regs_of(scene.worker.thread);
    const uint64_t *given = words + LIMEN_FAULT_DETAIL_WORDS;
    assert_int_equal(regs->rdx, given[0]);
    assert_int_equal(regs->r8, given[2]);
    assert_int_equal(regs->r9, given[3]);
    assert_int_equal(regs->r12, given[4]);
    assert_int_equal(regs->rip, given[REGS_RIP / 8]);
    assert_int_equal(regs->rsp, given[REGS_RSP / 8]);
    assert_int_equal(regs->r11, given[REGS_R11 / 8]);
    assert_int_equal(regs->error, 0); /* not SYSCALL's frame, so not by SYSRET */
    assert_int_equal(regs->cs, 0x2b);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_READY);
}

static void test_other_answers_leave_it_stopped(void **state)
{
    const uint64_t tags[] = {limen_tag(2, 0, 0), limen_tag(LIMEN_FAULT_SET_REGS, 25, 0),
                             limen_tag(LIMEN_FAULT_EXCEPTION, 0, 0)};
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        handler_waits(with_reply());
        struct limen_regs frame = fault();
        handler_answers(tags[i]);
        assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
        assert_memory_equal(regs_of(scene.worker.thread), &frame, sizeof(frame));
        become(world.init);
        EXPECT(OK, scene.worker.slot, LIMEN_THREAD_RESUME);
    }
}

static void test_info_tells_of_the_last_fault(void **state)
{
    (void)state;
    struct limen_regs frame = fault();
    become(world.init);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_INFO, 0);
    assert_int_equal(result(0), LIMEN_THREAD_SENDING);
    assert_int_equal(result(4), LIMEN_FAULT_EXCEPTION);
    assert_int_equal(result(5), VECTOR);
    assert_int_equal(result(6), frame.rip);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_WAIT_INFO, 0);
    const uint64_t expected[8] = {
        LIMEN_THREAD_SENDING, 0, LIMEN_TYPE_ENDPOINT, LIMEN_WAIT_FAULTED, 0, 0, 0x55, 0xc2};
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(result(i), expected[i]);
}

/* -- nobody answers -- */

static void test_no_handler(void **state)
{
    (void)state;
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, LIMEN_INIT_TABLE, 0);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_RESUME);
    fault();
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
    assert_int_equal(host.oopses, 1);
    become(world.init);
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_RESUME);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_READY);
}

static void test_init_without_a_handler(void **state)
{
    (void)state;
    become(world.init);
    host.panic_expected = true;
    if (!setjmp(host.panic_jump)) {
        kernel_exception(regs_of(world.init), 0, 0);
        fail_msg("init faulted and the machine went on");
    }
    assert_non_null(strstr(host.panic_text, "init"));
}

static void test_handler_that_keeps_no_caller(void **state)
{
    (void)state;
    handler_waits(scene.endpoint);
    fault();
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
    assert_int_equal(scene.handler.thread->state, LIMEN_THREAD_RECEIVING);
}

static void test_fault_that_waited_for_such_a_handler(void **state)
{
    (void)state;
    fault();
    handler_waits(scene.endpoint);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
    assert_int_equal(scene.handler.thread->state, LIMEN_THREAD_RECEIVING);
}

static void assert_stopped_as_it_was(const struct limen_regs *frame)
{
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_STOPPED);
    assert_memory_equal(regs_of(scene.worker.thread), frame, sizeof(*frame));
}

static void test_endpoint_dies(void **state)
{
    (void)state;
    struct limen_regs frame = fault();
    become(world.init);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_REVOKE, scene.endpoint);
    assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_SENDING);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, scene.endpoint);
    assert_stopped_as_it_was(&frame);
}

static void test_reply_object_dies(void **state)
{
    (void)state;
    handler_waits(with_reply());
    struct limen_regs frame = fault();
    become(world.init);
    EXPECT(OK, LIMEN_INIT_TABLE, LIMEN_TABLE_DELETE, scene.reply);
    assert_stopped_as_it_was(&frame);
}

static void test_suspended_while_faulted(void **state)
{
    (void)state;
    for (unsigned waits = 0; waits < 2; waits++) {
        if (waits)
            handler_waits(with_reply());
        struct limen_regs frame = fault();
        become(world.init);
        EXPECT(OK, scene.worker.slot, LIMEN_THREAD_SUSPEND);
        assert_stopped_as_it_was(&frame);
        EXPECT(OK, scene.worker.slot, LIMEN_THREAD_RESUME);
    }
}

/* After a fault was answered, the thread's ordinary calls are ordinary messages again. */
static void test_calls_after_a_fault(void **state)
{
    (void)state;
    for (unsigned at_once = 0; at_once < 2; at_once++) {
        handler_waits(with_reply());
        fault();
        if (at_once) {
            enter(LIMEN_SYS_REPLY_WAIT, with_reply(), limen_tag(LIMEN_FAULT_RESUME, 0, 0));
            assert_ptr_equal(current(), scene.worker.thread);
        } else {
            handler_answers(limen_tag(LIMEN_FAULT_RESUME, 0, 0));
            handler_waits(with_reply());
            become(scene.worker.thread);
        }
        enter(LIMEN_SYS_CALL, scene.endpoint, limen_tag(3, 0, 0));
        assert_int_equal(regs_of(scene.handler.thread)->rsi, limen_tag(3, 0, 0));
        assert_int_equal(regs_of(scene.handler.thread)->rdi, 0);
        handler_answers(limen_tag(2, 0, 0));
        assert_int_equal(scene.worker.thread->state, LIMEN_THREAD_READY);
        assert_int_equal(regs_of(scene.worker.thread)->rsi, limen_tag(2, 0, 0));
    }
}

/* -- foreign system calls -- */

static void foreign(uint64_t number)
{
    become(scene.worker.thread);
    struct limen_regs *regs = regs_of(scene.worker.thread);
    fill(scene.worker.thread);
    regs->rax = number;
    regs->error = (uint64_t)REGS_BY_SYSCALL;
    regs->rcx = regs->rip;
    assert_ptr_equal(host_syscall(regs), regs_of(current()));
    check_all();
}

static void test_foreign_call_is_a_fault(void **state)
{
    const uint64_t numbers[] = {0,      1,          0x3ff,      0xfff,       0x1006,         0x1400,
                                0x1107, UINT64_MAX, 1ull << 32, 0x100001000, 0x1000ull << 32};
    (void)state;
    for (unsigned i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        handler_waits(with_reply());
        foreign(numbers[i]);
        assert_int_equal(regs_of(scene.handler.thread)->rsi,
                         limen_tag(LIMEN_FAULT_SYSCALL, LIMEN_FAULT_WORDS, 0));
        assert_int_equal(regs_of(scene.handler.thread)->words[0], numbers[i]);
        assert_int_equal(regs_of(scene.worker.thread)->rax, numbers[i]);
        handler_answers(limen_tag(LIMEN_FAULT_RESUME, 0, 0));
    }
}

static void test_foreign_call_is_reflected(void **state)
{
    (void)state;
    EXPECT(OK, scene.worker.slot, LIMEN_THREAD_SET_REFLECTION, 0x401000, 0x7000f000);
    foreign(39);
    assert_ptr_equal(current(), scene.worker.thread);
    struct limen_regs *regs = regs_of(scene.worker.thread), expected;
    fill(scene.handler.thread);
    expected = *regs_of(scene.handler.thread);
    expected.rcx = expected.rip;
    expected.r11 = expected.rsp;
    expected.rsp = 0x7000f000;
    expected.rip = 0x401000;
    expected.rax = 39;
    expected.error = 0; /* RCX is not RIP: by IRET */
    assert_memory_equal(regs, &expected, sizeof(expected));
}

static void test_null_call(void **state)
{
    (void)state;
    become(scene.worker.thread);
    fill(scene.worker.thread);
    struct limen_regs before = *regs_of(scene.worker.thread);
    enter(LIMEN_SYS_NULL, 1, 2);
    before.rax = LIMEN_OK;
    before.rdi = 1;
    before.rsi = 2;
    before.origin = LIMEN_SYS_NULL;
    before.error = (uint64_t)REGS_BY_SYSCALL;
    assert_memory_equal(regs_of(scene.worker.thread), &before, sizeof(before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_fault_is_a_message),
        SCENE_TEST(test_handler_without_a_page_gets_eight_words),
        SCENE_TEST(test_answer_with_registers),
        SCENE_TEST(test_other_answers_leave_it_stopped),
        SCENE_TEST(test_info_tells_of_the_last_fault),
        SCENE_TEST(test_no_handler),
        SCENE_TEST(test_init_without_a_handler),
        SCENE_TEST(test_handler_that_keeps_no_caller),
        SCENE_TEST(test_fault_that_waited_for_such_a_handler),
        SCENE_TEST(test_endpoint_dies),
        SCENE_TEST(test_reply_object_dies),
        SCENE_TEST(test_suspended_while_faulted),
        SCENE_TEST(test_calls_after_a_fault),
        SCENE_TEST(test_foreign_call_is_a_fault),
        SCENE_TEST(test_foreign_call_is_reflected),
        SCENE_TEST(test_null_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
