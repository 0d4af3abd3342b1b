#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""NMI, #DB and #MC at every instruction boundary of the paths that paths.c goes (docs/injection.md).

    inject.py [--check] [--table] NAME...     tests of the guest, or `paranoid`

A boundary is the moment before an instruction of the kernel is executed.  A path is stepped through
once for each kind of exception, which is injected at each boundary on the way.  It has hit when the kernel leaves the handler to the very instruction, and was
survived when all registers are as they were, and the guest finds its results right in the end.
"""

import argparse
import os
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from kernel import Image, Symbols  # noqa: E402  (the path above is for the sake of the next two)
from machine import BUILD, ROOT, Machine, MachineError, Settings, printable  # noqa: E402
from parked import parked  # noqa: E402
from remote import Remote, RemoteError  # noqa: E402

SECONDS = 300
WARM_ROUNDS = 2  # caches of the kernel's, such as a first use of the FPU, are out of the way

VECTOR_DB, VECTOR_NMI, VECTOR_MC, VECTOR_TIMER = 1, 2, 18, 0xFD
VECTOR_LINES = range(0x30, 0xB0)
INTERRUPTS = 32  # and above
EXCEPTIONS = (6, 7, 13, 14)
FLAG_TF, FLAG_RF = 0x100, 0x10000

# Bank 9: valid, uncorrected, enabled, signalled, but no action required (SDM vol. 3, 16.6.3), as
# memory scrubbing reports.
MACHINE_CHECK = "mce 0 9 0xbd000000000000c0 0x5 0x1000 0x8c"

JUMP, JUMP_SIZE = 0xE9, 5  # jmp rel32

KINDS = {"NMI": VECTOR_NMI, "#DB": VECTOR_DB, "#MC": VECTOR_MC}


class Injector:
    """One machine, and the means to make exceptions in it."""

    def __init__(self, machine, image, verbose=False):
        self.image = image
        self.verbose = verbose
        self.guest = Symbols(BUILD / "test" / "entry" / "paths.elf")
        self.remote = Remote(machine)
        self.covered = set()
        self.rows = []
        self.vectors = ()
        self.scratch = image["_start"]  # no more needed by the kernel once it runs

    def prepare(self):
        """Stops in the guest at the first round."""
        self.remote.break_at(self.guest["path_begin"])
        while True:
            self.remote.resume()
            registers = self.remote.registers()
            if not registers.in_kernel:
                break
            # The firmware or the loader, at the same address.
            self.remote.step(registers)
        self.vectors = self.image.vectors(self.remote)

    # Making exceptions.

    def arm(self, kind, registers):
        """Makes the exception pending for the moment before the next instruction."""
        if kind == "NMI":
            self.remote.monitor("nmi")
        elif kind == "#MC":
            said = self.remote.monitor(MACHINE_CHECK)
            if said:
                raise RemoteError(f"the emulator said: {said}")
        else:
            # A jump to where we are, with TF set: the trap comes after it.
            jump = struct.pack("<Bi", JUMP, registers.rip - self.scratch - JUMP_SIZE)
            self.remote.write(self.scratch, jump)
            self.remote.set(rip=self.scratch, eflags=registers.eflags | FLAG_TF)

    def inject(self, kind, before):
        """Injects at the present boundary and comes back to it.  What was wrong, or nothing."""
        self.arm(kind, before)
        leaving = self.image.leaving(before.rip)
        self.remote.break_at(*leaving)
        self.remote.resume()
        at = self.remote.registers()
        # In a window an interrupt may come first.
        while at.rip in leaving and (self.image.leaves(self.remote, at)[0] or 0) >= INTERRUPTS:
            self.remote.step(at)
            self.remote.resume()
            at = self.remote.registers()
        if at.rip not in leaving:
            return f"not hit: next was {self.image.place(at.rip)}"
        vector, target = self.image.leaves(self.remote, at)
        if vector not in (None, KINDS[kind]) or target != before.rip:
            return f"not hit: vector {vector} to {self.image.place(target)} was"
        if at.rip in (self.image.before_iret, self.image.before_ret):
            at = self.remote.step(at)
        at = self.remote.step(at)
        differences = before.differences(at, FLAG_RF)
        return f"not survived: {'; '.join(differences)}" if differences else None

    def show(self, row):
        if self.verbose:
            print(row, flush=True)

    # Walking paths.

    def walk(self, visit):
        """Steps through the kernel to ring 3 or idleness, visiting each boundary."""
        registers = self.remote.registers()
        while registers.in_kernel and not self.image.is_idle(registers.rip):
            visit(registers)
            registers = self.remote.step(registers)

    def entries(self, path):
        """Where a path enters the kernel: (always, once a round)."""
        always = {self.image["syscall_entry"], *(self.vectors[v] for v in EXCEPTIONS)}
        # How often the timer has to be set again before a deadline depends on the host.
        once = [VECTOR_TIMER] * ("timer" in path) + [*VECTOR_LINES] * ("line" in path)
        return always, {self.vectors[vector] for vector in once}

    def round(self, path, visit):
        """One round: visits each boundary of each entry in it."""
        always, once = self.entries(path)
        while True:
            self.remote.break_at(self.guest["path_end"], *always, *once)
            self.remote.resume()
            registers = self.remote.registers()
            if registers.rip == self.guest["path_end"]:
                break
            if registers.rip in once:
                once = ()
            self.remote.break_at()
            self.walk(visit)
        self.remote.break_at(self.guest["path_begin"])

    def next_path(self):
        """The name of the path whose round has begun, or None after the last."""
        return self.remote.text(self.remote.registers().rdi)

    def path(self, path):
        """All rounds of a path; stops at the beginning of the one after."""
        for _ in range(WARM_ROUNDS):
            self.round(path, lambda registers: None)
            self.remote.resume()
        for kind in KINDS:
            row = Row(path, kind)
            self.rows.append(row)
            self.round(path, lambda registers: self.visit(row, registers))
            self.show(row)
            if kind != list(KINDS)[-1]:
                self.remote.resume()

    def visit(self, row, registers):
        row.boundaries += 1
        self.covered.add(registers.rip)
        fault = self.inject(row.kind, registers)
        if fault:
            raise RemoteError(f"{row.path}: {row.kind} before {self.image.place(registers.rip)} "
                              f"(boundary {row.boundaries}): {fault}")
        row.hit += 1
        row.survived += 1

    # The paranoid entries themselves.

    def stop_at(self, address):
        self.remote.break_at(address)
        self.remote.resume()
        return self.remote.registers()

    def enter(self, kind, before):
        """Makes an exception at the present boundary and stops at its handler's first one."""
        self.arm(kind, before)
        registers = self.stop_at(self.vectors[KINDS[kind]])
        self.remote.break_at()
        return registers

    def leave(self, registers, target, row=None):
        """Steps out of a handler to the boundary that it interrupted, with `row` injecting before
        each instruction of it."""
        tail = False
        while (registers.rip, registers.rsp) != (target.rip, target.rsp):
            # Another of the same kind: an NMI waits for the IRETQ, a #MC before MCIP is clear shuts
            # the processor down, and a #DB finds the stack taken before the handler has moved the
            # IST pointer (docs/injection.md).
            tail = tail or registers.rip == self.image.after_paranoid
            if row and (tail and row.kind != "NMI" or row.kind != row.path.split()[-1]):
                self.visit(row, registers)
            self.remote.break_at()
            registers = self.remote.step(registers)
        differences = target.differences(registers, FLAG_RF)
        if differences:
            raise RemoteError(f"{row.path if row else ''}: not survived: {'; '.join(differences)}")

    def paranoid_entries(self):
        """Each kind in the handlers of each, out of the first instruction of a system call, which
        still has the user's stack and GS base, and out of C; and the last in a #DB in an NMI."""
        for place in ("syscall_entry", "kernel_syscall"):
            for outer in KINDS:
                for inner in KINDS:
                    if inner == outer == "NMI":
                        continue
                    before = self.stop_at(self.image[place])
                    row = Row(f"in {place}, handler of {outer}", inner)
                    self.rows.append(row)
                    self.leave(self.enter(outer, before), before, row)
                    self.show(row)
        for middle, inner in (("#DB", "#MC"), ("#MC", "#DB")):
            before = self.stop_at(self.image["kernel_syscall"])
            self.enter("NMI", before)
            between = self.stop_at(self.image["kernel_count"])
            row = Row(f"in kernel_count, in NMI, handler of {middle}", inner)
            self.rows.append(row)
            self.leave(self.enter(middle, between), between, row)
            self.leave(between, before)
            self.show(row)


