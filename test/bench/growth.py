#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""What the operations cost with more of what a system has.  It must not grow (docs/benchmark.md).

    growth.py --check    with what fits into a small machine; fails where a cost grows
"""

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from figures import ROW  # noqa: E402  (the path above is for these)
from limen import NAMES, run_guest  # noqa: E402
from machine import BUILD, MachineError, Settings  # noqa: E402

BOOT = "boot_to_init"
# Not measured under a load, or not by the released kernel.
LEFT_OUT = {BOOT, "max_irqs_off"}
# What a cost may differ by.
PERCENT = 2


@dataclass(frozen=True)
class Load:
    """Something that there is little of, and then much."""

    what: str
    option: str  # of the bench server, servers/bench/load.h
    numbers: tuple
    in_small: tuple  # in a machine of the usual size


# The run queue is full with a thread ready at each priority below the two at work.
LOADS = (
    Load("waiting threads", "bench-threads", (10, 1000, 10_000), (10, 800)),
    Load("capabilities", "bench-capabilities", (10, 1000, 100_000), (10, 100_000)),
    Load("ready threads", "bench-ready", (0, 219, 10_000), (0, 219)),
)

# Images by what they grant the bench server, and the MiB of the machines that have as much.
SMALL, LARGE = ("32M", 256), ("512M", 4096)
BOOT_SIZES = (256, 1024, 4096)
# In the memory map: each makes two entries more of it.
HOLES = (0, 25, 50)


def medians(settings):
    """The median of each operation."""
    figures = {name: int(median) for name, _, median, *_ in ROW.findall(run_guest(settings, "all"))}
    missing = [name for name in NAMES if name not in figures and name not in LEFT_OUT]
    if missing:
        raise MachineError(f"not measured with {settings.cmdline}: {', '.join(missing)}")
    return figures


def curves(settings, small):
    """{(operation, what varies): points} of all operations, under each load."""
    grant, mem = SMALL if small else LARGE
    settings = replace(settings, mem=mem, image=BUILD / "test" / "bench" / grant / "limen.img")
    found = {}
    for load in LOADS:
        for number in load.in_small if small else load.numbers:
            cmdline = f"{settings.cmdline} {load.option}={number}"
            for name, median in medians(replace(settings, cmdline=cmdline)).items():
                if name not in LEFT_OUT:
                    found.setdefault((name, load.what), []).append([number, median])
    return found


def boot_median(settings):
    (_, _, median, *_), = ROW.findall(run_guest(settings, BOOT))
    return int(median)


def boot_by_size(settings):
    return [[size, boot_median(replace(settings, mem=size))] for size in BOOT_SIZES]


def boot_by_holes(settings):
    return [[holes, boot_median(replace(settings, holes=holes))] for holes in HOLES]


def growth(settings):
    """As bench.json has it."""
    found = curves(settings, small=False)
    found[BOOT, "MiB of memory"] = boot_by_size(settings)
    found[BOOT, "holes in memory"] = boot_by_holes(settings)
    return [{"name": name, "varies": varies, "points": points}
            for (name, varies), points in found.items()]


def grown(found):
    """The points that are not within a few percent of the first of their curve."""
    for (name, varies), points in found.items():
        least, first = points[0]
        for number, median in points[1:]:
            if abs(median - first) * 100 > first * PERCENT:
                yield f"{name} costs {first} with {least} {varies}, and {median} with {number}"


def steeper(points):
    """Where a curve is steeper than a straight line through its first two points."""
    (start, first), (second, median), *rest = points
    for number, found in rest:
        line = first + (median - first) * (number - start) / (second - start)
        if found > line * (1 + PERCENT / 100):
            yield f"{BOOT} takes {found} with {number} holes in memory, and {line:.0f} is a straight line"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", required=True,
                        help="with what fits into a small machine; fails where a cost grows")
    parser.parse_args()
    settings = Settings(accel="tcg", icount=True)
    try:
        found = curves(settings, small=True)
        boots = boot_by_holes(settings)
    except MachineError as error:
        sys.exit(f"growth: {error}")
    wrong = [*grown(found), *steeper(boots)]
    for load in LOADS:
        print(f"note: {len(NAMES) - len(LEFT_OUT)} operations with {load.in_small[0]} and with "
              f"{load.in_small[-1]} {load.what}")
    print(f"note: {BOOT} by holes in memory: "
          + ", ".join(f"{number}: {median}" for number, median in boots))
    print(*wrong, sep="\n", end="\n" * bool(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
