/* SPDX-License-Identifier: MIT */
/* The code of attacks: a test jumps to it with all registers set.  UD2 is the end of each. */

.macro attack name
	.globl	attack_\name
	.type	attack_\name, @function
attack_\name:
.endm

	.text

/* A load of SS from the watched word at RBX holds the watchpoint's trap up until after the next
 * instruction (SDM vol. 3, 6.8.3). */
.macro after_mov_ss name:req, instruction:vararg
attack	mov_ss_\name
	mov	(%rbx), %ss
	\instruction
	ud2
.endm
	after_mov_ss syscall, syscall
	after_mov_ss int3, int3
	after_mov_ss int_3, .byte 0xcd, 3
	after_mov_ss int_4, int $4
	after_mov_ss int_80, int $0x80
	after_mov_ss icebp, .byte 0xf1
	after_mov_ss ud2, ud2
	after_mov_ss load, mov (%rax), %rax
	after_mov_ss cli, cli
	after_mov_ss nop, nop

attack	mov_ss_mov_ss_syscall
	mov	(%rbx), %ss
	mov	(%rbx), %ss
	syscall
	ud2

attack	pop_ss
	.byte	0x17
	ud2

attack	int3_nop
	int3
	nop
	ud2

attack	icebp_nop
	.byte	0xf1
	nop
	ud2

attack	syscall_ud2
	syscall
	ud2

/* RBX: the flags with which to call. */
attack	popf_syscall
	push	%rbx
	popfq
	syscall
	ud2

attack	iret
	iretq
	ud2

/* AX, CX, DX, DI into DS, ES, FS, GS. */
attack	load_selectors
	mov	%eax, %ds
	mov	%ecx, %es
	mov	%edx, %fs
	mov	%edi, %gs
	ud2

attack	load_ds
	mov	%eax, %ds
	ud2
attack	load_es
	mov	%eax, %es
	ud2
attack	load_fs
	mov	%eax, %fs
	ud2
attack	load_gs
	mov	%eax, %gs
	ud2
attack	load_ss
	mov	%eax, %ss
	ud2

/* To the six bytes at RAX: offset and selector. */
attack	far_jump
	ljmpl	*(%rax)
	ud2
attack	far_call
	lcalll	*(%rax)
	ud2
attack	far_return
	lretq
	ud2

attack	sysenter
	sysenter
	ud2

/* Every vector there is, four bytes apart. */
attack	int_n
	.set	number, 0
	.rept	256
	.byte	0xcd, number
	ud2
	.set	number, number + 1
	.endr

/* To memory at RAX. */
attack	store_tables
	sgdt	(%rax)
	ud2
attack	store_ldt
	sldt	(%rax)
	ud2
attack	store_task
	str	(%rax)
	ud2
attack	store_status
	smsw	(%rax)
	ud2

attack	write_fs_base
	wrfsbase %rax
	ud2
attack	write_gs_base
	wrgsbase %rax
	ud2

/* With GS base RAX and FS base RBX: RCX passes of a system call each, with time between for the
 * timer; ends early with R8 = 1 where a base is not what it was. */
attack	bases_and_calls
	mov	%rcx, %rbp
	mov	%rax, %r12
	wrgsbase %r12
	wrfsbase %rbx
	xor	%r8d, %r8d
1:	mov	$0x1000, %eax
	syscall
	mov	$200, %ecx
2:	dec	%ecx
	jnz	2b
	rdgsbase %rax
	rdfsbase %rcx
	cmp	%rax, %r12
	jne	3f
	cmp	%rcx, %rbx
	jne	3f
	dec	%rbp
	jnz	1b
	jmp	4f
3:	mov	$1, %r8d
4:	ud2

/* All that a thread starts with and GET_REGS does not show, into memory at RAX; touches no register
 * before it is stored. */
attack	read_state
	fxsave64 (%rax)
	mov	%ds, 512(%rax)
	mov	%es, 514(%rax)
	mov	%fs, 516(%rax)
	mov	%gs, 518(%rax)
	rdfsbase %rcx
	mov	%rcx, 520(%rax)
	rdgsbase %rcx
	mov	%rcx, 528(%rax)
	ud2

attack	load_mxcsr
	ldmxcsr	(%rax)
	ud2

/* From the area at RBX, all components.  MOVAPS is the first use of the extended registers, for QEMU's
 * emulation lets XRSTOR and XSAVE pass where CR0.TS forbids them. */
attack	restore_extended
	movaps	%xmm0, %xmm0
	mov	$-1, %eax
	mov	$-1, %edx
	xrstor64 (%rbx)
	ud2

/* To the area at RBX, the same. */
attack	save_extended
	movaps	%xmm0, %xmm0
	mov	$-1, %eax
	mov	$-1, %edx
	xsave64	(%rbx)
	ud2

/* A division by zero with its exception unmasked and not yet raised; then a system call, a number
 * of passes for the timer, and the instruction that has to raise it. */
attack	pending_x87
	fninit
	push	$0x037b
	fldcw	(%rsp)
	fld1
	fldz
	fdivrp
	mov	$0x1000, %eax
	syscall
	mov	%rbx, %rcx
1:	dec	%rcx
	jnz	1b
	fwait
	ud2

attack	touch_x87
	fld1
	fwait
	ud2

attack	spin
	pause
	jmp	attack_spin

	.section .note.GNU-stack, "", @progbits
