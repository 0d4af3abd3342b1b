/* SPDX-License-Identifier: MIT */
/*
 * The threshold: every way into the kernel and every way out of it (docs/threshold.md).
 *
 * Each way in leaves a whole struct limen_regs on the stack and calls C with its address.  C
 * returns the frame to leave by, which may be another thread's, and `exit` is the one way out.
 * There are two kinds of entry:
 *
 *   normal    SYSCALL, exceptions, interrupts: the saved CS tells whose GS base is loaded, and the
 *             frame lies on the current thread's stack, or further down on whatever stack the
 *             kernel was using.
 *   paranoid  NMI, #DF, and #DB and #MC out of the kernel: these can strike between any two
 *             instructions of this file, so nothing is assumed of GS or of the interrupted stack.
 *             They run on IST stacks, with this processor's block named in the word above the top.
 *
 * Interrupts stay off in all of this file; arch_window() and the idle loop are where they are on.
 */
#include "layout.h"
#include <limen/regs.h>
#include <limen/syscall.h>

/* From the origin slot, already pushed, down to the start of the frame. */
.macro save_registers
	push	%r11			/* r11 */
	push	%rcx			/* rcx */
	push	%rbp			/* rbp */
	push	%rbx			/* rbx */
	push	%rax			/* rax */
	push	%rdi			/* rdi */
	push	%rsi			/* rsi */
	push	%r15			/* r15 */
	push	%r14			/* r14 */
	push	%r13			/* r13 */
	push	%r12			/* r12 */
	push	%r9			/* r9 */
	push	%r8			/* r8 */
	push	%r10			/* r10 */
	push	%rdx			/* rdx */
.endm

/* The reverse; leaves RSP at the origin slot. */
.macro restore_registers
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rsi
	pop	%rdi
	pop	%rax
	pop	%rbx
	pop	%rbp
	pop	%rcx
	pop	%r11
.endm

/*
 * Interrupt gates clear IF, TF, NT and RF but leave DF and AC as ring 3 set them, and C relies on
 * both being clear (docs/hazards/flags.md).  POPF sets every flag to what we say, and unlike CLAC
 * it exists on every processor.
 */
.macro clear_flags
	push	$RFLAGS_FIXED
	popfq
.endm

/* A frame-pointer record for the place that the frame at \frame interrupted, so that a chain walked
 * through this entry goes on there. */
.macro link_frame_pointer frame
	push	REGS_RIP(\frame)
	push	%rbp
	mov	%rsp, %rbp
.endm

.macro check function
#if LIMEN_MEASURE
	mov	%rsp, %rdi
	call	\function
#endif
.endm

	.text

/* From the loader (boot.h): RDI is the boot information, RSP the top of the boot stack. */
	.globl	_start
	.type	_start, @function
_start:
	clear_flags
	xor	%ebp, %ebp		/* the frame-pointer chain ends here */
	call	kernel_main
	jmp	exit_to
	.size	_start, . - _start

/*
 * SYSCALL: RIP is in RCX, RFLAGS in R11, RSP is still ring 3's and the flags in SYSCALL_FLAG_MASK
 * are clear.  Until the stack is loaded a #DB, NMI or #MC would find the user's RSP in ring 0: they
 * have stacks of their own (docs/hazards/popss.md, docs/hazards/ist.md).
 */
	.globl	syscall_entry, syscall_on_kernel_stack
	.type	syscall_entry, @function
syscall_entry:
	swapgs
	mov	%rsp, %gs:CPU_USER_RSP
	mov	%gs:CPU_RSP0, %rsp
syscall_on_kernel_stack:
	push	$USER_SS		/* ss */
	push	%gs:CPU_USER_RSP	/* rsp */
	push	%r11			/* rflags */
	push	$USER_CS		/* cs */
	push	%rcx			/* rip */
	push	$REGS_BY_SYSCALL	/* error */
	push	%rax			/* origin */
	save_registers
	check	arch_check_entry
#if LIMEN_MEASURE
	mov	REGS_RDI(%rsp), %rdi
	mov	REGS_RSI(%rsp), %rsi
#endif
	/* Both get what ring 3 has in RDI and RSI, and end in fast_exit, or come back here by a jump,
	 * with the frame as it was. */
	cmpq	$LIMEN_SYS_CALL, REGS_RAX(%rsp)
	je	fast_call
	cmpq	$LIMEN_SYS_REPLY_WAIT, REGS_RAX(%rsp)
	je	fast_reply_wait
	.globl	arch_syscall_general
