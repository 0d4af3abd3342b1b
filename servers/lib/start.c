/* SPDX-License-Identifier: MIT */
/* The first code of a server, from its ELF entry to main(). */
#include <runtime/environment.h>
#include <runtime/memory.h>
#include <runtime/panic.h>
#include <runtime/state.h>
#include <runtime/thread.h>
#include <string.h>

#define ARGUMENTS_MAX 16

int main(int argc, char **argv);
_Noreturn void limen_start(const struct limen_environment *environment);

/* RBP is zero at the outermost frame, where a backtrace ends. */
__attribute__((naked, noreturn)) void _start(void);
void _start(void)
{
    __asm__("xorl %ebp, %ebp\n\t"
            "call limen_start");
}

_Noreturn void limen_start(const struct limen_environment *environment)
{
    static char arguments[LIMEN_ARGUMENTS_MAX];
    static char *argv[ARGUMENTS_MAX + 1];
    int argc = 0;

    limen_thread_block_init((struct limen_message_page *)environment->message_page);
    limen_runtime_init(environment);
    limen_must("adding the granted memory", limen_memory_add(LIMEN_SLOT_UNTYPED));
    limen_state_recover();

    memcpy(arguments, environment->arguments, sizeof arguments);
    for (char *at = arguments; argc < (int)environment->argument_count && argc < ARGUMENTS_MAX;
         at += strlen(at) + 1)
        argv[argc++] = at;
    limen_exit(main(argc, argv));
}
