/* SPDX-License-Identifier: MIT */
/* What the parts of the loader that talk to the firmware share. */
#ifndef EFI_LOADER_H
#define EFI_LOADER_H

#include "memory.h"
#include <efi.h>
#include <stdbool.h>

#define PAGE_SIZE        4096ull
#define RESERVATIONS_MAX 64u

struct loader {
    EFI_HANDLE image;
    EFI_SYSTEM_TABLE *system;
    EFI_BOOT_SERVICES *services;
    EFI_LOADED_IMAGE *loaded;
    bool serial;            /* the firmware's console does not reach a serial port: write to COM1 */
    EFI_FILE_HANDLE volume; /* the root of where the loader came from; NULL: not readable */
    void *fw_cfg;           /* directory of the files QEMU hands over; NULL: none */
    struct reservation reservations[RESERVATIONS_MAX];
    size_t reservation_count;
};

/* -- console.c: what the person at the machine reads -- */

void console_open(struct loader *loader);

/* Writes one line to the firmware's console and the serial port. */
void say(struct loader *loader, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says in one sentence why Limen cannot start, and returns `status`. */
EFI_STATUS fail(struct loader *loader, EFI_STATUS status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* -- firmware_memory.c: the memory map, and memory that outlives the firmware -- */

/* Cleared pages below LIMEN_PHYSMAP_MAX, or NULL. */
void *reserve(struct loader *loader, uint64_t pages, enum limen_memory_kind kind, bool read_only);

/* Makes known where a device's memory lies. */
void reserve_device(struct loader *loader, uint64_t start, uint64_t bytes);

/* Gives back all that was reserved: the loader has failed. */
void release_all(struct loader *loader);

/* The firmware's memory map, in a buffer with room for it to grow. */
struct memory_map {
    void *descriptors;
    UINTN capacity, size, key, descriptor_size;
};

/* Allocates the buffer; later, takes the map as it is then; looks at the map last taken together
 * with what is reserved by now. */
EFI_STATUS memory_map_open(struct loader *loader, struct memory_map *map);
EFI_STATUS memory_map_take(struct loader *loader, struct memory_map *map);
struct memory_view memory_map_view(const struct loader *loader, const struct memory_map *map);

/* -- files.c: the boot volume, and what QEMU hands over in its stead -- */

struct file {
    char path[64]; /* as a person calls it */
    void *data;    /* page-aligned, the last page filled up with zeros */
    size_t size;
};

/* Finds the volume and fw_cfg; lets the volume go. */
EFI_STATUS files_open(struct loader *loader);
void files_close(struct loader *loader);

/* Reads a file whole.  Fails, and says so, unless it is there and not empty. */
EFI_STATUS files_read(struct loader *loader, const char *name, enum limen_memory_kind kind,
                      struct file *file);

/* Gathers the command line: the volume's file, the load options, then QEMU's. */
EFI_STATUS files_read_cmdline(struct loader *loader, char line[LIMEN_BOOT_CMDLINE_MAX]);

/* -- facts.c: what the firmware knows about the machine -- */

/* Refuses processors Limen cannot run on. */
EFI_STATUS facts_check_processor(struct loader *loader);

/* Fills in framebuffer, rsdp, wall_seconds and tsc_hz; none of them is needed to start. */
void facts_gather(struct loader *loader, struct limen_boot *boot);

/* Fills in how interrupts are wired, once rsdp is known. */
void facts_read_wiring(struct loader *loader, const struct memory_view *view,
                       struct limen_boot *boot);

/* -- handover.c: the way out -- */

/* The page of code that must stay mapped where it is when the tables change. */
uint64_t handover_page(void);

/* Enters the kernel.  Boot services have ended. */
_Noreturn void handover(uint64_t tables, uint64_t stack_top, uint64_t entry, uint64_t boot);

#endif
