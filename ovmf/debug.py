#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Opens gdb on the machine that `make run` has running, or on a new one at the kernel's entry."""

import os
import signal
import socket
import subprocess
import sys
import time

from machine import BUILD, GDB_SOCKET, ROOT, MachineError, RunDirectory, qemu_arguments
from parked import parked
from run import settings_from_environment

SERIAL_LOG = BUILD / "debug-serial.log"
CONNECT_SECONDS = 10


def somebody_listens():
    """Whether a machine has its gdb socket open.  A socket without one is left from a crash."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(GDB_SOCKET)) == 0


def gdb(settings, *commands):
    arguments = ["gdb", "--nx", "-q", str(settings.kernel),
                 "-ex", "set pagination off", "-ex", "set confirm off",
                 "-x", str(ROOT / "ovmf" / "gdb.py")]
    for command in (f"target remote {GDB_SOCKET}", *commands, "echo \\n", "limen-help"):
        arguments += ["-ex", command]
    # Ctrl-C is for gdb, which stops the guest with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return subprocess.run(
        arguments, cwd=ROOT, check=False,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)).returncode


def debug_new_machine(settings):
    settings = parked(settings)
    with RunDirectory(settings) as run:
        arguments = qemu_arguments(settings, run.variables, run.cmdline)
        arguments += ["-S", "-gdb", f"unix:{GDB_SOCKET},server=on,wait=off",
                      "-serial", f"file:{SERIAL_LOG.relative_to(ROOT)}"]
        print(f"debug: a new machine; its serial port writes to {SERIAL_LOG.relative_to(ROOT)}.\n"
              "debug: to type at the guest, start make run in another terminal first.")
        # A session of its own, so that Ctrl-C does not end it.
        with subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.DEVNULL,
                              start_new_session=True) as qemu:
            try:
                deadline = time.monotonic() + CONNECT_SECONDS
                while not (ROOT / GDB_SOCKET).exists():
                    if qemu.poll() is not None or time.monotonic() > deadline:
                        raise MachineError("QEMU did not come up")
                    time.sleep(0.01)
                return gdb(settings, "thbreak kernel_main", "continue")
            finally:
                qemu.kill()


def main():
    os.chdir(ROOT)
    settings = settings_from_environment(os.environ.get("CMDLINE", ""))
    try:
        if somebody_listens():
            return gdb(settings)
        GDB_SOCKET.unlink(missing_ok=True)
        return debug_new_machine(settings)
    except MachineError as error:
        sys.exit(f"debug: {error}")


if __name__ == "__main__":
    sys.exit(main())
