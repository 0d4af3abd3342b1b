/* SPDX-License-Identifier: MIT */
/* Queues of output, one for each client, served in turn. */
#include "output.h"

static bool is_unused(const struct output_client *client)
{
    return client->length == 0 && client->ticket_count == 0 && client->flush == 0;
}

/* The client with that badge.  A new one takes a place that nobody needs any more. */
static struct output_client *find(struct output *output, uint64_t badge)
{
    struct output_client *unused = NULL;

    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++) {
        struct output_client *client = &output->clients[i];
        if (client->badge == badge)
            return client;
        if (unused == NULL && is_unused(client))
            unused = client;
    }
    if (unused != NULL)
        unused->badge = badge;
    return unused;
}

enum output_result output_add(struct output *output, uint64_t badge, const char *text,
                              size_t length)
{
    struct output_client *client = find(output, badge);

    if (client == NULL || length > OUTPUT_QUEUE - client->length)
        return OUTPUT_REFUSED;
    for (size_t i = 0; i < length; i++)
        client->ring[(client->start + client->length++) % OUTPUT_QUEUE] = text[i];
    return OUTPUT_QUEUE - client->length < OUTPUT_ROOM ? OUTPUT_WAIT : OUTPUT_TAKEN;
}

bool output_wait(struct output *output, uint64_t badge, uint32_t ticket)
{
    struct output_client *client = find(output, badge);

    if (client == NULL || client->ticket_count == OUTPUT_TICKETS)
        return false;
    client->tickets[client->ticket_count++] = ticket;
    return true;
}

bool output_flush(struct output *output, uint64_t badge, uint32_t ticket)
{
    struct output_client *client = find(output, badge);

    if (client == NULL || client->flush != 0)
        return false;
    client->flush = ticket;
    return true;
}

bool output_pending(const struct output *output)
{
    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++)
        if (output->clients[i].length > 0)
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

static void pass_turn(struct output *output)
{
    output->turn = (output->turn + 1) % OUTPUT_CLIENTS;
    output->turn_used = 0;
}

size_t output_take(struct output *output, char *bytes, size_t size)
{
    struct output_client *client;
    size_t taken = 0;

    if (!output_pending(output))
        return 0;
    while (output->clients[output->turn].length == 0)
        pass_turn(output);
    client = &output->clients[output->turn];
    while (taken < size && client->length > 0) {
        char byte = client->ring[client->start];
        client->start = (client->start + 1) % OUTPUT_QUEUE;
        client->length--;
        bytes[taken++] = byte;
        if (byte == '\n' || ++output->turn_used == OUTPUT_TURN) {
            pass_turn(output);
            break;
        }
    }
    return taken;
}

uint32_t output_ready(struct output *output, bool idle, bool *flush)
{
    for (unsigned i = 0; i < OUTPUT_CLIENTS; i++) {
        struct output_client *client = &output->clients[i];
        if (client->ticket_count > 0 && OUTPUT_QUEUE - client->length >= OUTPUT_ROOM) {
            *flush = false;
            return client->tickets[--client->ticket_count];
        }
        if (idle && client->flush != 0 && client->length == 0) {
            uint32_t ticket = client->flush;
            client->flush = 0;
            *flush = true;
            return ticket;
        }
    }
    return 0;
}
