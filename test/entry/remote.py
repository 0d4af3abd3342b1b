# SPDX-License-Identifier: MIT
"""A debugger's end of the GDB remote protocol, as far as injection needs it.

The machine stands still whenever one of these functions has returned.  See "GDB Remote Serial
Protocol" in gdb's manual, and gdbstub.c's order of registers in QEMU's target/i386.
"""

import re
import select
import socket
import struct
import time
from dataclasses import dataclass

from machine import ROOT

GENERAL = ("rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12",
           "r13", "r14", "r15", "rip")
SELECTORS = ("eflags", "cs", "ss", "ds", "es", "fs", "gs")
BASES = ("fs_base", "gs_base", "k_gs_base", "cr0", "cr2", "cr3", "cr4", "cr8", "efer")
NUMBERS = {name: number for number, name in enumerate(GENERAL + SELECTORS + BASES)}
LAYOUT = struct.Struct(f"<{len(GENERAL)}Q{len(SELECTORS)}I{len(BASES)}Q")

READ_MAX = 1024  # bytes of one packet

# What a machine stops with, by number of signal: at a breakpoint, and when it has shut down.
TRAPPED, SHUT_DOWN = "T05", "T03"

SECONDS = 30  # no command takes as long, unless the machine hangs

# A line of QEMU's log for each instruction that it executes, and for one that it did not after all:
# something else came first, or a device is to be accessed, for which it translates it again.
EXECUTED = re.compile(
    rb"^(?:Trace[^\[]*\[[0-9a-f]+/([0-9a-f]+)|Stopped execution|cpu_io_recompile: rewound)")


class RemoteError(Exception):
    """The machine did not do what it was told to."""


@dataclass
class Registers:
    """All that the debugger can see of a processor: the numbers, and the rest as it came."""

    values: dict
    extended: bytes  # x87, SSE

    def __getattr__(self, name):
        return self.values[name]

    @property
    def in_kernel(self):
        return self.values["cs"] & 3 == 0

    def differences(self, other, ignored_flags=0):
        found = [f"{name} {other.values[name]:#x} instead of {value:#x}"
                 for name, value in self.values.items()
                 if (value ^ other.values[name]) & ~(ignored_flags if name == "eflags" else 0)]
        return found + ["extended registers"] * (self.extended != other.extended)


