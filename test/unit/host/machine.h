/* SPDX-License-Identifier: MIT */
/*
 * The machine under the kernel, as the tests see it: what was done to it, and knobs to turn.
 */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

#include "cpu.h"

#include <setjmp.h>

#define HOST_MEMORY     (32ull << 20) /* bytes */
#define HOST_DIRT       0xdb          /* what memory is full of at first */
#define HOST_TICKS_A_NS 2u
#define HOST_IRQS       24u
#define HOST_NEVER      UINT64_MAX

struct host_port_access {
    uint16_t port;
    uint8_t bytes;
    bool out;
    uint32_t value;
};

/* Everything is zero after host_reset(), but for what the comments say. */
struct host {
    uint64_t now;   /* the TSC */
    uint64_t timer; /* tick the timer is set to; HOST_NEVER at first */
    unsigned timer_sets;
    bool counts_cycles; /* true at first */

    /* Called in each window, if set; `windows` counts them. */
    void (*window)(void);
    unsigned windows;

    unsigned switches;
    const struct arch_space *loaded; /* the address space the processor is in */

    struct {
        bool attached, unmasked;
        enum limen_irq_mode mode;
    } irqs[HOST_IRQS];
    enum limen_error irq_error; /* what the next attach answers */

    struct host_port_access ports[64];
    unsigned port_accesses;
    uint32_t port_value; /* what the next input reads */

    char console[4096];
    size_t console_length;

    unsigned oopses; /* threads whose registers were printed as they died */

    /* A panic is a failure of the test, unless the test has said setjmp(host.panic_jump) and then
     * set panic_expected. */
    bool panic_expected;
    jmp_buf panic_jump;
    char panic_text[256];
};
extern struct host host;

/* A machine just switched on, its memory full of HOST_DIRT. */
void host_reset(void);

/* What the entry file does with a system call. */
struct limen_regs *host_syscall(struct limen_regs *regs);

/* What the page tables say of an address: false when nothing is mapped there. */
struct host_mapping {
    uint64_t physical;
    unsigned order, rights;
    enum limen_cache cache;
};
bool host_translate(const struct arch_space *space, uint64_t address, struct host_mapping *found);

/* Pages that translations reach in all of a space. */
uint64_t host_mapped_bytes(const struct arch_space *space);

/* Tables below the top one. */
uint64_t host_tables(const struct arch_space *space);

#endif
