/* SPDX-License-Identifier: MIT */
/* Whether the processor counts the cycles of its core, as its performance monitoring's second fixed
 * counter does: those in which it was not halted, at whatever frequency it ran. */
#ifndef ARCH_CYCLES_H
#define ARCH_CYCLES_H

#include "instructions.h"

/* SDM vol. 2, CPUID, leaf 0AH; the mask in ECX came with version 5 and is zero before. */
#define CPUID_MONITORING         0x0au
#define CPUID_MONITORING_VERSION 0xffu /* of EAX */
#define CPUID_MONITORING_FIXED   0x1fu /* of EDX: how many fixed counters there are from 0 on */
#define CORE_CYCLES              1u    /* the fixed counter's number */

static inline bool cycles_offered(struct cpuid monitoring)
{
    return (monitoring.eax & CPUID_MONITORING_VERSION) >= 2 &&
           ((monitoring.edx & CPUID_MONITORING_FIXED) > CORE_CYCLES ||
            monitoring.ecx >> CORE_CYCLES & 1);
}

#endif
