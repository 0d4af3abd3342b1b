/* SPDX-License-Identifier: MIT */
/* The operations on threads, each with what it refuses. */
#include "world.h"

#define INIT LIMEN_INIT_TABLE

static struct {
    unsigned thread; /* stopped and not configured */
    unsigned weak;   /* a capability to it without any right */
    struct thread *object;
} scene;

static int scene_setup(void **state)
{
    world_boot(state);
    scene.thread = make(LIMEN_TYPE_THREAD, 0);
    scene.weak = copy_of(scene.thread, 0);
    scene.object = object_at(scene.thread);
    return 0;
}

#define SCENE_TEST(test) cmocka_unit_test_setup(test, scene_setup)

static uint64_t state_of(unsigned thread)
{
    EXPECT(OK, thread, LIMEN_THREAD_INFO, 0);
    return result(0);
}

static void test_new_thread(void **state)
{
    (void)state;
    EXPECT(OK, scene.thread, LIMEN_THREAD_INFO, 0);
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(result(i), 0);
    EXPECT(OK, scene.thread, LIMEN_THREAD_GET_REGS, 0);
    assert_int_equal(limen_tag_words(regs_of(world.init)->rsi), LIMEN_REGS_WORDS);
    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++) {
        uint64_t word = i < 8 ? result(i) : world.init->page->words[i];
        bool constant = i == REGS_CS / 8 || i == REGS_SS / 8 || i == REGS_RFLAGS / 8;
        assert_int_equal(word == 0, !constant);
    }
}

static void test_every_operation_needs_its_right(void **state)
{
    (void)state;
    unsigned read = copy_of(scene.thread, LIMEN_RIGHT_READ);
    unsigned write = copy_of(scene.thread, LIMEN_RIGHT_WRITE);
    for (uint32_t label = LIMEN_THREAD_CONFIGURE; label <= LIMEN_THREAD_LAUNCH; label++) {
        bool reads = label == LIMEN_THREAD_GET_REGS || label == LIMEN_THREAD_INFO ||
                     label == LIMEN_THREAD_WAIT_INFO;
        EXPECT(NO_RIGHT, scene.weak, label, 0);
        EXPECT(NO_RIGHT, reads ? write : read, label, 0);
    }
    EXPECT(BAD_OPERATION, write, 0, 0);
    EXPECT(BAD_OPERATION, write, LIMEN_THREAD_LAUNCH + 1, 0);
}

static void test_configure(void **state)
{
    (void)state;
    unsigned table = make(LIMEN_TYPE_TABLE, 5), space = make(LIMEN_TYPE_SPACE, 14);
    unsigned endpoint = make(LIMEN_TYPE_ENDPOINT, 0);
    unsigned weak[] = {copy_of(space, 1), copy_of(table, 1), copy_of(endpoint, 1)};
    uint32_t configure = LIMEN_THREAD_CONFIGURE;

    EXPECT(BAD_CAPABILITY, scene.thread, configure, 0, table, 0);
    EXPECT(BAD_CAPABILITY, scene.thread, configure, space, 0, 0);
    EXPECT(BAD_CAPABILITY, scene.thread, configure, space, table, fresh());
    EXPECT(WRONG_TYPE, scene.thread, configure, table, table, 0);
    EXPECT(WRONG_TYPE, scene.thread, configure, space, space, 0);
    EXPECT(WRONG_TYPE, scene.thread, configure, space, table, table);
    EXPECT(NO_RIGHT, scene.thread, configure, weak[0], table, 0);
    EXPECT(NO_RIGHT, scene.thread, configure, space, weak[1], 0);
    EXPECT(NO_RIGHT, scene.thread, configure, space, table, weak[2]);
    EXPECT(NOT_CONFIGURED, scene.thread, LIMEN_THREAD_RESUME);

    EXPECT(OK, scene.thread, configure, space, table, endpoint);
    assert_int_equal(scene.object->slots, 32);
    EXPECT(OK, scene.thread, configure, LIMEN_INIT_SPACE, INIT, 0);
    assert_int_equal(scene.object->slots, 1u << LIMEN_INIT_TABLE_ORDER);
    assert_true(slot_is_empty(&scene.object->fault_slot));
    EXPECT(OK, scene.thread, LIMEN_THREAD_RESUME);
    EXPECT(BUSY, scene.thread, configure, space, table, 0);
    EXPECT(BUSY, LIMEN_INIT_THREAD, configure, space, table, 0);
}

static void test_thread_keeps_what_it_holds_alive(void **state)
{
    (void)state;
    unsigned table = make(LIMEN_TYPE_TABLE, 5), space = make(LIMEN_TYPE_SPACE, 14);
    EXPECT(OK, scene.thread, LIMEN_THREAD_CONFIGURE, space, table, 0);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, table);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, space);
    EXPECT(OK, scene.thread, LIMEN_THREAD_RESUME);
    become(scene.object);
    become(world.init);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, scene.thread);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, scene.weak);
}

