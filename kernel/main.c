/* SPDX-License-Identifier: MIT */
/*
 * From the loader to init: the kernel sets its processor up, makes init out of the memory it
 * found, gives it every capability there is, and leaves for ring 3.
 */
#include "boot_memory.h"
#include "context.h"
#include "cpu.h"
#include "log.h"
#include "scheduler.h"
#include "space.h"
#include "table.h"
#include "untyped.h"
#include <limen/clock.h>
#include <limen/init.h>

#define INIT_PRIORITY   (PRIORITIES - 1)
#define INIT_INFO_PAGES 2u

/* Page-table pages for init's image, stack and archive: a table covers 2 MiB. */
#define INIT_SPACE_ORDER 18u

#define NANOSECONDS 1000000000ull

static struct cpu boot_cpu;

/* init while it is being made. */
struct birth {
    const struct limen_boot *boot;
    struct slot *table;
    struct thread *thread;
    struct space *space;
    struct limen_init_info *info;
    bool device;   /* the blocks being given are not ordinary memory */
    uint64_t lost; /* bytes there was no slot for */
};

static bool has_word(const char *line, const char *word)
{
    while (*line) {
        const char *w = word;
        while (*w && *line == *w) {
            line++;
            w++;
        }
        if (!*w && (*line == ' ' || *line == '\0'))
            return true;
        while (*line && *line != ' ')
            line++;
        while (*line == ' ')
            line++;
    }
    return false;
}

static struct slot *root_capability(struct birth *birth, enum limen_init_slot index,
                                    enum limen_type type, unsigned rights, void *object)
{
    struct slot *slot = &birth->table[index];
    slot_fill(slot, NULL, type, rights, 0, object);
    return slot;
}

static void map_or_panic(struct birth *birth, uint64_t address, uint64_t physical, uint64_t pages,
                         unsigned rights)
{
    for (uint64_t i = 0; i < pages; i++) {
        enum limen_error error = space_map_fixed(birth->space, address + i * LIMEN_PAGE_SIZE,
                                                 physical + i * LIMEN_PAGE_SIZE, rights);
        if (error)
            panic("cannot map init's page at %lx: error %u; is the boot archive too large?",
                  address + i * LIMEN_PAGE_SIZE, error);
    }
}

static void map_image(struct birth *birth)
{
    const struct limen_boot *boot = birth->boot;

    for (uint32_t i = 0; i < boot->segment_count; i++) {
        const struct limen_boot_segment *segment = &boot->segments[i];
        const unsigned both = LIMEN_SEGMENT_WRITE | LIMEN_SEGMENT_EXECUTE;
        if ((segment->rights & both) == both || segment->address >= LIMEN_INIT_ARCHIVE)
            panic("segment %u of init, at %lx with rights %x, is not acceptable", i,
                  segment->address, segment->rights);
        map_or_panic(birth, segment->address, segment->physical, segment->pages, segment->rights);
    }
    uint64_t pages = (boot->archive_size + LIMEN_PAGE_SIZE - 1) / LIMEN_PAGE_SIZE;
    map_or_panic(birth, LIMEN_INIT_ARCHIVE, boot->archive, pages, LIMEN_RIGHT_READ);

    const size_t stack_pages = LIMEN_INIT_STACK_SIZE / LIMEN_PAGE_SIZE;
    void *stack = kernel_boot_alloc(stack_pages);
    map_or_panic(birth, LIMEN_INIT_STACK_TOP - LIMEN_INIT_STACK_SIZE, virt_to_phys(stack),
                 stack_pages, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE);
}

/* The clock page is a frame like any other, so init can hand it on. */
static void make_clock(struct birth *birth)
{
    struct limen_clock *clock = kernel_boot_alloc(1);
    const struct limen_boot *boot = birth->boot;

    arch_clock_fill(clock);
    clock->tsc_base = boot_cpu.counters[LIMEN_COUNTER_BOOT_TSC];
    clock->wall_at_base = boot->wall_seconds * NANOSECONDS;
    struct slot *slot =
        root_capability(birth, LIMEN_INIT_CLOCK, LIMEN_TYPE_FRAME, LIMEN_RIGHT_READ, clock);
    slot->order = LIMEN_PAGE_ORDER;
    birth->info->clock = LIMEN_INIT_INFO_ADDRESS + INIT_INFO_PAGES * LIMEN_PAGE_SIZE;
    map_or_panic(birth, birth->info->clock, virt_to_phys(clock), 1, LIMEN_RIGHT_READ);
}

static void make_info(struct birth *birth)
{
    const struct limen_boot *boot = birth->boot;
    struct limen_init_info *info = kernel_boot_alloc(INIT_INFO_PAGES);

    birth->info = info;
    info->version = LIMEN_INIT_VERSION;
    info->archive = LIMEN_INIT_ARCHIVE;
    info->archive_size = boot->archive_size;
    info->rsdp = boot->rsdp;
    info->memory = boot_memory_total();
    info->framebuffer = (struct limen_init_framebuffer){
        .address = boot->framebuffer.address,
        .width = boot->framebuffer.width,
        .height = boot->framebuffer.height,
        .stride = boot->framebuffer.stride,
        .format = boot->framebuffer.format,
    };
    memcpy(info->cmdline, boot->cmdline, sizeof(info->cmdline) - 1);
    map_or_panic(birth, LIMEN_INIT_INFO_ADDRESS, virt_to_phys(info), INIT_INFO_PAGES,
                 LIMEN_RIGHT_READ);
}

