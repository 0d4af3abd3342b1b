#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Builds mutants of the kernel and shows which guards kill each (docs/invariants.md).

    mutants.py            every mutant against every guard of its invariant
    mutants.py --quick    those with a `quick`, each against that kind of guard alone
    mutants.py NAME...    those whose names contain one of these, or that break it

A mutant is the kernel with one of its invariants broken in one place.  The files beside this one
declare them, a theme each:

    breaks    the row of test/invariants.toml that it is about
    file      where `find`, which must stand there once, becomes `replace`
    flags     what the file is compiled with in addition
    guards    who is to notice at run time, if not all of the row's
    quick     part of `make test`, which asks guards of this kind: image, guest, oops, injection

A mutant that none of the guards notices is a missing test.  One at which a machine hangs is killed
only if the kernel itself passes the same guard after it, which shows that it was not the host's
doing.  And a row none of whose mutants a guard on the image, or one at run time, notices has no such
guard, whatever it says.  A mutant is built in a copy of the sources beside finished objects, so that only what it touches is
compiled again.  The exit status is 0 when all are killed.
"""

import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

TEST = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TEST), str(TEST.parent / "ovmf")]

import guards  # noqa: E402  (the path above is for the sake of these)
import invariants  # noqa: E402
from machine import BUILD, ROOT  # noqa: E402

ROOMS = ("arch", "kernel", "include")
WORKERS = 2


class MutantError(Exception):
    """Something is wrong with a mutant or the host, so that nothing can be said of the guards."""


@dataclass
class Mutant:
    name: str
    breaks: str
    file: str
    find: str = ""
    replace: str = ""
    flags: str = ""
    guards: list = field(default_factory=list)
    quick: str = ""

    def apply(self, tree):
        path = tree / self.file
        text = path.read_text(encoding="utf-8")
        if self.find:
            if text.count(self.find) != 1:
                raise MutantError(f"{self.file} has the text to be replaced "
                                  f"{text.count(self.find)} times")
            text = text.replace(self.find, self.replace)
        path.write_text(text, encoding="utf-8")


WORKSHOP = BUILD / "mutants"
PRISTINE = WORKSHOP / "pristine"
OBJECTS = ("kernel", "arch", "check/kernel", "check/arch", "check/test")
PARTS = ("font.psf", "font.o", "packages.stamp", "BOOTX64.EFI", "boot.cpio", "test/boot/tests.elf",
         "test/entry/paths.elf")


def work_in(workshop):
    """Has another place for all trees, so that two programs do not disturb each other."""
    global WORKSHOP, PRISTINE
    WORKSHOP = workshop
    PRISTINE = workshop / "pristine"


def take_pristine():
    """What all trees start from: later changes of the sources do not disturb a long run."""
    shutil.rmtree(WORKSHOP, ignore_errors=True)
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
    # So that with a mutant nothing is made but what it touches.
    make_kernels(PRISTINE)


def make_kernels(tree, kernels=(guards.RELEASED, guards.CHECKED), flags=""):
    command = ["make", "-s", f"WARNINGS={flags}", "CHECK_IMAGE=true", *kernels]
    made = subprocess.run(command, cwd=tree, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if made.returncode:
        raise MutantError("it cannot be built\n" + made.stdout.decode(errors="replace").strip())


class Tree:
    """A copy of the kernel's sources, and its objects as they were last built."""

    def __init__(self, name):
        self.path = WORKSHOP / name
        shutil.copytree(PRISTINE, self.path, symlinks=True)

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
        for source in (PRISTINE / "build").rglob("*.o"):
            target = self.path / source.relative_to(PRISTINE)
            if not target.exists() or target.stat().st_mtime_ns != source.stat().st_mtime_ns:
                shutil.copy2(source, target)
        for room in ("", "check/"):
            for stale in ("kernel", "kernel-nosymbols"):
                (self.path / f"build/{room}{stale}.elf").unlink(missing_ok=True)


class Reference:
    """The kernel itself, in a tree of its own: what its guards say of it tells what to make of what
    they say of mutants."""

    def __init__(self):
        self.tree = None
        self.taken = threading.Lock()

    def take(self):
        if self.tree is None:
            self.tree = Tree("reference")
        return self.tree

    def objections(self, rows):
        """Of all guards there are."""
        tree = self.take()
        passed = guards.passed_tests(tree)
        wrong = guards.check_image(tree)
        for kind, test in sorted({guard for row in rows.values()
                                  for guard in guards.at_run_time(row.run_time)}):
            if kind != "guest":
                wrong += guards.ask(tree, kind, test)
            elif test not in passed:
                wrong.append(guards.Objection(kind, f"{test} did not pass"))
        return wrong

    def passes(self, kind, test):
        with self.taken:
            return not guards.ask(self.take(), kind, test)


@dataclass
class Verdict:
    mutant: Mutant
    objections: list = field(default_factory=list)
    undecided: str = ""


