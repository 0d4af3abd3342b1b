#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the kernel says when it cannot go on, and what it survives (docs/injection.md).

Each scenario drives the processor of a machine of its own into trouble, by its debugger's port, and
looks at what the serial port says then: sentences, names of functions, their order and their marks.
"""

import os
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from injector import VECTOR_NMI, Injector  # noqa: E402  (the path above is for the sake of these)
from kernel import Image  # noqa: E402
from machine import BUILD, ROOT, Machine, MachineError, Settings  # noqa: E402
from parked import parked  # noqa: E402
from remote import RemoteError  # noqa: E402

SECONDS = 60
PAGE = 0x1000
STACK, IST_STACK = 4 * PAGE, 2 * PAGE  # their sizes (arch/x86_64/stacks.c)

# Uncorrected, and the program needs what is lost; and corrected (SDM vol. 3, 16.3.2.2).
ACTION_REQUIRED = "mce 0 9 0xbd80000000000134 0x5 0x1234000 0x8c"
CORRECTED = "mce 0 9 0x9c00000000000150 0 0x1234000 0x8c"

REGISTERS = [r"registers in ring 0:", r"  rip [0-9a-f]{16}  rflags", r"  rax [0-9a-f]{16}",
             r"  r12 [0-9a-f]{16}", r"  cr2 [0-9a-f]{16}  cr3 [0-9a-f]{16}", r"backtrace:"]


def overflow(injector, registers, size):
    """Moves RSP down to where the stack that it is on has room for one word."""
    top = registers.rsp + PAGE & -PAGE
    injector.remote.set(rsp=top - size + 8)


def at_call(injector):
    return injector.stop_at(injector.image["kernel_syscall"])


def in_handler(injector, kind):
    """In the C part of a paranoid entry that struck in a system call."""
    injector.enter(kind, at_call(injector))
    return injector.stop_at(injector.image["arch_paranoid"])


def at_exception(injector):
    return injector.stop_at(injector.image["kernel_exception"])


def thread_overflow(injector):
    overflow(injector, at_exception(injector), STACK)


def interrupt_overflow(injector):
    overflow(injector, injector.stop_at(injector.image["arch_interrupt"]), STACK)


def nmi_overflow(injector):
    overflow(injector, in_handler(injector, "NMI"), IST_STACK)


def debug_overflow(injector):
    overflow(injector, in_handler(injector, "#DB"), IST_STACK)


def machine_check_overflow(injector):
    overflow(injector, in_handler(injector, "#MC"), IST_STACK)


def double_fault_overflow(injector):
    thread_overflow(injector)
    overflow(injector, injector.stop_at(injector.image["arch_paranoid"]), IST_STACK)


def nmi_in_double_fault(injector):
    """NMIs before each of the first instructions of the handler, from its very first."""
    thread_overflow(injector)
    registers = injector.stop_at(injector.vectors[8])
    for _ in range(60):
        fault = injector.inject("NMI", registers)
        if fault:
            raise RemoteError(f"NMI in #DF before {injector.image.place(registers.rip)}: {fault}")
        injector.remote.break_at()
        registers = injector.remote.step(registers)


def null_pointer(injector):
    """With a return address below the caller's that no frame pointer leads to."""
    registers = at_exception(injector)
    own, = injector.remote.words(registers.rsp, 1)
    injector.remote.write(registers.rsp - 8, own.to_bytes(8, "little"))
    injector.remote.write(registers.rsp, injector.image["kernel_main"].to_bytes(8, "little"))
    injector.remote.set(rsp=registers.rsp - 8, rdi=8)


def null_pointer_with_users_gs(injector):
    """As if SWAPGS had been left out."""
    null_pointer(injector)
    values = injector.remote.registers().values
    injector.remote.set(gs_base=values["k_gs_base"], k_gs_base=values["gs_base"])


