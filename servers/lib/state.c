/* SPDX-License-Identifier: MIT */
/* State across lives, and the system call that leaves a trace in it. */
#include <runtime/environment.h>
#include <runtime/panic.h>
#include <runtime/state.h>
#include <runtime/thread.h>

void *limen_state(size_t size)
{
    const struct limen_environment *environment = limen_environment();

    if (environment->state_size < size)
        limen_panic("the manifest gives %lu bytes of state, and %s needs %zu",
                    environment->state_size, environment->name, size);
    return (void *)environment->state;
}

/* The first instruction after the system call, and the first after the stores. */
extern const char limen_record_called[], limen_record_stored[];

/* The kernel carries out a call that does not wait with interrupts off, so a thread is either
 * before it, with RIP at most at the SYSCALL, or behind it, with the result in its registers.  From
 * there to the end of the stores no register changes that they need, so that they can be made again
 * from the registers of any moment in between. */
__attribute__((noinline)) uint64_t limen_call_and_record(struct limen_record *record,
                                                         uint64_t number, uint64_t target,
                                                         uint64_t tag, const uint64_t words[8])
{
    register uint64_t word0 __asm__("rdx") = words[0];
    register uint64_t word1 __asm__("r10") = words[1];
    register uint64_t word2 __asm__("r8") = words[2];
    register uint64_t word3 __asm__("r9") = words[3];
    register uint64_t word4 __asm__("r12") = words[4];
    register uint64_t word5 __asm__("r13") = words[5];
    register uint64_t word6 __asm__("r14") = words[6];
    register uint64_t word7 __asm__("r15") = words[7];

    if (record->result == NULL)
        record->result = &record->unused;
    __asm__ volatile("syscall\n"
                     "limen_record_called:\n\t"
                     "testq %%rax, %%rax\n\t"
                     "jnz limen_record_stored\n\t"
                     "movq %c[result](%%rbx), %%rcx\n\t"
                     "movq %%rdx, (%%rcx)\n\t"
                     "movq %c[where](%%rbx), %%rcx\n\t"
                     "movq %c[value](%%rbx), %%r11\n\t"
                     "movq %%r11, (%%rcx)\n"
                     "limen_record_stored:"
                     : "+a"(number), "+D"(target), "+S"(tag), "+r"(word0), "+r"(word1), "+r"(word2),
                       "+r"(word3), "+r"(word4), "+r"(word5), "+r"(word6), "+r"(word7)
                     : "b"(record), [result] "i"(offsetof(struct limen_record, result)),
                       [where] "i"(offsetof(struct limen_record, where)),
                       [value] "i"(offsetof(struct limen_record, value))
                     : "rcx", "r11", "memory", "cc");
    return number;
}

void limen_state_recover(void)
{
    const struct limen_environment *environment = limen_environment();
    const struct limen_regs *regs = &environment->stopped;

    if (environment->stopped_life != 0 && regs->rip >= (uint64_t)limen_record_called &&
        regs->rip < (uint64_t)limen_record_stored && regs->rax == 0 &&
        regs->rbx - environment->state < environment->state_size) {
        const struct limen_record *record = (const struct limen_record *)regs->rbx;
        *record->result = regs->rdx;
        *record->where = record->value;
    }
    limen_commit(&limen_thread_block()->recovered, true);
}
