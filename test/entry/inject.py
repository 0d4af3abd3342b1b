#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""NMI, #DB and #MC at every instruction boundary of the paths that paths.c goes (docs/injection.md).

    inject.py [--check] [NAME...]     tests of the guest, all when none is named

A boundary is the moment before an instruction of the kernel is executed.  One round of a path is
stepped through to list them; then, in one round for each kind of exception, that exception is
injected at each.  It has hit when the kernel leaves the handler to the very instruction, and was
survived when all registers are as they were, and the guest finds its results right in the end.
"""

import argparse
import os
import sys
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
FLAG_RF = 0x10000

# Bank 9: valid, uncorrected, enabled, signalled, but no action required (SDM vol. 3, 16.6.3), as
# memory scrubbing reports.
MACHINE_CHECK = "mce 0 9 0xbd000000000000c0 0x5 0x1000 0x8c"

# mov %rax, %dr0; mov %rcx, %dr7
DEBUG_CODE = bytes.fromhex("0f23c0 0f23f9")
DR7_BREAKPOINT_0 = 0x402
DR7_NONE = 0x400

KINDS = {"NMI": VECTOR_NMI, "#DB": VECTOR_DB, "#MC": VECTOR_MC}


class Injector:
    """One machine, and the means to make exceptions in it."""

    def __init__(self, machine, image):
        self.image = image
        self.guest = Symbols(BUILD / "test" / "entry" / "paths.elf")
        self.remote = Remote(machine)
        self.covered = set()
        self.rows = []
        self.scratch = image["_start"]  # no more needed by the kernel once it runs

    def prepare(self):
        """Stops in the guest at the first round."""
        self.remote.break_at(self.guest["path_begin"])
        while True:
            self.remote.resume()
            if self.remote.registers().cs & 3 == 3:
                break
            # The firmware or the loader, at the same address.
            self.remote.step()
        self.remote.write(self.scratch, DEBUG_CODE)
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
            self.set_debug_registers(registers, DR7_BREAKPOINT_0)

    def set_debug_registers(self, registers, control):
        """Has breakpoint 0 on the next instruction, or none, by two instructions of our own."""
        self.remote.set(rax=registers.rip, rcx=control, rip=self.scratch)
        self.remote.step()
        self.remote.step()
        self.remote.set(rax=registers.rax, rcx=registers.rcx, rip=registers.rip)

    def inject(self, kind, before):
        """Injects at the present boundary and comes back to it.  What was wrong, or nothing."""
        self.arm(kind, before)
        leaving = self.image.leaving(before.rip)
        self.remote.break_at(*leaving)
        self.remote.resume()
        at = self.remote.registers()
        # In a window an interrupt may come first.
        while at.rip in leaving and (self.image.leaves(self.remote, at)[0] or 0) >= INTERRUPTS:
            self.remote.step()
            self.remote.resume()
            at = self.remote.registers()
        if at.rip not in leaving:
            return f"not hit: next was {self.image.place(at.rip)}"
        vector, target = self.image.leaves(self.remote, at)
        if vector not in (None, KINDS[kind]) or target != before.rip:
            return f"not hit: vector {vector} to {self.image.place(target)} was"
        if kind == "#DB":
            # Now, for where a step or a debugger's breakpoint ends on one of the processor's, the
            # emulator makes a #DB whatever RF says.
            self.set_debug_registers(at, DR7_NONE)
        steps = 2 if at.rip in (self.image.before_iret, self.image.before_ret) else 1
        for _ in range(steps):
            self.remote.step()
        at = self.remote.registers()
        differences = before.differences(at, FLAG_RF)
        return f"not survived: {'; '.join(differences)}" if differences else None

    # Walking paths.

    def walk(self, visit):
        """Steps through the kernel to ring 3 or idleness, visiting each boundary."""
        registers = self.remote.registers()
        while registers.in_kernel and not self.image.is_idle(registers.rip):
            visit(registers)
            registers = self.remote.step_registers()

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
        boundaries = []
        for _ in range(WARM_ROUNDS):
            self.round(path, lambda registers: None)
            self.remote.resume()
        self.round(path, lambda registers: boundaries.append(registers.rip))
        self.covered.update(boundaries)
        for kind in KINDS:
            self.remote.resume()
            self.injected_round(path, kind, boundaries)

    def injected_round(self, path, kind, boundaries):
        hit, survived, wrong, seen = 0, 0, [], []

        def visit(registers):
            nonlocal hit, survived
            seen.append(registers.rip)
            fault = self.inject(kind, registers)
            hit += fault is None or not fault.startswith("not hit")
            survived += fault is None
            if fault:
                raise RemoteError(f"{path}: {kind} before {self.image.place(registers.rip)} "
                                  f"(boundary {len(seen)}): {fault}")

        self.round(path, visit)
        if self.entries(path)[1]:
            boundaries = seen  # the clock decides which way it goes
        if seen != boundaries:
            at = next((i for i, pair in enumerate(zip(seen, boundaries)) if pair[0] != pair[1]),
                      min(len(seen), len(boundaries)))
            wrong.append("another way through the kernel: "
                         f"{self.image.place(seen[at])}, not {self.image.place(boundaries[at])}")
        self.rows.append((path, kind, len(boundaries), hit, survived, wrong))
        print(f"note: {path:45} {kind} {len(boundaries):5} boundaries {hit:5} hit "
              f"{survived:5} survived {' '.join(wrong)}", flush=True)


ROUNDS = WARM_ROUNDS + 1 + len(KINDS)


def run(image_file, image, test):
    settings = parked(Settings(image=image_file, kernel=image.path,
                               cmdline=f"rounds={ROUNDS} suite=entry only={test}"))
    with Machine(settings) as machine:
        # The loader and the firmware are none of ours.
        injector = Injector(machine, image)
        try:
            injector.prepare()
            injector.path(injector.next_path())
            injector.remote.break_at()
            injector.remote.command("D")
            outcome = machine.finish(SECONDS)
        except (RemoteError, MachineError) as error:
            print(f"{test}: {error}")
            print(printable(bytes(machine.serial))[-2000:])
            return False, injector
    if f"ok entry/{test}" not in outcome.output or "not ok" in outcome.output:
        print(f"{test}: the guest found\n{outcome.output}\n{outcome.describe()}")
        return False, injector
    exact = all(exist == hit == survived and not wrong
                for _, _, exist, hit, survived, wrong in injector.rows)
    return exact and bool(injector.rows), injector


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="the kernel with its checks on")
    parser.add_argument("tests", nargs="+", help="tests of the guest")
    options = parser.parse_args()
    os.chdir(ROOT)
    room = "check/" if options.check else ""
    image = Image(BUILD / f"{room}kernel.elf")
    good, total = True, 0
    for test in options.tests:
        passed, injector = run(BUILD / f"test/{room}entry.img", image, test)
        good = good and passed
        total += sum(row[4] for row in injector.rows)
    print(f"note: {total} injections survived")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