static void test_resume_and_suspend(void **state)
{
    (void)state;
    EXPECT(OK, scene.thread, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, INIT, 0);
    EXPECT(OK, scene.thread, LIMEN_THREAD_RESUME);
    EXPECT(BUSY, scene.thread, LIMEN_THREAD_RESUME);
    EXPECT(BUSY, LIMEN_INIT_THREAD, LIMEN_THREAD_RESUME);
    assert_int_equal(state_of(scene.thread), LIMEN_THREAD_READY);
    EXPECT(OK, scene.thread, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, scene.thread, LIMEN_THREAD_SUSPEND);
    assert_int_equal(state_of(scene.thread), LIMEN_THREAD_STOPPED);
}

static void test_init_must_not_be_lost(void **state)
{
    const struct {
        uint32_t operation;
        unsigned slot;
        const char *lost;
    } losses[] = {
        {LIMEN_TABLE_DELETE, LIMEN_INIT_THREAD, "lost its thread"},
        {LIMEN_TABLE_REVOKE, LIMEN_INIT_SPACE, "lost its address space"},
        {LIMEN_TABLE_REVOKE, LIMEN_INIT_TABLE, "lost its capability table"},
    };

    for (unsigned i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        scene_setup(state);
        host.panic_expected = true;
        if (!setjmp(host.panic_jump)) {
            (void)OP(INIT, losses[i].operation, losses[i].slot);
            fail_msg("init was lost and the machine went on");
        }
        assert_non_null(strstr(host.panic_text, losses[i].lost));
    }
}

static void test_suspending_oneself(void **state)
{
    (void)state;
    struct actor actor = make_actor(255, false);
    become(actor.thread);
    regs_of(actor.thread)->words[0] = 77;
    enter(LIMEN_SYS_CALL, actor.slot, limen_tag(LIMEN_THREAD_SUSPEND, 0, 0));
    assert_ptr_equal(current(), world.init);
    assert_int_equal(state_of(actor.slot), LIMEN_THREAD_STOPPED);
    EXPECT(OK, actor.slot, LIMEN_THREAD_RESUME);
    assert_int_equal(regs_of(actor.thread)->rax, LIMEN_OK);
    assert_int_equal(regs_of(actor.thread)->words[0], 77);
}

static void test_priority(void **state)
{
    (void)state;
    EXPECT(OUT_OF_RANGE, scene.thread, LIMEN_THREAD_SET_PRIORITY, 256);
    EXPECT(OUT_OF_RANGE, scene.thread, LIMEN_THREAD_SET_PRIORITY, UINT64_MAX);
    EXPECT(OK, scene.thread, LIMEN_THREAD_SET_PRIORITY, 255);
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_SET_PRIORITY, 100);
    EXPECT(NO_RIGHT, scene.thread, LIMEN_THREAD_SET_PRIORITY, 101);
    EXPECT(NO_RIGHT, LIMEN_INIT_THREAD, LIMEN_THREAD_SET_PRIORITY, 101);
    assert_int_equal(scene.object->priority, 255);
}

/* -- registers -- */

static enum limen_error set_regs(unsigned thread, unsigned words, uint64_t first)
{
    uint64_t given[LIMEN_WORDS_MAX];
    for (unsigned i = 0; i < LIMEN_WORDS_MAX; i++)
        given[i] = first + i;
    if (world.init->page)
        set_words(world.init, LIMEN_WORDS_MAX, given);
    return operate(thread, LIMEN_THREAD_SET_REGS, words, given);
}

static void test_set_regs(void **state)
{
    (void)state;
    assert_int_equal(set_regs(scene.thread, LIMEN_REGS_WORDS, 0x100), LIMEN_OK);
    EXPECT(OK, scene.thread, LIMEN_THREAD_GET_REGS, 0);
    for (unsigned i = 0; i < LIMEN_REGS_WORDS; i++) {
        uint64_t word = i < 8 ? result(i) : world.init->page->words[i];
        if (i == REGS_CS / 8)
            assert_int_equal(word, 0x2b);
        else if (i == REGS_SS / 8)
            assert_int_equal(word, 0x23);
        else if (i == REGS_ERROR / 8)
            assert_int_equal(word, 0);
        else if (i != REGS_RFLAGS / 8)
            assert_int_equal(word, 0x100 + i);
    }
}

