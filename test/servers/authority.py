#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Authority is exact: in a running machine, the whole capability table of every server holds what
its manifest grants, each with the type, the rights and the badge, range or line it should have, and
what the server made of its own memory.  Nothing more, nothing less, nothing elsewhere.

What is expected is worked out here, from the manifest alone; init's part in it is what is tested.
"""

import collections
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ovmf"), str(ROOT / "servers")]

from machine import BUILD, Machine, Settings  # noqa: E402  (see above)
from manifest import C, Manifest  # noqa: E402
from parked import parked  # noqa: E402

SECONDS = 60
ALL, CALLS = "rwxg", "-w-g"

# Machines, the manifest each boots with, and what its servers make of their own memory.
MACHINES = [
    (BUILD / "check/limen.img", ROOT / "servers/manifest.toml", {
        "console": {"reply"},
        "bench": {"endpoint", "frame", "notification", "reply", "space", "untyped"},
    }),
    (BUILD / "test/servers/limen.img", ROOT / "test/servers/manifest.toml", {
        "console": {"reply"},
    }),
]

ROW = re.compile(r"^(\S+) +(\d+) (\S+) +([r-][w-][x-][g-])(?: (\S+(?: \S+)?))? +(\S+)$", re.M)
Row = collections.namedtuple("Row", "type rights which given")


def common(server, number):
    """What every server has, by slot."""
    return {
        1: Row("table", ALL, "", "table"),
        2: Row("space", ALL, "", "space"),
        3: Row("thread", ALL, "", "thread"),
        4: Row("endpoint", CALLS, f"badge {number:#x}", "supervisor"),
        5: Row("untyped", ALL, f"2^{server.memory_order} bytes", "memory"),
        6: Row("frame", "r---", "2^12 bytes", "clock"),
        7: Row("notification", ALL, "badge 0x0", "notification"),
    }


def granted(server, number):
    """What the manifest grants on top, in its order."""
    for name, (first, last) in server.ports.items():
        yield Row("ports", ALL, f"{first:#x}-{last:#x}", name)
    for name, line in server.interrupts.items():
        yield Row("interrupt", ALL, f"line {line}", name)
    if server.provides:
        yield Row("endpoint", ALL, "badge 0x0", server.provides)
    own = C["LIMEN_MANIFEST_INIT_SERVICES"].split()
    for service in server.services:
        badge = number + ((own.index(service) + 1 << 32) if service in own else 0)
        yield Row("endpoint", CALLS, f"badge {badge:#x}", service)
    for right in server.kernel:
        yield Row("kernel", {"log": "r---", "counters": "rw--", "control": ALL}[right], "", right)


def differences(server, number, rows, makes):
    """What is wrong with a server's table."""
    expected = common(server, number)
    expected.update(enumerate(granted(server, number), len(expected) + 1))
    for slot, row in sorted(expected.items()):
        if slot not in rows:
            yield f"{server.name}: slot {slot} is empty and should hold {row}"
        elif rows[slot] != row:
            yield f"{server.name}: slot {slot} holds {rows[slot]} and should hold {row}"
    for slot, row in sorted(rows.items()):
        if slot not in expected and (row.given != "-" or row.type not in makes):
            yield f"{server.name}: slot {slot} holds {row}, which nobody granted"


def check(image, path, makes):
    """What is wrong in a machine; and how many capabilities were looked at."""
    settings = Settings(image=image, kernel=BUILD / "check/kernel.elf",
                        cmdline="quiet cmd=caps")
    with Machine(parked(settings)) as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        return [f"{outcome.describe()}\n{outcome.log}"], 0
    tables = collections.defaultdict(dict)
    for name, slot, kind, rights, which, given in ROW.findall(outcome.output):
        tables[name][int(slot)] = Row(kind, rights, which.strip(), given)
    count = sum(map(len, tables.values()))
    wrong = []
    if count != len(outcome.output.splitlines()) - 1:
        wrong.append(f"some lines were not understood:\n{outcome.output}")
    servers = Manifest(path).servers
    wrong += [f"{name} is in no manifest" for name in tables.keys() - {s.name for s in servers}]
    for number, server in enumerate(servers, 1):
        wrong += differences(server, number, tables[server.name], makes.get(server.name, set()))
    return wrong, count


def main():
    count, wrong = 0, []
    for image, path, makes in MACHINES:
        more, looked_at = check(image, path, makes)
        wrong += more
        count += looked_at
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"note: {count} capabilities, each as granted")


if __name__ == "__main__":
    main()
