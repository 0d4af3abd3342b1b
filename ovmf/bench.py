#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the guest's benchmark, prints its figures beside those of other kernels, and keeps them.

Under software emulation a cycle means nothing, so instructions are counted, exactly: the same
image gives the same figures.  On KVM the guest counts cycles.
"""

import argparse
import json
import os
import re
import subprocess
import sys
from pathlib import Path

from machine import BUILD, Machine, MachineError
from run import settings_from_environment

SECONDS = 300
COLUMNS = ("min", "p50", "p99", "max", "n")
ROW = re.compile(r"^(\w+)" + r" +(\d+)" * len(COLUMNS) + r"(?: +\w+)?\s*$", re.M)

# Instructions of others, counted in the same way on the same emulator (QEMU 7.2, -cpu max, one
# processor), user stubs included: Linux 6.1 with default settings, by its nearest equivalent, and
# seL4, release build, fast path, without a Meltdown window.
OTHERS = {
    "null_syscall": ("322 getppid", "227-280 poll; yield"),
    "ipc_roundtrip_0": ("12600 pipe, 10900 futex", "390-406"),
    "ipc_roundtrip_4": ("", "450"),
    "ipc_roundtrip_10": ("", "1481-1583"),
    "ipc_roundtrip_64": ("", "1739-2123"),
    "notify_wake": ("", "450-519"),
    "fault_roundtrip": ("4039 SIGSEGV", "1182-1214"),
    "map_unmap": ("14966 mmap+munmap", "1286"),
    "irq_to_user": ("3655 timer wake", "375 in the kernel"),
    "thread_create_join": ("55190", ""),
}


def machine_text(settings):
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, text=True,
                             check=True).stdout.split("(")[0].split("version")[1].strip()
    text = f"QEMU {version}, {settings.acceleration()}, -cpu {settings.cpu}, {settings.smp} CPU"
    if settings.acceleration() != "kvm":
        return text
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    model = re.search(r"model name\s*: (.*)", cpuinfo)
    mitigations = [f"{path.name}: {path.read_text(encoding='utf-8').strip()}" for path in
                   sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*"))]
    return "; ".join([text, model[1] if model else "unknown processor", *mitigations])


def measure(settings):
    with Machine(settings) as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        raise MachineError("\n".join([outcome.describe(), outcome.log, *outcome.evidence]))
    rows = ROW.findall(outcome.output)
    if not rows:
        raise MachineError(f"the guest printed no figures:\n{outcome.output}")
    return [{"name": name, **dict(zip(COLUMNS, map(int, figures)))} for name, *figures in rows]


def print_table(report):
    others = report["unit"] == "instructions"
    print(f"{report['unit']} on {report['machine']}")
    header = ["", *COLUMNS] + ["Linux 6.1", "seL4"] * others
    lines = [header]
    for row in report["results"]:
        theirs = OTHERS.get(row["name"], ("", "")) if others else ()
        lines.append([row["name"], *(str(row[column]) for column in COLUMNS), *theirs])
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    for line in lines:
        cells = [cell.rjust(width) if 1 <= i <= len(COLUMNS) else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def above_ceilings(report, ceilings):
    """What is wrong with the figures, given `name=ceiling` for the median of each."""
    medians = {row["name"]: row["p50"] for row in report["results"]}
    for name, ceiling in (text.split("=") for text in ceilings):
        if name not in medians:
            yield f"{name} was not measured"
        elif medians[name] > int(ceiling):
            yield f"{name} takes {medians[name]} {report['unit']}, more than {ceiling}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=BUILD / "bench.json")
    parser.add_argument("--ceiling", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()

    kvm = settings_from_environment("").acceleration() == "kvm"
    os.environ["ICOUNT"] = "0" if kvm else "1"
    try:
        settings = settings_from_environment("quiet cmd=bench")
        report = {"machine": machine_text(settings), "unit": "cycles" if kvm else "instructions",
                  "results": measure(settings)}
    except MachineError as error:
        sys.exit(f"bench: {error}")
    options.output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print_table(report)
    wrong = list(above_ceilings(report, options.ceiling))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
