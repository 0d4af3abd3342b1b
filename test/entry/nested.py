#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Exceptions inside the handler of another, where the second must not undo what the first relies on.

    nested.py [--image DISK --kernel KERNEL] [NAME...]     all when none is named
"""

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "ovmf"))

from injector import VECTOR_DB, VECTOR_NMI, Injector  # noqa: E402  (see above)
from kernel import Image  # noqa: E402
from machine import BUILD, ROOT, Machine, MachineError, Settings  # noqa: E402
from parked import parked  # noqa: E402
from remote import RemoteError  # noqa: E402

SECONDS = 60


class Wrong(Exception):
    """The kernel did what it must not."""


def enter_nmi(injector):
    """Stops in the handler of an NMI that came before the first instruction of SYSCALL's entry, at
    an instruction that #DB's own handler does not share."""
    remote, image = injector.remote, injector.image
    remote.break_at(image["syscall_entry"])
    remote.resume()
    remote.monitor("nmi")
    remote.break_at(image["paranoid_entry"])
    remote.resume()
    return remote.registers()


def leave_nmi(injector):
    """The next IRETQ must be the NMI's own; no other NMI may begin before it."""
    remote, image = injector.remote, injector.image
    remote.break_at(image.iret, injector.vectors[VECTOR_NMI])
    remote.resume()
    at = remote.registers()
    if at.rip != image.iret:
        raise Wrong("another NMI began in the handler of the first")
    vector, target = image.leaves(remote, at)
    if (vector, target) != (VECTOR_NMI, image["syscall_entry"]):
        raise Wrong(f"an IRETQ of vector {vector} to {image.place(target)} came first, which "
                    "unblocks NMIs")


def debug_in_nmi(injector):
    """#DB in an NMI's handler leaves NMIs blocked."""
    at = enter_nmi(injector)
    injector.remote.monitor("nmi")
    injector.arm("#DB", at)
    injector.remote.break_at(injector.vectors[VECTOR_DB])
    injector.remote.resume()
    leave_nmi(injector)
    injector.remote.break_at(injector.vectors[VECTOR_NMI])
    injector.remote.resume()


def second_nmi(injector):
    """A second NMI waits until the first has left, and is not lost."""
    enter_nmi(injector)
    injector.remote.monitor("nmi")
    leave_nmi(injector)
    injector.remote.break_at(injector.vectors[VECTOR_NMI])
    injector.remote.resume()
    interrupted, = injector.remote.words(injector.remote.registers().rsp, 1)
    if interrupted != injector.image["syscall_entry"]:
        raise Wrong(f"the second NMI came before {injector.image.place(interrupted)}")


CASES = {function.__name__: function for function in (debug_in_nmi, second_nmi)}


def run(image_file, image, name, verbose=False):
    """(whether it passed, nothing): the same for a caller as inject.run."""
    del verbose
    settings = parked(Settings(image=image_file, kernel=image.path, waits=True,
                               cmdline="rounds=1 suite=entry only=null_system_call"))
    with Machine(settings) as machine:
        try:
            injector = Injector(machine, image)
            injector.prepare()
            CASES[name](injector)
            injector.remote.break_at()
            injector.remote.detach()
            outcome = machine.finish(SECONDS)
        except (RemoteError, MachineError, Wrong) as error:
            print(f"{name}: {error}")
            return False, None
    if "ok entry/null_system_call" not in outcome.output or "not ok" in outcome.output:
        print(f"{name}: the guest found\n{outcome.output}\n{outcome.describe()}")
        return False, None
    return True, None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--image", type=Path, default=BUILD / "test/entry.img")
    parser.add_argument("--kernel", type=Path, default=BUILD / "kernel.elf")
    parser.add_argument("names", nargs="*", choices=[*CASES, []])
    options = parser.parse_args()
    os.chdir(ROOT)
    image = Image(options.kernel)
    results = [run(options.image, image, name)[0] for name in options.names or CASES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