arch_syscall_general:
	mov	%rsp, %rdi
	xor	%ebp, %ebp		/* the frame-pointer chain ends here */
	call	kernel_syscall
	.size	syscall_entry, . - syscall_entry

/*
 * The way out, by the frame that C chose.
 *
 * SYSRET takes RIP from RCX and RFLAGS from R11, so it serves only a frame whose slots for those
 * are as SYSCALL left them; and it would lose TF and RF.  A RIP that is not canonical would make it
 * fault in ring 0 on the user's stack; that cannot be here, because the frame came from a SYSCALL
 * below LIMEN_USER_END (docs/hazards/sysret.md).
 */
	.globl	exit_to
	.type	exit_to, @function
exit_to:
	mov	%rax, %rsp
exit:
	check	arch_check_exit
	testb	$3, REGS_CS(%rsp)
	jz	exit_same_gs
	cmpq	$REGS_BY_SYSCALL, REGS_ERROR(%rsp)
	jne	exit_by_iret
	testl	$(RFLAGS_TF | RFLAGS_RF), REGS_RFLAGS(%rsp)
	jnz	exit_by_iret
	restore_registers
	mov	(REGS_RSP - REGS_ORIGIN)(%rsp), %rsp
	.globl	exit_on_user_stack
exit_on_user_stack:
	swapgs
	sysretq

	/* IRETQ loads SS from the descriptor table, where ring 3's data segment is mostly closed, and
	 * leaves it open to ring 3 (docs/hazards/selectors.md). */
	.globl	exit_by_iret
exit_by_iret:
	movl	$USER_DATA_HIGH, %gs:(CPU_GDT + USER_SS - 3 + 4)
	orl	$CPU_SELECTORS, %gs:CPU_UNUSUAL
	restore_registers
	add	$(REGS_RIP - REGS_ORIGIN), %rsp
	swapgs
	/* May fault, for ring 3's debugger writes RIP as it likes.  The fault arrives from ring 0 but
	 * with the user's GS, and becomes the thread's own (docs/hazards/iret-fault.md). */
	.globl	exit_iret
exit_iret:
	iretq

/* To where GS base is already what it must be: back into the kernel, or wherever an NMI struck. */
exit_same_gs:
	restore_registers
	add	$(REGS_RIP - REGS_ORIGIN), %rsp
	iretq
	.size	exit_to, . - exit_to

/* For the fast path, which has found what kernel_syscall would: RDI is a capability that only the
 * kernel serves, RSI the frame. */
	.globl	arch_syscall_invoke
	.type	arch_syscall_invoke, @function
arch_syscall_invoke:
	xor	%ebp, %ebp		/* the frame-pointer chain ends here */
	call	invoke
	jmp	exit_to
	.size	arch_syscall_invoke, . - arch_syscall_invoke

/* For the fast path: to the frame in RDI. */
	.globl	arch_exit
	.type	arch_exit, @function
arch_exit:
	mov	%rdi, %rsp
	jmp	exit
	.size	arch_exit, . - arch_exit

/*
 * The way out of a direct switch (docs/fast-path.md): RDI is the badge and RSI the tag, where they
 * belong already, RDX and RCX are the frames with the message words 0 to 3 and 4 to 7, R8 is the thread
 * that waits now, R9 the one that goes on, by a frame that a SYSCALL built.
 *
 * The words come from the sender's frame or the receiver's, the rest from the receiver's.  While GS
 * base changes hands it is not the kernel's; only the paranoid entries, which assume nothing of it,
 * can come then (docs/hazards/swapgs.md).
 */
	.globl	fast_exit
	.type	fast_exit, @function
fast_exit:
	rdfsbase %rax
	mov	%rax, THREAD_FS_BASE(%r8)
	mov	THREAD_FS_BASE(%r9), %rax
	wrfsbase %rax
	mov	THREAD_GS_BASE(%r9), %rax
	swapgs
	rdgsbase %r11
	wrgsbase %rax
	mov	%r11, THREAD_GS_BASE(%r8)
	mov	THREAD_REGS(%r9), %r11
	mov	%rdx, %rsp
	pop	%rdx
	pop	%r10
	pop	%r8
	pop	%r9
	lea	REGS_R12(%rcx), %rsp
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	lea	REGS_RBX(%r11), %rsp
	xor	%eax, %eax		/* LIMEN_OK */
	pop	%rbx
	pop	%rbp
	pop	%rcx
	pop	%r11
	mov	(REGS_RSP - REGS_ORIGIN)(%rsp), %rsp
	.globl	fast_exit_on_user_stack
