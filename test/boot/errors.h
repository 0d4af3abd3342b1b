/* SPDX-License-Identifier: MIT */
/*
 * The errors that calls are declared to have (include/limen/errors.toml), and those they have had.
 *
 * A call is told by the type of the object and the label of the operation, or the number of the
 * system call (without flags, with SYSTEM_CALL); the type NONE stands for an empty slot and for an
 * object that the call cannot be made on.
 */
#ifndef BOOT_ERRORS_H
#define BOOT_ERRORS_H

#include "kit.h"

#define SYSTEM_CALL (1ull << 32) /* tells a number from any label */

struct call_error {
    enum limen_type type;
    uint64_t number;
    enum limen_error error;
    bool unseen; /* no machine here can be brought to it; and of LIMEN_OK */
};

/* Whether a call on such an object may answer that. */
bool may_answer(enum limen_type type, uint64_t number, enum limen_error error);

/* Notes what a call has answered; ends the test if it may not. */
void note_answer(enum limen_type type, uint64_t number, enum limen_error error);

/* Forgets what was noted. */
void forget_answers(void);

/* Ends the test unless all declared errors of the operations on that type were noted, or, for NONE,
 * all of the system calls. */
void expect_all_noted(enum limen_type type);

#endif
