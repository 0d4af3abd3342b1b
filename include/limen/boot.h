/* SPDX-License-Identifier: MIT */
/*
 * The boot-information structure: what the loader hands to the kernel, and the state of the machine
 * when it does.
 *
 * The loader jumps to the kernel's ELF entry with
 *   - RDI the kernel-space (physical-map) address of struct limen_boot,
 *   - RSP the top of LIMEN_BOOT_STACK_SIZE bytes of stack with an unmapped page at either side,
 *   - interrupts off, RFLAGS otherwise clear, CR0.WP, EFER.NXE and EFER.SCE set, CR4.PGE clear,
 *   - CR3 the loader's tables:
 *       LIMEN_KERNEL_BASE..        the kernel's segments, each with its own rights, W^X, in 4 KiB
 *                                  pages,
 *       LIMEN_PHYSMAP_BASE + p     exactly the ranges listed below, not executable, in 1 GiB, 2 MiB
 *                                  or (at ragged ends) 4 KiB pages; writable, but for the kernel's
 *                                  own read-only segments; uncached where there is no memory,
 *       LIMEN_STACKS_BASE          page tables, all empty, enough for as many addresses as there is
 *                                  memory: the kernel maps the stack of each thread there
 *                                  (docs/threshold.md),
 *     kernel and physical map as global pages,
 *   - the PAT as after reset, which is what "uncached" in the tables refers to,
 *   - nothing mapped in the lower half but the page of code that switched tables; the kernel unmaps
 *     it with the PML4 entry trampoline_pml4 (the lower half is its own).
 * Everything the loader allocated lies in ranges of kind LIMEN_MEMORY_KERNEL or _LOADED.
 */
#ifndef LIMEN_BOOT_H
#define LIMEN_BOOT_H

#include <stdint.h>

#define LIMEN_BOOT_MAGIC   0x746f6f426e656d4cull /* "LmenBoot" */
#define LIMEN_BOOT_VERSION 2u

#define LIMEN_KERNEL_BASE     0xffffffff80000000ull
#define LIMEN_PHYSMAP_BASE    0xffff800000000000ull
#define LIMEN_PHYSMAP_MAX     (512ull << 30) /* memory above this physical address is left alone */
#define LIMEN_STACKS_BASE     0xffffa00000000000ull
#define LIMEN_BOOT_STACK_BASE 0xffffc00000000000ull /* its guard; the stack is the pages above */
#define LIMEN_BOOT_STACK_SIZE 0x4000ull
#define LIMEN_CPUS_BASE       0xffffd00000000000ull /* per-processor areas, mapped by the kernel */

enum limen_memory_kind {
    LIMEN_MEMORY_FREE = 1, /* ordinary memory, the kernel's to give */
    LIMEN_MEMORY_KERNEL,   /* kernel image, page tables, boot stack: never given to ring 3 */
    LIMEN_MEMORY_LOADED,   /* init's segments, boot archive, this structure: may be freed later */
    LIMEN_MEMORY_DEVICE,   /* ACPI tables, MMIO, firmware: only as device memory.  Below 4 GiB all
                            * that is no memory, so the local and I/O APICs are in here as well */
};

struct limen_memory_range {
    uint64_t start; /* physical, page-aligned, never 0; ranges are sorted and do not overlap */
    uint64_t pages;
    uint32_t kind; /* enum limen_memory_kind */
    uint32_t reserved;
};

#define LIMEN_SEGMENT_READ    0x1u
#define LIMEN_SEGMENT_WRITE   0x2u
#define LIMEN_SEGMENT_EXECUTE 0x4u

/* A loaded piece of init: its memory is laid out as it must appear, the tail cleared. */
struct limen_boot_segment {
    uint64_t address; /* virtual, page-aligned */
    uint64_t physical;
    uint64_t pages;
    uint32_t rights; /* LIMEN_SEGMENT_*; never WRITE with EXECUTE */
    uint32_t reserved;
};

struct limen_boot_framebuffer {
    uint64_t address; /* physical; 0: none */
    uint32_t width, height;
    uint32_t stride; /* in pixels */
    uint32_t format; /* 0: RGBX, 1: BGRX */
};

#define LIMEN_BOOT_IO_APICS_MAX 8u
#define LIMEN_BOOT_ISA_LINES    16u
#define LIMEN_BOOT_NO_LINT      0xffu

/* How interrupts are wired: what the firmware's MADT tells (ACPI 6.5, 5.2.12), or else a PC's usual
 * wiring. */
struct limen_boot_interrupts {
    uint32_t io_apic_count;
    struct {
        uint32_t address; /* physical */
        uint32_t first;   /* the global system interrupt of its first pin */
    } io_apics[LIMEN_BOOT_IO_APICS_MAX];
    struct {
        uint32_t gsi;  /* the global system interrupt the line is wired to */
        uint8_t level; /* 1: level-triggered; 0: by edge */
        uint8_t low;   /* 1: active low; 0: high */
    } isa[LIMEN_BOOT_ISA_LINES];
    uint8_t nmi_lint; /* the local APIC's pin for NMI, 0 or 1; LIMEN_BOOT_NO_LINT: none named */
    uint8_t assumed;  /* 1: a PC's usual wiring, for the firmware tells of none */
};

#define LIMEN_BOOT_RANGES_MAX   512u
#define LIMEN_BOOT_SEGMENTS_MAX 8u
#define LIMEN_BOOT_CMDLINE_MAX  512u

struct limen_boot {
    uint64_t magic;
    uint32_t version;
    uint32_t size; /* of this structure */

    uint64_t init_entry;
    uint64_t archive; /* physical, page-aligned */
    uint64_t archive_size;
    uint64_t rsdp;            /* physical; 0: none found */
    uint64_t wall_seconds;    /* since 1970-01-01 UTC when the loader read the clock; 0: unknown */
    uint64_t trampoline_pml4; /* index of the PML4 entry that maps the jump; the kernel clears it */
    uint64_t stacks_pages;    /* page tables under LIMEN_STACKS_BASE */
    uint64_t tsc_hz; /* measured by the loader with the firmware's Stall; 0: not measured */
    struct limen_boot_framebuffer framebuffer;
    struct limen_boot_interrupts interrupts;

    uint32_t segment_count;
    uint32_t range_count;
    struct limen_boot_segment segments[LIMEN_BOOT_SEGMENTS_MAX];
    char cmdline[LIMEN_BOOT_CMDLINE_MAX]; /* ends with a zero byte */
    struct limen_memory_range ranges[LIMEN_BOOT_RANGES_MAX];
};

#endif
