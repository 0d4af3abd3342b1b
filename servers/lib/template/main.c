/* SPDX-License-Identifier: MIT */
/* The server NAME: answers those who greet it. */
#include <limen.h>
#include <protocol/NAME.h>

static enum limen_error greet(struct limen_request *request, const char *who, char *answer)
{
    snprintf(answer, PROTOCOL_GREET_ANSWER_MAX + 1, "Hello, %s (server %lu).", who, request->badge);
    return LIMEN_OK;
}

int main(void)
{
    printf("ready\n");
    NAME_serve(&(struct NAME_handlers){.greet = greet});
}