/* init's own table, space and thread, and the capabilities that are not memory. */
static void make_init(struct birth *birth)
{
    const size_t table_pages = 1u << (LIMEN_INIT_TABLE_ORDER + LIMEN_SLOT_ORDER - LIMEN_PAGE_ORDER);
    const size_t space_pages = 1u << (INIT_SPACE_ORDER - LIMEN_PAGE_ORDER);
    const size_t thread_pages = 1u << (LIMEN_THREAD_ORDER - LIMEN_PAGE_ORDER);

    birth->table = kernel_boot_alloc(table_pages);
    birth->space = kernel_boot_alloc(space_pages);
    birth->thread = boot_memory_take(thread_pages, LIMEN_THREAD_ORDER);
    struct slot *table = &birth->table[LIMEN_INIT_TABLE];
    struct slot *space = &birth->table[LIMEN_INIT_SPACE];
    untyped_make(table, NULL, LIMEN_TYPE_TABLE, LIMEN_INIT_TABLE_ORDER + LIMEN_SLOT_ORDER,
                 birth->table);
    untyped_make(space, NULL, LIMEN_TYPE_SPACE, INIT_SPACE_ORDER, birth->space);
    untyped_make(&birth->table[LIMEN_INIT_THREAD], NULL, LIMEN_TYPE_THREAD, LIMEN_THREAD_ORDER,
                 birth->thread);
    struct context *context = kernel_boot_alloc(1);
    struct slot *unlimited =
        root_capability(birth, LIMEN_INIT_CONTEXT, LIMEN_TYPE_CONTEXT, LIMEN_RIGHTS_ALL, context);
    context_create_root(context);
    if (thread_configure(birth->thread, space, table, NULL, NULL))
        panic("init's thread cannot be configured");
    thread_set_context(birth->thread, unlimited);
    birth->thread->priority = INIT_PRIORITY;
    birth->thread->essential = true;
    memcpy(birth->thread->name, "init", 4);

    root_capability(birth, LIMEN_INIT_IRQ_CONTROL, LIMEN_TYPE_IRQ_CONTROL, LIMEN_RIGHTS_ALL, NULL);
    root_capability(birth, LIMEN_INIT_PORTS, LIMEN_TYPE_PORTS, LIMEN_RIGHTS_ALL, NULL)->last_port =
        UINT16_MAX;
    root_capability(birth, LIMEN_INIT_KERNEL, LIMEN_TYPE_KERNEL, LIMEN_RIGHTS_ALL, NULL);
}

static void give_block(void *context, uint64_t start, unsigned order)
{
    struct birth *birth = context;
    struct limen_init_info *info = birth->info;

    if (info->untyped_count == LIMEN_INIT_UNTYPED_MAX) {
        birth->lost += 1ull << order;
        return;
    }
    struct slot *slot = &birth->table[LIMEN_INIT_UNTYPED + info->untyped_count];
    slot_fill(slot, NULL, LIMEN_TYPE_UNTYPED, LIMEN_RIGHTS_ALL, order, phys_to_virt(start));
    slot->device = birth->device;
    info->untyped[info->untyped_count++] = (struct limen_init_untyped){
        .address = start,
        .order = order,
        .device = birth->device,
    };
}

/* All that is left: memory, then the devices that the kernel has no use for. */
static void give_memory(struct birth *birth)
{
    boot_memory_give(LIMEN_MEMORY_FREE, give_block, birth);
    birth->device = true;
    boot_memory_give(LIMEN_MEMORY_DEVICE, give_block, birth);
    if (birth->lost)
        kernel_log("memory: %lu KiB in small pieces are not used\n", birth->lost / 1024);
}

struct limen_regs *kernel_main(const struct limen_boot *boot)
{
    uint64_t started = arch_ticks();
    struct birth birth = {.boot = boot};

    boot_memory_init(boot);
    if (has_word(boot->cmdline, "quiet"))
        log_silence();
    arch_init(&boot_cpu, boot);
    boot_cpu.counters[LIMEN_COUNTER_BOOT_TSC] = started;
    arch_idle_create(&boot_cpu.idle.arch);
    scheduler_init(&boot_cpu);
    kernel_log("memory: %lu MiB\n", boot_memory_total() >> 20);

    make_init(&birth);
    boot_cpu.init_table = birth.table;
    make_info(&birth);
    map_image(&birth);
    make_clock(&birth);
    give_memory(&birth);

    arch_regs_set(&birth.thread->arch, &(struct limen_regs){
                                           .rip = boot->init_entry,
                                           .rsp = LIMEN_INIT_STACK_TOP,
                                           .rdi = LIMEN_INIT_INFO_ADDRESS,
                                       });
    birth.thread->state = LIMEN_THREAD_READY;
    kernel_log("init starts at %lx\n", boot->init_entry);
    boot_cpu.counters[LIMEN_COUNTER_INIT_TSC] = arch_ticks();
    return scheduler_switch(birth.thread);
}
