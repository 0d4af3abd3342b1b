#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds mutants of the kernel and shows which guards kill each (docs/invariants.md).

    mutants.py            every mutant against every guard of its invariant
    mutants.py --quick    those marked quick, each until the first guard that kills it
    mutants.py NAME...    those whose names contain one of these

A mutant is built in a copy of the sources beside finished objects, so that only what it touches is
compiled again.  The exit status is 0 when all are killed.
"""

import argparse
import concurrent.futures
import os
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

TEST = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TEST), str(TEST.parent / "ovmf")]

import invariants  # noqa: E402  (the path above is for the sake of these)
from machine import BUILD, ROOT, Machine, Settings  # noqa: E402
from parked import parked  # noqa: E402

MUTANTS = Path(__file__).with_name("mutants.toml")
ROOMS = ("arch", "kernel", "include")
WORKERS = 2
GUEST_SECONDS = 40  # far more than a suite takes; a mutant that hangs takes all of it
FAILURE = re.compile(rb"^not ok ([^:\n]+)|^Limen panic: ([^\n]*)\n", re.M)


class MutantError(Exception):
    """The table of mutants and the sources do not fit."""


@dataclass
class Mutant:
    name: str
    breaks: str
    file: str
    find: str = ""
    replace: str = ""
    flags: str = ""
    guest: list = field(default_factory=list)
    quick: bool = False

    def apply(self, tree):
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if self.find:
            if text.count(self.find) != 1:
                raise MutantError(f"{self.name}: {self.file} has the text to be replaced "
                                  f"{text.count(self.find)} times")
            text = text.replace(self.find, self.replace)
        path.write_text(text, encoding="utf-8")


def load():
    declared = tomllib.loads(MUTANTS.read_text(encoding="utf-8"))
    return [Mutant(**entry) for entry in declared["mutant"]]


PRISTINE = BUILD / "mutants" / "pristine"
OBJECTS = ("kernel", "arch", "check/kernel", "check/arch")


def take_pristine():
    """What all trees start from: later changes of the sources do not disturb a long run."""
    shutil.rmtree(BUILD / "mutants", ignore_errors=True)
    PRISTINE.mkdir(parents=True)
    for entry in ROOT.iterdir():
        if entry.name in ROOMS:
            shutil.copytree(entry, PRISTINE / entry.name)
        elif entry.name != "build" and entry.name[0] != ".":
            (PRISTINE / entry.name).symlink_to(entry)
    for part in OBJECTS:
        shutil.copytree(BUILD / part, PRISTINE / "build" / part)
    for part in ("font.psf", "font.o", "packages.stamp"):
        shutil.copy2(BUILD / part, PRISTINE / "build" / part)


class Tree:
    """A copy of the kernel's sources, and its objects as they were last built."""

    def __init__(self, number):
        self.path = BUILD / "mutants" / str(number)
        shutil.copytree(PRISTINE, self.path, symlinks=True)

    def build(self, mutant):
        """Builds both kernels; what make said, if it failed."""
        kernels = ["build/kernel.elf", "build/check/kernel.elf"]
        command = ["make", "-s", f"WARNINGS={mutant.flags}", "CHECK_IMAGE=true", *kernels]
        made = subprocess.run(command, cwd=self.path, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return made.stdout.decode(errors="replace") if made.returncode else ""

    def check_image(self):
        """Which checks of the image object."""
        kernels = [self.path / "build" / name for name in ("kernel.elf", "check/kernel.elf")]
        made = subprocess.run([str(TEST / "image" / "check.py"), *map(str, kernels)],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        found = re.findall(r"^\S+kernel\.elf: ([\w-]+): ", made.stderr, re.M)
        if made.returncode and not found:
            return ["the checker itself: " + made.stderr.strip().splitlines()[-1]]
        return sorted(set(found))

    def image(self):
        """A disk with the kernel that has its checks on, and the guest's tests."""
        disk = self.path / "boot.img"
        files = {"EFI/BOOT/BOOTX64.EFI": BUILD / "BOOTX64.EFI",
                 "limen/kernel.elf": self.path / "build/check/kernel.elf",
                 "limen/init.elf": BUILD / "test/boot/tests.elf",
                 "limen/boot.cpio": BUILD / "boot.cpio"}
        subprocess.run([str(ROOT / "ovmf/image.py"), str(disk),
                        *(f"{name}={path}" for name, path in files.items())],
                       check=True, capture_output=True)
        return disk

    def restore(self, mutant):
        shutil.copy2(PRISTINE / mutant.file, self.path / mutant.file)
        for part in OBJECTS:
            for source in (PRISTINE / "build" / part).rglob("*.o"):
                target = self.path / source.relative_to(PRISTINE)
                if not target.exists() or \
                   target.stat().st_mtime_ns != source.stat().st_mtime_ns:
                    shutil.copy2(source, target)
        for room in ("", "check/"):
            for stale in ("kernel", "kernel-nosymbols"):
                (self.path / f"build/{room}{stale}.elf").unlink(missing_ok=True)


def run_guest(disk, kernel, test):
    """Runs a suite, or one test of it; what went wrong, or nothing."""
    suite, _, only = test.partition("/")
    cmdline = f"suite={suite}" + (f" only={only}" if only else "")
    with Machine(parked(Settings(image=disk, kernel=kernel, cmdline=cmdline))) as machine:
        outcome = machine.finish(GUEST_SECONDS, until=FAILURE)
    failure = FAILURE.search(outcome.serial)
    if failure and failure[1]:
        return failure[1].decode()
    if failure:
        where = re.search(r"[\w.]+:\d+: .*|.*", failure[2].decode(errors="replace").strip())
        return f"{test}: panic: {where[0]}"
    if b"\ndone 0\n" in outcome.serial.replace(b"\r", b""):
        raise MutantError(f"there is no test {test} in the guest")
    if outcome.kind != "exit" or outcome.status != 0:
        return f"{test}: {outcome.describe()}"
    return ""


def guards_in_guest(mutant, rows):
    if mutant.guest:
        return mutant.guest
    tests = [name.removeprefix("guest ") for name in rows[mutant.breaks].run_time
             if name.startswith("guest ")]
    return tests or ["syscall"]


@dataclass
class Verdict:
    mutant: Mutant
    killers: list  # (kind of guard, which)


def judge(mutant, tree, rows, until_killed):
    killers = []
    try:
        mutant.apply(tree.path)
        said = tree.build(mutant)
        if said:
            return Verdict(mutant, [("build", said.strip().splitlines()[-1])])
        killers += [("image", name) for name in tree.check_image()]
        if killers and until_killed:
            return Verdict(mutant, killers)
        disk = tree.image()
        for test in guards_in_guest(mutant, rows):
            wrong = run_guest(disk, tree.path / "build/check/kernel.elf", test)
            if wrong:
                killers.append(("run time", wrong))
                break
        return Verdict(mutant, killers)
    finally:
        tree.restore(mutant)


def show(verdict):
    kinds = {kind: ", ".join(which for k, which in verdict.killers if k == kind)
             for kind, _ in verdict.killers}
    said = "; ".join(f"{kind}: {which}" for kind, which in kinds.items())
    print(f"{'killed' if said else 'SURVIVED':8} {verdict.mutant.breaks:20} "
          f"{verdict.mutant.name}\n{'':9}by {said or 'nothing'}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.chdir(ROOT)
    rows = {row.name: row for row in invariants.load()}
    chosen = [mutant for mutant in load()
              if (mutant.quick or not options.quick) and
              (not options.names or any(name in mutant.name or name == mutant.breaks
                                        for name in options.names))]
    take_pristine()
    trees = [Tree(number) for number in range(WORKERS)]
    free = list(trees)

    def run(mutant):
        tree = free.pop()
        try:
            return judge(mutant, tree, rows, options.quick)
        finally:
            free.append(tree)

    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        for verdict in workers.map(run, chosen):
            show(verdict)
            verdicts.append(verdict)
    count = {kind: sum(any(k == kind for k, _ in verdict.killers) for verdict in verdicts)
             for kind in ("build", "image", "run time")}
    survivors = [verdict.mutant.name for verdict in verdicts if not verdict.killers]
    print(f"{len(verdicts)} mutants: {len(verdicts) - len(survivors)} killed, "
          f"{len(survivors)} survived; by the build {count['build']}, on the image "
          f"{count['image']}, at run time {count['run time']}")
    return 1 if survivors or not verdicts else 0


if __name__ == "__main__":
    sys.exit(main())
