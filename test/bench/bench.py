#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the guest's benchmark, prints its figures beside those recorded of other kernels, keeps them.

Under software emulation a cycle means nothing, so instructions are counted, exactly: the same image
gives the same figures.  On KVM the guest counts cycles.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tomllib
from dataclasses import replace
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "ovmf"))

from machine import BUILD, ROOT, Machine, MachineError  # noqa: E402  (the path above is for these)
from parked import parked  # noqa: E402
from run import settings_from_environment  # noqa: E402

SECONDS = 300
# People and scripts rely on these names and their order.
NAMES = ("null_syscall", "ipc_roundtrip_0", "ipc_roundtrip_4", "ipc_roundtrip_8",
         "ipc_roundtrip_10", "ipc_roundtrip_64", "ipc_roundtrip_same_0", "notify_wake",
         "irq_to_user", "fault_roundtrip", "map_unmap", "thread_create_join", "context_switch",
         "max_irqs_off", "boot_to_init")
# The one figure that only the kernel with time stamps takes.
STAMPED = "max_irqs_off"
COLUMNS = ("min", "p50", "p99", "max", "n")

UNIT = re.compile(r"^unit: (.*)$", re.M)
TAKEN_OFF = re.compile(r"^taken off .*$", re.M)
ROW = re.compile(r"^(\w+)" + r" +(\d+)" * len(COLUMNS) + r"$", re.M)


def load(name):
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout.strip()


def machine_text(settings):
    """What the figures depend on: the machine, the compiler, the source."""
    version = re.search(r"version (\S+)", output_of("qemu-system-x86_64", "--version"))[1]
    parts = [f"QEMU {version}", settings.acceleration()]
    if settings.icount:
        parts.append("-icount shift=0")
    parts += [f"-machine {settings.machine}", f"-cpu {settings.cpu}", f"-smp {settings.smp}",
              f"{settings.mem} MiB"]
    if not settings.icount:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        parts.append(re.search(r"model name\s*: (.*)", cpuinfo)[1])
        parts += [f"{path.name}: {path.read_text(encoding='utf-8').strip()}" for path in
                  sorted(Path("/sys/devices/system/cpu/vulnerabilities").glob("*"))]
    parts.append(output_of("clang", "--version").splitlines()[0])
    parts.append("commit " + output_of("git", "describe", "--always", "--dirty"))
    return ", ".join(parts)


def run_guest(settings, words):
    """All that the shell's bench command prints."""
    settings = replace(settings, cmdline=" ".join([settings.cmdline, "quiet cmd=bench", words]))
    with Machine(parked(settings) if settings.icount else settings) as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        raise MachineError("\n".join([outcome.describe(), outcome.log, *outcome.evidence]))
    return outcome.output


def rows(output):
    return {name: dict(zip(COLUMNS, map(int, figures))) for name, *figures in ROW.findall(output)}


def measure(settings):
    """The report that becomes bench.json, and what the guest says of how it measured."""
    released = run_guest(settings, "")
    stamped = run_guest(replace(settings, image=BUILD / "measure" / "limen.img",
                                kernel=BUILD / "measure" / "kernel.elf"), STAMPED)
    unit = UNIT.search(released)
    expected = "instructions" if settings.icount else "cycles"
    if not unit or unit[1] != expected:
        raise MachineError(f"the guest should count {expected}, but says:\n{released}")
    figures = rows(released) | rows(stamped)
    missing = [name for name in NAMES if name not in figures]
    if missing:
        raise MachineError(f"not measured: {', '.join(missing)}; the guest says:\n"
                           f"{released}{stamped}")
    report = {"machine": machine_text(settings), "unit": expected,
              "results": [{"name": name, **figures[name]} for name in NAMES]}
    return report, TAKEN_OFF.findall(released)


def print_table(report, remarks):
    print(f"{report['unit']}, on {report['machine']}")
    print("\n".join([*remarks, f"{STAMPED}: of the kernel with time stamps, in a run of its own"]))
    header = ["", *COLUMNS]
    others = load("recorded.toml") if report["unit"] == "instructions" else None
    if others:
        header += ["Linux 6.1", "seL4"]
        print("Linux and seL4: recorded once on this emulator, not measured here")
    lines = [header]
    for row in report["results"]:
        line = [row["name"], *(str(row[column]) for column in COLUMNS)]
        if others:
            theirs = others.get(row["name"], {})
            line += [theirs.get("linux", ""), theirs.get("sel4", "")]
        lines.append(line)
    widths = [max(len(line[i]) for line in lines) for i in range(len(header))]
    print()
    for line in lines:
        cells = [cell.rjust(width) if 1 <= i <= len(COLUMNS) else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(line, widths))]
        print("  ".join(cells).rstrip())


def above_ceilings(report):
    """What is wrong with the medians."""
    medians = {row["name"]: row["p50"] for row in report["results"]}
    for name, ceiling in load("ceilings.toml").items():
        print(f"note: {name}: {medians[name]} of at most {ceiling} {report['unit']}")
        if medians[name] > ceiling:
            yield f"{name} takes {medians[name]} {report['unit']}, more than {ceiling}"


def differences(report, again):
    """What two runs do not agree on."""
    for one, other in zip(report["results"], again["results"]):
        if one != other:
            yield f"two runs differ: {one} and then {other}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true",
                        help="count instructions; fail above a ceiling, or when a second run differs")
    options = parser.parse_args()

    settings = settings_from_environment(os.environ.get("CMDLINE", ""))
    if options.check:
        settings = replace(settings, accel="tcg")
    settings = replace(settings, icount=settings.acceleration() == "tcg")
    try:
        report, remarks = measure(settings)
        again, _ = measure(settings) if options.check else (report, [])
    except MachineError as error:
        sys.exit(f"bench: {error}")
    if options.check:
        wrong = [*above_ceilings(report), *differences(report, again)]
        print("\n".join(wrong))
        return 1 if wrong else 0
    output = BUILD / "bench.json"
    output.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print_table(report, remarks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
