/* SPDX-License-Identifier: MIT */
#include "fuzz_threads.h"

	.text
	.globl	fuzz_thread
	.type	fuzz_thread, @function
fuzz_thread:
1:	mov	$0x5851f42d4c957f2d, %rax	/* Knuth's linear congruential generator */
	imul	%rax, %rsp
	inc	%rsp
	mov	%rsp, %rbp
	shr	$(64 - FUZZ_CALLS_ORDER), %rbp
	shl	$FUZZ_CALL_SHIFT, %rbp
	lea	fuzz_calls(%rip), %rax
	add	%rax, %rbp
	mov	8(%rbp), %rdi
	mov	16(%rbp), %rsi
	mov	24(%rbp), %rbx
	mov	0(%rbp), %rax
	incq	fuzz_calls_made(%rip)
	syscall
	jmp	1b
	.size	fuzz_thread, . - fuzz_thread
