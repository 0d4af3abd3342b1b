/* SPDX-License-Identifier: MIT */
/* Queues of output, one for each client, served in turn. */
#include "output.h"

#include <runtime/state.h>
#include <string.h>

#define LOG_QUEUE 0u

static uint64_t length(const struct output_queue *queue)
{
    return queue->head - queue->tail;
}

static bool ended_line(const struct output_queue *queue)
{
    return queue->tail == 0 || queue->ring[(queue->tail - 1) % OUTPUT_QUEUE] == '\n';
}

bool output_init(struct output *output, struct output_store *store)
{
    bool sane = store->turn < OUTPUT_CLIENTS;

    memset(output, 0, sizeof *output);
    output->store = store;
    for (unsigned i = LOG_QUEUE + 1; i < OUTPUT_CLIENTS; i++)
        sane = sane && length(&store->queues[i]) <= OUTPUT_QUEUE;
    if (!sane)
        memset(store, 0, sizeof *store);
    /* Of the log, what was not sent is read again. */
    limen_commit(&store->queues[LOG_QUEUE].head, store->queues[LOG_QUEUE].tail);
    store->queues[LOG_QUEUE].badge = OUTPUT_LOG;
    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++)
        output->clients[i].filled = store->queues[i].head;
    output->turn_over = output_at_line_start(output);
    return sane;
}

static bool is_unused(const struct output *output, unsigned i)
{
    const struct output_client *client = &output->clients[i];

    return i != LOG_QUEUE && output->store->queues[i].tail == client->filled &&
           client->waiting_count == 0 && client->flush == 0;
}

/* The number of the client with that badge, or OUTPUT_CLIENTS.  A new one takes a place that nobody
 * needs any more. */
static unsigned find(struct output *output, uint64_t badge)
{
    unsigned unused = OUTPUT_CLIENTS;

    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++) {
        if (output->store->queues[i].badge == badge)
            return i;
        if (unused == OUTPUT_CLIENTS && is_unused(output, i))
            unused = i;
    }
    if (unused != OUTPUT_CLIENTS)
        limen_commit(&output->store->queues[unused].badge, badge);
    return unused;
}

static void fill(struct output *output, unsigned i, const char *text, size_t size)
{
    struct output_queue *queue = &output->store->queues[i];

    for (size_t at = 0; at < size; at++)
        queue->ring[output->clients[i].filled++ % OUTPUT_QUEUE] = text[at];
}

bool output_add(struct output *output, uint64_t badge, uint32_t ticket, const char *text,
                size_t size)
{
    unsigned i = find(output, badge);
    struct output_client *client = &output->clients[i];

    if (i == OUTPUT_CLIENTS || client->waiting_count == OUTPUT_TICKETS ||
        size > OUTPUT_QUEUE - (client->filled - output->store->queues[i].tail))
        return false;
    fill(output, i, text, size);
    client->waiting[client->waiting_count++] = (struct output_waiting){ticket, client->filled};
    return true;
}

bool output_flush(struct output *output, uint64_t badge, uint32_t ticket)
{
    unsigned i = find(output, badge);

    if (i == OUTPUT_CLIENTS || output->clients[i].flush != 0)
        return false;
    output->clients[i].flush = ticket;
    return true;
}

uint64_t output_log_position(const struct output *output)
{
    return output->store->queues[LOG_QUEUE].head;
}

bool output_log(struct output *output, uint64_t next, const char *text, size_t size)
{
    struct output_queue *queue = &output->store->queues[LOG_QUEUE];
    uint64_t start = next - size;

    if (start != queue->head && length(queue) > 0)
        return false;
    if (start == queue->head && size > OUTPUT_QUEUE - length(queue))
        return false;
    if (start != queue->head) {
        limen_commit(&queue->head, start); /* the next life would go back to the tail */
        limen_commit(&queue->tail, start);
    }
    output->clients[LOG_QUEUE].filled = start;
    fill(output, LOG_QUEUE, text, size);
    limen_commit(&queue->head, next);
    return true;
}

bool output_pending(const struct output *output)
{
    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++)
        if (length(&output->store->queues[i]) > 0)
            return true;
    return false;
}

bool output_is_flushing(const struct output *output)
{
    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++)
        if (output->clients[i].flush != 0)
            return true;
    return false;
}

bool output_at_line_start(const struct output *output)
{
    return ended_line(&output->store->queues[output->store->turn]);
}

static void pass_turn(struct output *output)
{
    limen_commit(&output->store->turn, (output->store->turn + 1) % OUTPUT_CLIENTS);
    output->turn_used = 0;
    output->turn_over = false;
}

size_t output_next(struct output *output, char *bytes, size_t size, struct position *sent)
{
    struct output_queue *queue;
    size_t count = 0;

    if (!output_pending(output))
        return 0;
    if (output->turn_over)
        pass_turn(output);
    while (length(&output->store->queues[output->store->turn]) == 0)
        pass_turn(output);
    queue = &output->store->queues[output->store->turn];
    if (size > OUTPUT_TURN - output->turn_used)
        size = OUTPUT_TURN - output->turn_used;
    while (count < size && count < length(queue)) {
        bytes[count] = queue->ring[(queue->tail + count) % OUTPUT_QUEUE];
        if (bytes[count++] == '\n')
            break;
    }
    *sent = (struct position){&queue->tail, queue->tail + count};
    return count;
}

void output_sent(struct output *output, const char *bytes, size_t count)
{
    output->turn_used += count;
    output->turn_over = bytes[count - 1] == '\n' || output->turn_used >= OUTPUT_TURN;
}

static bool has_room(const struct output_queue *queue, const struct output_waiting *waiting)
{
    return OUTPUT_QUEUE - (waiting->end - queue->tail) >= OUTPUT_ROOM;
}

static void remove_first(struct output_client *client)
{
    client->waiting_count--;
    memmove(&client->waiting[0], &client->waiting[1],
            client->waiting_count * sizeof client->waiting[0]);
}

uint32_t output_ready(struct output *output, bool idle, struct position *accepted)
{
    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++) {
        struct output_client *client = &output->clients[i];
        struct output_queue *queue = &output->store->queues[i];
        if (client->waiting_count > 0 && has_room(queue, &client->waiting[0])) {
            uint32_t ticket = client->waiting[0].ticket;
            *accepted = (struct position){&queue->head, client->waiting[0].end};
            remove_first(client);
            return ticket;
        }
        if (idle && client->flush != 0 && client->filled == queue->tail) {
            uint32_t ticket = client->flush;
            client->flush = 0;
            *accepted = (struct position){0};
            return ticket;
        }
    }
    return 0;
}
