/* SPDX-License-Identifier: MIT */
#include <limen/regs.h>

#define PLAIN_FLAGS 0x202

	.text

/* void system_call(struct limen_regs *regs) */
	.globl	system_call, system_call_return
	.type	system_call, @function
system_call:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	REGS_RFLAGS(%rdi)
	popfq				/* no flag changes from here to the SYSCALL */
	push	%rdi
	mov	REGS_RDX(%rdi), %rdx
	mov	REGS_R10(%rdi), %r10
	mov	REGS_R8(%rdi), %r8
	mov	REGS_R9(%rdi), %r9
	mov	REGS_R12(%rdi), %r12
	mov	REGS_R13(%rdi), %r13
	mov	REGS_R14(%rdi), %r14
	mov	REGS_R15(%rdi), %r15
	mov	REGS_RSI(%rdi), %rsi
	mov	REGS_RAX(%rdi), %rax
	mov	REGS_RBX(%rdi), %rbx
	mov	REGS_RBP(%rdi), %rbp
	mov	REGS_RCX(%rdi), %rcx
	mov	REGS_R11(%rdi), %r11
	mov	REGS_RDI(%rdi), %rdi
	syscall
system_call_return:
	xchg	%rdi, (%rsp)
	mov	%rdx, REGS_RDX(%rdi)
	mov	%r10, REGS_R10(%rdi)
	mov	%r8, REGS_R8(%rdi)
	mov	%r9, REGS_R9(%rdi)
	mov	%r12, REGS_R12(%rdi)
	mov	%r13, REGS_R13(%rdi)
	mov	%r14, REGS_R14(%rdi)
	mov	%r15, REGS_R15(%rdi)
	mov	%rsi, REGS_RSI(%rdi)
	mov	%rax, REGS_RAX(%rdi)
	mov	%rbx, REGS_RBX(%rdi)
	mov	%rbp, REGS_RBP(%rdi)
	mov	%rcx, REGS_RCX(%rdi)
	mov	%r11, REGS_R11(%rdi)
	pop	REGS_RDI(%rdi)
	pushfq
	pop	REGS_RFLAGS(%rdi)
	push	$PLAIN_FLAGS
	popfq
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	system_call, . - system_call

	.section .note.GNU-stack, "", @progbits
