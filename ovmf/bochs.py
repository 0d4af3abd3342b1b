# SPDX-License-Identifier: MIT
"""A machine of Bochs: a second model of the processor, by other people, beside QEMU's.

It has no saved states, no ACPI tables and no framebuffer, and the firmware takes some 20 seconds.
What the kernel needs of it is less than it is good at: the faults and traps of ring 3 as Intel's
processors have them (docs/caveats.md).
"""

import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from image import PARTITION_START
from machine import (BUILD, EXIT_PANIC, LOADER_REFUSAL, MachineError, Outcome, status_of)

FIRMWARE = "/usr/share/ovmf/OVMF.fd"  # code and variables in one
VGA_BIOS = "/usr/share/bochs/VGABIOS-lgpl-latest"

# Errors of the guest's are ignored because each would be a line in the log, some in a loop.  What
# the guest writes to ports where no device is, is reported: so the log tells of its writes to the
# port where QEMU has its debug-exit device.
CONFIGURATION = """\
cpu: model=tigerlake, count=1, ips=50000000, ignore_bad_msrs=1, reset_on_triple_fault=0
clock: sync=none, time0=1767225600
memory: guest={mem}, host={mem}
romimage: file={firmware}
vgaromimage: file={vga}
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=disk, path={image}, mode=volatile
boot: disk
display_library: term
com1: enabled=1, mode=file, dev={serial}
speaker: enabled=0
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore, unmapped=report
"""

DEBUG_EXIT = re.compile(rb"\[UNMAP *\] unmapped: \d+-bit write to 00f4 = ([0-9a-f]+)\n")
TRIPLE_FAULT = re.compile(rb"3rd \(\d+\) exception")
COMMANDS = "c\n"  # for the debugger, which a build that has one starts in
LOG_KEPT = 4096   # bytes of the log as evidence

# Seconds of processor time, some millions of instructions, that Bochs goes on for when the guest has
# ended.  What it said last may still wait in the serial port, which takes 4,000 for a character.
SETTLING = 0.1


def add_command_line(image, cmdline, scratch):
    """Bochs cannot hand the loader anything: its command line has to be on the disk."""
    file = scratch / "cmdline.txt"
    file.write_text(cmdline, encoding="utf-8")
    done = subprocess.run(
        ["mcopy", "-o", "-i", f"{image}@@{PARTITION_START}", str(file), "::limen/cmdline.txt"],
        env=dict(os.environ, MTOOLSRC=os.devnull, MTOOLS_SKIP_CHECK="1"), check=False,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        raise MachineError(f"the command line could not be put on the disk: {done.stdout}")


class Bochs:
    """A machine that runs to its end.  Like machine.Machine, as far as that goes."""

    def __init__(self, settings):
        runs = BUILD / "run"
        runs.mkdir(parents=True, exist_ok=True)
        self.scratch = tempfile.TemporaryDirectory(dir=runs, prefix="bochs-")
        self.path = Path(self.scratch.name)
        self.serial, self.log = self.path / "serial", self.path / "log"
        self.serial.touch()
        self.log.touch()
        image = self.path / "disk.img"
        shutil.copyfile(settings.image, image)
        if settings.cmdline:
            add_command_line(image, settings.cmdline, self.path)
        configuration = self.path / "bochsrc"
        configuration.write_text(CONFIGURATION.format(
            mem=settings.mem, firmware=FIRMWARE, vga=VGA_BIOS, image=image, serial=self.serial,
            log=self.log), encoding="utf-8")
        commands = self.path / "commands"
        commands.write_text(COMMANDS, encoding="utf-8")
        # Its screen is a terminal, which has to be one and has to be read.
        self.screen, screen_end = pty.openpty()
        self.started = time.monotonic()
        try:
            self.process = subprocess.Popen(
                ["bochs", "-q", "-f", str(configuration), "-rc", str(commands)],
                stdin=screen_end, stdout=screen_end, stderr=screen_end, cwd=self.path,
                env=dict(os.environ, TERM="linux"))
        except OSError as error:
            self.scratch.cleanup()
            raise MachineError(f"bochs could not be started: {error}") from error
        finally:
            os.close(screen_end)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.screen)
        self.scratch.cleanup()

    def finish(self, seconds):
        """Runs until the guest ends, the loader refuses, Bochs gives up or time does."""
        deadline = self.started + seconds
        while time.monotonic() < deadline:
            alive = self.process.poll() is None
            left = DEBUG_EXIT.search(self.log.read_bytes())
            if left:
                self.settle(deadline)
                value = int(left[1], 16)
                if value == EXIT_PANIC:
                    return self.outcome("panic")
                return self.outcome("exit", status_of(value))
            if LOADER_REFUSAL.search(self.serial.read_bytes()):
                return self.outcome("refused")
            if not alive:
                log = self.log.read_bytes()
                kind = "triple" if TRIPLE_FAULT.search(log) else "emulator"
                return self.outcome(kind, self.process.returncode, log)
            self.drain_screen(0.2)
        return self.outcome("timeout")

    def settle(self, deadline):
        """Lets the serial port send what the guest has given it."""
        end = self.processor_time() + SETTLING
        while self.process.poll() is None and time.monotonic() < deadline and \
                self.processor_time() < end:
            self.drain_screen(0.02)

    def processor_time(self):
        """Seconds that Bochs has run, however busy the host is with others."""
        try:
            stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        except OSError:  # it has just ended
            return float("inf")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def drain_screen(self, seconds):
        if select.select([self.screen], [], [], seconds)[0]:
            try:
                os.read(self.screen, 1 << 16)
            except OSError:  # the other end is closed: Bochs is about to end
                time.sleep(seconds)

    def outcome(self, kind, status=1, log=b""):
        evidence = [log[-LOG_KEPT:].decode(errors="replace")] if log else []
        return Outcome(kind, status, self.serial.read_bytes(), time.monotonic() - self.started,
                       evidence)
