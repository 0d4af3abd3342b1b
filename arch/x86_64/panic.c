/* SPDX-License-Identifier: MIT */
/* The end: what is said when the kernel cannot go on, and how the machine is left. */
#include "internal.h"

/* QEMU's isa-debug-exit device: a written v ends QEMU with status 2v + 1. */
#define EXIT_PORT   0xf4u
#define EXIT_STATUS 0x10u /* and up: status 0 and up, of an orderly stop */
#define EXIT_PANIC  0x7fu

#define LINE_MAX 256u

void print(const char *format, ...)
{
    char line[LINE_MAX];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    size_t length = kernel_format(line, sizeof(line), format, arguments);
    __builtin_va_end(arguments);
    arch_console_write(line, length);
}

static _Noreturn void leave(uint8_t value)
{
    port_out8(EXIT_PORT, value);
    for (;;)
        __asm__ volatile("cli; hlt" : : : "memory");
}

/* Each line by `say`: to the console in a panic, to the log for a thread's oops. */
static void say_regs(void (*say)(const char *format, ...), const struct limen_regs *r)
{
    say("  rip %016lx  rflags %08lx  cs %02lx  ss %02lx  vector/call %lx  error %lx\n", r->rip,
        r->rflags, r->cs, r->ss, r->origin, r->error);
    say("  rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    say("  rsi %016lx  rdi %016lx  rbp %016lx  rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
    say("  r8  %016lx  r9  %016lx  r10 %016lx  r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
    say("  r12 %016lx  r13 %016lx  r14 %016lx  r15 %016lx\n", r->r12, r->r13, r->r14, r->r15);
}

void arch_print_regs(const struct limen_regs *regs)
{
    say_regs(kernel_log, regs);
}

void arch_panic(const struct limen_regs *regs, const char *format, ...)
{
    __asm__ volatile("cli" : : : "memory");
    if (this_arch_cpu->panics++ == 0)
        console_take_screen();
    char reason[LINE_MAX];
    __builtin_va_list arguments;
    __builtin_va_start(arguments, format);
    kernel_format(reason, sizeof(reason), format, arguments);
    __builtin_va_end(arguments);
    print("\nLimen panic: %s\n", reason);

    /* A second panic comes from printing the first: what was printed has to do. */
    if (this_arch_cpu->panics == 1 && this_machine()) {
        if (regs) {
            print("registers in ring %lu:\n", regs->cs & 3);
            say_regs(print, regs);
        }
        print("  cr2 %016lx  cr3 %016lx  cr4 %08lx  interrupts nested %u\n", read_cr2(), read_cr3(),
              read_cr4(), this_arch_cpu->interrupt_depth);
        backtrace(regs);
    }
    leave(EXIT_PANIC);
}

void arch_stop(unsigned status)
{
    kernel_log("stopped with status %u\n", status);
    leave((uint8_t)(EXIT_STATUS + status));
}
