/* SPDX-License-Identifier: MIT */
/*
 * BOOTX64.EFI: loads the kernel, init and the boot archive, describes the machine to the kernel
 * and enters it.  docs/boot.md tells the whole way; include/limen/boot.h is what it leads to.
 */
#include "cpio.h"
#include "elf.h"
#include "loader.h"
#include "space.h"
#include <cpuid.h>
#include <limen/init.h>
#include <string.h>

#define KERNEL_FILE    "kernel.elf"
#define INIT_FILE      "init.elf"
#define ARCHIVE_FILE   "boot.cpio"
#define KERNEL_LIMIT   0xfffffffffffff000ull /* so that no end of anything wraps to 0 */
#define INIT_LOWEST    0x1000ull             /* a null pointer stays a fault */
#define MEMORY_NEEDED  (16ull << 20)         /* free, for the kernel and the servers */
#define EXIT_TRIES_MAX 8u

#define CPUID_EXTENDED    0x80000001u
#define CPUID_1_GIB_PAGES (1u << 26) /* EDX */

static EFI_STATUS report(struct loader *loader, const struct file *file, struct defect defect)
{
    return fail(loader, EFI_LOAD_ERROR, "%s %s (at byte %llu); build it and copy it again",
                file->path, defect.what, (unsigned long long)defect.offset);
}

static EFI_STATUS too_little_memory(struct loader *loader, const char *purpose)
{
    return fail(loader, EFI_OUT_OF_RESOURCES, "the machine has too little memory for %s", purpose);
}

/* Reads an executable, checks it and lays its segments out in memory of their own. */
static EFI_STATUS load_executable(struct loader *loader, const char *name, uint64_t lowest,
                                  uint64_t limit, enum limen_memory_kind kind, uint64_t *entry,
                                  struct limen_boot_segment *segments, uint32_t *count)
{
    struct file file;
    struct elf_image image;
    const EFI_STATUS status = files_read(loader, name, LIMEN_MEMORY_FREE, &file);
    if (EFI_ERROR(status))
        return status;
    const struct defect defect = elf_check(file.data, file.size, lowest, limit, &image);
    if (defect.what != NULL)
        return report(loader, &file, defect);
    for (uint32_t i = 0; i < image.count; i++) {
        const struct elf_segment *segment = &image.segments[i];
        const bool read_only =
            kind == LIMEN_MEMORY_KERNEL && (segment->rights & LIMEN_SEGMENT_WRITE) == 0;
        void *memory = reserve(loader, segment->pages, kind, read_only);
        if (memory == NULL)
            return too_little_memory(loader, name);
        elf_lay_out(file.data, segment, memory);
        segments[i] = (struct limen_boot_segment){
            .address = segment->address,
            .physical = (uintptr_t)memory,
            .pages = segment->pages,
            .rights = segment->rights,
        };
    }
    *entry = image.entry;
    *count = image.count;
    return EFI_SUCCESS;
}

static EFI_STATUS load_archive(struct loader *loader, struct limen_boot *boot)
{
    struct file file;
    const EFI_STATUS status = files_read(loader, ARCHIVE_FILE, LIMEN_MEMORY_LOADED, &file);
    if (EFI_ERROR(status))
        return status;
    const struct defect defect = cpio_check(file.data, file.size);
    if (defect.what != NULL)
        return report(loader, &file, defect);
    boot->archive = (uintptr_t)file.data;
    boot->archive_size = file.size;
    return EFI_SUCCESS;
}

/* Pages for tables, reserved a chunk at a time. */
struct table_pages {
    struct loader *loader;
    char *next;
    unsigned left;
};

static void *take_table(void *context)
{
    enum { CHUNK_PAGES = 32 };
    struct table_pages *pages = context;
    if (pages->left == 0) {
        pages->next = reserve(pages->loader, CHUNK_PAGES, LIMEN_MEMORY_KERNEL, false);
        if (pages->next == NULL)
            return NULL;
        pages->left = CHUNK_PAGES;
    }
    void *page = pages->next;
    pages->next += PAGE_SIZE;
    pages->left--;
    return page;
}

static enum tables_level largest_page(void)
{
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(CPUID_EXTENDED, &eax, &ebx, &ecx, &edx) && (edx & CPUID_1_GIB_PAGES) != 0
               ? LEVEL_1G
               : LEVEL_2M;
}

/* Builds the kernel's address space; `tables` becomes the physical address of its top table. */
static EFI_STATUS build_space(struct loader *loader, const struct memory_map *map,
                              struct space_plan *plan, uint64_t *top)
{
    struct table_pages pages = {.loader = loader};
    struct tables tables = {.top = take_table(&pages), .take = take_table, .context = &pages};
    const struct memory_view view = memory_map_view(loader, map);
    void *stack = reserve(loader, LIMEN_BOOT_STACK_SIZE / PAGE_SIZE, LIMEN_MEMORY_KERNEL, false);
    plan->stacks_pages = space_stacks_pages(&view);
    plan->stacks_tables = reserve(loader, plan->stacks_pages, LIMEN_MEMORY_KERNEL, false);
    if (tables.top == NULL || stack == NULL || plan->stacks_tables == NULL)
        return too_little_memory(loader, "the kernel's page tables");
    plan->memory = &view;
    plan->boot_stack = (uintptr_t)stack;
    plan->jump_page = handover_page();
    plan->largest_page = largest_page();
    *top = (uintptr_t)tables.top;
    switch (space_build(&tables, plan)) {
    case TABLES_OK:
        return EFI_SUCCESS;
    case TABLES_NO_MEMORY:
        return too_little_memory(loader, "the kernel's page tables");
    case TABLES_OCCUPIED:
        break;
    }
    return fail(loader, EFI_LOAD_ERROR, "two parts of the kernel's address space overlap");
}

