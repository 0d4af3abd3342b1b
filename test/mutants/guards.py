# SPDX-License-Identifier: MIT
"""The guards of the invariants, asked about the two kernels of a tree: with checks, and as released.

Each answers with what it objects to, or nothing.  No answer depends on how fast the host is: guests
run under exact instruction counting, where their clock is their own progress, and a machine is given
up for what it has done, which is the emulator's time of processor, not for what a busy host has not
let it do.
"""

import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

TEST = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TEST.parent / "ovmf")]

from machine import ROOT, Machine, Settings  # noqa: E402  (the path above is for the sake of these)
from parked import parked  # noqa: E402

CHECKED, RELEASED = "build/check/kernel.elf", "build/kernel.elf"
GUEST, PATHS = "build/test/boot/tests.elf", "build/test/entry/paths.elf"

# All of the guest's tests together take 4 s of processor time on a machine of 2020.
BUSY_SECONDS = 60
# A machine that has used next to nothing in so long has nothing left to do, however busy the host.
IDLE_SECONDS, IDLE_USE = 30, 0.3
# Injection has limits of its own (test/entry/remote.py); this one is for the whole.
INJECTION_SECONDS = 900

ENDED = re.compile(rb"^not ok ([^\r\n]+)\r*\n|^Limen (panic|cannot start): ([^\r\n]*)\r*\n", re.M)
DONE = re.compile(rb"^done \d+\r*\n|^Limen (?:panic|cannot start): [^\n]*\n", re.M)
# What a machine says of itself in words that mean it went nowhere.
NO_END = re.compile(r"has not stopped in|nothing ended|did not end|no end$")


class GuardError(Exception):
    """A guard could not be asked."""


@dataclass(frozen=True)
class Objection:
    guard: str  # image, guest, injection, oops
    what: str

    @property
    def is_hang(self):
        """Whether time was all that told: a slow host could look the same."""
        return self.guard != "image" and NO_END.search(self.what) is not None

    def __str__(self):
        return f"hang: {self.what}" if self.is_hang else self.what


def check_image(tree, kernels=(RELEASED, CHECKED)):
    """Which checks of the image object."""
    made = subprocess.run([str(TEST / "image" / "check.py"),
                           *(str(tree.path / kernel) for kernel in kernels)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    found = re.findall(r"^\S+kernel\.elf: ([\w-]+): ", made.stderr, re.M)
    if made.returncode and not found:
        found = ["the checker itself: " + made.stderr.strip().splitlines()[-1]]
    return [Objection("image", name) for name in sorted(set(found))]


def processor_seconds(process):
    """What a process has used so far, by proc(5): user and system time are fields 14 and 15."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2]
    except OSError:
        return 0
    return sum(map(int, fields.split()[11:13])) / os.sysconf("SC_CLK_TCK")


def watch(machine, until):
    """Runs a guest to its end, or what it says then; None when it hangs."""
    used, since = 0, time.monotonic()
    while not machine.wait_for(until, 1):
        if machine.shutdown_reason or machine.process.poll() is not None:
            break
        now = processor_seconds(machine.process)
        if now > BUSY_SECONDS or now - used < IDLE_USE and time.monotonic() - since > IDLE_SECONDS:
            return None
        if now - used >= IDLE_USE:
            used, since = now, time.monotonic()
    return machine.finish(IDLE_SECONDS, until=until)


def boot_tests(tree, cmdline, until=ENDED):
    settings = Settings(image=tree.disk(CHECKED, GUEST), kernel=tree.path / CHECKED,
                        cmdline=cmdline, icount=True)
    with Machine(parked(settings)) as machine:
        return watch(machine, until)


def passed_tests(tree):
    """The names of all tests of the guest that a tree's kernel passes."""
    outcome = boot_tests(tree, "", until=DONE)
    return set(re.findall(r"^ok (\S+)$", outcome.output, re.M)) if outcome else set()


def run_guest(tree, test):
    """Runs a suite, or one test of it."""
    suite, _, only = test.partition("/")
    outcome = boot_tests(tree, f"suite={suite}" + (f" only={only}" if only else ""))
    if outcome is None:
        return f"{test}: no end"
    failure = ENDED.search(outcome.serial)
    if failure and failure[1]:
        return failure[1].decode(errors="replace")
    if failure:
        return f"{test}: {failure[2].decode()}: {failure[3].decode(errors='replace')}"
    if outcome.kind != "exit" or outcome.status != 0:
        return f"{test}: {outcome.describe()}"
    return ""


# The injector's own ways to run a test, of other images than the usual.
INJECTION = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import inject
from kernel import Image
import nested
import oops
disk, image, name = Path(sys.argv[2]), Image(Path(sys.argv[3])), sys.argv[4]
if name in oops.SCENARIOS:
    wrong = oops.run(name, image, disk)
    if wrong:
        print(f"{name}: {wrong}")
    sys.exit(1 if wrong else 0)
module = nested if name in nested.CASES else inject
sys.exit(0 if module.run(disk, image, name, False)[0] else 1)
"""


def run_injection(tree, test):
    """Injects exceptions into the released kernel, at each boundary of a path, or brings it into a
    certain trouble."""
    command = [sys.executable, "-c", INJECTION, str(TEST / "entry"),
               str(tree.disk(RELEASED, PATHS)), str(tree.path / RELEASED), test]
    try:
        made = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=INJECTION_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"{test}: no end"
    if made.returncode == 0:
        return ""
    if made.returncode != 1:
        raise GuardError(f"{test}: the injector ended with {made.returncode}")
    lines = [line for line in made.stdout.decode(errors="replace").splitlines()
             if line and not line.startswith("note:")]
    if not lines:
        return f"{test}: boundaries do not agree"
    return f"{test}: {lines[-1]}" if lines[0].startswith("Traceback") else lines[0]


# In the order in which they are asked: what takes longest comes last.
RUNNERS = {"guest": run_guest, "oops": run_injection, "injection": run_injection}
KERNELS = {"image": (RELEASED, CHECKED), "guest": (CHECKED,), "oops": (RELEASED,),
           "injection": (RELEASED,)}


def at_run_time(names):
    """(kind, test) of those that are tests by themselves; assertions speak in a guest's."""
    guards = [tuple(name.split(" ", 1)) for name in names]
    return sorted((guard for guard in guards if guard[0] in RUNNERS),
                  key=lambda guard: list(RUNNERS).index(guard[0]))


def ask(tree, kind, test):
    """A list of one objection or none."""
    wrong = RUNNERS[kind](tree, test)
    return [Objection(kind, wrong)] if wrong else []
