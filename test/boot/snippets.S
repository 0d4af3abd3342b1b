/* SPDX-License-Identifier: MIT */
/*
 * Code that faults, each a few bytes a test jumps to with all registers set; UD2 follows wherever
 * an instruction might be survived.
 */

#include <limen/syscall.h>

.macro snippet name
	.globl	snippet_\name
	.type	snippet_\name, @function
snippet_\name:
.endm

	.text

snippet	nop_ud2
	nop
	ud2

snippet	ud2
	ud2

snippet	int3
	int3
	ud2

snippet	int_3
	.byte	0xcd, 3
	ud2

snippet	int_4
	int	$4
	ud2

snippet	int_80
	int	$0x80
	ud2

snippet	div
	div	%rcx
	ud2

snippet	icebp
	.byte	0xf1
	ud2

snippet	hlt
	hlt
	ud2

snippet	cli
	cli
	ud2

snippet	sti
	sti
	ud2

snippet	in
	in	%dx, %al
	ud2

snippet	out
	out	%al, %dx
	ud2

snippet	ins
	insb
	ud2

snippet	outs
	outsb
	ud2

snippet	mov_from_cr0
	mov	%cr0, %rax
	ud2

snippet	mov_to_cr0
	mov	%rax, %cr0
	ud2

snippet	mov_to_cr3
	mov	%rax, %cr3
	ud2

snippet	mov_to_cr4
	mov	%rax, %cr4
	ud2

snippet	mov_to_cr8
	mov	%rax, %cr8
	ud2

snippet	mov_from_dr7
	mov	%dr7, %rax
	ud2

snippet	mov_to_dr7
	mov	%rax, %dr7
	ud2

snippet	lgdt
	lgdt	(%rsp)
	ud2

snippet	lidt
	lidt	(%rsp)
	ud2

snippet	lldt
	lldt	%ax
	ud2

snippet	ltr
	ltr	%ax
	ud2

snippet	lmsw
	lmsw	%ax
	ud2

snippet	clts
	clts
	ud2

snippet	rdmsr
	rdmsr
	ud2

snippet	wrmsr
	wrmsr
	ud2

snippet	invlpg
	invlpg	(%rsp)
	ud2

snippet	invd
	invd
	ud2

snippet	wbinvd
	wbinvd
	ud2

snippet	swapgs
	swapgs
	ud2

snippet	sysret
	sysretq
	ud2

/* With a frame for ring 0 on the stack. */
snippet	iret_to_ring_0
	iretq
	ud2

snippet	rdpmc
	rdpmc
	ud2

snippet	xsetbv
	xsetbv
	ud2

snippet	far_return_to_ring_0
	lretq
	ud2

snippet	load_kernel_ss
	mov	%eax, %ss
	ud2

snippet	load_kernel_ds
	mov	%eax, %ds
	ud2

/* What UMIP forbids. */
snippet	sgdt
	sgdt	-64(%rsp)
	ud2

snippet	sidt
	sidt	-64(%rsp)
	ud2

snippet	sldt
	sldt	%rax
	ud2

snippet	str
	str	%rax
	ud2

snippet	smsw
	smsw	%rax
	ud2

/* Memory at RAX. */
snippet	load
	mov	(%rax), %rcx
	ud2

snippet	store
	mov	%rcx, (%rax)
	ud2

snippet	jump
	jmp	*%rax

snippet	push
	push	%rax
	ud2

snippet	misaligned
	mov	1(%rsp), %eax
	ud2

/* Divisions by zero with the exception unmasked; what fault they raise is their own. */
snippet	x87_divide
	fninit
	push	$0x037b
	fldcw	(%rsp)
	fld1
	fldz
	fdivrp
	fwait
	ud2

snippet	sse_divide
	push	$0x1d80
	ldmxcsr	(%rsp)
	pxor	%xmm0, %xmm0
	mov	$1, %eax
	cvtsi2sd %eax, %xmm1
	divsd	%xmm0, %xmm1
	ud2

snippet	syscall
	syscall
	ud2

snippet	syscall_nop
	syscall
	nop
	nop
	ud2

/* All the flags that RAX asks for, as far as POPF grants them. */
snippet	popf_all
	push	%rax
	popfq
	ud2


/* For ever, with nothing but its registers. */
snippet	spin
1:	pause
	jmp	1b

/*
 * The 128 bytes below RSP, which belong to the code that runs (System V ABI, 3.2.2): each pass
 * writes them from RAX and reads them back.  RCX counts the passes, and ends the loop at RDX; a
 * wrong word ends it at once.  R8 != 0 puts a breakpoint between writing and reading.
 */
snippet	red_zone
1:	.irp	offset, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128
	lea	\offset(%rax), %rbx
	mov	%rbx, -\offset(%rsp)
	.endr
	mov	$2000, %r9d
2:	dec	%r9d
	jnz	2b
	test	%r8, %r8
	jz	3f
	int3
3:	.irp	offset, 8, 16, 24, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120, 128
	lea	\offset(%rax), %rbx
	cmp	%rbx, -\offset(%rsp)
	jne	4f
	.endr
	inc	%rcx
	inc	%rax
	cmp	%rdx, %rcx
	jb	1b
4:	ud2

/* Fills the extended registers from the FXSAVE image at RDI, and after a breakpoint writes them back
 * there. */
snippet	fxrstor_int3_fxsave
	fxrstor64 (%rdi)
	int3
	fxsave64 (%rdi)
	ud2

snippet	wrgsbase_int3_rdgsbase
	wrgsbase %rax
	int3
	rdgsbase %rcx
	ud2

snippet	read_bases
	rdfsbase %rax
	rdgsbase %rcx
	ud2

/* A server in eight instructions and a few: RAX and RDI are set for its first wait, RBX says what it
 * waits with.  It adds one to each word that came in a register. */
snippet	echo
1:	syscall
	mov	%esi, %ecx
	and	$0x7f, %ecx
	.irp	word, %rdx, %r10, %r8, %r9, %r12, %r13, %r14, %r15
	sub	$1, %ecx
	js	2f
	inc	\word
	.endr
2:	mov	%rbx, %rdi
	mov	$LIMEN_SYS_REPLY_WAIT, %eax
	jmp	1b
	.globl	snippet_echo_end
snippet_echo_end:

snippet	call_once
	syscall
	ud2
	.globl	snippet_call_once_end
snippet_call_once_end:

/* Answers a reflected system call with the sum of its number and its argument. */
	.globl	reflection_handler
	.type	reflection_handler, @function
reflection_handler:
	push	%rcx
	push	%r11
	add	%rdi, %rax
	pop	%r11
	pop	%rcx
	mov	%r11, %rsp
	jmp	*%rcx

	.section .note.GNU-stack, "", @progbits
