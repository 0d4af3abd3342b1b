#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""NMI, #DB and #MC at every instruction boundary of the ways into the kernel (docs/injection.md).

    inject.py [--check] [--table] [NAME...]     tests of the guest, or `paranoid`; all when none is named

A boundary is the moment before an instruction of the kernel is executed.  How many a path has tells
the emulator's own log of one round.  Then the path is stepped through once for each kind of
exception, which is injected at each boundary on the way.  It has hit when the kernel leaves the
handler to the very instruction, and was survived when all registers are as they were, and the guest
finds its results right in the end.
"""

import argparse
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from injector import (INTERRUPTS, KINDS, VECTOR_DB, VECTOR_DF, VECTOR_MC,  # noqa: E402  (after the
                      VECTOR_NMI, Injector)  # path above, as the next two)
from kernel import Image  # noqa: E402
from machine import BUILD, ROOT, Machine, MachineError, Settings  # noqa: E402
from parked import parked  # noqa: E402
from remote import RemoteError  # noqa: E402

SECONDS = 300

BOUNDARIES_MAX = 20000  # of an entry, or the kernel is not going to leave

VECTOR_UD, VECTOR_TIMER = 6, 0xFD
VECTOR_LINES = range(0x30, 0xB0)
EXCEPTIONS = (VECTOR_DB, VECTOR_UD, 7, 13, 14)
WITH_ERROR_CODE = (8, 10, 11, 12, 13, 14, 17, 21, 29, 30)

# What the processor pushes, from RSP on; and a selector beyond the table (paths.c).
FRAME_RIP, FRAME_CS = 0, 8
SELECTOR_BAD = 0x7B
SELECTOR_INDEX = ~7
DESCRIPTOR_FLAGS, DESCRIPTOR_PRESENT = 5, 0x80

PARANOID = "paranoid"
TESTS = ("null_system_call", "null_system_call_with_extended_registers", "fast_call",
         "fast_call_with_extended_registers", "general_call", "invalid_opcode", "page_fault",
         "debug_trap", "first_use", "iret_protection", "iret_not_present", "timer", "idle", "line",
         "stubs", PARANOID)

# Instructions of entry.S that no exception can be injected at, and why.
OUT_OF_REACH = {
    "_start": "runs once, before the kernel can take an exception and has a thread to go on with",
    "#DF": "its stub leads to the kernel's end; oops.py injects NMIs from there on",
}


@dataclass
class Row:
    """How often one kind of exception struck in one path."""

    path: str
    kind: str
    traced: list = field(default_factory=list)  # the emulator's count
    passed: list = field(default_factory=list)  # ours
    closed: int = 0  # where it could only overwrite another's frame
    hit: int = 0
    survived: int = 0

    @property
    def boundaries(self):
        return len(self.traced) - self.closed

    def __str__(self):
        return (f"{self.path:45} {self.kind} {self.boundaries:5} boundaries {self.hit:5} hit "
                f"{self.survived:5} survived")


class Paths(Injector):
    """Goes along paths through the kernel, and injects."""

    def __init__(self, machine, image, verbose):
        super().__init__(machine, image)
        self.verbose = verbose
        self.rows = []
        self.covered = {kind: set() for kind in KINDS}
        self.closed = False
        self.stack_then = None
        self.spoil = None
        self.strayed = False

    def show(self, row):
        self.rows.append(row)
        if row.passed != row.traced:
            self.strayed = True
            at = next((i for i, pair in enumerate(zip(row.passed, row.traced)) if pair[0] != pair[1]),
                      min(len(row.passed), len(row.traced)))
            where = [self.image.place(way[at]) if at < len(way) else "the end"
                     for way in (row.passed, row.traced)]
            raise RemoteError(f"{row.path}, {row.kind}: boundary {at + 1} of {len(row.passed)} was "
                              f"{where[0]}, but {where[1]} of {len(row.traced)} by the log")
        if not row.boundaries:
            raise RemoteError(f"{row.path}, {row.kind}: could strike at no boundary")
        if self.verbose:
            print(row, flush=True)

    def visit(self, row, registers):
        row.passed.append(registers.rip)
        if self.is_closed(row.kind, registers):
            row.closed += 1
            return
        self.covered[row.kind].add(registers.rip)
        fault = self.inject(row.kind, registers)
        if fault:
            raise RemoteError(f"{row.path}: {row.kind} before {self.image.place(registers.rip)} "
                              f"(boundary {len(row.passed)}): {fault}")
        row.hit += 1
        row.survived += 1

    def is_closed(self, kind, registers):
        """Whether another of this kind cannot strike yet (docs/injection.md).  From the entry on: an
        NMI waits for the IRETQ, a #DB finds the stack taken until the frame is gone from there or
        the IST pointer is, and a #MC while MCIP is set shuts the processor down."""
        if registers.rip == self.vectors[KINDS[kind]]:
            self.closed = True
            self.stack_then = self.debug_stack()
        elif self.closed and kind == "#DB":
            self.closed = (registers.rip != self.image.after_copy and
                           self.debug_stack() == self.stack_then)
        was = self.closed
        if was and kind == "#MC" and self.ends_machine_check(registers):
            self.closed = False
        return was

    # The guest's paths.

    def walk(self, visit):
        """Steps through the kernel to ring 3 or a halt, visiting each boundary."""
        registers = self.remote.registers()
        for _ in range(BOUNDARIES_MAX):
            visit(registers)
            if registers.rip == self.image.halt:
                return  # no step ends there
            registers = self.step(registers)
            if not registers.in_kernel:
                return
        raise RemoteError(f"no end after {BOUNDARIES_MAX} instructions, at "
                          f"{self.image.place(registers.rip)}")

    def step(self, registers):
        """One instruction; where the victim's IRETQ is to fault, that first."""
        if (not self.spoil or registers.rip != self.image["exit_iret"] or
                self.remote.words(registers.rsp + FRAME_RIP, 1)[0] != self.guest["unreachable"]):
            return self.remote.step(registers)
        undo = self.spoil(registers.rsp + FRAME_CS)
        registers = self.remote.step(registers)
        undo()
        return registers

    def bad_selector(self, place):
        """IRETQ would load a CS beyond the descriptor table."""
        self.remote.write(place, SELECTOR_BAD.to_bytes(8, "little"))
        return lambda: None

    def absent_segment(self, place):
        """The descriptor of the CS that IRETQ would load is marked as not present."""
        selector, = self.remote.words(place, 1)
        table = re.search(r"GDT=\s*([0-9a-f]+)", self.remote.monitor("info registers"))[1]
        flags_at = int(table, 16) + (selector & SELECTOR_INDEX) + DESCRIPTOR_FLAGS
        flags = self.remote.read(flags_at, 1)
        self.remote.write(flags_at, bytes([flags[0] & ~DESCRIPTOR_PRESENT]))
        return lambda: self.remote.write(flags_at, flags)

    def entries(self, path):
        """Where what is walked of a path begins: (always, once a round)."""
        always = {self.image["syscall_entry"], *(self.vectors[v] for v in EXCEPTIONS)}
        # How often the timer has to be set again before a deadline depends on the host.
        once = {self.vectors[v] for v in [VECTOR_TIMER] * ("timer" in path) +
                [*VECTOR_LINES] * ("line" in path)}
        if "idle" in path:
            # The way there would take longer than the deadline, so that nothing halted.
            always, once = set(), once | {self.image.awake}
        return always, once

    def round(self, path, visit):
        """One round: visits each boundary of each entry in it."""
        always, once = self.entries(path)
        while True:
            self.remote.break_at(self.guest["path_end"], *always, *once)
            self.remote.resume()
            registers = self.remote.registers()
            if registers.rip == self.guest["path_end"]:
                break
            once -= {registers.rip}
            self.walk(visit)

    def run_round(self):
        """One round without a stop, but to spoil an IRETQ."""
        self.remote.break_at(self.guest["path_end"],
                             *[self.image["exit_iret"]] * bool(self.spoil))
        while True:
            self.remote.resume()
            registers = self.remote.registers()
            if registers.rip == self.guest["path_end"]:
                break
            self.step(registers)

    def traced_round(self, path):
        """The boundaries of a round, by the emulator's log."""
        always, once = self.entries(path)
        found = []
        for entry in self.pieces(self.remote.traced(self.run_round)):
            if entry[0] in always | once:
                found += entry
            once -= {entry[0]}
        return found

    def pieces(self, addresses):
        """Runs of the kernel's addresses, each from an entry to ring 3 or a halt."""
        starts = {self.image.awake, *self.vectors[INTERRUPTS:]}
        pieces, piece = [], []
        for address in addresses:
            ends = not self.image.is_kernel(address)
            if piece and (ends or address in starts or piece[-1] == self.image.halt):
                pieces.append(piece)
                piece = []
            if not ends:
                piece.append(address)
        return pieces + [piece] * bool(piece)

    def path(self, test):
        self.spoil = {"iret_protection": self.bad_selector,
                      "iret_not_present": self.absent_segment}.get(test)
        path = self.remote.text(self.remote.registers().rdi)
        for _ in range(WARM_ROUNDS):
            self.round(path, lambda registers: None)
            self.stop_at(self.guest["path_begin"])
        traced = self.traced_round(path)
        for kind in KINDS:
            # What the last row's injections left, such as an open data segment, is gone after a round.
            self.stop_at(self.guest["path_begin"])
            self.round(path, lambda registers: None)
            self.stop_at(self.guest["path_begin"])
            row = Row(path, kind, traced)
            self.closed = False
            self.round(path, lambda registers, row=row: self.visit(row, registers))
            self.show(row)

    def stubs(self):
        """The few instructions that are each vector's own, with a frame as ring 3's #UD makes it."""
        rows = [Row("the stub of each vector", kind) for kind in KINDS]
        for vector, stub in enumerate(self.vectors):
            # Those on stacks of their own are paths by themselves.
            if stub and vector not in (VECTOR_DB, VECTOR_NMI, VECTOR_DF, VECTOR_MC):
                self.stub(rows, vector)
        for row in rows:
            self.show(row)

    def stub(self, rows, vector):
        behind = self.image["interrupt_entry" if vector >= INTERRUPTS else "exception_entry"]
        self.enter_stub(vector)
        traced = self.remote.traced(lambda: self.stop_at(behind))
        for row in rows:
            row.traced += traced
            registers = self.enter_stub(vector)
            while registers.rip != behind:
                self.visit(row, registers)
                registers = self.remote.step(registers)

    def enter_stub(self, vector):
        """Stops at a vector's first instruction as the processor would have got there."""
        at = self.stop_at(self.vectors[VECTOR_UD])
        rsp = at.rsp
        if vector in WITH_ERROR_CODE:
            rsp -= 8
            self.remote.write(rsp, bytes(8))
        self.remote.set(rip=self.vectors[vector], rsp=rsp)
        return self.remote.registers()

    # The paranoid entries themselves.

    def run_back(self, target):
        """Runs until what a handler interrupted goes on."""
        registers = None
        while not registers or (registers.rip, registers.rsp) != (target.rip, target.rsp):
            if registers:
                self.remote.step(registers)
            registers = self.stop_at(target.rip)

    def handlers(self, name, outer, inners, reach):
        """Each of `inners` in the handler of `outer`, from where `reach` stops to where it was, which
        `leave` then leaves."""
        before, finish = reach()
        self.enter(outer, before)
        traced = self.remote.traced(lambda: self.run_back(before))
        finish()
        for inner in inners:
            row = Row(f"in {name}, handler of {outer}", inner, traced)
            before, finish = reach()
            self.closed = False
            self.leave(self.enter(outer, before), before,
                       lambda registers, row=row: self.visit(row, registers))
            self.show(row)
            finish()

    def paranoid_entries(self):
        """Each kind in the handlers of each: out of ring 3, out of the first instruction of a system
        call, which still has the user's stack and GS base, and out of C; and in handlers in an NMI's."""
        places = {"ring 3": self.guest["path_begin"], "syscall_entry": self.image["syscall_entry"],
                  "kernel_syscall": self.image["kernel_syscall"]}
        for name, place in places.items():
            def reach(place=place):
                before = self.stop_at(place)
                self.use_first_stacks()
                return before, lambda: None
            for outer in KINDS:
                if (name, outer) != ("ring 3", "#DB"):  # the guest makes that one itself
                    self.handlers(name, outer, [i for i in KINDS if (outer, i) != ("NMI", "NMI")],
                                  reach)

        def reach_nested():
            before = self.stop_at(self.image["kernel_syscall"])
            self.use_first_stacks()
            self.enter("NMI", before)
            between = self.stop_at(self.image["kernel_count"])
            return between, lambda: self.leave(between, before)
        for outer in ("#DB", "#MC"):
            self.handlers("kernel_count, in NMI", outer, ["#DB", "#MC"], reach_nested)


