/* SPDX-License-Identifier: MIT */
/*
 * Untyped memory is handed out from its start upward, so the way to one page of it is to halve the
 * piece that holds the page until nothing but the page is left.  The halves stay for later pages.
 */
#include "device.h"

#include <limen.h>

#define PIECES_MAX 512u

struct piece {
    uint64_t address;
    uint32_t slot; /* of an untyped capability, or of a frame once it is one */
    uint8_t order;
    bool is_frame;
};

static struct piece pieces[PIECES_MAX];
static unsigned piece_count;

void device_add(uint32_t untyped, uint64_t address, unsigned order)
{
    if (order >= LIMEN_PAGE_ORDER && piece_count < PIECES_MAX)
        pieces[piece_count++] = (struct piece){address, untyped, (uint8_t)order, false};
}

static struct piece *find(uint64_t physical)
{
    for (unsigned i = 0; i < piece_count; i++)
        if (physical >= pieces[i].address && physical - pieces[i].address < 1ull << pieces[i].order)
            return &pieces[i];
    return NULL;
}

static bool halve(struct piece *piece)
{
    uint32_t slots = limen_slots_take(2);

    if (slots == 0 || piece_count == PIECES_MAX)
        return false;
    if (limen_retype(piece->slot, LIMEN_TYPE_UNTYPED, piece->order - 1u, slots, 2) != LIMEN_OK) {
        limen_slots_give(slots, 2);
        return false;
    }
    piece->order--;
    piece->slot = slots;
    pieces[piece_count] = *piece;
    pieces[piece_count].slot = slots + 1;
    pieces[piece_count].address += 1ull << piece->order;
    piece_count++;
    return true;
}

/* The slot of a frame for the page that holds the address, or 0. */
static uint32_t frame_for(uint64_t physical)
{
    struct piece *piece = find(physical);

    while (piece != NULL && piece->order > LIMEN_PAGE_ORDER)
        piece = halve(piece) ? find(physical) : NULL;
    if (piece == NULL)
        return 0;
    if (!piece->is_frame) {
        uint32_t slot = limen_slots_take(1);
        if (slot == 0 ||
            limen_retype(piece->slot, LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, slot, 1) != LIMEN_OK)
            return 0;
        piece->slot = slot;
        piece->is_frame = true;
    }
    return piece->slot;
}

bool device_read(uint64_t physical, void *buffer, size_t size)
{
    uint64_t window = limen_addresses_take(1);
    uint8_t *to = buffer;
    bool done = window != 0;

    while (done && size > 0) {
        uint64_t offset = physical % LIMEN_PAGE_SIZE;
        size_t part = LIMEN_PAGE_SIZE - offset < size ? LIMEN_PAGE_SIZE - offset : size;
        uint32_t frame = frame_for(physical);

        done = frame != 0 && limen_map(frame, LIMEN_SLOT_SPACE, window, LIMEN_RIGHT_READ,
                                       LIMEN_CACHE_NORMAL) == LIMEN_OK;
        if (!done)
            break;
        memcpy(to, (const void *)(window + offset), part);
        limen_unmap(frame);
        to += part;
        physical += part;
        size -= part;
    }
    if (window != 0)
        limen_addresses_give(window, 1);
    return done;
}