/* A screen that shows the loader's last line but not this bar belongs to a firmware that never came
 * back from ExitBootServices(). */
static void draw_bar(const struct limen_boot_framebuffer *framebuffer)
{
    enum { BAR_HEIGHT = 8, GREEN = 0x0000c000 }; /* the same in both formats */
    volatile uint32_t *pixels = (volatile uint32_t *)(uintptr_t)framebuffer->address;
    for (uint32_t y = 0; y < BAR_HEIGHT && y < framebuffer->height && pixels != NULL; y++) {
        for (uint32_t x = 0; x < framebuffer->width; x++)
            pixels[(uint64_t)y * framebuffer->stride + x] = GREEN;
    }
}

/* Ends boot services.  The key of the map is void as soon as anything in the firmware allocates,
 * its timers included, and then the map has to be taken again (UEFI 2.10, section 7.4.6). */
static EFI_STATUS leave_firmware(struct loader *loader, struct memory_map *map,
                                 struct limen_boot *boot)
{
    EFI_STATUS status = EFI_SUCCESS;
    for (unsigned i = 0; i < EXIT_TRIES_MAX; i++) {
        status = memory_map_take(loader, map);
        if (EFI_ERROR(status))
            return status;
        const struct memory_view view = memory_map_view(loader, map);
        if (!memory_ranges(&view, boot->ranges, &boot->range_count))
            return fail(loader, EFI_UNSUPPORTED,
                        "the memory map has more than %u ranges, too many for this version",
                        LIMEN_BOOT_RANGES_MAX);
        status = loader->services->ExitBootServices(loader->image, map->key);
        if (!EFI_ERROR(status))
            return EFI_SUCCESS;
    }
    return fail(loader, status, "the firmware did not end its boot services in %u tries",
                EXIT_TRIES_MAX);
}

/* Comes back only with the reason why Limen cannot start, which has been said. */
static EFI_STATUS boot_limen(struct loader *loader)
{
    struct memory_map map;
    struct limen_boot_segment segments[LIMEN_BOOT_SEGMENTS_MAX];
    struct space_plan plan = {.segments = segments};
    uint64_t kernel_entry = 0, tables = 0;

    EFI_STATUS status = facts_check_processor(loader);
    if (!EFI_ERROR(status))
        status = files_open(loader);
    if (EFI_ERROR(status))
        return status;
    struct limen_boot *boot =
        reserve(loader, (sizeof *boot + PAGE_SIZE - 1) / PAGE_SIZE, LIMEN_MEMORY_LOADED, false);
    if (boot == NULL)
        return too_little_memory(loader, "the boot information");
    boot->magic = LIMEN_BOOT_MAGIC;
    boot->version = LIMEN_BOOT_VERSION;
    boot->size = sizeof *boot;

    status = load_executable(loader, KERNEL_FILE, LIMEN_KERNEL_BASE, KERNEL_LIMIT,
                             LIMEN_MEMORY_KERNEL, &kernel_entry, segments, &plan.segment_count);
    if (!EFI_ERROR(status))
        status =
            load_executable(loader, INIT_FILE, INIT_LOWEST, LIMEN_INIT_ARCHIVE, LIMEN_MEMORY_LOADED,
                            &boot->init_entry, boot->segments, &boot->segment_count);
    if (!EFI_ERROR(status))
        status = load_archive(loader, boot);
    if (!EFI_ERROR(status))
        status = files_read_cmdline(loader, boot->cmdline);
    if (EFI_ERROR(status))
        return status;
    facts_gather(loader, boot);

    status = memory_map_open(loader, &map);
    if (!EFI_ERROR(status))
        status = memory_map_take(loader, &map);
    if (!EFI_ERROR(status))
        status = build_space(loader, &map, &plan, &tables);
    if (!EFI_ERROR(status))
        status = memory_map_take(loader, &map);
    if (EFI_ERROR(status))
        return status;
    boot->trampoline_pml4 = tables_index(plan.jump_page, LEVEL_TOP);
    boot->stacks_pages = plan.stacks_pages;
    const struct memory_view view = memory_map_view(loader, &map);
    facts_read_wiring(loader, &view, boot);
    const uint64_t free_bytes = memory_free(&view);
    if (free_bytes < MEMORY_NEEDED)
        return fail(loader, EFI_OUT_OF_RESOURCES,
                    "the machine has too little memory: %llu MiB are free, Limen needs %llu MiB",
                    (unsigned long long)free_bytes >> 20, MEMORY_NEEDED >> 20);

    say(loader, "Limen: loaded, leaving boot services");
    status = leave_firmware(loader, &map, boot);
    if (EFI_ERROR(status))
        return status;
    draw_bar(&boot->framebuffer);
    handover(tables, LIMEN_BOOT_STACK_BASE + PAGE_SIZE + LIMEN_BOOT_STACK_SIZE, kernel_entry,
             LIMEN_PHYSMAP_BASE + (uintptr_t)boot);
}

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system);

EFI_STATUS EFIAPI efi_main(EFI_HANDLE image, EFI_SYSTEM_TABLE *system)
{
    struct loader loader = {.image = image, .system = system, .services = system->BootServices};
    console_open(&loader);
    const EFI_STATUS status = boot_limen(&loader);
    files_close(&loader);
    release_all(&loader);
    return status;
}
