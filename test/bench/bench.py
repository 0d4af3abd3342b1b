#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Measures Limen and, beside it, Linux; prints what that gave, and keeps it as data and as a page.

Under software emulation a cycle means nothing, so instructions are counted, exactly: the same image
gives the same figures.  On KVM the guest counts cycles.
"""

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "ovmf"))

import compare  # noqa: E402  (the path above is for these)
import conditions  # noqa: E402
import expensive  # noqa: E402
import growth  # noqa: E402
import limen  # noqa: E402
import linux  # noqa: E402
import page  # noqa: E402
import report as reports  # noqa: E402
from laps import TraceError  # noqa: E402
from machine import BUILD, MachineError  # noqa: E402
from remote import RemoteError  # noqa: E402
from run import settings_from_environment  # noqa: E402

# What Linux has no equivalent of.
LIMEN_ALONE = {"ipc_roundtrip_same_0", "max_irqs_off", "boot_to_init"}
# Of build/bench.json.  Others may read it: a change that is more than an addition takes another.
VERSION = 2


def measure_linux(settings, measured):
    """Its figures, or why there are none."""
    try:
        theirs = linux.measure(settings, measured["unit"])
    except linux.Unavailable as reason:
        return {"missing": str(reason)}
    samples = {row["name"]: row["n"] for row in measured["results"]}
    missing = samples.keys() - LIMEN_ALONE - {row["name"] for row in theirs["results"]}
    if missing:
        raise MachineError(f"Linux did not measure {', '.join(sorted(missing))}")
    for row in theirs["results"]:
        if row["n"] != samples.get(row["name"]):
            raise MachineError(f"Linux took {row['n']} samples of {row['name']}, and Limen "
                               f"{samples.get(row['name'], 'none')}")
    return theirs


def counted(settings):
    """What only a machine that counts instructions can tell."""
    if not settings.icount:
        return {}
    return {"expensive": expensive.expensive(settings), "growth": growth.growth(settings)}


def measure(settings):
    """The report that becomes bench.json."""
    found = conditions.conditions(settings)
    measured = limen.measure(settings) | counted(settings)
    return {"version": VERSION, "machine": conditions.machine_text(found), "unit": measured["unit"],
            "conditions": found, **measured, "linux": measure_linux(settings, measured)}


def above_ceilings(report):
    """What is wrong with the medians."""
    medians = {row["name"]: row["p50"] for row in report["results"]}
    for name, ceiling in reports.load("ceilings.toml").items():
        print(f"note: {name}: {medians[name]} of at most {ceiling} {report['unit']}")
        if medians[name] > ceiling:
            yield f"{name} takes {medians[name]} {report['unit']}, more than {ceiling}"


def differences(report, again):
    """What two runs do not agree on."""
    for one, other in zip(report["results"], again["results"]):
        if one != other:
            yield f"two runs differ: {one} and then {other}"


def check(settings):
    """Whether Limen alone keeps to the ceilings, and gives the same figures again."""
    report, again = limen.measure(settings), limen.measure(settings)
    wrong = [*above_ceilings(report), *differences(report, again)]
    print("\n".join(wrong))
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true",
                        help="count instructions; fail above a ceiling, or if a second run differs")
    options = parser.parse_args()

    settings = settings_from_environment(os.environ.get("CMDLINE", ""))
    if options.check:
        settings = replace(settings, accel="tcg")
    settings = replace(settings, icount=settings.acceleration() == "tcg")
    base = os.environ.get("BASE", "")
    try:
        if options.check:
            return check(settings)
        old = compare.load(base) if base else None
        report = measure(settings)
    except (MachineError, RemoteError, TraceError, compare.Unusable) as error:
        sys.exit(f"bench: {error}")
    (BUILD / "bench.json").write_text(json.dumps(report) + "\n", encoding="utf-8")
    (BUILD / "bench.html").write_text(page.page(report), encoding="utf-8")
    print(reports.text(report))
    if old:
        print(f"\n{compare.text(base, old, report)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
