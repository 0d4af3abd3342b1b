/* SPDX-License-Identifier: MIT */
/*
 * The system-call table, and what becomes of the calls and exceptions that are not ours to serve.
 */
#include "assert.h"
#include "cpu.h"
#include "invoke.h"
#include "ipc.h"
#include "scheduler.h"
#include <limen/fault.h>
#include <limen/syscall.h>

typedef struct limen_regs *system_call(struct limen_regs *regs);

static struct limen_regs *sys_null(struct limen_regs *regs)
{
    regs->rax = LIMEN_OK;
    return regs;
}

static struct limen_regs *sys_call(struct limen_regs *regs)
{
    struct slot *slot = table_lookup(current_thread(), (uint32_t)regs->rdi);

    if (!slot) {
        regs->rax = LIMEN_BAD_CAPABILITY;
        return regs;
    }
    return slot->type == LIMEN_TYPE_ENDPOINT ? ipc_call(slot, regs) : invoke(slot, regs);
}

static struct limen_regs *sys_yield(struct limen_regs *regs)
{
    regs->rax = LIMEN_OK;
    return scheduler_yield();
}

static system_call *const system_calls[LIMEN_SYSCALL_COUNT] = {
    [LIMEN_SYS_NULL - LIMEN_SYSCALL_BASE] = sys_null,
    [LIMEN_SYS_CALL - LIMEN_SYSCALL_BASE] = sys_call,
    [LIMEN_SYS_REPLY_WAIT - LIMEN_SYSCALL_BASE] = ipc_reply_wait,
    [LIMEN_SYS_SEND - LIMEN_SYSCALL_BASE] = ipc_send,
    [LIMEN_SYS_WAIT - LIMEN_SYSCALL_BASE] = ipc_wait,
    [LIMEN_SYS_YIELD - LIMEN_SYSCALL_BASE] = sys_yield,
};

/* A thread that nobody handles the faults of stops here, and the log is the only one to hear it. */
static __attribute__((noinline)) void report_unhandled(const struct thread *thread)
{
    const struct limen_regs *regs = thread->arch.regs;
    const char *what = thread->fault.label == LIMEN_FAULT_SYSCALL ? "made unknown system call"
                                                                  : "raised exception";

    if (thread->essential)
        arch_panic(regs, "%.16s %s %lu (error %lx, address %lx), and nothing can run without it",
                   (const char *)thread->name, what, thread->fault.detail[0],
                   thread->fault.detail[1], thread->fault.detail[2]);
    kernel_log("thread %.16s %s %lu (error %lx, address %lx) without a handler, and stops:\n",
               (const char *)thread->name, what, thread->fault.detail[0], thread->fault.detail[1],
               thread->fault.detail[2]);
    arch_print_regs(regs);
}

static struct limen_regs *fault(struct thread *thread)
{
    if (__builtin_expect(!slot_is_empty(&thread->fault_slot), 1))
        return fast_fault(thread);
    report_unhandled(thread);
    return ipc_fault(thread, &thread->fault_slot);
}

/* Not one of ours: on to the handler the thread registered, by an edit of three registers, or to
 * its fault handler.  RCX already holds the return address, as SYSCALL left it. */
static struct limen_regs *foreign(struct limen_regs *regs)
{
    struct thread *thread = current_thread();

    if (!thread->reflection.entry) {
        thread_note_fault(thread, LIMEN_FAULT_SYSCALL, regs->rax, 0, 0, 0);
        return fault(thread);
    }
    regs->r11 = regs->rsp;
    regs->rsp = thread->reflection.stack;
    regs->rip = thread->reflection.entry;
    regs->error = 0; /* RCX and RIP differ: not by SYSRET */
    return regs;
}

struct limen_regs *kernel_syscall(struct limen_regs *regs)
{
    ASSERT(regs == current_thread()->arch.regs);
    if (LIMEN_CHECKS)
        kernel_count(LIMEN_COUNTER_ENTRIES);
    uint64_t flags = regs->rax & (LIMEN_NONBLOCK | LIMEN_DEADLINE);
    uint64_t number = regs->rax - flags - LIMEN_SYSCALL_BASE;
    if (__builtin_expect(number >= LIMEN_SYSCALL_COUNT, 0))
        return foreign(regs);
    return system_calls[number](regs);
}

struct limen_regs *kernel_exception(struct limen_regs *regs, uint64_t detail0, uint64_t detail1)
{
    struct thread *thread = current_thread();
    ASSERT(regs == thread->arch.regs);
    thread_note_fault(thread, LIMEN_FAULT_EXCEPTION, regs->origin, regs->error, detail0, detail1);
    return fault(thread);
}

void kernel_count(enum limen_counter counter)
{
    this_cpu->counters[counter]++;
}
