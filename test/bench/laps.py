# SPDX-License-Identifier: MIT
"""Every instruction that one lap of a benchmark executes, between its two time stamps.

A debugger stops the machine before some laps, and QEMU logs what it executes until it is stopped again
behind them.
"""

import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path += [str(ROOT / "ovmf"), str(ROOT / "test" / "entry")]

from figures import OVERHEAD, ROW  # noqa: E402  (the path above is for these)
from machine import BUILD, Machine, MachineError  # noqa: E402
from parked import parked  # noqa: E402
from program import Program  # noqa: E402
from remote import Remote  # noqa: E402

SECONDS = 120


@dataclass(frozen=True)
class Place:
    """Functions of the bench server: one entered before the first lap, one with the time stamp that a
    lap begins with, and one with its last."""

    entry: str
    begin: str
    end: str
    # The lap begins when an interrupt ends the function with the first stamp.
    interrupted: bool = False


def within(function):
    return Place(function, function, function)


OPERATIONS = {
    "null_syscall": within("bench_null_syscall"),
    "ipc_roundtrip_0": Place("bench_roundtrip_0", "roundtrip_0", "roundtrip_0"),
    "ipc_roundtrip_4": within("bench_roundtrip_4"),
    "ipc_roundtrip_8": within("bench_roundtrip_8"),
    "ipc_roundtrip_10": Place("bench_roundtrip_10", "roundtrip_page", "roundtrip_page"),
    "ipc_roundtrip_64": Place("bench_roundtrip_64", "roundtrip_page", "roundtrip_page"),
    "ipc_roundtrip_same_0": Place("bench_roundtrip_same_0", "roundtrip_0", "roundtrip_0"),
    "notify_wake": Place("bench_notify_wake", "signal_again_and_again", "bench_notify_wake"),
    "irq_to_user": Place("bench_irq_to_user", "read_stamps", "bench_irq_to_user", interrupted=True),
    "fault_roundtrip": within("bench_fault_roundtrip"),
    "map_unmap": within("bench_map_unmap"),
    "thread_create_join": within("bench_thread_create_join"),
    "context_switch": Place("bench_context_switch", "yield_again_and_again",
                            "bench_context_switch"),
}

# The function of servers/bench/measure.h that takes a time stamp.
STAMP = "stamp"

# Instructions of a vector's stub, arch/x86_64/entry.S, and the first behind its jump.
STUB = 4

# The sample whose lap is traced, and the one before whose end the machine stops.
FIRST_SAMPLE, SAMPLE = "samples.value[0]", "samples.value[4]"


class TraceError(Exception):
    """What was traced is not what the benchmark measures."""


@dataclass(frozen=True)
class Trace:
    """One lap: what it executed behind its first time stamp, with the last one."""

    name: str
    instructions: tuple
    frames: dict  # of each address, Program.sources
    overhead: int  # how many instructions the benchmark takes off

    @property
    def figure(self):
        return len(self.instructions) - self.overhead

    def operation(self):
        """(instruction, frames) of all but the time stamps."""
        for instruction in self.instructions:
            frames = self.frames[instruction.address]
            if frames[0].function != STAMP:
                yield instruction, frames


def addresses(program, *places):
    """Of variables, by gdb."""
    questions = [word for place in places for word in ("-ex", f"print/d (long)&{place}")]
    said = subprocess.run(["gdb", "--batch", "--nx", *questions, program], check=True,
                          capture_output=True, text=True).stdout
    return [int(number) for number in re.findall(r"^\$\d+ = (\d+)$", said, re.M)]


def completed(executed):
    """Without the instructions that faulted instead: those right before the stub of an exception."""
    for n, instruction in enumerate(executed):
        behind = [i.symbol for i in executed[n + 1:n + 1 + STUB]]
        if not ("exception_entry" in behind and behind[0] == "vector_stubs" != instruction.symbol):
            yield instruction


def last_of(executed, instructions, end):
    """The index of the last of some instructions before another index; None without."""
    return next((n for n in reversed(range(end)) if executed[n] in instructions), None)


class Tracer:
    """A stop makes the machine's clock go on to the next time at which something is due, so that an
    interrupt of the timer comes after it: what is traced begins some laps later."""

    def __init__(self, machine, kernel, server):
        self.remote = Remote(machine)
        self.server = server
        self.instructions = kernel.instructions | server.instructions
        self.samples = addresses(server.path, FIRST_SAMPLE, SAMPLE)

    def stop_at(self, address):
        self.remote.break_at(address)
        while True:
            self.remote.resume()
            at = self.remote.registers()
            if not at.in_kernel:
                break
            self.remote.step(at)  # the firmware or the loader, at the same address
        self.remote.break_at()

    def stamps(self, function):
        """The time stamps in a function, which may have other uses for the counter too."""
        found = [i for i in self.server.those_of(function) if i.text == "rdtsc"]
        sources = self.server.sources(i.address for i in found)
        return [i for i in found if sources[i.address][0].function == STAMP]

    def laps(self, place):
        """What each of some laps executed, the last one first."""
        first, last = self.samples
        self.stop_at(self.server.symbols[place.entry])
        self.remote.resume_to_write(first)
        executed = []
        for address in self.remote.traced(lambda: self.remote.resume_to_write(last)):
            if address not in self.instructions:
                raise TraceError(f"{address:#x} is neither the kernel's nor the bench server's")
            executed.append(self.instructions[address])
        ends = set(self.stamps(place.end))
        begins = set(self.server.those_of(place.begin) if place.interrupted else
                     self.stamps(place.begin))
        laps = []
        begin = len(executed)
        while (end := last_of(executed, ends, begin)) is not None and \
                (begin := last_of(executed, begins, end)) is not None:
            laps.append(tuple(completed(executed[begin + 1:end + 1])))
        return laps


def trace(settings, names=tuple(OPERATIONS)):
    """A trace of each of these benchmarks: of a lap that takes as long as the median does."""
    programs = Program(settings.kernel), Program(BUILD / "servers" / "bench.elf")
    # All of them, for what ran before may change what an operation finds.
    settings = replace(settings, accel="tcg", icount=True, waits=True,
                       cmdline=f"{settings.cmdline} quiet cmd=bench")
    with Machine(parked(settings)) as machine:
        tracer = Tracer(machine, *programs)
        found = {name: tracer.laps(place) for name, place in OPERATIONS.items() if name in names}
        tracer.remote.detach()
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        raise MachineError("\n".join([outcome.describe(), outcome.log, *outcome.evidence]))
    overhead = int(OVERHEAD.search(outcome.output)[1])
    medians = {name: int(median) for name, _, median, *_ in ROW.findall(outcome.output)}
    chosen = {}
    for name, laps in found.items():
        # An interrupt's delivery is no stamp: only the last RDTSC is too much.
        off = 1 if OPERATIONS[name].interrupted else overhead
        chosen[name] = next((lap for lap in laps if len(lap) - off == medians[name]), None), off
        if not chosen[name][0]:
            raise TraceError(f"{name}: the benchmark's median is {medians[name]}, but the laps that "
                             f"were traced have {[len(lap) - off for lap in laps]}")
    frames = {}
    for program in programs:
        frames |= program.sources({i.address for lap, _ in chosen.values() for i in lap
                                   if i.address in program.instructions})
    return [Trace(name, lap, frames, off) for name, (lap, off) in chosen.items()]
