/* SPDX-License-Identifier: MIT */
/*
 * Backtraces that lose nothing: every kernel-text address on every stack of the chain is printed,
 * in stack order.  One in the chain of frame pointers stands plain; the others, with a question
 * mark, are leftovers of earlier calls, or calls whose frame record was not yet or no longer there.
 */
#include "internal.h"

#define STACKS_MAX 12u /* more than can be chained: each IST instance, interrupt, thread */

struct walk {
    uint64_t rsp;   /* the next word to look at */
    uint64_t frame; /* the next frame-pointer record: {caller's RBP, return address} */
};

static void print_entry(const char *mark, uint64_t address)
{
    print("    %s", mark);
    print_symbol(address);
    print("\n");
}

/* What was going on when `regs` was built: true, with where to go on, if that was the kernel. */
static bool enter_frame(const struct limen_regs *regs, struct walk *walk)
{
    if (from_user(regs)) {
        print("  entered from ring 3 at %lx\n", regs->rip);
        return false;
    }
    print_entry("", regs->rip);
    *walk = (struct walk){.rsp = regs->rsp, .frame = regs->rbp};
    return true;
}

/* Prints one stack up to its top; true when the chain goes on, with `walk` on the next stack. */
static bool print_stack(struct walk *walk)
{
    struct stack stack;
    if (!stack_find(walk->rsp - 1, &stack)) { /* an empty stack's pointer is just above it */
        print("  RSP %lx is on no stack of the kernel's\n", walk->rsp);
        return false;
    }
    print("  on the %s stack, %lx to %lx:\n", stack.name, stack.base, stack.top);
    if (walk->rsp < stack.base) /* in the guard: it overflowed */
        walk->rsp = stack.base;
    uint64_t top = stack.ist ? stack.top - IST_TOP_WORDS : stack.top;
    for (uint64_t at = walk->rsp & ~7ull; at < top; at += sizeof(uint64_t)) {
        const uint64_t *word = (const uint64_t *)at;
        bool reliable = at == walk->frame + sizeof(uint64_t);
        if (is_kernel_text(*word))
            print_entry(reliable ? "" : "? ", *word);
        if (reliable)
            walk->frame = word[-1];
    }
    if (stack.ist) {
        const struct limen_regs *regs = (const struct limen_regs *)top - 1;
        if (!from_user(regs) && regs->rsp > stack.guard && regs->rsp <= top) {
            print("  (it began anew on this stack: what was there before is lost)\n");
            return false;
        }
        return enter_frame(regs, walk);
    }
    if (stack.top == this_arch_cpu->interrupt_stack)
        return enter_frame(((struct limen_regs *const *)stack.top)[-1], walk);
    return false;
}

/* From `regs` on if that is a frame of the kernel's, else from the caller. */
void backtrace(const struct limen_regs *regs)
{
    struct walk walk = {.rsp = (uint64_t)__builtin_frame_address(0),
                        .frame = (uint64_t)__builtin_frame_address(0)};
    print("backtrace:\n");
    if (regs && !from_user(regs))
        enter_frame(regs, &walk);
    for (unsigned i = 0; i < STACKS_MAX && print_stack(&walk); i++)
        ;
}
