/* SPDX-License-Identifier: MIT */
/* Starting and ending threads of this server. */
#include <runtime/environment.h>
#include <runtime/memory.h>
#include <runtime/objects.h>
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

static _Noreturn void thread_main(struct limen_thread *thread)
{
    thread->entry(thread->argument);
    limen_flush();
    limen_signal(thread->finish);
    for (;;)
        limen_thread_suspend(thread->thread);
}

/* The smallest power of two that holds the thread object, its pages and its notification. */
static unsigned order_for(size_t pages)
{
    uint64_t size =
        (1ull << LIMEN_THREAD_ORDER) + pages * LIMEN_PAGE_SIZE + (1ull << LIMEN_NOTIFICATION_ORDER);
    unsigned order = LIMEN_THREAD_ORDER;

    while (1ull << order < size)
        order++;
    return order;
}

/* Slots before those of frames: thread, notification, the capability that signals it. */
#define PARTS 3u

/* Makes the objects and maps the pages; what is already made when it fails, the caller revokes. */
static enum limen_error make_parts(struct limen_thread *thread)
{
    uint32_t frames = thread->first + PARTS;
    unsigned frame_count = thread->count - PARTS;
    enum limen_error error;

    thread->thread = thread->first;
    thread->done = thread->first + 1;
    thread->finish = thread->first + 2;
    error = limen_retype(thread->untyped, LIMEN_TYPE_THREAD, 0, thread->thread, 1);
    if (error == LIMEN_OK)
        error =
            limen_retype(thread->untyped, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, frames, frame_count);
    if (error == LIMEN_OK)
        error = limen_retype(thread->untyped, LIMEN_TYPE_NOTIFICATION, 0, thread->done, 1);
    if (error == LIMEN_OK)
        error = limen_mint(LIMEN_SLOT_TABLE, thread->finish, 0, thread->done, LIMEN_RIGHT_WRITE, 1);
    if (error == LIMEN_OK)
        error = limen_map_frames(LIMEN_SLOT_SPACE, frames, frame_count,
                                 thread->addresses + LIMEN_PAGE_SIZE,
                                 LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
    if (error == LIMEN_OK)
        error = limen_thread_set_message_page(thread->thread, frames + frame_count - 1);
    return error;
}

static enum limen_error start(struct limen_thread *thread, const char *name, unsigned priority)
{
    uint64_t page = thread->addresses + (thread->pages - 1) * LIMEN_PAGE_SIZE;
    struct limen_thread_block *block = limen_thread_block_init((struct limen_message_page *)page);
    struct limen_regs regs = {
        .rip = (uint64_t)thread_main,
        .rdi = (uint64_t)thread,
        .rsp = page - sizeof(uint64_t), /* as a CALL leaves it: 16n + 8 */
    };
    enum limen_error error;

    error = limen_thread_configure(thread->thread, LIMEN_SLOT_SPACE, LIMEN_SLOT_TABLE,
                                   LIMEN_SLOT_SUPERVISOR);
    if (error == LIMEN_OK)
        error = limen_thread_set_bases(thread->thread, (uint64_t)block, 0);
    if (error == LIMEN_OK)
        error = limen_thread_set_name(thread->thread, name);
    if (error == LIMEN_OK)
        error = limen_thread_set_priority(thread->thread, priority);
    if (error == LIMEN_OK)
        error = limen_thread_set_regs(thread->thread, &regs);
    if (error == LIMEN_OK)
        error = limen_thread_resume(thread->thread);
    return error;
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
        .count = PARTS + (unsigned)stack_pages + 1, /* parts, stack, message page */
        .pages = stack_pages + 2,                   /* guard, stack, message page */
    };
    error = limen_untyped_take(thread->order, &thread->untyped);
    if (error != LIMEN_OK)
        return error;
    thread->first = limen_slots_take(thread->count);
    thread->addresses = limen_addresses_take(thread->pages);
    error = thread->first == 0 || thread->addresses == 0 ? LIMEN_LIMIT : make_parts(thread);
    if (error == LIMEN_OK)
        error = start(thread, name, priority);
    if (error != LIMEN_OK)
        limen_thread_destroy(thread);
    return error;
}

void limen_thread_join(struct limen_thread *thread)
{
    uint64_t bits;

    limen_wait_notification(thread->done, LIMEN_FOREVER, &bits);
    limen_thread_destroy(thread);
}

void limen_thread_destroy(struct limen_thread *thread)
{
    limen_revoke(LIMEN_SLOT_TABLE, thread->untyped);
    limen_untyped_give(thread->untyped, thread->order);
    if (thread->first != 0)
        limen_slots_give(thread->first, thread->count);
    if (thread->addresses != 0)
        limen_addresses_give(thread->addresses, thread->pages);
}
