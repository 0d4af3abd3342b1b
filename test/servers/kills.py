#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The console is killed anywhere in the middle of a long output: nothing of it may be lost, come
twice or out of order.

    kills.py N     so many times

Instructions are counted, so that the same build dies at the same places each time.
"""

import argparse
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from machine import BUILD, Machine, Settings, printable  # noqa: E402  (see above)
from parked import parked  # noqa: E402

SECONDS = 200
LAST = re.compile(r"the scribe wrote (\d+) lines\n")
# What the shell, which waits for a line meanwhile, has the console draw again and again.
DRAWN = re.compile(r"limen> |\nLimen\. Type help for the commands\.\n")


def judge(text, kills):
    """What is wrong with the output, or None."""
    last = LAST.search(text)
    if not last:
        return "the scribe never came to its end"
    count = int(last[1])
    expected = "".join(f"scribe {i:06} and this is line {i:06}\n" for i in range(count)) + last[0]
    written = DRAWN.sub("", text)
    if count < kills:
        return f"only {count} lines were written while the console died {kills} times"
    if written.strip("\n") != expected.strip("\n"):
        at = next((i for i, (a, b) in enumerate(zip(written.lstrip("\n"), expected)) if a != b),
                  min(len(written), len(expected)))
        return (f"byte {at} is the first that differs:\nwritten:  {written[max(0, at - 80):at + 80]!r}"
                f"\nexpected: {expected[max(0, at - 80):at + 80]!r}")
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kills", type=int)
    kills = parser.parse_args().kills
    settings = Settings(image=BUILD / "test/servers/limen.img", kernel=BUILD / "check/kernel.elf",
                        icount=True, cmdline=f"quiet kills={kills}")
    with Machine(parked(settings)) as machine:
        outcome = machine.finish(SECONDS)
    text = printable(outcome.serial)
    text = text[text.find("leaving boot services\n") + len("leaving boot services\n"):]
    problem = judge(text, kills)
    if (outcome.kind, outcome.status) != ("exit", 0):
        problem = f"{outcome.describe()}; {problem}\n{text[-2000:]}"
    if problem:
        sys.exit(problem)
    print(f"note: {kills} lives of the console, {LAST.search(text)[1]} lines")


if __name__ == "__main__":
    main()
