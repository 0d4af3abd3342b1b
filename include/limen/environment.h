/* SPDX-License-Identifier: MIT */
/*
 * What init gives to every other server: some capabilities at well-known slots of its table, the
 * manifest's grants after them, and a read-only page that tells which is which.
 *
 * A server starts at its ELF entry with RDI the address of that page and RSP at the top of a stack
 * with an unmapped page below it.
 */
#ifndef LIMEN_ENVIRONMENT_H
#define LIMEN_ENVIRONMENT_H

#include <limen/init.h>
#include <limen/regs.h>
#include <stdint.h>

enum limen_slot {
    LIMEN_SLOT_TABLE = LIMEN_INIT_TABLE,   /* the server's own capability table */
    LIMEN_SLOT_SPACE = LIMEN_INIT_SPACE,   /* its address space */
    LIMEN_SLOT_THREAD = LIMEN_INIT_THREAD, /* its first thread */
    LIMEN_SLOT_SUPERVISOR,                 /* init: protocols/supervisor.toml; and its faults */
    LIMEN_SLOT_UNTYPED,                    /* the memory of the manifest's key "memory" */
    LIMEN_SLOT_CLOCK,                      /* the clock page, a frame, read-only */
    LIMEN_SLOT_NOTIFICATION,               /* bound to the first thread; interrupts signal it */
    LIMEN_SLOT_GRANTS,                     /* the first of the manifest's grants, in their order */
};

/* The layout of a server's address space.  One gigabyte holds it all, so that a few page-table
 * pages do. */
#define LIMEN_SERVER_IMAGE       0x00400000ull /* the ELF image lies from here ... */
#define LIMEN_SERVER_HEAP        0x10000000ull /* ... to here, where the server maps its own */
#define LIMEN_SERVER_HEAP_END    0x3e000000ull
#define LIMEN_SERVER_ENVIRONMENT 0x3f000000ull
#define LIMEN_SERVER_CLOCK       0x3f001000ull
#define LIMEN_SERVER_MESSAGE     0x3f002000ull /* the first thread's message page */
#define LIMEN_SERVER_STATE       0x3f080000ull /* pages that outlive the server */
#define LIMEN_SERVER_STATE_MAX   0x100000u
#define LIMEN_SERVER_STACK_TOP   0x3f200000ull
#define LIMEN_SERVER_STACK_SIZE  0x10000ull

/* Bits of the server's notification: interrupt grants take bits from 0 up, in the manifest's order.
 */
#define LIMEN_NOTIFICATION_LOG (1ull << 63) /* the kernel's log has grown; with the grant "log" */

/* Names of servers and of the things they are granted. */
#define LIMEN_NAME_MAX 16u /* with its zero byte; a thread's name holds as much */

#define LIMEN_GRANTS_MAX    24u
#define LIMEN_ARGUMENTS_MAX 256u /* bytes; each argument ends with a zero byte */

struct limen_binding {
    char name[LIMEN_NAME_MAX];
    uint32_t slot;
    uint32_t kind;  /* enum limen_grant_kind (manifest.h) */
    uint64_t first; /* ports: the first one; interrupt: the bit it signals, as a mask */
};

#define LIMEN_ENVIRONMENT_VERSION 2u

/* One page, read-only. */
struct limen_environment {
    uint32_t version; /* LIMEN_ENVIRONMENT_VERSION */
    uint32_t id;      /* of the server: the badge of its capabilities to services */
    char name[LIMEN_NAME_MAX];
    uint64_t clock;        /* address of the clock page */
    uint64_t message_page; /* address of the first thread's */
    uint64_t heap;         /* addresses from here to heap_end are the server's to map */
    uint64_t heap_end;
    uint64_t state; /* address of the pages of the manifest's key "state", 0: none */
    uint64_t state_size;
    uint32_t life;             /* 1: the server's first; its state pages are clear */
    uint32_t stopped_life;     /* the last that came past limen_state_recover(); 0: not known */
    struct limen_regs stopped; /* its first thread's registers when it ended */
    uint32_t slot_count;       /* of the table */
    uint32_t first_free;       /* the slots from here on are empty */
    uint32_t argument_count;
    uint32_t binding_count;
    char arguments[LIMEN_ARGUMENTS_MAX];
    char cmdline[LIMEN_INIT_CMDLINE_MAX]; /* the machine's, as the loader read it */
    struct limen_binding bindings[LIMEN_GRANTS_MAX];
};
_Static_assert(sizeof(struct limen_environment) <= 4096, "the environment fits its page");

#endif
