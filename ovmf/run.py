#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boots Limen in QEMU: a machine to talk to, or one line for its shell.

Everything comes from the environment, where the Makefile puts its variables of the same names.
"""

import os
import subprocess
import sys

from machine import (BUILD, EXIT_PANIC, EXIT_STATUS_ZERO, GDB_SOCKET, LOADER_FAREWELL, ROOT, Machine,
                     MachineError, RunDirectory, Settings, qemu_arguments, status_of)
from parked import parked

DEFAULT_TIMEOUT = 120


def number(name, default):
    text = os.environ.get(name) or str(default)
    if not text.isdigit() or int(text) == 0:
        sys.exit(f"run: {name}={text} is not a number above zero")
    return int(text)


def choice(name, default, allowed):
    text = os.environ.get(name) or default
    if text not in allowed:
        sys.exit(f"run: {name}={text} is not one of: {' '.join(allowed)}")
    return text


def settings_from_environment(cmdline):
    checked = os.environ.get("CHECKS") == "1"
    room = BUILD / "check" if checked else BUILD
    icount = os.environ.get("ICOUNT") == "1"
    settings = Settings(
        image=room / "limen.img", kernel=room / "kernel.elf",
        accel=choice("ACCEL", "", ("", "tcg", "kvm")),
        cpu=os.environ.get("CPU") or Settings.cpu,
        smp=number("SMP", Settings.smp), mem=number("MEM", Settings.mem),
        machine=choice("MACHINE", Settings.machine, ("q35", "pc")),
        gfx=choice("GFX", Settings.gfx, ("std", "none", "virtio")),
        icount=icount, cmdline=cmdline)
    return parked(settings) if icount or os.environ.get("FAST") == "1" else settings


def talk(settings):
    """The serial port on this terminal, until the guest or Ctrl-A x ends it."""
    with RunDirectory(settings) as run:
        arguments = qemu_arguments(settings, run.variables, run.cmdline)
        arguments += ["-chardev", "stdio,id=serial,mux=on,signal=off",
                      "-serial", "chardev:serial", "-mon", "chardev=serial,mode=readline",
                      "-gdb", f"unix:{GDB_SOCKET},server=on,wait=off"]
        print("limen: Ctrl-A x ends the machine.", file=sys.stderr)
        code = subprocess.run(arguments, cwd=ROOT, check=False).returncode
    if code == EXIT_PANIC << 1 | 1:
        print("limen: the kernel panicked; its report stands above.", file=sys.stderr)
        return 1
    if code & 1 and code >> 1 >= EXIT_STATUS_ZERO:
        return status_of(code >> 1)
    return code


def one_line(settings, timeout):
    """Runs one shell line, prints what it prints, and takes over its status."""
    printed = 0

    def print_output(serial):
        nonlocal printed
        farewell = LOADER_FAREWELL.search(serial)
        if farewell:
            start = max(printed, farewell.end())
            # A CR and its LF may arrive apart: what follows the last LF waits for the rest.
            end = serial.rfind(b"\n") + 1
            if end > start:
                sys.stdout.write(serial[start:end].decode(errors="replace").replace("\r\n", "\n"))
                sys.stdout.flush()
                printed = end

    with Machine(settings) as machine:
        outcome = machine.finish(timeout, heard=print_output)
    rest = outcome.serial[max(printed, 0):] if printed else b""
    sys.stdout.write(rest.decode(errors="replace"))
    sys.stdout.flush()
    if outcome.kind == "exit":
        return outcome.status
    if outcome.kind in ("poweroff", "reset"):
        return 0
    if not printed:
        print(f"limen: the serial port said:\n{outcome.log}", file=sys.stderr)
    print("\n".join([f"limen: {outcome.describe()}.", *outcome.evidence]), file=sys.stderr)
    return 1


def main():
    line = os.environ.get("CMD", "")
    cmdline = os.environ.get("CMDLINE", "")
    try:
        if line:
            if "\n" in line:
                sys.exit("run: CMD is one line")
            return one_line(settings_from_environment(f"{cmdline} quiet cmd={line}".strip()),
                            number("TIMEOUT", DEFAULT_TIMEOUT))
        return talk(settings_from_environment(cmdline))
    except MachineError as error:
        sys.exit(f"run: {error}")


if __name__ == "__main__":
    sys.exit(main())
