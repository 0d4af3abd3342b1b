/* SPDX-License-Identifier: MIT */
/*
 * The compiled manifest: which servers init starts, and with what authority.
 *
 * servers/manifest.py makes it from servers/manifest.toml, taking the numbers from the definitions
 * below, and the boot archive carries it under the name "manifest".  It is a header followed by
 * server_count structures, all little-endian, no padding.  A file in the archive begins at a
 * multiple of four bytes, so nothing here is aligned to more.
 */
#ifndef LIMEN_MANIFEST_H
#define LIMEN_MANIFEST_H

#include <limen/environment.h>
#include <limen/objects.h>
#include <stdint.h>

#define LIMEN_MANIFEST_NAME        "manifest"
#define LIMEN_MANIFEST_MAGIC       0x6e614d6c /* "lMan" */
#define LIMEN_MANIFEST_VERSION     3
#define LIMEN_MANIFEST_SERVERS_MAX 32
#define LIMEN_MANIFEST_BINARY_MAX  32
#define LIMEN_MANIFEST_GRANT_SIZE  40
#define LIMEN_MANIFEST_SERVER_SIZE 1280
#define LIMEN_MANIFEST_HEADER_SIZE 16

#define LIMEN_MANIFEST_PRIORITY_MAX 254 /* init itself is above everybody */
#define LIMEN_MANIFEST_MEMORY_MIN   16  /* of memory_order */
#define LIMEN_MANIFEST_MEMORY_MAX   29
#define LIMEN_MANIFEST_STATE_MIN    12  /* of state_order */
#define LIMEN_MANIFEST_STATE_MAX    20  /* LIMEN_SERVER_STATE_MAX */
#define LIMEN_MANIFEST_PERIOD_MIN   100 /* microseconds */
#define LIMEN_MANIFEST_PERIOD_MAX   1000000000
#define LIMEN_MANIFEST_NANOSECONDS  1000 /* in a microsecond */

/* Services that init itself provides, with which no server may clash. */
#define LIMEN_MANIFEST_INIT_SERVICES "process power"

/* What a grant names. */
enum limen_grant_kind {
    LIMEN_GRANT_PORTS = 1,     /* I/O ports first to last */
    LIMEN_GRANT_INTERRUPT = 2, /* line `first`, bound to the server's notification */
    LIMEN_GRANT_PROVIDES = 3,  /* the endpoint on which the server offers a service */
    LIMEN_GRANT_SERVICE = 4,   /* the right to call a service */
    LIMEN_GRANT_KERNEL = 5,    /* the kernel: `first` is an enum limen_kernel_grant */
};

enum limen_kernel_grant {
    LIMEN_KERNEL_GRANT_LOG = 1,      /* read the log, and be signalled when init writes to it */
    LIMEN_KERNEL_GRANT_COUNTERS = 2, /* read counters and set them back */
    LIMEN_KERNEL_GRANT_CONTROL = 3,  /* that, stop the machine, and have the kernel check itself */
};

/* What init does when the server ends (docs/supervision.md). */
enum limen_restart {
    LIMEN_RESTART_NEVER = 0,
    LIMEN_RESTART_ON_FAULT = 1, /* after a fault or a panic, not after main returned or a kill */
    LIMEN_RESTART_ALWAYS = 2,   /* after a kill, too */
};

struct limen_manifest_header {
    uint32_t magic;
    uint32_t version;
    uint32_t server_count;
    uint32_t server_size; /* of one structure */
};

struct limen_manifest_grant {
    char name[LIMEN_NAME_MAX];
    uint32_t kind; /* enum limen_grant_kind */
    uint32_t reserved;
    uint64_t first;
    uint64_t last;
} __attribute__((packed, aligned(4)));

struct limen_manifest_server {
    char name[LIMEN_NAME_MAX];
    char binary[LIMEN_MANIFEST_BINARY_MAX]; /* its name in the boot archive */
    uint8_t priority;
    uint8_t restart;      /* enum limen_restart */
    uint8_t memory_order; /* 2^order bytes of untyped memory for its own use */
    uint8_t grant_count;
    uint16_t argument_count;
    uint8_t state_order; /* 2^order bytes that outlive the server; 0: none */
    uint8_t reserved;
    uint32_t budget; /* microseconds of the processor in each period; 0: no limit */
    uint32_t period;
    char arguments[LIMEN_ARGUMENTS_MAX];
    struct limen_manifest_grant grants[LIMEN_GRANTS_MAX];
} __attribute__((packed, aligned(4)));

_Static_assert(sizeof(struct limen_manifest_header) == LIMEN_MANIFEST_HEADER_SIZE, "header");
_Static_assert(sizeof(struct limen_manifest_grant) == LIMEN_MANIFEST_GRANT_SIZE, "grant");
_Static_assert(sizeof(struct limen_manifest_server) == LIMEN_MANIFEST_SERVER_SIZE, "server");
_Static_assert(1u << LIMEN_MANIFEST_STATE_MAX == LIMEN_SERVER_STATE_MAX, "state");
_Static_assert(LIMEN_MANIFEST_PERIOD_MIN *LIMEN_MANIFEST_NANOSECONDS == LIMEN_CONTEXT_PERIOD_MIN &&
                   LIMEN_MANIFEST_PERIOD_MAX * 1ull * LIMEN_MANIFEST_NANOSECONDS ==
                       LIMEN_CONTEXT_PERIOD_MAX,
               "periods");

#endif
