#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""NMIs at random while ring 3 runs with the kernel's addresses as bases of GS and FS.

    bases.py [NMIS [SEED]]     how many to survive, and where their times begin
"""

import os
import random
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from machine import BUILD, ROOT, Machine, Settings  # noqa: E402  (after the path)
from parked import parked  # noqa: E402
from storm import STARTED, storm  # noqa: E402

NMIS = 1000
ROUNDS = 200  # of test/boot/attack_nmi.c in one machine


def one_machine(seed):
    """How many NMIs the guest took."""
    settings = parked(Settings(image=BUILD / "test/check/boot.img",
                               kernel=BUILD / "check/kernel.elf",
                               cmdline=f"suite=attack_nmi rounds={ROUNDS}"))
    with Machine(settings) as machine:
        if not machine.wait_for(STARTED, 60):
            sys.exit("bases: the guest did not start")
        injected = storm(machine, random.Random(seed))
        outcome = machine.finish(10)
    said = re.search(r"^nmis (\d+)", outcome.output, re.M)
    if (outcome.kind, outcome.status) != ("exit", 0) or not said:
        sys.exit(f"bases with seed {seed}: {outcome.describe()}\n{outcome.log}")
    taken = int(said[1])
    if not 0 < taken <= injected:
        sys.exit(f"bases with seed {seed}: {taken} NMIs of {injected} injected")
    return taken


def main():
    wanted = int(sys.argv[1]) if len(sys.argv) > 1 else NMIS
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    os.chdir(ROOT)
    taken = 0
    while taken < wanted:
        taken += one_machine(seed)
        seed += 1
    print(f"note: bases of GS and FS kept through {taken} NMIs")


if __name__ == "__main__":
    main()