fast_exit_on_user_stack:
	sysretq
	.globl	fast_exit_end
fast_exit_end:
	.size	fast_exit, . - fast_exit

	.section .exception_table, "a"
	.quad	exit_iret, iret_fault
	.text

/*
 * Exceptions, RSP at the origin slot.  From ring 3 the frame lies at the top of the thread's stack.
 */
	.type	exception_entry, @function
exception_entry:
	save_registers
	clear_flags
	testb	$3, REGS_CS(%rsp)
	jnz	exception_from_user
	cmpq	$exit_iret, REGS_RIP(%rsp)
	jne	exception_entered
exception_from_user:
	swapgs
	xor	%ebp, %ebp
exception_entered:
	check	arch_check_entry
	mov	%rsp, %rdi
	link_frame_pointer %rdi
	call	arch_exception
	jmp	exit_to
	.size	exception_entry, . - exception_entry

/*
 * Interrupts.  The outermost one moves to the processor's interrupt stack and leaves the frame's
 * address in the word below its top, for the backtrace; one that came in a window of another's
 * handler stays on it.  The scheduler runs when the outermost is done, on the interrupted stack,
 * because the interrupt stack must be empty before another thread can be chosen.
 */
	.type	interrupt_entry, @function
interrupt_entry:
	save_registers
	clear_flags
	testb	$3, REGS_CS(%rsp)
	jz	1f
	swapgs
	xor	%ebp, %ebp
1:	check	arch_check_entry
	mov	%rsp, %rbx
	incl	%gs:CPU_INTERRUPT_DEPTH
	cmpl	$1, %gs:CPU_INTERRUPT_DEPTH
	jne	2f
	mov	%gs:CPU_INTERRUPT_STACK, %rsp
	push	%rbx			/* the link */
	push	%rbx			/* keeps the stack aligned to 16 */
2:	link_frame_pointer %rbx
	mov	REGS_ORIGIN(%rbx), %edi
	call	arch_interrupt
	mov	(%rbp), %rbp
	mov	%rbx, %rsp
	decl	%gs:CPU_INTERRUPT_DEPTH
	jnz	exit
	link_frame_pointer %rbx
	mov	%rbx, %rdi
	call	kernel_reschedule
	jmp	exit_to
	.size	interrupt_entry, . - interrupt_entry

/* #DB and #MC.  From ring 3 the thread's stack is empty and usable: the frame moves there, which
 * frees the IST stack at once, and the rest is an ordinary exception. */
	.type	ist_entry, @function
ist_entry:
	save_registers
	clear_flags
	testb	$3, REGS_CS(%rsp)
	jz	paranoid_saved
	swapgs
	mov	%rsp, %rsi
	mov	%gs:CPU_RSP0, %rdi
	sub	$REGS_SIZE, %rdi
	mov	%rdi, %rsp
	mov	$(REGS_SIZE / 8), %ecx
	rep movsq
	xor	%ebp, %ebp
	jmp	exception_entered
	.size	ist_entry, . - ist_entry

/*
 * Paranoid.  GS base is saved and put back whatever it was, for no test of the frame can tell
 * whether SWAPGS was still to come, or a selector load had cleared it (docs/hazards/swapgs.md).
 */
	.type	paranoid_entry, @function
paranoid_entry:
	save_registers
	clear_flags