def debug_in_debug(injector):
    """Three deep: two have stacks, the third meets the hole."""
    place = injector.image.first("arch_paranoid", r"movq\s+%dr6")
    before = at_call(injector)
    for _ in range(2):
        injector.enter("#DB", before)
        before = injector.stop_at(place)
    injector.arm("#DB", before)


def unblock_nmi(injector, registers):
    """An IRETQ within the handler, to where it is."""
    frame = [registers.rip, registers.cs, registers.eflags, registers.rsp, registers.ss]
    below = registers.rsp - 0x200
    injector.remote.write(below, b"".join(word.to_bytes(8, "little") for word in frame))
    injector.remote.set(rip=injector.image.iret, rsp=below)
    return injector.remote.step(injector.remote.registers())


def nmi_in_nmi(injector, depth=3):
    """As deep as there are stacks; all return, each to the one before."""
    before = at_call(injector)
    targets = []
    for _ in range(depth):
        targets.append(before)
        injector.enter("NMI", before)
        before = injector.stop_at(injector.image["kernel_count"])
        before = unblock_nmi(injector, before)
    injector.remote.break_at()
    registers = before
    for target in reversed(targets):
        injector.leave(registers, target)
        registers = injector.remote.registers()
    injector.remote.break_at()


def nmi_stays_blocked(injector):
    """An exception in an NMI's handler returns, and the next NMI still waits for the first's end."""
    for kind in ("#DB", "#MC"):
        injector.enter("NMI", at_call(injector))
        fault = injector.inject(kind, injector.stop_at(injector.image["kernel_count"]))
        if fault:
            raise RemoteError(f"{kind} in an NMI's handler: {fault}")
        injector.remote.monitor("nmi")
        injector.remote.break_at(injector.vectors[VECTOR_NMI], injector.image.iret)
        injector.remote.resume()
        if injector.remote.registers().rip != injector.image.iret:
            raise RemoteError(f"{kind} in an NMI's handler let the next NMI in")


def nmi_too_deep(injector):
    before = at_call(injector)
    for _ in range(3):
        injector.enter("NMI", before)
        before = unblock_nmi(injector, injector.stop_at(injector.image["kernel_count"]))
    injector.arm("NMI", before)


def machine_check_in_kernel(injector):
    at_call(injector)
    injector.remote.monitor(ACTION_REQUIRED)


def machine_check_in_ring_3(injector):
    injector.stop_at(injector.guest["spin"])
    injector.remote.monitor(ACTION_REQUIRED)
    injector.stop_at(injector.guest["path_begin"])
    injector.remote.monitor(CORRECTED)


def overflows(name):
    return [rf"Limen panic: the {name} stack overflowed into its guard at ffff[0-9a-f]+$",
            *REGISTERS]


def nested(name):
    return [rf"Limen panic: {name} exceptions nested deeper than there are stacks for them$",
            *REGISTERS]


# A system call's first instructions: no frame pointer leads to where it came from yet.
CHAIN = [r"  on the thread stack, ", r"    \? arch_syscall_general\+"]

