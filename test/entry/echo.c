/* SPDX-License-Identifier: MIT */
/* The server that the entries' callers call. */
#include "echo.h"

#include "kit.h"
#include "registers.h"

struct echo make_echo(void)
{
    return (struct echo){make(LIMEN_TYPE_ENDPOINT, 0), make(LIMEN_TYPE_REPLY, 0)};
}

void serve_echo(void *argument)
{
    const struct echo *echo = argument;
    struct limen_regs regs;

    fill_pattern(&regs, NULL, 0);
    regs.rax = LIMEN_SYS_WAIT;
    for (;;) {
        regs.rdi = limen_target(echo->endpoint, echo->reply);
        system_call(&regs);
        regs.rax = LIMEN_SYS_REPLY_WAIT;
        regs.words[7] = ~regs.words[7];
    }
}
