/* SPDX-License-Identifier: MIT */
/* Threads, the queues they are in, and what they hold. */
#include "context.h"
#include "deadline.h"
#include "ipc.h"
#include "irq.h"
#include "notification.h"
#include "table.h"
#include "visit.h"

static unsigned list_count(const struct list *head, const struct list *item, bool *has)
{
    unsigned count = 0;
    *has = false;
    for (const struct list *at = head->next; at != head; at = at->next) {
        assert_ptr_equal(at->next->prev, at);
        assert_ptr_equal(at->prev->next, at);
        *has = *has || at == item;
        assert_true(++count < VISIT_OBJECTS);
    }
    return count;
}

static bool is_in(const struct list *head, const struct list *item)
{
    bool has;
    list_count(head, item, &has);
    return has;
}

/* -- what a thread holds -- */

static void check_held(const struct thread *thread)
{
    const struct slot *table = &thread->table_slot;
    assert_ptr_equal(thread->table, slot_is_empty(table) ? NULL : table->object);
    assert_int_equal(thread->slots, slot_is_empty(table) ? 1 : table_slots(table));
    assert_ptr_equal(thread->page, thread->page_slot.object);
    assert_ptr_equal(thread->bound, thread->notification_slot.object);
    if (thread->bound)
        assert_ptr_equal(thread->bound->bound, thread);
    assert_int_equal(!!(thread->arch.flags & THREAD_METERED),
                     !thread->payer || thread->payer != the_cpu()->root_context);
    assert_int_equal(!!(thread->arch.flags & THREAD_SIGNALLED),
                     thread->bound && thread->bound->bits);
    assert_true(ground_runs_in(thread, thread->space_slot.object));
}

/* -- who pays for a thread -- */

static void check_payer(const struct thread *thread)
{
    const struct context *payer = thread->payer;
    bool lent = payer && payer != own_context(thread);

    if (payer)
        assert_non_null(visit_object(payer));
    assert_true(thread->passive || payer == own_context(thread));
    assert_true(lent ? is_in(&payer->guests, &thread->guest) : list_is_empty(&thread->guest));
    if (thread->state == LIMEN_THREAD_PARKED && payer)
        assert_true(is_in(&payer->parked, &thread->queue));
}

/* The end of the budget stands where the current thread's payer has it, or earlier where a new
 * period began since. */
static void check_budget_end(void)
{
    const struct context *payer = the_cpu()->current->payer;
    bool limited = payer && payer->budget != LIMEN_CONTEXT_UNLIMITED;

    assert_int_equal(the_cpu()->budget_end != UINT64_MAX, limited);
    if (limited && payer->left > 0)
        assert_true(the_cpu()->budget_end <= the_cpu()->charged_at + (uint64_t)payer->left);
    else if (limited)
        assert_true(the_cpu()->budget_end <= arch_ticks());
    assert_true(the_cpu()->timer <= the_cpu()->budget_end);
    assert_true(ground_timer_is_set(the_cpu()->timer));
}

static void check_context(const struct context *context)
{
    bool has;
    unsigned parked = list_count(&context->parked, NULL, &has);

    assert_int_equal(parked, context->parked_count);
    assert_int_equal(parked != 0, deadline_is_set(&context->refill));
    for (struct list *at = context->parked.next; at != &context->parked; at = at->next) {
        assert_ptr_equal(thread_of_queue(at)->payer, context);
        assert_int_equal(thread_of_queue(at)->state, LIMEN_THREAD_PARKED);
    }
    list_count(&context->guests, NULL, &has);
    for (struct list *at = context->guests.next; at != &context->guests; at = at->next)
        assert_ptr_equal(container_of(at, struct thread, guest)->payer, context);
    if (context->budget != LIMEN_CONTEXT_UNLIMITED)
        assert_true(context->left <= (int64_t)context->budget);
}

/* -- where a thread waits -- */

