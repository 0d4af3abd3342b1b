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
GUEST_SECONDS = 30  # far more than a suite takes; a mutant that hangs takes all of it
INJECTION_SECONDS = 120
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
    guards: list = field(default_factory=list)
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
CHECKED, RELEASED = "build/check/kernel.elf", "build/kernel.elf"
GUEST, PATHS = "build/test/boot/tests.elf", "build/test/entry/paths.elf"
PARTS = ("font.psf", "font.o", "packages.stamp", "BOOTX64.EFI", "boot.cpio", "test/boot/tests.elf",
         "test/entry/paths.elf")


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
    for part in PARTS:
        (PRISTINE / "build" / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(BUILD / part, PRISTINE / "build" / part)


class Tree:
    """A copy of the kernel's sources, and its objects as they were last built."""

    def __init__(self, number):
        self.path = BUILD / "mutants" / str(number)
        shutil.copytree(PRISTINE, self.path, symlinks=True)

    def build(self, mutant):
        """Builds both kernels; what make said, if it failed."""
        command = ["make", "-s", f"WARNINGS={mutant.flags}", "CHECK_IMAGE=true", RELEASED, CHECKED]
        made = subprocess.run(command, cwd=self.path, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return made.stdout.decode(errors="replace") if made.returncode else ""

    def check_image(self):
        """Which checks of the image object."""
        kernels = [str(self.path / name) for name in (RELEASED, CHECKED)]
        made = subprocess.run([str(TEST / "image" / "check.py"), *kernels],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        found = re.findall(r"^\S+kernel\.elf: ([\w-]+): ", made.stderr, re.M)
        if made.returncode and not found:
            return ["the checker itself: " + made.stderr.strip().splitlines()[-1]]
        return sorted(set(found))

    def disk(self, kernel, tests):
        """A disk with one of the kernels and a guest's tests."""
        disk = self.path / "boot.img"
        files = {"EFI/BOOT/BOOTX64.EFI": PRISTINE / "build/BOOTX64.EFI",
                 "limen/kernel.elf": self.path / kernel,
                 "limen/init.elf": PRISTINE / tests,
                 "limen/boot.cpio": PRISTINE / "build/boot.cpio"}
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


def boot(disk, kernel, cmdline, seconds=GUEST_SECONDS):
    settings = Settings(image=disk, kernel=kernel, cmdline=cmdline)
    with Machine(parked(settings)) as machine:
        return machine.finish(seconds, until=FAILURE)


def run_guest(tree, test):
    """Runs a suite, or one test of it; what went wrong, or nothing."""
    suite, _, only = test.partition("/")
    outcome = boot(tree.disk(CHECKED, GUEST), tree.path / CHECKED,
                   f"suite={suite}" + (f" only={only}" if only else ""))
    failure = FAILURE.search(outcome.serial.replace(b"\r", b""))
    if failure and failure[1]:
        return failure[1].decode()
    if failure:
        return f"{test}: panic: {failure[2].decode(errors='replace')}"
    if outcome.kind != "exit" or outcome.status != 0:
        return f"{test}: {outcome.describe()}"
    return ""


# The injector's own way to run a test, of other images than the usual.
INJECTION = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import inject
from kernel import Image
passed, _ = inject.run(Path(sys.argv[2]), Image(Path(sys.argv[3])), sys.argv[4], False)
sys.exit(0 if passed else 1)
"""


def run_injection(tree, test):
    """Injects exceptions into the released kernel, at each boundary of a path."""
    command = [sys.executable, "-c", INJECTION, str(TEST / "entry"),
               str(tree.disk(RELEASED, PATHS)), str(tree.path / RELEASED), test]
    try:
        made = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=INJECTION_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"injection {test}: no end"
    if made.returncode == 0:
        return ""
    lines = [line for line in made.stdout.decode(errors="replace").splitlines()
             if line and not line.startswith("note:")]
    return f"injection {lines[0]}" if lines else f"injection {test}: boundaries do not agree"


RUNNERS = {"guest": run_guest, "injection": run_injection}


def guards_at_run_time(mutant, rows):
    """(kind, test) of each, the quick ones first."""
    named = mutant.guards or rows[mutant.breaks].run_time
    guards = [tuple(guard.split(" ", 1)) for guard in named]
    return sorted((guard for guard in guards if guard[0] in RUNNERS),
                  key=lambda guard: list(RUNNERS).index(guard[0]))


def broken_guards(tree, rows):
    """Guards that the kernel itself does not pass: what they say of mutants would mean nothing."""
    said = tree.build(Mutant("none", "", ""))
    if said:
        return [said]
    wrong = [f"image: {name}" for name in tree.check_image()]
    outcome = boot(tree.disk(CHECKED, GUEST), tree.path / CHECKED, "", GUEST_SECONDS * 3)
    passed = set(re.findall(r"^ok (\S+)$", outcome.output, re.M))
    guards = {tuple(guard.split(" ", 1)) for row in rows.values() for guard in row.run_time}
    wrong += [f"{kind} {test}" for kind, test in sorted(guards)
              if kind == "guest" and test not in passed]
    wrong += [said for kind, test in sorted(guards)
              if kind == "injection" and (said := run_injection(tree, test))]
    return wrong


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
        for kind, test in guards_at_run_time(mutant, rows):
            wrong = RUNNERS[kind](tree, test)
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
    broken = [] if options.quick or options.names else broken_guards(trees[0], rows)
    if broken:
        print("\n".join(["guards that the kernel itself does not pass:", *broken]))
        return 1

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