@dataclass
class Row:
    """How often one kind of exception struck in one path."""

    path: str
    kind: str
    boundaries: int = 0
    hit: int = 0
    survived: int = 0

    def __str__(self):
        return (f"{self.path:45} {self.kind} {self.boundaries:5} boundaries {self.hit:5} hit "
                f"{self.survived:5} survived")


PARANOID = "paranoid"
ROUNDS = WARM_ROUNDS + len(KINDS)
PARANOID_ROUNDS = 40


def run(image_file, image, name, verbose):
    paranoid = name == PARANOID
    test = "null_system_call" if paranoid else name
    rounds = PARANOID_ROUNDS if paranoid else ROUNDS
    settings = parked(Settings(image=image_file, kernel=image.path,
                               cmdline=f"rounds={rounds} suite=entry only={test}"))
    with Machine(settings) as machine:
        injector = Injector(machine, image, verbose)
        try:
            injector.prepare()
            if paranoid:
                injector.paranoid_entries()
            else:
                injector.path(injector.next_path())
            injector.remote.break_at()
            injector.remote.detach()
            outcome = machine.finish(SECONDS)
        except (RemoteError, MachineError) as error:
            print(f"{name}: {error}")
            print(printable(bytes(machine.serial))[-2000:])
            return False, injector
    if f"ok entry/{test}" not in outcome.output or "not ok" in outcome.output:
        print(f"{name}: the guest found\n{outcome.output}\n{outcome.describe()}")
        return False, injector
    return all(0 < row.boundaries == row.hit == row.survived for row in injector.rows), injector


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="the kernel with its checks on")
    parser.add_argument("--table", action="store_true", help="show each path")
    parser.add_argument("tests", nargs="+", help=f"tests of the guest, or {PARANOID}")
    options = parser.parse_args()
    os.chdir(ROOT)
    room = "check/" if options.check else ""
    image = Image(BUILD / f"{room}kernel.elf")
    good, rows = True, []
    for test in options.tests:
        passed, injector = run(BUILD / f"test/{room}entry.img", image, test, options.table)
        good = good and passed
        rows += injector.rows
    totals = [sum(getattr(row, column) for row in rows)
              for column in ("boundaries", "hit", "survived")]
    print("note: {} boundaries, {} hit, {} survived".format(*totals))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
