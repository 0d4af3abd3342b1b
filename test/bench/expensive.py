# SPDX-License-Identifier: MIT
"""How many of the instructions on a path cost far more than others, or hold others up."""

import re

from laps import trace

# What llvm-objdump calls them.
KINDS = {
    "wrmsr": r"wrmsr",
    "rdmsr": r"rdmsr",
    "mov_cr3": r"mov\w* .*, %cr3",
    "swapgs": r"swapgs",
    "syscall": r"syscall",
    "sysret": r"sysret",
    "iretq": r"iret",
    "invlpg": r"invlpg",
    "invpcid": r"invpcid",
    "xsave": r"f?xsave",
    "xrstor": r"f?xrstor",
    "wrbase": r"wr[fg]sbase",
    "segment": r"mov\w* .*, %[defgs]s$|lgdt|lldt|ltr",
    "rdtsc": r"rdtsc",
    "port_io": r"(rep )?(in|out)s?[bwl] ",
    # XCHG with memory is locked without the prefix (SDM vol. 3, 9.1.2).
    "locked": r"lock |xchg\w* .*(\(|%gs:)",
    # SDM vol. 3, 9.3.
    "serialising": r"mov\w* .*, %(cr[0-7]|dr\d)|invd|wbinvd|invlpg|invept|invvpid|lgdt|lidt|lldt|ltr"
                   r"|wrmsr|cpuid|iret|rsm|serialize",
}
PATTERNS = {kind: re.compile(pattern) for kind, pattern in KINDS.items()}

# A store to the local APIC, which is a device.
APIC = "apic"
APIC_FUNCTION, STORE = "apic_write", re.compile(r"mov\w* [%$].*\(")


def kinds_of(instruction, frames):
    """What makes an instruction expensive, if anything."""
    found = [kind for kind, pattern in PATTERNS.items() if pattern.match(instruction.text)]
    if frames[0].function == APIC_FUNCTION and STORE.match(instruction.text):
        found.append(APIC)
    return found


def counts_of(traced):
    """{kind: how many}, of one trace, without the time stamps."""
    counts = dict.fromkeys([*KINDS, APIC], 0)
    for instruction, frames in traced.operation():
        for kind in kinds_of(instruction, frames):
            counts[kind] += 1
    return counts


def expensive(settings):
    """{operation: {kind: how many}}, as bench.json has it."""
    return {traced.name: counts_of(traced) for traced in trace(settings)}
