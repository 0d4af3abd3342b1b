/* SPDX-License-Identifier: MIT */
/* The extended registers, as FXSAVE lays them out, and the upper halves of the sixteen of AVX. */
#ifndef BOOT_FPU_H
#define BOOT_FPU_H

#include <stdbool.h>
#include <stdint.h>

struct fpu_state {
    /* SDM vol. 1, 10.5.1. */
    _Alignas(16) uint16_t control;
    uint16_t status;
    uint8_t in_use; /* a bit for each x87 register */
    uint8_t reserved;
    uint16_t opcode;
    uint64_t instruction, operand;
    uint32_t mxcsr, mxcsr_mask;
    uint8_t x87[8][16]; /* ten bytes each */
    uint8_t xmm[16][16];
    uint8_t unused[96];
    uint8_t upper[16][16];
};
_Static_assert(sizeof(struct fpu_state) == 512 + 256, "FXSAVE's 512 bytes, and AVX's");

/* Load and store everything, without and with the upper halves. */
void fpu_load_sse(const struct fpu_state *state);
void fpu_store_sse(struct fpu_state *state);
void fpu_load_avx(const struct fpu_state *state);
void fpu_store_avx(struct fpu_state *state);

#endif
