/* SPDX-License-Identifier: MIT */
/* I/O ports, by capability: the kernel performs the access. */
#include "invoke.h"
#include "log.h"

/* Bytes that one OUT_BYTES can carry: words 2 to 7. */
#define BYTES_MAX 48u

static bool in_range(const struct slot *slot, uint64_t port, uint64_t bytes)
{
    return port >= slot->first_port && bytes <= slot->last_port + 1ull &&
           port <= slot->last_port + 1ull - bytes;
}

static bool is_size(uint64_t bytes)
{
    return bytes == 1 || bytes == 2 || bytes == 4;
}

static enum limen_error narrow(const struct invocation *call)
{
    const struct slot *slot = call->slot;
    uint64_t first = call->word[0];
    uint64_t last = call->word[1];

    if (first > last || first < slot->first_port || last > slot->last_port)
        return LIMEN_OUT_OF_RANGE;
    struct slot *place;
    enum limen_error error = invoke_place(call, call->word[2], &place);
    if (!error)
        error = slot_copy(place, call->slot, slot->rights);
    if (error)
        return error;
    place->first_port = (uint16_t)first;
    place->last_port = (uint16_t)last;
    return LIMEN_OK;
}

static enum limen_error out_bytes(const struct invocation *call)
{
    uint64_t count = call->word[1];
    const uint8_t *bytes = (const uint8_t *)&call->word[2];

    if (!in_range(call->slot, call->word[0], 1))
        return LIMEN_OUT_OF_RANGE;
    if (count == 0 || count > BYTES_MAX)
        return LIMEN_BAD_ARGUMENT;
    log_port_written((uint16_t)call->word[0]);
    for (uint64_t i = 0; i < count; i++)
        arch_port_out((uint16_t)call->word[0], 1, bytes[i]);
    return LIMEN_OK;
}

enum limen_error ports_invoke(struct invocation *call)
{
    uint64_t port = call->word[0];
    uint64_t bytes = call->word[1];
    bool writes = call->label == LIMEN_PORTS_OUT || call->label == LIMEN_PORTS_OUT_BYTES;

    if (call->label == LIMEN_PORTS_NARROW)
        return narrow(call);
    if (call->label != LIMEN_PORTS_IN && !writes)
        return LIMEN_BAD_OPERATION;
    if (!(call->slot->rights & (writes ? LIMEN_RIGHT_WRITE : LIMEN_RIGHT_READ)))
        return LIMEN_NO_RIGHT;
    if (call->label == LIMEN_PORTS_OUT_BYTES)
        return out_bytes(call);
    if (!is_size(bytes))
        return LIMEN_BAD_ARGUMENT;
    if (!in_range(call->slot, port, bytes))
        return LIMEN_OUT_OF_RANGE;
    if (writes) {
        log_port_written((uint16_t)port);
        arch_port_out((uint16_t)port, (unsigned)bytes, (uint32_t)call->word[2]);
    } else {
        call->word[0] = arch_port_in((uint16_t)port, (unsigned)bytes);
        call->results = 1;
    }
    return LIMEN_OK;
}
