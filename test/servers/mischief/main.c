/* SPDX-License-Identifier: MIT */
/* A server that behaves badly in the way that the boot option mischief= names; and, under other
 * names in the manifest, those whom it or others harm. */
#include "roles.h"

#include <limen.h>
#include <protocol/console.h>
#include <stdlib.h>

static volatile int sink;

/* Kept apart, so that the backtrace has names to show. */
__attribute__((noinline)) static void write_to(volatile int *where)
{
    *where = 7;
    sink++;
}

void null_pointer(void)
{
    write_to(NULL);
    sink++;
}

static int recurse(volatile char *above)
{
    volatile char room[1024];

    room[0] = above[0];
    return room[0] == 'x' ? 0 : recurse(room) + room[1];
}

static void stack_overflow(void)
{
    sink = recurse((volatile char[]){'a', 'b'});
}

static void write_text(void)
{
    write_to((volatile int *)(uintptr_t)null_pointer);
}

static void execute_data(void)
{
    static unsigned char code[] = {0xc3};
    ((void (*)(void))(uintptr_t)code)();
}

static void foreign_syscall(void)
{
    long number = 39;
    __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
}

static void touch_port(void)
{
    __asm__ volatile("outb %%al, $0x80" : : "a"(0));
}

static void panics(void)
{
    limen_panic("the cupboard holds %d of %s", 0, "everything");
}

static void asserts(void)
{
    limen_assert(sink == 42);
}

/* A service that the manifest does not grant is not there at all. */
static void unknown_service(void)
{
    printf("process has slot %u\n", limen_lookup("process"));
    exit(3);
}

static void all_memory(void)
{
    unsigned pages = 0;

    while (limen_memory(1) != NULL)
        pages++;
    printf("%s\n", pages >= 32 && pages <= 64 ? "memory ends where it should" : "wrong amount");
}

static void in_thread(void *argument)
{
    ++*(volatile int *)argument;
}

static void threads(void)
{
    int count = 0;

    for (int i = 0; i < 500; i++) {
        struct limen_thread thread;
        limen_must("starting a thread",
                   limen_thread_start(&thread, "short", 110, in_thread, &count, LIMEN_PAGE_SIZE));
        limen_thread_join(&thread);
    }
    printf("%d threads were joined\n", count);
}

static void fault_in_thread(void *argument)
{
    (void)argument;
    null_pointer();
}

static void thread_faults(void)
{
    struct limen_thread thread;

    limen_must("starting a thread",
               limen_thread_start(&thread, "bad", 110, fault_in_thread, NULL, LIMEN_PAGE_SIZE));
    limen_thread_join(&thread);
}

static void set_priority(unsigned priority)
{
    limen_must("lowering the priority", limen_thread_set_priority(LIMEN_SLOT_THREAD, priority));
}

void lower_priority(void)
{
    set_priority(SHELL_PRIORITY);
}

static void flood(void)
{
    lower_priority();
    for (unsigned long i = 0;; i++)
        printf("flood %lu\n", i);
}

static void read_and_die(void *argument)
{
    char line[CONSOLE_READ_LINE_LINE_MAX + 1];

    (void)argument;
    console_read_line(limen_lookup("console"), "mischief? ", line);
}

/* Has the keyboard, and dies with it: goes on only when the other thread and the shell wait. */
static void dies_reading(void)
{
    struct limen_thread thread;

    limen_must("starting a thread",
               limen_thread_start(&thread, "reader", 110, read_and_die, NULL, 2 * LIMEN_PAGE_SIZE));
    set_priority(SHELL_PRIORITY - 1);
    exit(0);
}

/* Each life finds what the one before it left. */
static void counts_lives(void)
{
    uint64_t *lives = limen_state(LIMEN_PAGE_SIZE);

    limen_commit(lives, *lives + 1);
    printf("life %u is life %lu by its state\n", limen_environment()->life, *lives);
    null_pointer();
}

/* Dies in its first life only. */
static void dies_once(void)
{
    if (limen_environment()->life == 1)
        null_pointer();
    idle();
}

static void arguments(int count, char **values)
{
    for (int i = 0; i < count; i++)
        printf("argument %d is '%s'\n", i, values[i]);
}

_Noreturn void idle(void)
{
    uint64_t bits;

    for (;;)
        limen_wait_notification(LIMEN_SLOT_NOTIFICATION, LIMEN_FOREVER, &bits);
}

/* With mischief=loop it takes all the time it gets. */
static void looper(void)
{
    char name[16];

    while (limen_boot_option("mischief", name, sizeof name) && strcmp(name, "loop") == 0)
        ;
    idle();
}

static void play_role(const char *role)
{
    if (strcmp(role, "victim") == 0)
        victim();
    if (strcmp(role, "looper") == 0)
        looper();
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*act)(void);
    } acts[] = {
        {"null", null_pointer},
        {"stack", stack_overflow},
        {"text", write_text},
        {"data", execute_data},
        {"syscall", foreign_syscall},
        {"port", touch_port},
        {"panic", panics},
        {"assert", asserts},
        {"abort", abort},
        {"service", unknown_service},
        {"memory", all_memory},
        {"threads", threads},
        {"thread", thread_faults},
        {"flood", flood},
        {"reader", dies_reading},
        {"silent", never_replies},
        {"twice", replies_twice},
        {"drop", drops_reply},
        {"dropall", drops_all},
        {"storm", floods_endpoint},
        {"map", maps_everything},
        {"exhaust", exhausts_memory},
        {"circle", calls_itself},
        {"request", dies_of_request},
        {"give", gives_service_away},
        {"state", counts_lives},
        {"once", dies_once},
    };
    char name[16];

    play_role(argv[0]);
    if (!limen_boot_option("mischief", name, sizeof name))
        idle();
    if (strcmp(name, "arguments") == 0)
        arguments(argc, argv);
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++)
        if (strcmp(acts[i].name, name) == 0)
            acts[i].act();
    return 42;
}
