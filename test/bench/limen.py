# SPDX-License-Identifier: MIT
"""Measures Limen: its bench server, in the kernel as released and in the one with time stamps."""

import re
from dataclasses import replace

from figures import OVERHEAD, UNIT, Unreadable, only, rows
from machine import BUILD, Machine, MachineError
from parked import parked

SECONDS = 300
# People and scripts rely on these names and their order.
NAMES = ("null_syscall", "ipc_roundtrip_0", "ipc_roundtrip_4", "ipc_roundtrip_8",
         "ipc_roundtrip_10", "ipc_roundtrip_64", "ipc_roundtrip_same_0", "notify_wake",
         "irq_to_user", "fault_roundtrip", "map_unmap", "thread_create_join", "context_switch",
         "max_irqs_off", "boot_to_init")
# The one figure that only the kernel with time stamps takes.
STAMPED = "max_irqs_off"
# Is counted by the clock alone, so it is not measured where cycles are.
IN_TICKS = ("boot_to_init",)
CALIBRATION = re.compile(r"^taken off boot_to_init, for calibrating clocks: (\d+)$", re.M)


def run_guest(settings, words):
    """All that the shell's bench command prints."""
    settings = replace(settings, cmdline=" ".join([settings.cmdline, "quiet cmd=bench", words]))
    with Machine(parked(settings) if settings.icount else settings) as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        raise MachineError("\n".join([outcome.describe(), outcome.log, *outcome.evidence]))
    return outcome.output


def measure(settings):
    """Its unit, what two stamps and the clocks' calibration took off, and the results."""
    released = run_guest(settings, "all histogram")
    stamped = run_guest(replace(settings, image=BUILD / "measure" / "limen.img",
                                kernel=BUILD / "measure" / "kernel.elf"), f"{STAMPED} histogram")
    try:
        unit = only(UNIT, released, "what it counts")
        expected = ("instructions",) if settings.icount else ("cycles", "TSC ticks")
        if unit not in expected:
            raise Unreadable(f"the guest should count {' or '.join(expected)}")
        figures = rows(released) | rows(stamped)
        names = [name for name in NAMES if unit != "cycles" or name not in IN_TICKS]
        missing = [name for name in names if name not in figures]
        if missing:
            raise Unreadable(f"not measured: {', '.join(missing)}")
        return {"unit": unit,
                "overhead": int(only(OVERHEAD, released, "what two time stamps cost")),
                "calibration": int(only(CALIBRATION, released, "how long its clocks took")),
                "results": [{"name": name, **figures[name]} for name in names]}
    except Unreadable as error:
        raise MachineError(f"Limen: {error}; it says:\n{released}{stamped}") from error
