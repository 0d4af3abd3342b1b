/* SPDX-License-Identifier: MIT */
/*
 * What the kernel hands to init, the first thread of ring 3: everything.
 *
 * init starts at its ELF entry with RDI the address of a read-only struct limen_init_info, RSP at
 * the top of a stack with an unmapped page below it, and these capabilities in its own table.  The
 * boot archive is mapped read-only at info->archive.
 */
#ifndef LIMEN_INIT_H
#define LIMEN_INIT_H

#include <stdint.h>

enum limen_init_slot {
    LIMEN_INIT_TABLE = 1, /* init's own capability table */
    LIMEN_INIT_SPACE,     /* its address space */
    LIMEN_INIT_THREAD,    /* its thread */
    LIMEN_INIT_IRQ_CONTROL,
    LIMEN_INIT_PORTS, /* ports 0 to 0xffff */
    LIMEN_INIT_KERNEL,
    LIMEN_INIT_CLOCK,   /* the clock page, a frame, read-only (clock.h) */
    LIMEN_INIT_CONTEXT, /* an unlimited scheduling context, on which init draws */
    LIMEN_INIT_UNTYPED, /* the first of info->untyped_count untyped capabilities */
};

#define LIMEN_INIT_TABLE_ORDER 12u /* init's table has 2^12 slots */
#define LIMEN_INIT_VERSION     2u
#define LIMEN_INIT_UNTYPED_MAX 256u
#define LIMEN_INIT_CMDLINE_MAX 512u

/* init's own address space, as the kernel lays it out; the ELF image must stay below. */
#define LIMEN_INIT_STACK_TOP    0x00006ffffff00000ull
#define LIMEN_INIT_STACK_SIZE   0x10000ull
#define LIMEN_INIT_INFO_ADDRESS 0x00006fffffff0000ull
#define LIMEN_INIT_ARCHIVE      0x0000600000000000ull

struct limen_init_untyped {
    uint64_t address; /* physical */
    uint32_t order;   /* 2^order bytes */
    uint32_t device;  /* 1: not memory, or memory the firmware keeps (ACPI tables, MMIO) */
};

struct limen_init_framebuffer {
    uint64_t address;               /* physical; 0: none */
    uint32_t width, height, stride; /* pixels; stride in pixels */
    uint32_t format;                /* 0: RGBX, 1: BGRX, 8 bits each */
};

/* Two pages, read-only. */
struct limen_init_info {
    uint32_t version; /* LIMEN_INIT_VERSION */
    uint32_t untyped_count;
    uint64_t archive; /* address of the boot archive in init's space */
    uint64_t archive_size;
    uint64_t rsdp;   /* physical address of the ACPI root pointer, 0: none */
    uint64_t memory; /* bytes of ordinary memory the machine has */
    uint64_t clock;  /* address of the clock page in init's space */
    struct limen_init_framebuffer framebuffer;
    char cmdline[LIMEN_INIT_CMDLINE_MAX]; /* ends with a zero byte */
    struct limen_init_untyped untyped[LIMEN_INIT_UNTYPED_MAX];
};
_Static_assert(sizeof(struct limen_init_info) <= 2 * 4096, "init info fits its two pages");

#endif
