/* SPDX-License-Identifier: MIT */
#include "errors.h"

#include <limen/syscall.h>

static const struct call_error declared[] = {
#include <limen/errors_declared.h>
};
#define DECLARED (sizeof declared / sizeof declared[0])

static bool noted[DECLARED];

static bool is_system_call(uint64_t number)
{
    return number & SYSTEM_CALL;
}

/* Where the pair stands in the list, or DECLARED. */
static unsigned find(enum limen_type type, uint64_t number, enum limen_error error)
{
    unsigned i = 0;
    while (i < DECLARED &&
           (declared[i].type != type || declared[i].number != number || declared[i].error != error))
        i++;
    return i;
}

/* What every operation can answer, and every label that is none of the type's. */
static bool is_common(enum limen_type type, uint64_t number, enum limen_error error)
{
    if (error == LIMEN_NO_MESSAGE_PAGE)
        return true;
    if (find(type, number, LIMEN_OK) < DECLARED)
        return false;
    bool serves = type != LIMEN_TYPE_REPLY && type != LIMEN_TYPE_NOTIFICATION;
    return error == (serves ? LIMEN_BAD_OPERATION : LIMEN_WRONG_TYPE) ||
           (serves && error == LIMEN_NO_RIGHT);
}

bool may_answer(enum limen_type type, uint64_t number, enum limen_error error)
{
    if (error == LIMEN_OK || find(type, number, error) < DECLARED)
        return true;
    if (!is_system_call(number))
        return is_common(type, number, error);
    return find(type, number, LIMEN_OK) == DECLARED &&
           find(LIMEN_TYPE_NONE, number, error) < DECLARED;
}

void note_answer(enum limen_type type, uint64_t number, enum limen_error error)
{
    if (!may_answer(type, number, error))
        fail("type %u, call %lx: nobody declared that it can answer %s", type, number,
             limen_error_text(error));
    unsigned i = find(type, number, error);
    if (i < DECLARED)
        noted[i] = true;
}

void forget_answers(void)
{
    for (unsigned i = 0; i < DECLARED; i++)
        noted[i] = false;
}

void expect_all_noted(enum limen_type type)
{
    for (unsigned i = 0; i < DECLARED; i++) {
        bool asked = type == LIMEN_TYPE_NONE
                         ? is_system_call(declared[i].number)
                         : declared[i].type == type && !is_system_call(declared[i].number);
        if (asked && !noted[i] && !declared[i].unseen)
            fail("type %u, call %lx: nothing made it answer %s", declared[i].type,
                 declared[i].number, limen_error_text(declared[i].error));
    }
}
