/* SPDX-License-Identifier: MIT */
/* Reports of dead servers. */
#include "report.h"

#include "archive.h"
#include "symbols.h"

#include <limen.h>
#include <limen/fault.h>
#include <protocol/names.h>

#define FRAMES_MAX 32

void report_logged(void)
{
    for (unsigned i = 0; i < server_count; i++)
        if (servers[i].signal_log != 0)
            limen_signal(servers[i].signal_log);
}

/* SDM vol. 3, table 6-1. */
static const char *vector_name(uint64_t vector)
{
    static const char *const names[] = {
        "divide error",
        "debug exception",
        "NMI",
        "breakpoint",
        "overflow",
        "bound range exceeded",
        "invalid opcode",
        "no floating-point unit",
        "double fault",
        NULL,
        "invalid TSS",
        "segment not present",
        "stack-segment fault",
        "general protection fault",
        "page fault",
        NULL,
        "floating-point error",
        "alignment check",
        "machine check",
        "SIMD floating-point error",
    };
    if (vector < sizeof names / sizeof names[0] && names[vector] != NULL)
        return names[vector];
    return "exception";
}

#define VECTOR_PAGE_FAULT 14u
#define PAGE_FAULT_WRITE  2u
#define PAGE_FAULT_FETCH  16u

static const char *access_text(uint64_t error)
{
    if (error & PAGE_FAULT_FETCH)
        return "executing";
    return error & PAGE_FAULT_WRITE ? "writing" : "reading";
}

/* Whether the address is one of the server's code: no symbol means anything elsewhere. */
static bool is_code(const struct server *server, uint64_t address)
{
    for (unsigned i = 0; i < server->region_count; i++) {
        const struct region *region = &server->regions[i];
        if ((region->rights & LIMEN_RIGHT_EXECUTE) && address >= region->address &&
            address - region->address < region->pages * LIMEN_PAGE_SIZE)
            return true;
    }
    return false;
}

static void print_place(const struct server *server, const struct cpio_file *symbols,
                        uint64_t address)
{
    struct symbol symbol = symbol_find(symbols->content, symbols->size, address);

    if (symbol.length > 0 && is_code(server, address))
        printf("  %s: %#018lx %.*s+%#lx\n", server->manifest->name, address, (int)symbol.length,
               symbol.name, symbol.offset);
    else
        printf("  %s: %#018lx\n", server->manifest->name, address);
}

void report_backtrace(const struct server *server, const struct limen_regs *regs)
{
    char name[LIMEN_MANIFEST_BINARY_MAX + sizeof ".sym"];
    struct cpio_file symbols = {"", 0};
    uint64_t frame = regs->rbp;

    snprintf(name, sizeof name, "%s.sym", server->manifest->binary);
    archive_find(name, &symbols);
    print_place(server, &symbols, regs->rip);
    for (int i = 0; i < FRAMES_MAX && frame != 0; i++) {
        uint64_t saved[2]; /* the caller's frame pointer, and where it goes on */
        if (frame % sizeof saved[0] != 0 || !server_read(server, frame, saved, sizeof saved) ||
            saved[1] == 0)
            break;
        print_place(server, &symbols, saved[1] - 1); /* within the call, not behind it */
        if (saved[0] <= frame)
            break;
        frame = saved[0];
    }
}

static void print_regs(const struct limen_regs *r)
{
    printf("  rip %016lx rsp %016lx rbp %016lx flags %08lx\n", r->rip, r->rsp, r->rbp, r->rflags);
    printf("  rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
    printf("  rsi %016lx rdi %016lx r8  %016lx r9  %016lx\n", r->rsi, r->rdi, r->r8, r->r9);
    printf("  r10 %016lx r11 %016lx r12 %016lx r13 %016lx\n", r->r10, r->r11, r->r12, r->r13);
    printf("  r14 %016lx r15 %016lx\n", r->r14, r->r15);
}

void report_fault(const struct server *server, uint32_t label, const uint64_t *words, char *reason,
                  size_t size)
{
    struct limen_regs regs;
    uint64_t vector = words[0];

    memcpy(&regs, &words[LIMEN_FAULT_DETAIL_WORDS], sizeof regs);
    if (label == LIMEN_FAULT_SYSCALL)
        snprintf(reason, size, "unknown system call %lu", words[0]);
    else if (vector == VECTOR_PAGE_FAULT)
        snprintf(reason, size, "page fault %s address %#lx", access_text(words[1]), words[2]);
    else
        snprintf(reason, size, "%s (vector %lu, error code %#lx)", vector_name(vector), vector,
                 words[1]);
    printf("init: server %s died: %s\n", server->manifest->name, reason);
    print_regs(&regs);
    report_backtrace(server, &regs);
    report_request(server);
}

const char *report_method(uint32_t label)
{
    for (size_t i = 0; i < sizeof protocol_names / sizeof protocol_names[0]; i++)
        if (protocol_names[i].label == label)
            return protocol_names[i].name;
    return NULL;
}

/* Clients' badges are their servers' numbers. */
void report_request(const struct server *server)
{
    const uint64_t block = LIMEN_SERVER_MESSAGE + LIMEN_THREAD_BLOCK_OFFSET;
    struct limen_last_request last;
    const struct server *client;
    const char *method;

    if (!server_read(server, block + offsetof(struct limen_thread_block, last), &last,
                     sizeof last) ||
        !last.taken)
        return;
    client = server_by_id(last.badge);
    method = report_method(last.label);
    printf("  %s: its last request, %s: ", server->manifest->name,
           last.handling ? "not yet answered" : "answered or put off");
    if (method != NULL)
        printf("%s", method);
    else
        printf("label %#x", last.label);
    printf(" from %s (badge %lu), %u words:",
           client != NULL ? client->manifest->name : "nobody known", last.badge, last.words);
    for (unsigned i = 0; i < last.words && i < LIMEN_LAST_WORDS; i++)
        printf(" %#lx", last.word[i]);
    printf(last.words > LIMEN_LAST_WORDS ? " ...\n" : "\n");
}