static void check_wait(struct thread *thread)
{
    struct endpoint *endpoint = thread->waits_on;
    struct notification *notification = thread->waits_on;
    struct reply *reply = thread->waits_on;
    bool current_or_idle = thread == the_cpu()->current;

    assert_int_equal(current_or_idle && thread->state != LIMEN_THREAD_READY, false);
    switch (thread->state) {
    case LIMEN_THREAD_STOPPED:
        assert_null(thread->waits_on);
        break;
    case LIMEN_THREAD_READY:
        if (!current_or_idle && thread != the_cpu()->next)
            assert_true(is_in(&the_cpu()->queues[thread->priority], &thread->queue));
        break;
    case LIMEN_THREAD_SENDING:
        assert_int_equal(endpoint->state, ENDPOINT_SENDERS);
        assert_true(is_in(&endpoint->queue, &thread->queue));
        break;
    case LIMEN_THREAD_RECEIVING:
        if (endpoint->state == ENDPOINT_SERVER) {
            assert_ptr_equal(endpoint->server, thread);
            assert_non_null(thread->reply);
        } else {
            assert_int_equal(endpoint->state, ENDPOINT_RECEIVERS);
            assert_true(is_in(&endpoint->queue, &thread->queue));
        }
        break;
    case LIMEN_THREAD_WAITING:
        assert_true(is_in(&notification->waiters, &thread->queue));
        break;
    case LIMEN_THREAD_WAITING_REPLY:
        assert_ptr_equal(reply->caller, thread);
        break;
    case LIMEN_THREAD_PARKED:
        break;
    default:
        fail_msg("a thread in state %u", thread->state);
    }
    assert_int_equal(!!(thread->arch.flags & THREAD_IN_KERNEL), thread->resume != NULL);
    bool waits =
        thread->state >= LIMEN_THREAD_SENDING && thread->state <= LIMEN_THREAD_WAITING_REPLY;
    if (waits)
        assert_non_null(visit_object(thread->waits_on));
    if (waits && !(thread->arch.flags & ARCH_THREAD_IRET))
        assert_int_equal(thread->arch.regs->error, (uint64_t)REGS_BY_SYSCALL);
    if (thread->reply) {
        assert_int_equal(thread->state, LIMEN_THREAD_RECEIVING);
        assert_non_null(visit_object(thread->reply));
        assert_ptr_equal(thread->reply->receiver, thread);
    }
    assert_int_equal(!!(thread->arch.flags & THREAD_DEADLINE), deadline_is_set(&thread->deadline));
    if (deadline_is_set(&thread->deadline))
        assert_true(thread->waits_on != NULL);
}

static unsigned rank_of(const struct deadline *node)
{
    return node ? node->rank : 0;
}

static void check_node(const struct deadline *node)
{
    const struct deadline *children[] = {node->left, node->right};
    for (unsigned i = 0; i < 2; i++)
        if (children[i]) {
            assert_ptr_equal(children[i]->parent, node);
            assert_true(children[i]->tick >= node->tick);
        }
    assert_true(rank_of(node->left) >= rank_of(node->right));
    assert_int_equal(node->rank, rank_of(node->right) + 1);
}

/* The node after this one, of those that come from the root downwards and the left. */
static const struct deadline *next_node(const struct deadline *node)
{
    if (node->left || node->right)
        return node->left ? node->left : node->right;
    while (node->parent && (node->parent->right == node || !node->parent->right))
        node = node->parent;
    return node->parent ? node->parent->right : NULL;
}

static unsigned check_heap(void)
{
    unsigned count = 0;
    const struct deadline *root = the_cpu()->deadlines;
    assert_true(!root || !root->parent);
    for (const struct deadline *node = root; node; node = next_node(node)) {
        check_node(node);
        assert_true(++count <= VISIT_OBJECTS);
    }
    return count;
}

/* -- the objects waited at -- */

static void check_endpoint(const struct endpoint *endpoint)
{
    bool has;
    unsigned count = list_count(&endpoint->queue, NULL, &has);
    assert_int_equal(endpoint->state == ENDPOINT_SENDERS || endpoint->state == ENDPOINT_RECEIVERS,
                     count != 0);
    if (endpoint->state == ENDPOINT_SERVER) {
        assert_int_equal(endpoint->server->state, LIMEN_THREAD_RECEIVING);
        assert_ptr_equal(endpoint->server->waits_on, endpoint);
    }
    for (struct list *at = endpoint->queue.next; at != &endpoint->queue; at = at->next) {
        const struct thread *thread = thread_of_queue(at);
        assert_ptr_equal(thread->waits_on, endpoint);
        assert_int_equal(thread->state, endpoint->state == ENDPOINT_SENDERS
                                            ? LIMEN_THREAD_SENDING
                                            : LIMEN_THREAD_RECEIVING);
    }
}