static void test_set_regs_refuses(void **state)
{
    (void)state;
    struct actor actor = make_actor(10, false);
    assert_int_equal(set_regs(scene.thread, 21, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(set_regs(scene.thread, 65, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(set_regs(scene.thread, 127, 0), LIMEN_BAD_ARGUMENT);
    assert_int_equal(set_regs(actor.slot, 22, 0), LIMEN_BUSY);
    assert_int_equal(set_regs(LIMEN_INIT_THREAD, 22, 0), LIMEN_BUSY);
    EXPECT(BUSY, actor.slot, LIMEN_THREAD_GET_REGS, 0);
    EXPECT(BUSY, LIMEN_INIT_THREAD, LIMEN_THREAD_GET_REGS, 0);
    EXPECT(OK, LIMEN_INIT_THREAD, LIMEN_THREAD_SET_MESSAGE_PAGE, 0);
    assert_int_equal(set_regs(scene.thread, 22, 0), LIMEN_NO_MESSAGE_PAGE);
    EXPECT(NO_MESSAGE_PAGE, scene.thread, LIMEN_THREAD_GET_REGS, 0);
}

static void test_registers_of_a_waiting_thread(void **state)
{
    (void)state;
    struct actor actor = make_actor(255, false);
    become(actor.thread);
    enter(LIMEN_SYS_WAIT, make(LIMEN_TYPE_NOTIFICATION, 0), 0);
    assert_int_equal(set_regs(actor.slot, 22, 0x500), LIMEN_OK);
    EXPECT(OK, actor.slot, LIMEN_THREAD_GET_REGS, 0);
    assert_int_equal(result(3), 0x503);
    assert_int_equal(state_of(actor.slot), LIMEN_THREAD_WAITING);
}

/* A thread stopped in the middle of a long operation still has the kernel's frames. */
static void test_registers_of_a_thread_stopped_in_the_kernel(void **state)
{
    struct limen_regs in_the_kernel;
    (void)state;
    struct actor actor = make_actor(255, false);
    thread_set_resume(actor.thread, &in_the_kernel);
    EXPECT(OK, actor.slot, LIMEN_THREAD_SUSPEND);
    assert_int_equal(set_regs(actor.slot, 22, 0), LIMEN_BUSY);
    EXPECT(BUSY, actor.slot, LIMEN_THREAD_GET_REGS, 0);
    EXPECT(BUSY, actor.slot, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, INIT, 0);
}

static void test_launch_of_a_thread_like_the_caller(void **state)
{
    (void)state;
    const struct thread *thread = scene.object;
    struct actor caller = make_actor(255, false);
    unsigned endpoint = minted(make(LIMEN_TYPE_ENDPOINT, 0), 77);
    EXPECT(OK, caller.slot, LIMEN_THREAD_SUSPEND);
    EXPECT(OK, caller.slot, LIMEN_THREAD_CONFIGURE, LIMEN_INIT_SPACE, INIT, endpoint);
    EXPECT(OK, caller.slot, LIMEN_THREAD_RESUME);
    become(caller.thread);
    EXPECT(OK, scene.thread, LIMEN_THREAD_LAUNCH, 0x401000, 0x7000f000, 5, 0x1000, 0, 3, 'x');
    assert_int_equal(thread->state, LIMEN_THREAD_READY);
    assert_int_equal(thread->priority, 3);
    assert_int_equal(thread->name[0], 'x');
    assert_int_equal(thread->arch.fs_base, 0x1000);
    assert_int_equal(thread->arch.regs->rip, 0x401000);
    assert_int_equal(thread->arch.regs->rsp, 0x7000f000);
    assert_int_equal(thread->arch.regs->rdi, 5);
    assert_ptr_equal(thread->space_slot.object, caller.thread->space_slot.object);
    assert_ptr_equal(thread->table, caller.thread->table);
    assert_int_equal(thread->slots, caller.thread->slots);
    assert_ptr_equal(thread->payer, caller.thread->payer);
    assert_int_equal(thread->fault_slot.badge, 77);
    EXPECT(BUSY, scene.thread, LIMEN_THREAD_LAUNCH, 0);

    /* What it has comes from where the caller's comes from, and not from the caller. */
    become(world.init);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, caller.slot);
    assert_false(slot_is_empty(&thread->fault_slot));
    assert_int_equal(thread->state, LIMEN_THREAD_READY);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, endpoint);
    assert_true(slot_is_empty(&thread->fault_slot));
}

/* -- what it holds -- */

static void test_message_page(void **state)
{
    const uint32_t set = LIMEN_THREAD_SET_MESSAGE_PAGE;
    (void)state;
    unsigned page = make(LIMEN_TYPE_FRAME, 12), large = make(LIMEN_TYPE_FRAME, 21);
    unsigned device = make_from(world.device, LIMEN_TYPE_FRAME, 12);
    EXPECT(BAD_CAPABILITY, scene.thread, set, fresh());
    EXPECT(WRONG_TYPE, scene.thread, set, scene.thread);
    EXPECT(NO_RIGHT, scene.thread, set, copy_of(page, LIMEN_RIGHT_READ));
    EXPECT(NO_RIGHT, scene.thread, set, copy_of(page, LIMEN_RIGHT_WRITE));
    EXPECT(BAD_ARGUMENT, scene.thread, set, large);
    EXPECT(BAD_ARGUMENT, scene.thread, set, device);
    assert_null(scene.object->page);
    EXPECT(OK, scene.thread, set, page);
    assert_ptr_equal(scene.object->page, object_at(page));
    EXPECT(OK, scene.thread, set, page);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, page);
    assert_null(scene.object->page);
    EXPECT(OK, scene.thread, set, page);
    EXPECT(OK, scene.thread, set, 0);
    assert_null(scene.object->page);
}

/* Deleting the capability that was given does not take the page: the thread has its own. */
static void test_message_page_outlives_its_giver(void **state)
{
    (void)state;
    unsigned page = make(LIMEN_TYPE_FRAME, 12);
    const void *memory = object_at(page);
    EXPECT(OK, scene.thread, LIMEN_THREAD_SET_MESSAGE_PAGE, page);
    EXPECT(OK, INIT, LIMEN_TABLE_DELETE, page);
    assert_ptr_equal(scene.object->page, memory);
    EXPECT(OK, INIT, LIMEN_TABLE_REVOKE, world.untyped);
}

static void test_bind_refuses(void **state)
{
    (void)state;
    unsigned bits = make(LIMEN_TYPE_NOTIFICATION, 0);
    EXPECT(BAD_CAPABILITY, scene.thread, LIMEN_THREAD_BIND, fresh());
    EXPECT(WRONG_TYPE, scene.thread, LIMEN_THREAD_BIND, scene.thread);
    EXPECT(NO_RIGHT, scene.thread, LIMEN_THREAD_BIND, copy_of(bits, LIMEN_RIGHT_WRITE));
    EXPECT(OK, scene.thread, LIMEN_THREAD_BIND, 0);
    EXPECT(OK, scene.thread, LIMEN_THREAD_BIND, copy_of(bits, LIMEN_RIGHT_READ));
}

/* -- plain values -- */

static void test_bases(void **state)
{
    const uint32_t set = LIMEN_THREAD_SET_BASES;
    (void)state;
    EXPECT(OK, scene.thread, set, 0x1000, LIMEN_USER_END - 1);
    EXPECT(BAD_ARGUMENT, scene.thread, set, LIMEN_USER_END, 0);
    EXPECT(BAD_ARGUMENT, scene.thread, set, 0, UINT64_MAX);
    assert_int_equal(scene.object->arch.fs_base, 0x1000);
    assert_int_equal(scene.object->arch.gs_base, LIMEN_USER_END - 1);
}

static void test_reflection(void **state)
{
    const uint32_t set = LIMEN_THREAD_SET_REFLECTION;
    (void)state;
    EXPECT(OUT_OF_RANGE, scene.thread, set, LIMEN_USER_END, 0);
    EXPECT(OUT_OF_RANGE, scene.thread, set, 0x1000, LIMEN_USER_END);
    EXPECT(OUT_OF_RANGE, scene.thread, set, UINT64_MAX, 0);
    assert_int_equal(scene.object->reflection.entry, 0);
    EXPECT(OK, scene.thread, set, 0x1000, 0x2000);
    EXPECT(OK, scene.thread, set, 0, 0);
    assert_int_equal(scene.object->reflection.entry, 0);
}

static void test_name(void **state)
{
    uint64_t name[2];
    (void)state;
    memcpy(name, "a name of sixtee", sizeof(name));
    EXPECT(OK, scene.thread, LIMEN_THREAD_SET_NAME, name[0], name[1]);
    EXPECT(OK, scene.thread, LIMEN_THREAD_INFO, 0);
    assert_int_equal(result(2), name[0]);
    assert_int_equal(result(3), name[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(test_new_thread),
        SCENE_TEST(test_every_operation_needs_its_right),
        SCENE_TEST(test_configure),
        SCENE_TEST(test_thread_keeps_what_it_holds_alive),
        SCENE_TEST(test_resume_and_suspend),
        SCENE_TEST(test_init_must_not_be_lost),
        SCENE_TEST(test_suspending_oneself),
        SCENE_TEST(test_priority),
        SCENE_TEST(test_set_regs),
        SCENE_TEST(test_set_regs_refuses),
        SCENE_TEST(test_registers_of_a_waiting_thread),
        SCENE_TEST(test_registers_of_a_thread_stopped_in_the_kernel),
        SCENE_TEST(test_launch_of_a_thread_like_the_caller),
        SCENE_TEST(test_message_page),
        SCENE_TEST(test_message_page_outlives_its_giver),
        SCENE_TEST(test_bind_refuses),
        SCENE_TEST(test_bases),
        SCENE_TEST(test_reflection),
        SCENE_TEST(test_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