# A turn that began before the injector could stop the clock ends at any time, and leads round
# another way once.  Then the path is gone again from the start.
TRIES = 3
WARM_ROUNDS = 2  # caches of the kernel's, such as a first use of the FPU, are out of the way
ROUNDS = {PARANOID: 100, "stubs": 1000}
ROUNDS_OF_PATH = WARM_ROUNDS + 1 + 2 * len(KINDS)


def run(image_file, image, name, verbose):
    """(whether all was survived, the injector)"""
    test = "null_system_call" if name == PARANOID else name
    rounds = ROUNDS.get(name, ROUNDS_OF_PATH)
    settings = parked(Settings(image=image_file, kernel=image.path, waits=True,
                               cmdline=f"injected rounds={rounds} suite=entry only={test}"))
    with Machine(settings) as machine:
        injector = Paths(machine, image, verbose)
        try:
            injector.prepare()
            if name == PARANOID:
                injector.paranoid_entries()
            elif name == "stubs":
                injector.stubs()
            else:
                injector.path(name)
            injector.remote.break_at()
            injector.remote.detach()
            outcome = machine.finish(SECONDS)
        except (RemoteError, MachineError) as error:
            print(f"{name}: {error}")
            print(injector.last_words())
            return False, injector
    if f"ok entry/{test}" not in outcome.output or "not ok" in outcome.output:
        print(f"{name}: the guest found\n{outcome.output}\n{outcome.describe()}")
        return False, injector
    return all(row.boundaries == row.hit == row.survived for row in injector.rows), injector


