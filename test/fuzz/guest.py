#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Fuzzes system calls in the guest (test/boot/fuzz.c), machine after machine, for some seconds.

    guest.py SECONDS [SEED]     a random seed to begin with, when none is given

Instructions are counted, so a machine that fails does so again with the seed it names:
`guest.py 0 SEED` runs that one, and TRACE=N in the environment shows each call from the N-th on.
"""

import os
import random
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from machine import BUILD, ROOT, Machine, Settings  # noqa: E402  (after the path)
from parked import parked  # noqa: E402

CALLS = 500_000  # of one machine
SECONDS = 300    # for one


def one_machine(seed):
    trace = os.environ.get("TRACE")
    words = f"suite=fuzz seed={seed} calls={CALLS}" + (f" trace={trace}" if trace else "")
    settings = parked(Settings(image=BUILD / "test/check/boot.img", kernel=BUILD / "check/kernel.elf",
                               icount=True, cmdline=words))
    with Machine(settings) as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        sys.exit(f"fuzz: seed {seed}: {outcome.describe()}\n{outcome.log[-8000:]}\n"
                 f"again: test/fuzz/guest.py 0 {seed}")


def main():
    end = time.monotonic() + float(sys.argv[1])
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 32)
    os.chdir(ROOT)
    machines = 0
    print(f"fuzzing system calls, beginning with seed {seed}", flush=True)
    while machines == 0 or time.monotonic() < end:
        one_machine(seed + machines)
        machines += 1
    print(f"{machines} machines of {CALLS} calls, and nothing wrong")


if __name__ == "__main__":
    main()
