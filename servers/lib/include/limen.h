/* SPDX-License-Identifier: MIT */
/* All that the runtime offers to a server. */
#ifndef LIMEN_RUNTIME_H
#define LIMEN_RUNTIME_H

#include <runtime/environment.h>
#include <runtime/ipc.h>
#include <runtime/memory.h>
#include <runtime/objects.h>
#include <runtime/panic.h>
#include <runtime/service.h>
#include <runtime/state.h>
#include <runtime/thread.h>
#include <stdio.h>
#include <string.h>

#endif
