/* SPDX-License-Identifier: MIT */
#define UPPER 512

	.text

	.globl	fpu_load_sse, fpu_store_sse, fpu_load_avx, fpu_store_avx
	.type	fpu_load_sse, @function
	.type	fpu_store_sse, @function
	.type	fpu_load_avx, @function
	.type	fpu_store_avx, @function

fpu_load_sse:
	fxrstor64 (%rdi)
	ret

fpu_store_sse:
	fxsave64 (%rdi)
	ret

fpu_load_avx:
	fxrstor64 (%rdi)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vinsertf128 $1, UPPER + 16 * \n(%rdi), %ymm\n, %ymm\n
	.endr
	ret

fpu_store_avx:
	fxsave64 (%rdi)
	.irp	n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
	vextractf128 $1, %ymm\n, UPPER + 16 * \n(%rdi)
	.endr
	ret

	.section .note.GNU-stack, "", @progbits
