/* SPDX-License-Identifier: MIT */
/*
 * The one list of error codes.
 *
 * A code travels in two places.  RAX holds the fate of the system call itself (was there such a
 * capability, did the rendezvous happen); the label of the reply's tag holds the verdict of whoever
 * served the request, kernel or server.  Both draw from this list, so a client that only wants to
 * know whether it worked tests `rax ? rax : label` and cannot tell who answered.
 */
#ifndef LIMEN_ERRORS_H
#define LIMEN_ERRORS_H

#define LIMEN_ERRORS(X)                                                                            \
    X(OK, 0, "success")                                                                            \
    X(BAD_CAPABILITY, 1, "no capability at that index")                                            \
    X(WRONG_TYPE, 2, "the capability names an object of another type")                             \
    X(NO_RIGHT, 3, "the capability lacks the right this needs")                                    \
    X(BAD_OPERATION, 4, "the object has no such operation")                                        \
    X(BAD_ARGUMENT, 5, "an argument has a value that is never valid")                              \
    X(OUT_OF_RANGE, 6, "an argument lies outside the object")                                      \
    X(MISALIGNED, 7, "an address or size is not aligned as it must be")                            \
    X(SLOT_OCCUPIED, 8, "the destination slot holds a capability already")                         \
    X(NO_MEMORY, 9, "the untyped memory is used up")                                               \
    X(NO_TABLES, 10, "the address space has no page-table page left")                              \
    X(ALREADY_MAPPED, 11, "the frame or the address is mapped already")                            \
    X(NOT_MAPPED, 12, "the frame is not mapped")                                                   \
    X(BUSY, 13, "the object is in use")                                                            \
    X(WOULD_BLOCK, 14, "nobody is ready at the other side")                                        \
    X(TIMED_OUT, 15, "the deadline passed")                                                        \
    X(CANCELLED, 16, "the object waited for was destroyed, or the wait was ended")                 \
    X(NO_CALLER, 17, "the reply object holds no caller")                                           \
    X(NO_MESSAGE_PAGE, 18, "the message needs a message page and the thread has none")             \
    X(NOT_CONFIGURED, 19, "the object lacks a part it needs for this")                             \
    X(NOT_FOUND, 20, "there is nothing by that name")                                              \
    X(NOT_SUPPORTED, 21, "this machine or this build cannot do it")                                \
    X(LIMIT, 22, "a fixed limit is reached")                                                       \
    X(FAULTED, 23, "the thread or server asked for has faulted")

enum limen_error {
#define LIMEN_ERROR_ENUM(name, value, text) LIMEN_##name = value,
    LIMEN_ERRORS(LIMEN_ERROR_ENUM)
#undef LIMEN_ERROR_ENUM
};

#endif