def coverage(image, vectors, covered):
    """Says how much of entry.S was injected at; what is neither that nor excused, a line each."""
    entries = set(image.instructions)
    reached = set.union(*covered.values()) & entries
    start, double_fault = image["_start"], vectors[VECTOR_DF]
    excused = {address for address in entries
               if start <= address < start + image.sizes["_start"] or
               double_fault <= address < min(v for v in vectors if v > double_fault)}
    by_kind = ", ".join(f"{kind} at {len(found & entries)}" for kind, found in covered.items())
    print(f"note: entry.S has {len(entries)} instructions: {len(reached)} injected at ({by_kind}), "
          f"{len(excused)} out of reach ({', '.join(OUT_OF_REACH)})")
    wrong = {address: "was injected at, but counts as out of reach" for address in reached & excused}
    wrong |= {address: "was never injected at" for address in entries - reached - excused}
    return [f"{image.place(address)} ({image.instructions[address]}) {why}"
            for address, why in sorted(wrong.items())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="the kernel with its checks on")
    parser.add_argument("--table", action="store_true", help="show each path")
    parser.add_argument("tests", nargs="*", help=f"tests of the guest, or {PARANOID}; all")
    options = parser.parse_args()
    os.chdir(ROOT)
    room = "check/" if options.check else ""
    image = Image(BUILD / f"{room}kernel.elf")
    good, rows, covered, vectors = True, [], {kind: set() for kind in KINDS}, ()
    for test in options.tests or TESTS:
        for _ in range(TRIES):
            passed, injector = run(BUILD / f"test/{room}entry.img", image, test, options.table)
            if not injector.strayed:
                break
        good = good and passed
        rows += injector.rows
        vectors = injector.vectors
        for kind in KINDS:
            covered[kind] |= injector.covered[kind]
    if good and not options.tests:
        wrong = coverage(image, vectors, covered)
        good = not wrong
        print(*wrong, sep="\n", end="\n" * bool(wrong))
    totals = [sum(getattr(row, column) for row in rows)
              for column in ("boundaries", "hit", "survived")]
    print("note: {} boundaries, {} hit, {} survived".format(*totals))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
