/* SPDX-License-Identifier: MIT */
/*
 * The first code of init.  Nobody gives init an environment page, a message page or memory that is
 * counted already, so this replaces the runtime's start.c, panic.c and output.c.
 */
#include "archive.h"
#include "device.h"
#include "report.h"

#include <limen.h>
#include <stdio.h>

#define TABLE_POOL_ORDER 17u /* page tables for init's own mappings */

int main(int argc, char **argv);
_Noreturn void limen_start(const struct limen_init_info *info);

static const struct limen_init_info *info;

const struct limen_init_info *init_info(void)
{
    return info;
}

bool archive_find(const char *name, struct cpio_file *file)
{
    return cpio_find((const void *)info->archive, info->archive_size, name, file);
}

/* The machine cannot go on without init. */
_Noreturn void limen_panic(const char *format, ...)
{
    char text[256];
    uint64_t words[8] = {0};
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    limen_log_write(LIMEN_INIT_KERNEL, "init: ", 6);
    limen_log_write(LIMEN_INIT_KERNEL, text,
                    (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
    limen_log_write(LIMEN_INIT_KERNEL, "\n", 1);
    memcpy(words, "init gave up; the log says why", 30);
    limen_call8(LIMEN_INIT_KERNEL, LIMEN_KERNEL_STOP, words);
    for (;;)
        __asm__ volatile("ud2");
}

_Noreturn void limen_exit(int status)
{
    limen_panic("main returned %d", status);
}

void limen_output(const char *text, size_t length)
{
    limen_log_write(LIMEN_INIT_KERNEL, text, length);
    report_logged();
}

static void make_environment(struct limen_environment *environment)
{
    *environment = (struct limen_environment){
        .version = LIMEN_ENVIRONMENT_VERSION,
        .name = "init",
        .clock = info->clock,
        .heap = LIMEN_SERVER_HEAP,
        .heap_end = LIMEN_SERVER_HEAP_END,
        .slot_count = 1u << LIMEN_INIT_TABLE_ORDER,
        .first_free = LIMEN_INIT_UNTYPED + info->untyped_count,
    };
    memcpy(environment->cmdline, info->cmdline, sizeof environment->cmdline);
}

static void add_memory(void)
{
    for (uint32_t i = 0; i < info->untyped_count; i++) {
        const struct limen_init_untyped *untyped = &info->untyped[i];
        if (untyped->device)
            device_add(LIMEN_INIT_UNTYPED + i, untyped->address, untyped->order);
        else
            limen_must("counting the machine's memory", limen_memory_add(LIMEN_INIT_UNTYPED + i));
    }
}

static void make_message_page(void)
{
    uint64_t address = limen_addresses_take(1);
    uint32_t pool, frame;
    struct limen_thread_block *block;

    limen_must("taking memory for page tables", limen_untyped_take(TABLE_POOL_ORDER, &pool));
    limen_must("adding page tables", limen_space_donate(LIMEN_INIT_SPACE, pool));
    limen_must("making a message page", limen_make(LIMEN_TYPE_FRAME, LIMEN_PAGE_ORDER, 1, &frame));
    limen_must("mapping the message page",
               limen_map(frame, LIMEN_INIT_SPACE, address, LIMEN_RIGHT_READ | LIMEN_RIGHT_WRITE,
                         LIMEN_CACHE_NORMAL));
    limen_must("setting the message page", limen_thread_set_message_page(LIMEN_INIT_THREAD, frame));
    block = limen_thread_block_init((struct limen_message_page *)address);
    limen_must("setting the thread pointer",
               limen_thread_set_bases(LIMEN_INIT_THREAD, (uint64_t)block, 0));
}

__attribute__((naked, noreturn)) void _start(void);
void _start(void)
{
    __asm__("xorl %ebp, %ebp\n\t"
            "call limen_start");
}

_Noreturn void limen_start(const struct limen_init_info *given)
{
    static struct limen_environment environment;

    info = given;
    make_environment(&environment);
    limen_runtime_init(&environment);
    if (info->version != LIMEN_INIT_VERSION)
        limen_panic("the kernel speaks version %u of init's information, init version %u",
                    info->version, LIMEN_INIT_VERSION);
    add_memory();
    make_message_page();
    limen_exit(main(0, NULL));
}
