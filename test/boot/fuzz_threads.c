/* SPDX-License-Identifier: MIT */
#include "fuzz_threads.h"

#include "fuzz_shadow.h"

#include <limen/syscall.h>

struct fuzz_call fuzz_calls[1u << FUZZ_CALLS_ORDER];
volatile uint64_t fuzz_calls_made;

/* xorshift64*, from G. Marsaglia's family */
uint64_t fuzz_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545f4914f6cdd1dull;
}

unsigned fuzz_below(uint64_t *state, unsigned limit)
{
    return (unsigned)(fuzz_random(state) >> 33) % limit;
}

static uint64_t shared_target(uint64_t *state)
{
    uint64_t random = fuzz_random(state);
    uint64_t slot = SHARED_FIRST + (random >> 20) % (RECEIVED_END - SHARED_FIRST);
    uint64_t reply = SHARED_FIRST + (random >> 40) % (RECEIVED_END - SHARED_FIRST);
    return slot | (random & 3 ? reply << 32 : 0);
}

static uint64_t some_tag(uint64_t *state)
{
    uint64_t random = fuzz_random(state);
    return limen_tag((uint32_t)(random >> 10) & 3, (random >> 20) % 67 % 10,
                     (random >> 30) % 5 % (1 + (random >> 40) % 5));
}

static uint64_t some_number(uint64_t *state)
{
    static const uint64_t numbers[] = {LIMEN_SYS_CALL, LIMEN_SYS_REPLY_WAIT, LIMEN_SYS_SEND,
                                       LIMEN_SYS_WAIT, LIMEN_SYS_CALL,       LIMEN_SYS_WAIT,
                                       LIMEN_SYS_YIELD};
    uint64_t random = fuzz_random(state);
    return numbers[(random >> 20) % 7] | (random >> 30 & 3 ? 0 : LIMEN_NONBLOCK) |
           (random >> 40 & 1 ? LIMEN_DEADLINE : 0);
}

/* Mostly what the call is meant for, to be there or not. */
static uint64_t meant_target(uint64_t number, uint64_t *state)
{
    static const enum limen_type sent_to[] = {LIMEN_TYPE_ENDPOINT, LIMEN_TYPE_REPLY,
                                              LIMEN_TYPE_NOTIFICATION};
    uint32_t start = SHARED_FIRST + fuzz_below(state, SHARED_END - SHARED_FIRST);
    uint32_t other = SHARED_FIRST + fuzz_below(state, SHARED_END - SHARED_FIRST);
    bool sends = (number & ~(uint64_t)(LIMEN_NONBLOCK | LIMEN_DEADLINE)) == LIMEN_SYS_SEND;
    enum limen_type type = sends ? sent_to[fuzz_below(state, 3)] : LIMEN_TYPE_ENDPOINT;

    if (fuzz_below(state, 4) == 0)
        return shared_target(state);
    return shadow_shared(type, start) | (uint64_t)shadow_shared(LIMEN_TYPE_REPLY, other) << 32;
}

void fuzz_instruct(struct limen_message_page *const pages[], unsigned count, uint64_t *state)
{
    for (unsigned i = 0; i < 1u << FUZZ_CALLS_ORDER; i++) {
        uint64_t number = i ? some_number(state) : 39; /* the first is a foreign one */
        fuzz_calls[i] = (struct fuzz_call){
            .number = number,
            .target = meant_target(number, state),
            .tag = some_tag(state),
            .deadline = now() + fuzz_below(state, 500000),
        };
    }
    for (unsigned i = 0; i < count; i++) {
        struct limen_message_page *page = pages[i];
        for (unsigned n = 0; n < LIMEN_CAPS_MAX; n++)
            page->send_caps[n] = SHARED_FIRST + fuzz_below(state, RECEIVED_END - SHARED_FIRST);
        page->receive_first = SHARED_END + fuzz_below(state, RECEIVED_END - SHARED_END);
        page->receive_count = RECEIVED_END - page->receive_first;
    }
}

void fuzz_intrude(void *argument)
{
    uint64_t which = (uint64_t)argument;
    uint64_t state = 0x9e3779b97f4a7c15 * (which + 1);
    uint32_t first = RECEIVED_END + (uint32_t)which * 8;
    struct message message = {0};

    for (;;) {
        uint64_t random = fuzz_random(&state);
        transfer(LIMEN_SYS_WAIT, SHARED_NEVER, 0, now() + 2000 + (random >> 20) % 60000, &message);
        fuzz_calls_made++;
        uint32_t slot =
            (random >> 10) % 2 ? SHARED_END + (random >> 50) % 16 : first + (random >> 50) % 8;
        switch ((random >> 40) % 8) {
        case 0:
            limen_delete(SHARED_SELF, slot);
            break;
        case 1:
            limen_revoke(SHARED_SELF, slot);
            break;
        case 2:
            limen_revoke(SHARED_SELF, SHARED_MEMORY + (uint32_t)which);
            break;
        case 3:
            limen_retype(SHARED_MEMORY + (uint32_t)which, (enum limen_type)((random >> 30) % 9), 12,
                         first + (random >> 50) % 6, 2);
            break;
        case 4:
            limen_copy(SHARED_SELF, SHARED_END + (random >> 55) % 16, 0,
                       SHARED_FIRST + (random >> 50) % 24, (unsigned)(random >> 33) & 15);
            break;
        default:
            message.tag = some_tag(&state);
            uint64_t target = shared_target(&state);
            transfer(some_number(&state) | LIMEN_DEADLINE, (uint32_t)target, target >> 32,
                     now() + (random >> 20) % 3000, &message);
            break;
        }
    }
}