static void check_notification(const struct notification *notification)
{
    for (struct list *at = notification->waiters.next; at != &notification->waiters;
         at = at->next) {
        assert_int_equal(thread_of_queue(at)->state, LIMEN_THREAD_WAITING);
        assert_int_equal(notification->bits, 0);
    }
    if (notification->bound)
        assert_ptr_equal(notification->bound->bound, notification);
}

static void check_reply(const struct reply *reply)
{
    assert_false(reply->caller && reply->receiver);
    if (reply->caller) {
        assert_int_equal(reply->caller->state, LIMEN_THREAD_WAITING_REPLY);
        assert_ptr_equal(reply->caller->waits_on, reply);
    }
    if (reply->receiver)
        assert_ptr_equal(reply->receiver->reply, reply);
}

static void check_irq(const struct irq *irq)
{
    assert_ptr_equal(the_cpu()->irqs[irq->line], irq);
    assert_true(ground_irq_is_sound(irq));
}

/* -- the scheduler -- */

static unsigned check_run_queues(void)
{
    const struct thread *next = the_cpu()->next;
    unsigned ready = next != NULL;
    int top = -1;

    for (unsigned p = 0; p < PRIORITIES; p++) {
        bool has;
        unsigned count = list_count(&the_cpu()->queues[p], NULL, &has);
        assert_int_equal(the_cpu()->ready[p / 64] >> p % 64 & 1, count != 0);
        for (struct list *at = the_cpu()->queues[p].next; at != &the_cpu()->queues[p];
             at = at->next) {
            const struct thread *thread = thread_of_queue(at);
            assert_int_equal(thread->state, LIMEN_THREAD_READY);
            assert_int_equal(thread->priority, p);
            assert_ptr_not_equal(thread, the_cpu()->current);
            assert_ptr_not_equal(thread, &the_cpu()->idle);
            assert_ptr_not_equal(thread, next);
        }
        ready += count;
        if (count)
            top = (int)p;
    }
    assert_int_equal(the_cpu()->queue_top, top);
    assert_int_equal(the_cpu()->top, next ? next->priority : top);
    if (next) {
        assert_int_equal(next->state, LIMEN_THREAD_READY);
        assert_true(next->priority >= top);
        assert_ptr_not_equal(next, the_cpu()->current);
        assert_ptr_not_equal(next, &the_cpu()->idle);
    }
    for (unsigned w = 0; w < PRIORITIES / 64; w++)
        assert_int_equal(the_cpu()->ready_words >> w & 1, the_cpu()->ready[w] != 0);
    return ready;
}

void check_threads(void)
{
    unsigned ready = 0, deadlines = 0;

    for (unsigned i = 0; i < visit.object_count; i++) {
        const struct visited_object *object = &visit.objects[i];
        struct thread *thread = object->object;
        switch (object->type) {
        case LIMEN_TYPE_THREAD:
            check_wait(thread);
            check_payer(thread);
            if (!object->grave)
                check_held(thread);
            else
                assert_int_equal(thread->state, LIMEN_THREAD_STOPPED);
            ready += thread->state == LIMEN_THREAD_READY && thread != the_cpu()->current;
            deadlines += deadline_is_set(&thread->deadline);
            break;
        case LIMEN_TYPE_ENDPOINT:
            check_endpoint(object->object);
            break;
        case LIMEN_TYPE_NOTIFICATION:
            check_notification(object->object);
            break;
        case LIMEN_TYPE_REPLY:
            check_reply(object->object);
            break;
        case LIMEN_TYPE_IRQ:
            check_irq(object->object);
            break;
        case LIMEN_TYPE_CONTEXT:
            check_context(object->object);
            deadlines += deadline_is_set(&((struct context *)object->object)->refill);
            break;
        default:
            break;
        }
    }
    assert_int_equal(check_run_queues(), ready);
    assert_int_equal(check_heap(), deadlines);
    if (the_cpu()->deadlines)
        assert_true(the_cpu()->timer <= the_cpu()->deadlines->tick);
    check_budget_end();
}
