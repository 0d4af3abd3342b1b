#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Servers of several kinds are killed at random instants, under load (actor/reaper.c): all of them
come back and serve, nothing is lost of what they answered for or of what the console accepted, the
kernel's data are sound, and memory is as it was, to the byte.

    kills.py N [SEED [MACHINES]]     so many kills in each machine; each next one has the next seed

Instructions are counted, so that the same build and seed kill at the same places each time.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from machine import BUILD, Machine, Settings, printable  # noqa: E402  (see above)
from parked import parked  # noqa: E402

SECONDS = 300  # for one machine
START = "leaving boot services\n"
LAST = re.compile(r"the scribe wrote (\d+) lines, and of the reaper it is said: (.*)\n")
DONE = "main returned 0"


def judge(text, kills):
    """What is wrong with the output, or None."""
    last = LAST.search(text)
    if not last:
        return "the scribe never came to its end"
    if last[2] != DONE:
        return f"the reaper: {last[2]}"
    count = int(last[1])
    expected = "".join(f"scribe {i:06} and this is line {i:06}\n" for i in range(count)) + last[0]
    if count < kills:
        return f"only {count} lines were written during {kills} kills"
    if text.strip("\n") != expected.strip("\n"):
        pairs = zip(text.lstrip("\n"), expected)
        at = next((i for i, (a, b) in enumerate(pairs) if a != b), min(len(text), len(expected)))
        return (f"byte {at} is the first that differs:\nwritten:  {text[max(0, at - 80):at + 80]!r}"
                f"\nexpected: {expected[max(0, at - 80):at + 80]!r}")
    return None


def one_machine(kills, seed):
    """The lines that were written meanwhile."""
    settings = Settings(image=BUILD / "test/kills/limen.img", kernel=BUILD / "check/kernel.elf",
                        icount=True, cmdline=f"quiet kills={kills} seed={seed}")
    with Machine(parked(settings)) as machine:
        outcome = machine.finish(SECONDS)
    text = printable(outcome.serial)
    text = text[text.find(START) + len(START):]
    problem = judge(text, kills)
    if (outcome.kind, outcome.status) != ("exit", 0):
        problem = f"{outcome.describe()}; {problem}\n{text[-2000:]}"
    if problem:
        sys.exit(f"seed {seed}: {problem}")
    return int(LAST.search(text)[1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int)
    parser.add_argument("seed", type=int, nargs="?", default=1)
    parser.add_argument("machines", type=int, nargs="?", default=1)
    options = parser.parse_args()
    lines = sum(one_machine(options.kills, options.seed + i) for i in range(options.machines))
    print(f"note: {options.kills * options.machines} kills, and {lines} lines on the console meanwhile")


if __name__ == "__main__":
    main()
