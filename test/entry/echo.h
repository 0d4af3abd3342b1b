/* SPDX-License-Identifier: MIT */
#ifndef ENTRY_ECHO_H
#define ENTRY_ECHO_H

#include <stdint.h>

#define SERVER_LABEL 0x515u /* of the messages to it */

struct echo {
    uint32_t endpoint, reply;
};

/* With objects of its own. */
struct echo make_echo(void);

/* A thread that answers each call with its words, the last one inverted.  Its argument is a struct
 * echo. */
void serve_echo(void *echo);

#endif
