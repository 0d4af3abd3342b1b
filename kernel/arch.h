/* SPDX-License-Identifier: MIT */
/*
 * The contract between kernel/ and arch/: all that either may use of the other.
 *
 * The first half is what the processor's side provides, the second what it calls.  Types that C
 * needs whole (struct arch_cpu, arch_thread, arch_space) and the few inline functions of the fast
 * path come from arch/x86_64/contract.h, which nothing else of kernel/ includes.
 *
 * The kernel runs with interrupts off, except inside arch_window() and the idle loop.  All entries
 * hand over the frame they built and return the frame to leave by: a switch of threads is nothing
 * more than returning another thread's frame.
 */
#ifndef KERNEL_ARCH_H
#define KERNEL_ARCH_H

#include <limen/boot.h>
#include <limen/errors.h>
#include <limen/objects.h>
#include <limen/regs.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;        /* kernel/cpu.h; its first member is struct arch_cpu */
struct thread;     /* kernel/thread.h */
struct slot;       /* kernel/slot.h */
struct arch_space; /* page tables; embedded in struct space */

#include "contract.h"

/*
 * Provided by arch/x86_64/contract.h, inline:
 *
 *   this_cpu                     this processor's struct cpu, as a GS-relative pointer
 *   phys_to_virt, virt_to_phys   through the physical map
 *   arch_switch(from, to)        the registers outside the frame: kernel stack, CR3, FS and GS
 * base, FPU state.  From then on `to` is the thread this processor runs. arch_ticks() the TSC
 *   arch_is_from_syscall(frame)  SYSRET could leave by the frame
 *   arch_fast_exit(...)          a switch and the exit in one, where neither thread nor processor
 *                                have anything unusual (ARCH_THREAD_SWITCH, ARCH_CPU_SWITCH): to
 *                                `target`, the waiting frame of `to`, which SYSCALL built, with the
 *                                badge, the tag, the words of the frame `words`, and LIMEN_OK
 *   arch_window()                lets pending interrupts in for an instant.  Interrupts are off
 *                                before and after.  A thread may be preempted here, and everything
 *                                it knew about objects it must look up again.
 */

/* -- arch provides -- */

/* Sets the boot processor up: features, descriptor tables, its area of stacks, GS, interrupt
 * controllers, timer.  `cpu` is the kernel's block for it.  Panics where the machine will not do.
 */
void arch_init(struct cpu *cpu, const struct limen_boot *boot);

/* Fills the clock page with what arch_init measured. */
struct limen_clock;
void arch_clock_fill(struct limen_clock *clock);
uint64_t arch_calibration_ticks(void);

/* Counts the hardware errors that nothing has told of, in LIMEN_COUNTER_MACHINE_CHECKS. */
void arch_machine_check_poll(void);

/* How many cycles the processor's core ran, not counting those in which it was halted, since the
 * boot; false where it does not count them. */
bool arch_core_cycles(uint64_t *cycles);

/* Monotonic nanoseconds to TSC ticks, saturating. */
uint64_t arch_ns_to_ticks(uint64_t ns);
uint64_t arch_ticks_to_ns(uint64_t ticks);

/* Asks for kernel_timer() at the given tick, or never for UINT64_MAX.  One-shot. */
void arch_timer_set(uint64_t tick);

/* A thread object is 2^LIMEN_THREAD_ORDER bytes at `memory` (physical-map address, aligned): page 0
 * holds struct thread, page 1 is arch's for FPU state, pages 2 and 3 stay unused, pages 4 to 7 are
 * the kernel stack.  Create maps the stack between guards and sets
 * arch->regs to a cleared user frame at its top; destroy undoes it.  Neither touches page 0 beyond
 * `arch`. */
void arch_thread_create(struct arch_thread *arch, void *memory);
void arch_thread_destroy(struct arch_thread *arch);

/* Makes `arch` the idle thread of a processor, on a stack of its own from the boot allocator: its
 * frame is a kernel frame that halts with interrupts on, for ever. */
void arch_idle_create(struct arch_thread *arch);

/* Puts `from` into the thread's user frame: general registers and RIP, RSP as given, RFLAGS with
 * only what ring 3 may set, CS and SS constant.  The thread will leave by IRET.  `from` may be a
 * frame already in kernel memory only. */
void arch_regs_set(struct arch_thread *arch, const struct limen_regs *from);

/* Makes the thread's user frame a new thread's: all zero but for what is constant. */
void arch_regs_clear(struct arch_thread *arch);

/* The FS and GS bases; false when not canonical lower-half addresses. */
bool arch_bases_set(struct arch_thread *arch, uint64_t fs, uint64_t gs);

/* The debug registers, as LIMEN_THREAD_SET_DEBUG says; false when one of them may not be so. */
bool arch_debug_set(struct arch_thread *arch, const uint64_t addresses[4], uint64_t control);