class Court:
    """What all verdicts have in common."""

    def __init__(self, rows, quick):
        self.rows = rows
        self.quick = quick
        self.reference = Reference()
        self.free = [Tree(str(number)) for number in range(WORKERS)]

    def ask_at_run_time(self, mutant, tree):
        """The first objection, in a list, or none."""
        for kind, test in guards.at_run_time(mutant.guards or self.rows[mutant.breaks].run_time):
            if self.quick and kind != mutant.quick:
                continue
            found = guards.ask(tree, kind, test)
            if found and found[0].is_hang and not self.reference.passes(kind, test):
                raise MutantError(f"{test} did not end, and does not with the kernel itself: this "
                                  "host is too busy to tell")
            if found:
                return found
        return []

    def judge(self, mutant):
        tree = self.free.pop()
        verdict = Verdict(mutant)
        kinds = {mutant.quick} if self.quick else {"image", *guards.RUNNERS}
        try:
            mutant.apply(tree.path)
            kernels = sorted({kernel for kind in kinds for kernel in guards.KERNELS[kind]})
            make_kernels(tree.path, kernels, mutant.flags)
            if "image" in kinds:
                verdict.objections += guards.check_image(tree, kernels)
            if kinds != {"image"}:
                verdict.objections += self.ask_at_run_time(mutant, tree)
        except (MutantError, guards.GuardError) as error:
            verdict.undecided = str(error)
        finally:
            tree.restore(mutant)
            self.free.append(tree)
        return verdict


def show(verdict):
    word = "UNDECIDED" if verdict.undecided else "killed" if verdict.objections else "SURVIVED"
    by = {}
    for objection in verdict.objections:
        by.setdefault(objection.guard, []).append(str(objection))
    said = verdict.undecided or \
        "by " + ("; ".join(f"{guard}: {', '.join(what)}" for guard, what in by.items()) or "nothing")
    print(f"{word:9} {verdict.mutant.breaks:20} {verdict.mutant.name}\n{'':10}{said}", flush=True)


def show_table(verdicts):
    """A row for each invariant: how many of its mutants there are, and who killed how many."""
    kinds = ("image", *guards.RUNNERS)
    print(f"\n{'invariant':22}mutants  killed  {'  '.join(f'{kind:>9}' for kind in kinds)}")
    for row in dict.fromkeys(verdict.mutant.breaks for verdict in verdicts):
        own = [verdict for verdict in verdicts if verdict.mutant.breaks == row]
        by = [sum(any(o.guard == kind for o in verdict.objections) for verdict in own)
              for kind in kinds]
        print(f"{row:22}{len(own):7}{sum(is_killed(verdict) for verdict in own):8}  "
              f"{'  '.join(f'{count:9}' for count in by)}")


def idle_guards(verdicts, rows):
    """Rows with a guard on the image, or at run time, that notices none of the row's mutants; a row
    may say why the latter is so, as long as it is."""
    for name in dict.fromkeys(verdict.mutant.breaks for verdict in verdicts):
        kinds = {objection.guard for verdict in verdicts if verdict.mutant.breaks == name
                 for objection in verdict.objections}
        if "image" not in kinds:
            yield f"{name}: no check of the image notices any of its mutants"
        if not kinds & set(guards.RUNNERS) and not rows[name].unseen:
            yield f"{name}: no run notices any of its mutants"
        if kinds & set(guards.RUNNERS) and rows[name].unseen:
            yield f"{name}: it is not so that no run notices any of its mutants"


def is_killed(verdict):
    return bool(verdict.objections) and not verdict.undecided


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    os.chdir(ROOT)
    begin = time.monotonic()
    rows = {row.name: row for row in invariants.load()}
    chosen = [mutant for mutant in (Mutant(**entry) for entry in invariants.mutants())
              if (mutant.quick or not options.quick) and
              (not options.names or any(name in mutant.name or name == mutant.breaks
                                        for name in options.names))]
    take_pristine()
    court = Court(rows, options.quick)
    if not options.quick and not options.names:
        wrong = court.reference.objections(rows)
        if wrong:
            print("guards that the kernel itself does not pass:")
            print("\n".join(f"{objection.guard}: {objection}" for objection in wrong))
            return 1
        print("the kernel itself passes every guard", flush=True)

    verdicts = []
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as workers:
        for verdict in workers.map(court.judge, chosen):
            show(verdict)
            verdicts.append(verdict)
    idle = []
    if not options.quick:
        show_table(verdicts)
    if not options.quick and not options.names:
        idle = list(idle_guards(verdicts, rows))
        print("\n".join(["", *idle]))
    killed = sum(map(is_killed, verdicts))
    undecided = sum(bool(verdict.undecided) for verdict in verdicts)
    print(f"note: {len(verdicts)} mutants: {killed} killed, "
          f"{len(verdicts) - killed - undecided} survived, {undecided} undecided, "
          f"{time.monotonic() - begin:.0f} s")
    return 0 if verdicts and killed == len(verdicts) and not idle else 1


if __name__ == "__main__":
    sys.exit(main())