# name: (scenario, guest's test, how it ends, what must be said, in this order)
SCENARIOS = {
    "thread overflow": (thread_overflow, "invalid_opcode", "panic",
                        [*overflows("thread"), r"    kernel_exception", *CHAIN[:1]]),
    "interrupt overflow": (interrupt_overflow, "timer", "panic",
                           [*overflows("interrupt"), r"    arch_interrupt",
                            r"  on the interrupt stack, "]),
    "NMI overflow": (nmi_overflow, "null_system_call", "panic",
                     [*overflows("NMI"), r"    arch_paranoid", r"  on the NMI stack, ",
                      r"    kernel_syscall", *CHAIN]),
    "#DB overflow": (debug_overflow, "null_system_call", "panic",
                     [*overflows("debug"), r"    arch_paranoid", r"  on the debug stack, ",
                      r"    kernel_syscall", *CHAIN]),
    "#MC overflow": (machine_check_overflow, "null_system_call", "panic",
                     [*overflows("machine check"), r"    arch_paranoid",
                      r"  on the machine check stack, ", r"    kernel_syscall", *CHAIN]),
    "#DF overflow": (double_fault_overflow, "invalid_opcode", "panic",
                     [*overflows("double fault"), r"    arch_paranoid", r"  on the double fault stack, ",
                      r"  \(it began anew on this stack"]),
    "NMI in #DF": (nmi_in_double_fault, "invalid_opcode", "panic",
                   [*overflows("thread"), r"    kernel_exception", *CHAIN[:1]]),
    "null pointer": (null_pointer, "invalid_opcode", "panic",
                     [r"Limen panic: page fault in the kernel: \w+ at [0-9a-f]+, error", *REGISTERS,
                      r"    kernel_exception\+", CHAIN[0], r"    exception_entered\+",
                      r"    \? kernel_main\+0x0/"]),
    "null pointer, GS of ring 3": (null_pointer_with_users_gs, "invalid_opcode", "panic",
                                   [r"Limen panic: page fault in the kernel: \w+ at [0-9a-f]+, error",
                                    *REGISTERS, r"    kernel_exception\+"]),
    "#DB in #DB": (debug_in_debug, "null_system_call", "panic",
                   [*nested("debug"), r"    arch_paranoid\+", r"  on the debug stack, ",
                    r"    arch_paranoid\+", r"  on the debug stack, ", r"    kernel_syscall", *CHAIN]),
    "NMI in NMI": (nmi_in_nmi, "null_system_call", "exit", [r"ok entry/null_system_call"]),
    "NMI after exceptions in NMI": (nmi_stays_blocked, "null_system_call", "exit",
                                    [r"ok entry/null_system_call"]),
    "NMI too deep": (nmi_too_deep, "null_system_call", "panic",
                     [*nested("NMI"), r"    kernel_count", r"  on the NMI stack, "]),
    "#MC in the kernel": (machine_check_in_kernel, "null_system_call", "panic",
                          [r"Limen panic: machine check in bank 9: status bd80000000000134, "
                           r"address 1234000$", *REGISTERS, r"    kernel_syscall", *CHAIN]),
    "#MC in ring 3": (machine_check_in_ring_3, "machine_check", "exit",
                      [r"ok entry/machine_check"]),
}


def in_order(patterns, text):
    """The first pattern that nothing after the ones before it matches, or None."""
    at = 0
    for pattern in patterns:
        match = re.compile("^" + pattern, re.M).search(text, at)
        if not match:
            return pattern
        at = match.end()
    return None


def run(name, image, image_file=BUILD / "test/entry.img"):
    """What went wrong, or nothing."""
    scenario, test, ends, patterns = SCENARIOS[name]
    settings = parked(Settings(image=image_file, kernel=image.path, waits=True,
                               cmdline=f"injected suite=entry only={test}"))
    with Machine(settings) as machine:
        injector = Injector(machine, image)
        injector.prepare()
        try:
            scenario(injector)
            injector.remote.break_at()
        except RemoteError as error:
            return f"{error}"
        injector.remote.detach()
        outcome = machine.finish(SECONDS)
    if outcome.kind != ends:
        return f"it should have ended with {ends}, but {outcome.describe()}\n{outcome.log}"
    missing = in_order(patterns, outcome.output)
    return missing and f"nothing there matches {missing!r}\n{outcome.output}"


def main():
    os.chdir(ROOT)
    image = Image(BUILD / "kernel.elf")
    bad = 0
    for name in sys.argv[1:] or SCENARIOS:
        try:
            wrong = run(name, image)
        except MachineError as error:
            wrong = str(error)
        if wrong:
            print(f"{name}: {wrong}")
            bad += 1
    print(f"note: {len(sys.argv[1:] or SCENARIOS) - bad} scenarios ended as they should")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