/* Address spaces.  `top` is a page of cleared memory that becomes the top table.  Map checks
 * nothing but that the place is empty (ALREADY_MAPPED) and that all tables are there (NO_TABLES),
 * and without an error changes one entry; the caller has checked alignment, range and W^X.  Add
 * makes a cleared page the highest table that lacks on the way to a 4 KiB page, and there must be
 * one that does.  Unmap leaves no stale translation in any TLB. */
void arch_space_create(struct arch_space *space, void *top);
enum limen_error arch_map(struct arch_space *space, uint64_t address, uint64_t physical,
                          unsigned order, unsigned rights, enum limen_cache cache);
void arch_add_table(struct arch_space *space, uint64_t address, const void *page);
void arch_unmap(struct arch_space *space, uint64_t address, unsigned order);
void arch_space_clear(struct arch_space *space);   /* forgets every user mapping and table */
void arch_space_destroy(struct arch_space *space); /* once it is clear and no thread has it */

/* Interrupt lines (numbers as in LIMEN_IRQ_CONTROL_ISSUE).  Attach routes the line to this
 * processor, masked.  A level-triggered line is masked again before kernel_irq() is called; one
 * triggered by edge stays open, for an edge that comes while it is masked is lost
 * (docs/hazards/edge-interrupts.md), so kernel_irq() can come again before the driver is done. */
unsigned arch_irq_count(void);
enum limen_error arch_irq_attach(unsigned line, enum limen_irq_mode mode);
void arch_irq_detach(unsigned line);
void arch_irq_unmask(unsigned line);
void arch_irq_mask(unsigned line);

/* Where fast_call() and fast_reply_wait() end, by jumps: the call takes the way of all others, as
 * if they had not been there; it is one on this capability, for invoke() to serve; or ring 3 goes
 * on by that frame. */
struct limen_regs *arch_syscall_general(void);
struct limen_regs *arch_syscall_invoke(struct slot *slot, struct limen_regs *regs);
struct limen_regs *arch_exit(struct limen_regs *regs);

/* One access to a port, 1, 2 or 4 bytes. */
uint32_t arch_port_in(uint16_t port, unsigned bytes);
void arch_port_out(uint16_t port, unsigned bytes, uint32_t value);

/* The polled console of last resort: serial, and the framebuffer once a panic took it. */
void arch_console_write(const char *text, size_t length);

/* Prints the reason, the frame if there is one, and a backtrace of every stack of the chain; then
 * stops the machine, through isa-debug-exit where that exists. */
_Noreturn void arch_panic(const struct limen_regs *regs, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
#define panic(...) arch_panic(NULL, __VA_ARGS__)

/* The memory functions that compilers call of their own accord. */
void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* Leaves the machine for good after an orderly stop. */
_Noreturn void arch_stop(unsigned status);

/* Prints the thread's registers and the reason it died, as an oops that kills nothing else. */
void arch_print_regs(const struct limen_regs *regs);

/* -- kernel provides -- */

/* The C entry, on the loader's boot stack.  Returns the frame of the first thread. */
struct limen_regs *kernel_main(const struct limen_boot *boot);

/* Pages of cleared memory before the objects exist; panics when there are none.  Physical-map
 * address. */
void *kernel_boot_alloc(size_t pages);

/* Says that the processor's side has this device to itself: ring 3 will not be given its pages.
 * Before the objects exist, as kernel_boot_alloc. */
void kernel_boot_keep(uint64_t physical, size_t size);

/* SYSCALL: the current thread's user frame is complete.  The numbers LIMEN_SYS_CALL and
 * LIMEN_SYS_REPLY_WAIT, without flags, come to the first two (fast_path.c), with RDI and RSI. */
struct limen_regs *fast_call(uint64_t target, uint64_t tag);
struct limen_regs *fast_reply_wait(uint64_t target, uint64_t tag);
struct limen_regs *kernel_syscall(struct limen_regs *regs);

/* An exception raised by the current thread in ring 3.  detail: CR2 or 0, DR6 or 0 (for #MC: status
 * and address, with the bank in regs->error). */
struct limen_regs *kernel_exception(struct limen_regs *regs, uint64_t detail0, uint64_t detail1);

/* On the interrupt stack, once for each interrupt; may open windows. */
void kernel_irq(unsigned line);
void kernel_timer(void);

/* After the outermost interrupt: `regs` is what was interrupted (user frame, kernel frame in a
 * window, or idle).  Chooses who runs now. */
struct limen_regs *kernel_reschedule(struct limen_regs *regs);

/* Counters that arch feeds (enum limen_counter). */
void kernel_count(enum limen_counter counter);

/* The kernel's log, which keeps what was said at boot for ring 3 to read, and writes it to the
 * panic console as long as no driver has taken over. */
void kernel_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
size_t kernel_format(char *buffer, size_t size, const char *format, __builtin_va_list arguments);

#endif
