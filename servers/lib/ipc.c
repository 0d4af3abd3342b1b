/* SPDX-License-Identifier: MIT */
/* System calls that carry whole messages through the message page. */
#include <runtime/ipc.h>
#include <runtime/thread.h>

struct limen_message_page *limen_message(void)
{
    return limen_thread_block()->message;
}

static uint64_t exchange(uint64_t number, uint64_t *target, uint64_t *tag, uint64_t deadline)
{
    if (deadline != LIMEN_FOREVER)
        number |= LIMEN_DEADLINE;
    return limen_syscall8(number, target, tag, deadline, limen_message()->words);
}

static enum limen_error verdict(uint64_t error, uint64_t tag, unsigned *words)
{
    *words = error == LIMEN_OK ? limen_tag_words(tag) : 0;
    return (enum limen_error)(error != LIMEN_OK ? error : limen_tag_label(tag));
}

enum limen_error limen_transact(uint32_t slot, uint64_t tag, unsigned *words)
{
    uint64_t target = slot;
    uint64_t error = exchange(LIMEN_SYS_CALL, &target, &tag, LIMEN_FOREVER);

    return verdict(error, tag, words);
}

/* A call that was cancelled has changed neither its registers nor the page, so the message is still
 * there.  The next call waits at the service's endpoint, which outlives the server. */
enum limen_error limen_transact_again(uint32_t slot, uint64_t tag, unsigned *words)
{
    uint64_t target, answer, error;

    do {
        target = slot;
        answer = tag;
        error = exchange(LIMEN_SYS_CALL, &target, &answer, LIMEN_FOREVER);
    } while (error == LIMEN_CANCELLED);
    return verdict(error, answer, words);
}

enum limen_error limen_receive(uint32_t endpoint, uint32_t reply, const uint64_t *answer,
                               uint64_t deadline, struct limen_received *received)
{
    uint64_t number = answer != NULL ? LIMEN_SYS_REPLY_WAIT : LIMEN_SYS_WAIT;

    received->badge = limen_target(endpoint, reply);
    received->tag = answer != NULL ? *answer : 0;
    return (enum limen_error)exchange(number, &received->badge, &received->tag, deadline);
}

enum limen_error limen_answer(uint32_t reply, uint64_t tag)
{
    uint64_t target = reply;
    return (enum limen_error)exchange(LIMEN_SYS_SEND, &target, &tag, LIMEN_FOREVER);
}

const char *limen_error_text(enum limen_error error)
{
    switch (error) {
#define LIMEN_ERROR_CASE(name, value, text)                                                        \
    case LIMEN_##name:                                                                             \
        return text;
        LIMEN_ERRORS(LIMEN_ERROR_CASE)
#undef LIMEN_ERROR_CASE
    }
    return "unknown error";
}
