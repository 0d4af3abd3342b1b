/* SPDX-License-Identifier: MIT */
/* What init tells people about servers that ended, in the kernel's log. */
#ifndef INIT_REPORT_H
#define INIT_REPORT_H

#include "server.h"

#include <limen/regs.h>

/* Something was added to the log: tells the servers that show it. */
void report_logged(void);

/* Reports a fault message: `words` are its LIMEN_FAULT_WORDS words.  `reason` gets a short form. */
void report_fault(const struct server *server, uint32_t label, const uint64_t *words, char *reason,
                  size_t size);

/* Prints where a server's thread is, and by what calls it came there. */
void report_backtrace(const struct server *server, const struct limen_regs *regs);

/* Prints the last request that a server took. */
void report_request(const struct server *server);

/* The protocol and the method that a label stands for, or NULL. */
const char *report_method(uint32_t label);

#endif
