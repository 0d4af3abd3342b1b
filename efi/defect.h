/* SPDX-License-Identifier: MIT */
/* What a check found wrong: how every parser of the loader answers. */
#ifndef EFI_DEFECT_H
#define EFI_DEFECT_H

#include <stdint.h>

struct defect {
    const char *what; /* completes the sentence "FILE ..."; NULL: nothing is wrong */
    uint64_t offset;  /* the byte of the file where it shows */
};

#define NO_DEFECT ((struct defect){0})

#endif
