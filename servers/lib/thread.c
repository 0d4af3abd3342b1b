/* SPDX-License-Identifier: MIT */
/* Starting and ending threads of this server. */
#include <runtime/environment.h>
#include <runtime/memory.h>
#include <runtime/objects.h>
#include <runtime/panic.h>
#include <runtime/thread.h>
#include <stdio.h>

struct limen_thread_block *limen_thread_block_init(struct limen_message_page *page)
{
    struct limen_thread_block *block =
        (struct limen_thread_block *)((uintptr_t)page + LIMEN_THREAD_BLOCK_OFFSET);

    block->self = block;
    block->message = page;
    return block;
}

/* -- how a thread learns that one it joins has ended: by a notification of its own, which is made
 * when it first joins -- */

/* The notification, and the capability that signals it. */
#define JOINS_SLOTS 2u
_Static_assert(LIMEN_NOTIFICATION_ORDER >= LIMEN_UNTYPED_ORDER_MIN, "memory of its own");

static enum limen_error make_joins(struct limen_thread_block *self)
{
    uint32_t first = limen_slots_take(JOINS_SLOTS);
    enum limen_error error =
        first == 0 ? LIMEN_LIMIT
                   : limen_untyped_take(LIMEN_NOTIFICATION_ORDER, &self->joins_memory);

    if (error == LIMEN_OK)
        error = limen_retype(self->joins_memory, LIMEN_TYPE_NOTIFICATION, 0, first, 1);
    if (error == LIMEN_OK)
        error = limen_mint(LIMEN_SLOT_TABLE, first + 1, 0, first, LIMEN_RIGHTS_ALL, 1);
    self->joins = first + 1;
    return error;
}

static void drop_joins(struct limen_thread_block *self)
{
    if (self->joins == 0)
        return;
    limen_revoke(LIMEN_SLOT_TABLE, self->joins_memory);
    limen_untyped_give(self->joins_memory, LIMEN_NOTIFICATION_ORDER);
    limen_slots_give(self->joins + 1 - JOINS_SLOTS, JOINS_SLOTS);
    self->joins = 0;
}

/* -- a thread's life -- */

/* Whoever joins it either sees `ended`, and can destroy it from then on, or is seen here. */
static _Noreturn void thread_main(struct limen_thread *thread)
{
    thread->entry(thread->argument);
    limen_flush();
    drop_joins(limen_thread_block());
    __atomic_store_n(&thread->ended, true, __ATOMIC_SEQ_CST);
    uint32_t joined_by = __atomic_load_n(&thread->joined_by, __ATOMIC_SEQ_CST);
    if (joined_by != 0)
        limen_signal(joined_by);
    for (;;)
        limen_thread_suspend(thread->thread);
}

/* The smallest power of two that holds the thread object and its pages. */
static unsigned order_for(size_t pages)
{
    uint64_t size = (1ull << LIMEN_THREAD_ORDER) + pages * LIMEN_PAGE_SIZE;
    unsigned order = LIMEN_THREAD_ORDER;

    while (1ull << order < size)
        order++;
    return order;
}

/* Makes the objects, maps the pages and lets the thread begin; what is already made when it fails,
 * the caller revokes. */
static enum limen_error begin(struct limen_thread *thread, const char *name, unsigned priority)
{
    uint32_t frames = thread->thread + 1, message_page = thread->thread + thread->count - 1;
    uint64_t page = thread->addresses + (thread->pages - 1) * LIMEN_PAGE_SIZE;
    enum limen_error error = limen_retype(thread->untyped, LIMEN_TYPE_THREAD, 0, thread->thread, 1);

    if (error == LIMEN_OK)
        error = limen_retype(thread->untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames,
                             thread->count - 1);
    if (error == LIMEN_OK)
        error = limen_map_frames(LIMEN_SLOT_SPACE, frames, thread->count - 1,
                                 thread->addresses + LIMEN_PAGE_SIZE,
                                 LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    if (error != LIMEN_OK)
        return error;
    const struct limen_thread_block *block =
        limen_thread_block_init((struct limen_message_page *)page);
    const struct limen_launch launch = {
        .rip = (uint64_t)thread_main,
        .rsp = page - sizeof(uint64_t), /* as a CALL leaves it: 16n + 8 */
        .rdi = (uint64_t)thread,
        .fs_base = (uint64_t)block,
        .message_page = message_page,
        .priority = priority,
        .name = name,
    };
    return limen_thread_launch(thread->thread, &launch);
}

enum limen_error limen_thread_start(struct limen_thread *thread, const char *name,
                                    unsigned priority, void (*entry)(void *argument),
                                    void *argument, size_t stack_size)
{
    size_t stack_pages = (stack_size + LIMEN_PAGE_SIZE - 1) / LIMEN_PAGE_SIZE;
    enum limen_error error;

    *thread = (struct limen_thread){
        .entry = entry,
        .argument = argument,
        .order = order_for(stack_pages + 1),
        .count = 1 + (unsigned)stack_pages + 1, /* thread object, stack, message page */
        .pages = stack_pages + 2,               /* guard, stack, message page */
    };
    error = limen_untyped_take(thread->order, &thread->untyped);
    if (error != LIMEN_OK)
        return error;
    thread->thread = limen_slots_take(thread->count);
    thread->addresses = limen_addresses_take(thread->pages);
    error =
        thread->thread == 0 || thread->addresses == 0 ? LIMEN_LIMIT : begin(thread, name, priority);
    if (error != LIMEN_OK)
        limen_thread_destroy(thread);
    return error;
}

static bool has_ended(const struct limen_thread *thread)
{
    return __atomic_load_n(&thread->ended, __ATOMIC_SEQ_CST);
}

static void wait_for_end(struct limen_thread *thread)
{
    struct limen_thread_block *self = limen_thread_block();
    uint64_t bits; /* perhaps of another, that was seen to have ended before it signalled */

    if (self->joins == 0)
        limen_must("making a notification to join threads by", make_joins(self));
    __atomic_store_n(&thread->joined_by, self->joins, __ATOMIC_SEQ_CST);
    while (!has_ended(thread))
        limen_wait_notification(self->joins, LIMEN_FOREVER, &bits);
}

void limen_thread_join(struct limen_thread *thread)
{
    /* One of the same priority may end in the turn that it is given here. */
    if (!has_ended(thread))
        limen_yield();
    if (!has_ended(thread))
        wait_for_end(thread);
    limen_thread_destroy(thread);
}

void limen_thread_destroy(struct limen_thread *thread)
{
    limen_revoke(LIMEN_SLOT_TABLE, thread->untyped);
    limen_untyped_give(thread->untyped, thread->order);
    if (thread->thread != 0)
        limen_slots_give(thread->thread, thread->count);
    if (thread->addresses != 0)
        limen_addresses_give(thread->addresses, thread->pages);
}
