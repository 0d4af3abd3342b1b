#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A hostile server of a kind, with a victim that calls it: what becomes of the two is stated here,
and nobody else may notice.

    hostile.py KIND...

The shell answers while it goes on; a kill ends it; then the memory is as free as it is without it,
and the others have what they have without it.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from machine import BUILD, Machine, Settings  # noqa: E402  (see above)
from parked import parked  # noqa: E402
from prompt import Shell, Wrong  # noqa: E402

DESTROYED = "the object waited for was destroyed, or the wait was ended, 0 0"
GONE = "no capability at that index, 0 0"


def calls(*results):
    """What the victim says of its calls."""
    return [f"^victim: call {i}: {re.escape(result)}$" for i, result in enumerate(results, 1)]


SERVED = calls("success, 1 1", "success, 2 2", "success, 3 3")


@dataclass
class Kind:
    """What is seen of the mischief, what `waits` shows, and what is seen once it was killed."""

    seen: list
    waits: str
    after: list
    killed: bool = True  # by hand; or it ends by itself
    victim: str = "victim"


KINDS = {
    "silent": Kind([], r"^victim -> mischief \(bench\.run\)$", calls(DESTROYED, GONE, GONE)),
    "twice": Kind(SERVED + ["^mischief: the second answer: the reply object holds no caller$"],
                  "^mischief waits for requests$", []),
    "drop": Kind(calls("success, 1 1", DESTROYED, "success, 3 3"),
                 "^mischief waits for requests$", []),
    "dropall": Kind(calls(DESTROYED), r"^victim -> mischief \(bench\.run\), not taken yet$",
                    calls(DESTROYED, DESTROYED, GONE)[1:]),
    "storm": Kind(["^mischief: the flood begins$"] + SERVED, "^mischief/flooder ", []),
    "map": Kind(["^mischief: mapping ended with: the address space has no page-table page left$",
                 "^mischief: mapping over its own code: .* mapped already$",
                 "^mischief: mapping the kernel's half: an argument lies outside the object$",
                 "^mischief: mapping page 0: an argument lies outside the object$",
                 "^mischief: mapping to write and execute: .* never valid$"] + SERVED,
                "^mischief waits for requests$", []),
    "exhaust": Kind(["^mischief: 0 bytes are left$"] + SERVED, "^mischief waits for requests$", []),
    "circle": Kind([], r"^mischief -> mischief \(bench\.run\), not taken yet, in a circle$",
                   calls(DESTROYED, GONE, GONE)),
    "give": Kind([r"^victim: what it keeps: type 6, rights 0xf$", *calls("", DESTROYED)[1:],
                  r"^victim: what it keeps: type 0, rights 0x0$",
                  "^init: mischief will be started again in 10 ms$"],
                 "^victim waits for signals$", [], victim="victim=keeps"),
    "null": Kind(["^init: mischief ended 5 times in a row soon after its start, and is given up$"],
                 "^victim waits for signals$", calls(GONE, GONE, GONE), killed=False,
                 victim="victim=asks"),
}


def others(shell):
    """Of everybody but the mischief: what the server has; and the memory, free or granted."""
    rows = re.findall(r"^ *\d+ (\w+) +(\d+) +(\d+K) +(\d+K)", shell.run("ps"), re.M)
    memory = re.findall(r"^(?:free|granted to servers) +(\d+) KiB$", shell.run("mem"), re.M)
    return {row for row in rows if row[0] != "mischief"}, sum(map(int, memory))


def machine_with(cmdline):
    return Machine(parked(Settings(image=BUILD / "test/servers/limen.img",
                                   kernel=BUILD / "check/kernel.elf", cmdline=cmdline)))


def without_mischief():
    """The same where the mischief does nothing, and lives."""
    with machine_with("") as machine:
        return others(Shell(machine))


def check(name, kind, quiet_world):
    with machine_with(f"mischief={name} {kind.victim}") as machine:
        shell = Shell(machine)
        for pattern in kind.seen:
            shell.wait(pattern)
        if "still here" not in shell.run("echo still here"):
            raise Wrong("the shell does not answer")
        waits = shell.run("waits")
        if not re.search(kind.waits, waits, re.M):
            raise Wrong(f"waits shows nothing like {kind.waits!r}:\n{waits}")
        shell.start = 0
        if kind.killed:
            shell.machine.send(b"kill mischief\r")
            shell.wait("^init: server mischief ended: killed by shell$")
        for pattern in kind.after:
            shell.wait(pattern)
        shell.run("echo it is over")
        world = others(shell)
        if world != quiet_world:
            raise Wrong(f"the others have {world}, and without the mischief {quiet_world}")
        shell.run("echo and the shell goes on")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", choices=[[], *KINDS], metavar="KIND")
    failed = False
    quiet_world = without_mischief()
    for name in parser.parse_args().kinds or KINDS:
        try:
            check(name, KINDS[name], quiet_world)
        except Wrong as wrong:
            failed = True
            print(f"{name}: {wrong}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