class Remote:
    """A machine whose processor is in our hands, stopped."""

    def __init__(self, machine):
        # A machine that is still being restored from a saved state must not be stopped.
        while machine.monitor("query-status")["status"] == "inmigrate":
            time.sleep(0.01)
        machine.monitor("stop")
        self.machine = machine
        path = machine.directory.path / "gdb"
        machine.human_monitor(f"gdbserver unix:{path},server=on,wait=off")
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.buffer = b""
        self.breakpoints = set()
        # Not until it has told of its registers does the emulator let single ones be written.
        self.command("qXfer:features:read:target.xml:0,fff")

    def detach(self):
        """Lets the machine run on its own."""
        self.command("D")
        self.socket.close()

    # Packets.

    def _send(self, text):
        """The emulator takes the next packet for the acknowledgement of its last."""
        packet = text.encode()
        self.socket.sendall(b"$%s#%02x" % (packet, sum(packet) & 0xff))

    def _receive(self):
        while True:
            start = self.buffer.find(b"$")
            end = self.buffer.find(b"#", start)
            if start >= 0 and 0 <= end < len(self.buffer) - 2:
                packet, self.buffer = self.buffer[start + 1:end], self.buffer[end + 3:]
                return packet.decode("latin-1")
            ready, _, _ = select.select([self.socket, self.machine.serial_socket], [], [], SECONDS)
            if not ready:
                raise RemoteError(f"the machine has not stopped in {SECONDS} s")
            if self.machine.serial_socket in ready and self.machine.hear():
                continue
            data = self.socket.recv(1 << 16)
            if not data:
                raise RemoteError("the machine is gone")
            self.buffer += data

    def command(self, packet):
        self._send(packet)
        return self._receive()

    def _must(self, packet):
        answer = self.command(packet)
        if answer != "OK":
            raise RemoteError(f"{packet}: {answer or 'not supported'}")

    # What a debugger does.

    def registers(self):
        return self._registers_of(self.command("g"))

    @staticmethod
    def _registers_of(answer):
        data = bytes.fromhex(answer)
        values = LAYOUT.unpack_from(data)
        return Registers(dict(zip(GENERAL + SELECTORS + BASES, values)), data[LAYOUT.size:])

    def set(self, **values):
        for name, value in values.items():
            size = 4 if name in SELECTORS else 8
            self._must(f"P{NUMBERS[name]:x}={value.to_bytes(size, 'little').hex()}")

    def read(self, address, size):
        data = b""
        while len(data) < size:
            count = min(size - len(data), READ_MAX)
            answer = self.command(f"m{address + len(data):x},{count:x}")
            if len(answer) != 2 * count:
                raise RemoteError(f"no memory at {address + len(data):#x}: {answer}")
            data += bytes.fromhex(answer)
        return data

    def words(self, address, count):
        return struct.unpack(f"<{count}Q", self.read(address, 8 * count))

    def write(self, address, data):
        self._must(f"M{address:x},{len(data):x}:{data.hex()}")

    def text(self, address):
        return self.read(address, 64).split(b"\0")[0].decode("latin-1")

    def break_at(self, *addresses):
        """The breakpoints from now on: these and no others."""
        wanted = set(addresses)
        for address in self.breakpoints - wanted:
            self._must(f"z0,{address:x},1")
        for address in wanted - self.breakpoints:
            self._must(f"Z0,{address:x},1")
        self.breakpoints = wanted

    def resume_to_write(self, address):
        """Runs until the word at an address has been written."""
        self._must(f"Z2,{address:x},8")
        self.resume()
        self._must(f"z2,{address:x},8")

    def resume(self):
        """Runs up to the next breakpoint."""
        self._stopped(self.command("c"))

    def step(self, before):
        """One instruction, and the registers then; no interrupt comes between, no time passes, and a
        breakpoint there does not matter.

        The emulator counts it as a step when it has looked for interrupts and found none."""
        while True:
            self._stopped(self.command("s"))
            after = self.registers()
            if after.values != before.values:
                return after

    def _stopped(self, answer):
        if answer.startswith(SHUT_DOWN):
            raise RemoteError(self._how_it_ended())
        if not answer.startswith(TRAPPED):
            raise RemoteError(f"the machine stopped with {answer}")

    def _how_it_ended(self):
        """Of a machine that a reset or the like has stopped: its registers are still there."""
        self.machine.monitor("query-status")  # and with it comes the event that says why
        triple = b"Triple fault" in self.machine.directory.qemu_log.read_bytes()
        how = "a triple fault" if triple else self.machine.shutdown_reason
        at = self.registers()
        return (f"the machine has shut down ({how}): RIP {at.rip:#x}, CS {at.cs:#x}, RSP "
                f"{at.rsp:#x}, GS base {at.gs_base:#x}, CR2 {at.cr2:#x}")

    def monitor(self, line):
        """One command of QEMU's own."""
        self._send(f"qRcmd,{line.encode().hex()}")
        said = ""
        while (answer := self._receive()) != "OK":
            said += bytes.fromhex(answer[1:]).decode() if answer.startswith("O") else answer
        return said

    # The emulator's own account.

    def traced(self, run):
        """The addresses of all instructions executed in `run`, by the emulator's log."""
        log = ROOT / self.machine.directory.qemu_log
        start = log.stat().st_size
        self.monitor("singlestep on")  # the log has a line for each translated block
        self.monitor("log cpu_reset,exec,nochain")
        run()
        self.monitor("log cpu_reset")
        self.monitor("singlestep off")
        addresses = []
        with open(log, "rb") as file:
            file.seek(start)
            for match in filter(None, map(EXECUTED.match, file)):
                if match[1]:
                    addresses.append(int(match[1], 16))
                else:
                    addresses.pop()
        return addresses
