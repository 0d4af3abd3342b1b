# SPDX-License-Identifier: MIT
"""Machines that start where the firmware has just finished.

OVMF takes seconds, under exact instruction counting a minute, and does the same each time.  So the
first machine of a kind boots ovmf/park.c, which waits to be given a disk; its state is saved, and
later machines of that kind go on from there and are given the disk that is to be booted.
"""

import fcntl
import hashlib
import os
import re
import time
from dataclasses import replace

from machine import BUILD, ROOT, Machine, MachineError, firmware, qemu_arguments

PARK_IMAGE = BUILD / "ovmf" / "park.img"
WAITING = re.compile(rb"park: waiting for a disk")
FIRMWARE_SECONDS = 600


def state_file(settings):
    """The state's place: its name changes with everything that the state depends on."""
    parts = qemu_arguments(replace(settings, image=PARK_IMAGE, parked=None), "", "")
    for file in ("/usr/bin/qemu-system-x86_64", *firmware(), PARK_IMAGE):
        parts.append(f"{file} {os.stat(file).st_mtime_ns}")
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    return BUILD / "ovmf" / f"parked-{digest}"


def save_state(settings, state):
    with Machine(replace(settings, image=PARK_IMAGE, cmdline="")) as machine:
        if not machine.wait_for(WAITING, FIRMWARE_SECONDS):
            raise MachineError(f"the firmware did not start {PARK_IMAGE} in {FIRMWARE_SECONDS} s")
        unfinished = state.with_suffix(".unfinished")
        machine.monitor("migrate", uri=f"exec:cat > {unfinished.relative_to(ROOT)}")
        deadline = time.monotonic() + FIRMWARE_SECONDS
        while (status := machine.monitor("query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > deadline:
                raise MachineError(f"the machine's state could not be saved: {status}")
            time.sleep(0.01)
        unfinished.replace(state)


def parked(settings):
    """The same settings, starting from a saved state; saves it first where there is none."""
    state = state_file(settings)
    with open(state.with_suffix(".lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not state.exists():
            save_state(settings, state)
    return replace(settings, parked=state, parked_disk=PARK_IMAGE)
