/* SPDX-License-Identifier: MIT */
/* The operations of a kernel capability: the log, counters, an orderly stop. */
#include "check.h"
#include "cpu.h"
#include "invoke.h"
#include "log.h"
#include <limen/message.h>

/* Bytes one message can carry: reading, behind the register words; writing, in words 1 to 6. */
#define READ_BYTES_MAX  ((LIMEN_WORDS_MAX - LIMEN_WORDS_IN_REGISTERS) * 8)
#define WRITE_BYTES_MAX 48u

static enum limen_error read_log(struct invocation *call)
{
    struct limen_message_page *page = call->self->page;
    uint64_t position = call->word[0];

    if (!page)
        return LIMEN_NO_MESSAGE_PAGE;
    char *out = (char *)&page->words[LIMEN_WORDS_IN_REGISTERS];
    size_t count = log_read(kernel_log_ring(), &position, out, READ_BYTES_MAX);
    call->word[0] = position;
    call->word[1] = count;
    call->results = LIMEN_WORDS_MAX;
    return LIMEN_OK;
}

static enum limen_error write_log(const struct invocation *call)
{
    uint64_t count = call->word[0];

    if (count == 0 || count > WRITE_BYTES_MAX)
        return LIMEN_BAD_ARGUMENT;
    log_write((const char *)&call->word[1], count);
    return LIMEN_OK;
}

static enum limen_error counter(struct invocation *call)
{
    uint64_t which = call->word[0];

    if (which >= LIMEN_COUNTER_COUNT)
        return LIMEN_OUT_OF_RANGE;
    switch (which) {
    case LIMEN_COUNTER_MAX_IRQS_OFF:
        if (!LIMEN_MEASURE)
            return LIMEN_NOT_SUPPORTED; /* the release build takes no time stamps on its paths */
        call->word[0] = this_cpu->arch.max_irqs_off;
        break;
    case LIMEN_COUNTER_CALIBRATION:
        call->word[0] = arch_calibration_ticks();
        break;
    case LIMEN_COUNTER_CORE_CYCLES:
        if (!arch_core_cycles(&call->word[0]))
            return LIMEN_NOT_SUPPORTED;
        break;
    case LIMEN_COUNTER_MACHINE_CHECKS:
        arch_machine_check_poll();
        call->word[0] = this_cpu->counters[which];
        break;
    default:
        call->word[0] = this_cpu->counters[which];
        break;
    }
    call->results = 1;
    return LIMEN_OK;
}

static enum limen_error counter_reset(const struct invocation *call)
{
    if (call->word[0] != LIMEN_COUNTER_MAX_IRQS_OFF)
        return LIMEN_BAD_ARGUMENT;
    this_cpu->arch.max_irqs_off = 0;
    return LIMEN_OK;
}

static enum limen_error stop(const struct invocation *call)
{
    const char *reason = (const char *)call->word;
    panic("stopped by ring 3: %.48s", reason);
}

static enum limen_error check(struct invocation *call)
{
    if (!LIMEN_CHECKS)
        return LIMEN_NOT_SUPPORTED;
    check_all();
    call->word[0] = check_seen();
    call->word[1] = check_objects();
    call->results = 2;
    return LIMEN_OK;
}

enum limen_error kernel_invoke(struct invocation *call)
{
    bool reads = call->label == LIMEN_KERNEL_LOG_READ || call->label == LIMEN_KERNEL_COUNTER;

    if (!(call->slot->rights & (reads ? LIMEN_RIGHT_READ : LIMEN_RIGHT_WRITE)))
        return LIMEN_NO_RIGHT;
    switch (call->label) {
    case LIMEN_KERNEL_LOG_READ:
        return read_log(call);
    case LIMEN_KERNEL_LOG_WRITE:
        return write_log(call);
    case LIMEN_KERNEL_COUNTER:
        return counter(call);
    case LIMEN_KERNEL_COUNTER_RESET:
        return counter_reset(call);
    case LIMEN_KERNEL_STOP:
        return call->slot->rights & LIMEN_RIGHT_GRANT ? stop(call) : LIMEN_NO_RIGHT;
    case LIMEN_KERNEL_FAST_PATH:
        if (call->word[0])
            this_cpu->arch.unusual &= ~CPU_GENERAL_PATH;
        else
            this_cpu->arch.unusual |= CPU_GENERAL_PATH;
        return LIMEN_OK;
    case LIMEN_KERNEL_CHECK:
        return call->slot->rights & LIMEN_RIGHT_GRANT ? check(call) : LIMEN_NO_RIGHT;
    default:
        return LIMEN_BAD_OPERATION;
    }
}
