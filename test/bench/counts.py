#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Holds each benchmark to the very number of instructions that is recorded in counts.toml, and says
which functions have more or fewer when it differs.

    counts.py            compare
    counts.py --accept   record what the benchmarks have now
"""

import argparse
import sys
import tomllib
from collections import Counter
from pathlib import Path

from expensive import counts_of
from laps import ROOT, TraceError, trace
from machine import MachineError, Settings
from remote import RemoteError

RECORD = Path(__file__).resolve().parent / "counts.toml"
HEADER = """# SPDX-License-Identifier: MIT
# What the operations of the benchmark execute: instructions, those that are expensive, and how many
# each function has, with its inlined parts counted as functions of their own.  make test fails when
# an operation has one instruction more or fewer.
#
# Written by make bench-accept.
"""

# A message by the fast path changes the address space once each way, and nothing more.
FAST = ("ipc_roundtrip_0", "ipc_roundtrip_4", "ipc_roundtrip_8", "ipc_roundtrip_10",
        "ipc_roundtrip_64")
FAST_MAY = {"mov_cr3": 2, "wrmsr": 0, "iretq": 0, "locked": 0, "serialising": 2}


def record_of(traced):
    """An operation's entry in counts.toml."""
    functions = Counter(frames[0].function for _, frames in traced.operation())
    expensive = {kind: count for kind, count in counts_of(traced).items() if count}
    return {"instructions": traced.figure, "expensive": expensive,
            "functions": dict(sorted(functions.items()))}


def written(records):
    """The text of counts.toml."""
    lines = [HEADER]
    for name, record in records.items():
        expensive = ", ".join(f"{kind} = {count}" for kind, count in record["expensive"].items())
        lines += [f"[{name}]", f"instructions = {record['instructions']}",
                  f"expensive = {{ {expensive} }}", f"[{name}.functions]"]
        lines += [f"{function} = {count}" for function, count in record["functions"].items()]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def moved(before, now):
    """What two of the counts in an entry differ by."""
    for name in sorted(before.keys() | now.keys()):
        difference = now.get(name, 0) - before.get(name, 0)
        if difference:
            yield f"    {difference:+6} {name}, {now.get(name, 0)} now"


def differences(name, before, now):
    """What is wrong with one operation, by line."""
    if now["instructions"] != before["instructions"]:
        yield f"{name}: {now['instructions']} instructions, {before['instructions']} are recorded"
        yield from moved(before["functions"], now["functions"])
    if now["expensive"] != before["expensive"]:
        yield f"{name}: other expensive instructions than are recorded"
        yield from moved(before["expensive"], now["expensive"])
    for kind, most in FAST_MAY.items() if name in FAST else ():
        if now["expensive"].get(kind, 0) > most:
            yield f"{name}: {now['expensive'][kind]} {kind} on the fast path, which may have {most}"


NOTHING = {"instructions": 0, "expensive": {}, "functions": {}}


def check(records):
    recorded = tomllib.loads(RECORD.read_text(encoding="utf-8"))
    wrong = [line for name in sorted(recorded.keys() | records.keys())
             for line in differences(name, recorded.get(name, NOTHING), records.get(name, NOTHING))]
    if wrong:
        print(*wrong, sep="\n")
        print("make profile OP=NAME shows each instruction; make bench-accept records what is meant.")
    return 1 if wrong else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accept", action="store_true", help="record what the benchmarks have now")
    options = parser.parse_args()
    try:
        records = {traced.name: record_of(traced) for traced in trace(Settings())}
    except (MachineError, RemoteError, TraceError) as error:
        sys.exit(f"counts: {error}")
    if options.accept:
        RECORD.write_text(written(records), encoding="utf-8")
        print(f"{RECORD.relative_to(ROOT)} holds {len(records)} operations")
        return 0
    return check(records)


if __name__ == "__main__":
    sys.exit(main())
