#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""NMIs at random while ring 3 loads the kernel (storm.c), and all results compared.

    storm.py [ENTRIES [SEED]]     entries into the kernel, 10 million when not given
"""

import os
import random
import re
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from machine import BUILD, ROOT, Machine, MachineError, Settings  # noqa: E402  (after the path)
from parked import parked  # noqa: E402

ENTRIES = 10_000_000
ENTRIES_OF_ONE = 1_000_000  # machine; the guest's runner gives a test a minute
SEED = 1
SECONDS = 300
BURST_MAX = 8  # NMIs right after each other
PAUSE_MAX = 0.001  # seconds between bursts
SAID = re.compile(rb"^storm (\d+) (\d+) (\d+)", re.M)
STARTED = re.compile(rb"init starts at")


def storm(machine, choose):
    """Injects until the guest ends; how many NMIs that were."""
    injected, deadline = 0, time.monotonic() + SECONDS
    while machine.process.poll() is None and time.monotonic() < deadline:
        try:
            for _ in range(choose.randint(1, BURST_MAX)):
                machine.monitor("inject-nmi")
                injected += 1
        except MachineError:
            break  # it has ended
        time.sleep(choose.uniform(0, PAUSE_MAX))
    return injected


def one_machine(entries, seed):
    """(entries made, deadlines met, NMIs taken, NMIs injected)"""
    settings = parked(Settings(image=BUILD / "test/entry.img", kernel=BUILD / "kernel.elf",
                               cmdline=f"suite=storm entries={entries}"))
    with Machine(settings) as machine:
        if not machine.wait_for(STARTED, 60):
            sys.exit("storm: the guest did not start")
        injected = storm(machine, random.Random(seed))
        outcome = machine.finish(10)
    said = SAID.search(outcome.serial.replace(b"\r", b""))
    if (outcome.kind, outcome.status) != ("exit", 0) or not said:
        sys.exit(f"storm with seed {seed}: {outcome.describe()}\n{outcome.log}")
    entered, ticks, taken = map(int, said.groups())
    if not 0 < taken <= injected or entered < entries:
        sys.exit(f"storm with seed {seed}: {entered} entries of {entries}, "
                 f"{taken} NMIs of {injected}")
    return entered, ticks, taken, injected


def main():
    entries = int(sys.argv[1]) if len(sys.argv) > 1 else ENTRIES
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else SEED
    os.chdir(ROOT)
    totals = [0, 0, 0, 0]
    while totals[0] < entries:
        results = one_machine(min(entries - totals[0], ENTRIES_OF_ONE), seed)
        totals = [total + result for total, result in zip(totals, results)]
        seed += 1
    print("note: {} entries by system call and fault and {} deadlines, through {} NMIs of {} "
          "injected; all results right".format(*totals))


if __name__ == "__main__":
    main()