paranoid_saved:
	mov	%rsp, %rbx
	mov	$MSR_GS_BASE, %ecx
	rdmsr
	mov	%eax, %r12d
	mov	%edx, %r13d
	mov	REGS_SIZE(%rbx), %rdx	/* the word above the stack: this processor's block */
	mov	%edx, %eax
	shr	$32, %rdx
	wrmsr
	mov	%rbx, %rdi
	link_frame_pointer %rbx
	call	arch_paranoid
	mov	%rbx, %rsp
	mov	%eax, %ebx
	mov	$MSR_GS_BASE, %ecx
	mov	%r12d, %eax
	mov	%r13d, %edx
	wrmsr
	test	%bl, %bl
	jz	exit_same_gs

	/* C asks to leave without IRETQ, which would unblock NMIs while an NMI handler is still on
	 * its stack (docs/hazards/nmi-nesting.md).  The interrupted code is the kernel's and has no red
	 * zone (docs/hazards/red-zone.md), so the two words below its RSP are free. */
	mov	REGS_RSP(%rsp), %rax
	mov	REGS_RIP(%rsp), %rcx
	mov	REGS_RFLAGS(%rsp), %rdx
	mov	%rcx, -8(%rax)
	mov	%rdx, -16(%rax)
	sub	$16, %rax
	mov	%rax, REGS_RSP(%rsp)
	restore_registers
	mov	(REGS_RSP - REGS_ORIGIN)(%rsp), %rsp
	popfq
	ret
	.size	paranoid_entry, . - paranoid_entry

/* The idle thread: its whole life. */
	.globl	idle_loop
	.type	idle_loop, @function
idle_loop:
	hlt
	jmp	idle_loop
	.size	idle_loop, . - idle_loop

/*
 * The vectors.  This list is the interrupt table: each line makes the stub and its entry in
 * vector_table, from which descriptors.c writes the gates.  A stub completes the frame down to the
 * origin slot: the error code, where the processor pushes none, and the vector.
 */
.macro vector number, entry, error=0, ist=0, dpl=0
	.pushsection .rodata.vectors, "a"
	.quad	1f
	.long	\ist, \dpl
	.popsection
1:
	.if !\error
	push	$0			/* error */
	.endif
	push	$\number		/* origin */
	jmp	\entry
.endm

.macro no_vector
	.pushsection .rodata.vectors, "a"
	.quad	0
	.long	0, 0
	.popsection
.endm

	.section .rodata.vectors, "a"
	.balign	8
	.globl	vector_table
vector_table:
	.text
	.type	vector_stubs, @function
vector_stubs:
	vector	0, exception_entry			/* #DE divide error */
	vector	VECTOR_DB, ist_entry, ist=IST_DB	/* #DB debug */
	vector	VECTOR_NMI, paranoid_entry, ist=IST_NMI
	vector	3, exception_entry, dpl=3		/* #BP breakpoint, the INT3 instruction */
	vector	4, exception_entry, dpl=3		/* #OF overflow, which 64-bit code cannot raise but by INT 4 */
	vector	5, exception_entry			/* #BR bound range */
	vector	6, exception_entry			/* #UD invalid opcode */
	vector	VECTOR_NM, exception_entry		/* #NM device not available */
	vector	VECTOR_DF, paranoid_entry, error=1, ist=IST_DF
	no_vector					/* 9: none since the 386 */
	vector	10, exception_entry, error=1		/* #TS invalid TSS */
	vector	11, exception_entry, error=1		/* #NP segment not present */
	vector	12, exception_entry, error=1		/* #SS stack fault */
	vector	VECTOR_GP, exception_entry, error=1	/* #GP general protection */
	vector	VECTOR_PF, exception_entry, error=1	/* #PF page fault */
	no_vector					/* 15 */
	vector	16, exception_entry			/* #MF x87 error */
	vector	17, exception_entry, error=1		/* #AC alignment check */
	vector	VECTOR_MC, ist_entry, ist=IST_MC	/* #MC machine check */
	vector	19, exception_entry			/* #XM SIMD error */
	vector	20, exception_entry			/* #VE virtualization */
	vector	21, exception_entry, error=1		/* #CP control protection */
	.rept	6
	no_vector					/* 22 to 27 */
	.endr
	vector	28, exception_entry			/* #HV hypervisor injection (AMD) */
	vector	29, exception_entry, error=1		/* #VC VMM communication (AMD) */
	vector	30, exception_entry, error=1		/* #SX security exception (AMD) */
	no_vector					/* 31 */
	.set	number, VECTOR_8259
	.rept	256 - VECTOR_8259
	vector	number, interrupt_entry
	.set	number, number + 1
	.endr
	.size	vector_stubs, . - vector_stubs

	.section .rodata.vectors, "a"
	.globl	vector_table_end
vector_table_end:

	.section .note.GNU-stack, "", @progbits
