/* SPDX-License-Identifier: MIT */
/* The service "process": what people may ask about servers, and do to them. */
#ifndef INIT_PROCESS_H
#define INIT_PROCESS_H

#include <protocol/process.h>

extern const struct process_handlers init_process;

#endif
