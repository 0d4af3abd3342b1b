#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Authority is exact: in a running machine, the whole capability table of every server holds what
its manifest grants, each with the type, the rights and the badge, range or line it should have, and
what the server made of its own memory.  Nothing more, nothing less, nothing elsewhere.  So after
boot, and when each server has died and those that come back are there again.

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
from prompt import Shell, Wrong  # noqa: E402

SECONDS = 60
ALL, CALLS = "rwxg", "-w-g"

# Machines, the manifest each boots with, the server that dies by itself in its first life, and what
# servers make of their own memory.
MACHINES = [
    (BUILD / "check/limen.img", ROOT / "servers/manifest.toml", None, {
        "console": {"reply"},
        "bench": {"endpoint", "frame", "notification", "reply", "space", "untyped"},
    }),
    (BUILD / "test/servers/limen.img", ROOT / "test/servers/manifest.toml", "mischief", {
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


def granted(server, number, ended):
    """What the manifest grants on top, in its order; None for a service that has ended for good."""
    for name, (first, last) in server.ports.items():
        yield Row("ports", ALL, f"{first:#x}-{last:#x}", name)
    for name, line in server.interrupts.items():
        yield Row("interrupt", ALL, f"line {line}", name)
    if server.provides:
        yield Row("endpoint", ALL, "badge 0x0", server.provides)
    own = C["LIMEN_MANIFEST_INIT_SERVICES"].split()
    for service in server.services:
        badge = number + ((own.index(service) + 1 << 32) if service in own else 0)
        yield None if service in ended else Row("endpoint", CALLS, f"badge {badge:#x}", service)
    for right in server.kernel:
        yield Row("kernel", {"log": "r---", "counters": "rw--", "control": ALL}[right], "", right)


def differences(server, number, rows, makes, ended):
    """What is wrong with a server's table."""
    expected = common(server, number)
    expected.update(enumerate(granted(server, number, ended), len(expected) + 1))
    expected = {slot: row for slot, row in expected.items() if row}
    for slot, row in sorted(expected.items()):
        if slot not in rows:
            yield f"{server.name}: slot {slot} is empty and should hold {row}"
        elif rows[slot] != row:
            yield f"{server.name}: slot {slot} holds {rows[slot]} and should hold {row}"
    for slot, row in sorted(rows.items()):
        if slot not in expected and (row.given != "-" or row.type not in makes):
            yield f"{server.name}: slot {slot} holds {row}, which nobody granted"


def machine_with(image, cmdline):
    return Machine(parked(Settings(image=image, kernel=BUILD / "check/kernel.elf", cmdline=cmdline)))


def after_boot(image):
    """What `caps` shows."""
    with machine_with(image, "quiet cmd=caps") as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        raise Wrong(f"{outcome.describe()}\n{outcome.log}")
    return outcome.output


def after_deaths(image, servers, mortal):
    """The same when every server has died, and those that are started again are there."""
    with machine_with(image, f"{mortal}=once") as machine:
        shell = Shell(machine)
        if mortal:
            shell.wait(f"^init: server {mortal} died: [\\s\\S]*^init: {mortal} is started again$")
        for server in servers:
            if server.name != mortal:
                shell.run(f"kill {server.name}")
        starts = dict(re.findall(r"^ *\d+ (\S+) .* (\d+) (?!dead)\S+$", shell.run("ps"), re.M))
        lives = {s.name: "2" for s in servers if s.restart == "always" or s.name == mortal}
        if starts != lives:
            raise Wrong(f"the lives of those who live are {starts}, and should be {lives}")
        text = shell.run("caps")
    return text[text.index("caps\n") + len("caps\n"):text.rindex("limen> ")]


def check(servers, makes, ended, text):
    """What is wrong with the tables that `caps` shows; and how many capabilities were looked at."""
    tables = collections.defaultdict(dict)
    for name, slot, kind, rights, which, given in ROW.findall(text):
        tables[name][int(slot)] = Row(kind, rights, which.strip(), given)
    count = sum(map(len, tables.values()))
    wrong = []
    if count != len(text.splitlines()) - 1:
        wrong.append(f"some lines were not understood:\n{text}")
    wrong += [f"{name} is not there, or in no manifest"
              for name in tables.keys() ^ {server.name for server in servers.values()}]
    for number, server in servers.items():
        wrong += differences(server, number, tables[server.name], makes.get(server.name, set()),
                             ended)
    return wrong, count


def main():
    count, wrong = 0, []
    for image, path, mortal, makes in MACHINES:
        servers = dict(enumerate(Manifest(path).servers, 1))
        lasting = {number: server for number, server in servers.items()
                   if server.restart == "always" or server.name == mortal}
        ended = {server.provides for server in servers.values()} - {
            server.provides for server in lasting.values()}
        try:
            for alive, gone, text in ((servers, set(), after_boot(image)),
                                      (lasting, ended,
                                       after_deaths(image, servers.values(), mortal))):
                more, looked_at = check(alive, makes, gone, text)
                wrong += more
                count += looked_at
        except Wrong as problem:
            wrong.append(str(problem))
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"note: {count} capabilities, each as granted, after boot and after deaths")


if __name__ == "__main__":
    main()
