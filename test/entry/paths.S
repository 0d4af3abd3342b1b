/* SPDX-License-Identifier: MIT */
	.text

	.globl	path_begin
	.type	path_begin, @function
path_begin:
	ret
	.size	path_begin, . - path_begin

	.globl	path_end
	.type	path_end, @function
path_end:
	ret
	.size	path_end, . - path_end

/* For ever, with nothing but its registers. */
	.globl	spin, spin_end
	.type	spin, @function
spin:
	pause
	jmp	spin
spin_end:
	.size	spin, . - spin

	.globl	stay
	.type	stay, @function
stay:
	jmp	stay
	.size	stay, . - stay

	.globl	use_extended, use_extended_end
	.type	use_extended, @function
use_extended:
	pxor	%xmm0, %xmm0
use_extended_end:
	ud2
	.size	use_extended, . - use_extended

	.globl	unreachable
	.type	unreachable, @function
unreachable:
	ud2
	.size	unreachable, . - unreachable

/* Offsets in struct extended. */
#define MXCSR   256
#define FS_BASE 264
#define GS_BASE 272

	.globl	extended_load
	.type	extended_load, @function
extended_load:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps	16 * \n(%rdi), %xmm\n
	.endr
	ldmxcsr	MXCSR(%rdi)
	mov	GS_BASE(%rdi), %rax
	wrgsbase %rax
	ret
	.size	extended_load, . - extended_load

	.globl	extended_store
	.type	extended_store, @function
extended_store:
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	movaps	%xmm\n, 16 * \n(%rdi)
	.endr
	stmxcsr	MXCSR(%rdi)
	rdfsbase %rax
	mov	%rax, FS_BASE(%rdi)
	rdgsbase %rax
	mov	%rax, GS_BASE(%rdi)
	ret
	.size	extended_store, . - extended_store

	.section .note.GNU-stack, "", @progbits
