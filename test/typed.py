#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Types into `make run` at a terminal, as a new user would."""

import os
import pty
import re
import select
import signal
import sys
import time

SECONDS = 100
STEPS = [(b"limen> ", b"help\r"), (b"\nps .*limen> ", b"ehco\x7f\x7f\x7fcho here\r"),
         (b"\nhere\r+\n.*limen> ", b"poweroff\r")]


def main():
    child, terminal = pty.fork()
    if child == 0:
        os.execvp("make", ["make", "run", "FAST=1"])
    deadline = time.monotonic() + SECONDS
    steps, heard, told = list(STEPS), b"", b""
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], deadline - time.monotonic())[0]:
            continue
        try:
            heard += os.read(terminal, 4096)
        except OSError:  # how Linux says that the other side of a terminal is closed
            break
        if steps and re.search(steps[0][0], heard, re.S):
            os.write(terminal, steps.pop(0)[1])
            told, heard = told + heard, b""
    else:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    sys.stdout.write((told + heard).decode(errors="replace"))
    if steps or status:
        sys.exit(f"{len(steps)} of {len(STEPS)} lines could not be typed; "
                 f"make run ended with status {os.waitstatus_to_exitcode(status)}")


if __name__ == "__main__":
    main()
