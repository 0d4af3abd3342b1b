# SPDX-License-Identifier: MIT
"""One virtual machine: QEMU with OVMF, from its command line to what became of it.

`make run`, `make test`, `make bench` and `make debug` all start their machines here.
"""

import json
import os
import re
import select
import shlex
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build"

# Where firmware and its template of a variable store are found, best first.
FIRMWARE = [
    ("/usr/share/OVMF/OVMF_CODE_4M.fd", "/usr/share/OVMF/OVMF_VARS_4M.fd"),
    ("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/OVMF/OVMF_VARS.fd"),
]

# What the guest writes to isa-debug-exit at DEBUG_EXIT_PORT; QEMU exits with (value << 1) | 1.
DEBUG_EXIT_PORT = 0xF4
EXIT_STATUS_ZERO = 0x10
EXIT_STATUS_127 = 0x7E  # QEMU's status has no room for the value that 127 would have
EXIT_PANIC = 0x7F


def status_of(value):
    """The shell's status that a value written to the debug-exit device stands for."""
    return 127 if value == EXIT_STATUS_127 else value - EXIT_STATUS_ZERO

# The loader's last words, after which the serial port belongs to the kernel, and what it says when
# it gives up (efi/).
LOADER_FAREWELL = re.compile(rb"Limen: loaded, leaving boot services\r*\n")
LOADER_REFUSAL = re.compile(rb"Limen cannot start: [^\n]*\n")

# Files of fw_cfg: the kernel's command line, and for ovmf/park.c the disk that it waits for and how
# many holes it makes in the memory map.
CMDLINE_FILE = "opt/limen/cmdline"
DISK_FILE = "opt/limen/disk"
HOLES_FILE = "opt/limen/holes"

# Where gdb finds the machine of make run or make debug.  Relative, like all sockets here, because
# the path of a socket may have no more than 107 characters.
GDB_SOCKET = Path("build/gdb.socket")


class MachineError(Exception):
    """The machine could not be started or spoken to."""


@dataclass(frozen=True)
class Settings:
    """What the machine is made of, and what it boots."""

    image: Path = BUILD / "limen.img"
    kernel: Path = BUILD / "kernel.elf"  # for symbols only: the image holds what runs ...
    initrd: Path | None = None  # ... unless this is given: then Linux, which QEMU loads with it
    accel: str = ""  # "tcg", "kvm", or "" to choose
    cpu: str = "max"
    smp: int = 1
    mem: int = 256  # MiB
    machine: str = "q35"
    gfx: str = "std"  # QEMU's -vga, or "none"
    icount: bool = False  # count instructions exactly: one tick of the TSC for each
    cmdline: str = ""
    parked: Path | None = None  # a saved state to start from, with the disk it has (parked.py)
    parked_disk: Path | None = None
    holes: int = 0  # in the memory map of a machine that starts from a saved state
    waits: bool = False  # a machine that starts from a saved state does so on a debugger's word

    def acceleration(self):
        return self.accel or best_accelerator()


def best_accelerator():
    """KVM only where the processor says it can: a writable /dev/kvm alone can be a false promise."""
    try:
        cpuinfo = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace")
    except OSError:
        cpuinfo = ""
    usable = re.search(r"\b(vmx|svm)\b", cpuinfo) and os.access("/dev/kvm", os.W_OK)
    return "kvm" if usable else "tcg"


def firmware():
    for code, variables in FIRMWARE:
        if Path(code).is_file() and Path(variables).is_file():
            return code, variables
    raise MachineError("there is no OVMF firmware under /usr/share/OVMF: install the package ovmf")


def machine_arguments(settings):
    """The machine that any guest runs in: QEMU's command line without firmware, disk and guest."""
    arguments = [
        "qemu-system-x86_64", "-nodefaults", "-no-user-config",
        "-machine", settings.machine, "-accel", settings.acceleration(),
        "-cpu", settings.cpu, "-smp", str(settings.smp), "-m", str(settings.mem),
        "-display", "none", "-vga", settings.gfx,
        "-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=4",
    ]
    if settings.icount:
        # A fixed clock and seed, so that the run depends on nothing but the image.
        arguments += ["-icount", "shift=0,sleep=off", "-seed", "1",
                      "-rtc", "base=2026-01-01T00:00:00,clock=vm"]
    return arguments


def qemu_arguments(settings, variables, cmdline_file):
    """QEMU's command line, without what the ways of running it differ in."""
    if settings.initrd:
        return [*machine_arguments(settings), "-kernel", str(settings.kernel),
                "-initrd", str(settings.initrd), "-append", settings.cmdline]
    code, _ = firmware()
    # A saved state goes on with the disk it was saved with.
    disk = settings.parked_disk if settings.parked else settings.image
    arguments = [
        *machine_arguments(settings),
        "-drive", f"if=pflash,unit=0,format=raw,readonly=on,file={code}",
        "-drive", f"if=pflash,unit=1,format=raw,file={variables}",
        "-drive", f"if=none,id=disk,format=raw,snapshot=on,file={disk}",
        "-device", "virtio-blk-pci,drive=disk,bootindex=0",
        "-fw_cfg", f"name={CMDLINE_FILE},file={cmdline_file}",
    ]
    if settings.parked:
        arguments += ["-incoming", f"exec:cat {shlex.quote(str(settings.parked))}",
                      "-fw_cfg", f"name={DISK_FILE},file={settings.image}"]
    if settings.parked and settings.waits:
        arguments += ["-S"]
    if settings.parked and settings.holes:
        arguments += ["-fw_cfg", f"name={HOLES_FILE},string={settings.holes}"]
    return arguments


class RunDirectory:
    """The files of one run, under build/, gone when it ends."""

    def __init__(self, settings):
        runs = BUILD / "run"
        runs.mkdir(parents=True, exist_ok=True)
        self.scratch = tempfile.TemporaryDirectory(dir=runs, prefix="")
        self.path = Path(self.scratch.name).relative_to(ROOT)
        self.variables = self.path / "variables.fd"
        self.cmdline = self.path / "cmdline"
        self.qemu_log = self.path / "qemu.log"
        (ROOT / self.variables).write_bytes(Path(firmware()[1]).read_bytes())
        (ROOT / self.cmdline).write_bytes(settings.cmdline.encode() + b"\0")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.scratch.cleanup()


@dataclass
class Outcome:
    """How a run ended.  `kind` is one of

    exit      the guest left through the debug port, with `status`
    panic     the kernel panicked
    poweroff  the guest switched the machine off
    reset     the guest reset the machine
    triple    the processor gave up: a fault while handling a double fault
    refused   the loader would not boot
    timeout   nothing ended it in the time it had
    stopped   the harness had seen what it waited for
    emulator  the emulator itself failed
    """

    kind: str
    status: int = 1
    serial: bytes = b""
    seconds: float = 0.0
    evidence: list = field(default_factory=list)

    @property
    def output(self):
        """What the guest wrote once the firmware and the loader were gone."""
        farewell = LOADER_FAREWELL.search(self.serial)
        text = self.serial[farewell.end():] if farewell else b""
        return text.decode(errors="replace").replace("\r\n", "\n")

    @property
    def log(self):
        """All of the serial port, made printable."""
        return printable(self.serial)

    def describe(self):
        return {
            "exit": f"the guest ended with status {self.status}",
            "panic": "the kernel panicked",
            "poweroff": "the guest switched the machine off",
            "reset": "the guest reset the machine",
            "triple": "the processor reset after a triple fault",
            "refused": "the loader refused to boot",
            "timeout": f"nothing ended the run in {self.seconds:.0f} seconds",
            "stopped": "the run was ended when it had shown what it should",
            "emulator": f"the emulator itself failed with status {self.status}",
        }[self.kind]


ESCAPE_SEQUENCE = re.compile(r"\x1b\[[0-9;?=]*[A-Za-z]")


def printable(serial):
    text = ESCAPE_SEQUENCE.sub("", serial.decode(errors="replace")).replace("\r", "")
    return "".join(c for c in text if c in "\n\t" or c.isprintable())


class Machine:
    """A machine whose serial port and monitor are in the hands of the caller.

    A reset or power-off by the guest pauses it instead, so that its registers can still be read.
    """

    def __init__(self, settings):
        self.settings = settings
        self.directory = RunDirectory(settings)
        self.serial = bytearray()
        self.started = time.monotonic()
        self.shutdown_reason = None
        self.serial_socket, serial_end = socket.socketpair()
        self.monitor_socket, monitor_end = socket.socketpair()
        arguments = qemu_arguments(settings, self.directory.variables, self.directory.cmdline)
        arguments += [
            "-chardev", f"socket,id=serial,fd={serial_end.fileno()}", "-serial", "chardev:serial",
            "-chardev", f"socket,id=qmp,fd={monitor_end.fileno()}",
            "-mon", "chardev=qmp,mode=control",
            "-action", "reboot=shutdown,shutdown=pause",
            "-d", "cpu_reset", "-D", str(self.directory.qemu_log),
        ]
        self.errors = open(ROOT / self.directory.path / "stderr", "w+b")
        try:
            self.process = subprocess.Popen(
                arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=self.errors,
                stderr=self.errors, pass_fds=(serial_end.fileno(), monitor_end.fileno()))
        except OSError as error:
            self.directory.scratch.cleanup()
            raise MachineError(f"qemu-system-x86_64 could not be started: {error}") from error
        finally:
            serial_end.close()
            monitor_end.close()
        self.monitor_buffer = b""
        self.monitor_open = True
        self.monitor_socket.sendall(b'{"execute": "qmp_capabilities"}\n')

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.serial_socket.close()
        self.monitor_socket.close()
        self.errors.close()
        self.directory.scratch.cleanup()

    # The monitor.

    def _monitor_messages(self):
        """The complete messages in what has arrived; notes why the machine shut down."""
        *lines, self.monitor_buffer = self.monitor_buffer.split(b"\n")
        messages = [json.loads(line) for line in lines if line.strip()]
        for message in messages:
            if message.get("event") == "SHUTDOWN":
                self.shutdown_reason = message["data"]["reason"]
        return messages

    def _monitor_receive(self, seconds):
        if not select.select([self.monitor_socket], [], [], max(0, seconds))[0]:
            return False
        try:
            data = self.monitor_socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.monitor_open = bool(data)
        self.monitor_buffer += data
        return bool(data)

    def monitor(self, command, seconds=10, **arguments):
        """Executes one monitor command and returns what it returned."""
        request = {"execute": command, "id": command}
        if arguments:
            request["arguments"] = arguments
        try:
            self.monitor_socket.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise MachineError(f"QEMU's monitor is gone: {error}") from error
        deadline = time.monotonic() + seconds
        while self._monitor_receive(deadline - time.monotonic()):
            for message in self._monitor_messages():
                if message.get("id") != command:
                    continue
                if "error" in message:
                    raise MachineError(f"{command}: {message['error']['desc']}")
                return message["return"]
        raise MachineError(f"QEMU's monitor did not answer {command} in {seconds} seconds")

    def human_monitor(self, line, seconds=10):
        return self.monitor("human-monitor-command", seconds, **{"command-line": line})

    # The serial port.

    def send(self, data):
        self.serial_socket.sendall(data)

    def _step(self, deadline):
        """Waits for the machine to say or do something.  False when it has ended or time is up."""
        wait = deadline - time.monotonic()
        if wait <= 0 or self.shutdown_reason:
            return False
        sockets = [self.serial_socket] + [self.monitor_socket] * self.monitor_open
        ready, _, _ = select.select(sockets, [], [], wait)
        if self.monitor_socket in ready:
            self._monitor_receive(0)
            self._monitor_messages()
        return self.hear() if self.serial_socket in ready else True

    def hear(self):
        """Takes what has arrived at the serial port; False when its other end is gone.  A guest that
        nobody hears waits: a socket keeps few such small pieces."""
        try:
            data = self.serial_socket.recv(1 << 16)
        except ConnectionResetError:
            data = b""
        self.serial += data
        return bool(data)

    def wait_for(self, pattern, seconds, start=0):
        """Waits until the serial output from `start` on matches; the match, or None."""
        deadline = time.monotonic() + seconds
        while True:
            match = pattern.search(self.serial, start)
            if match or not self._step(deadline):
                return match

    def finish(self, seconds, until=None, heard=None):
        """Runs to the end, or until `seconds` have passed, the loader refuses, or the serial output
        matches `until`.  Hands what arrives to `heard`, where given."""
        deadline = time.monotonic() + seconds
        told = 0
        alive = True
        while alive:
            alive = self._step(deadline)
            if heard and told < len(self.serial):
                heard(bytes(self.serial))
                told = len(self.serial)
            if LOADER_REFUSAL.search(self.serial):
                return self._outcome("refused")
            if until and until.search(self.serial):
                return self._outcome("stopped", 0)
        if self.shutdown_reason:
            return self._shut_down()
        if time.monotonic() >= deadline:
            evidence = self.evidence()
            return self._outcome("timeout", 1, evidence)
        return self._exited(self.process.wait())

    def _outcome(self, kind, status=1, evidence=()):
        return Outcome(kind, status, bytes(self.serial), time.monotonic() - self.started,
                       list(evidence))

    def _shut_down(self):
        if self.shutdown_reason == "guest-shutdown":
            return self._outcome("poweroff", 0)
        log = ROOT / self.directory.qemu_log
        if log.exists() and b"Triple fault" in log.read_bytes():
            return self._outcome("triple", 1, self.evidence())
        return self._outcome("reset", 0)

    def _exited(self, code):
        if code == EXIT_PANIC << 1 | 1:
            return self._outcome("panic")
        value = code >> 1
        if code & 1 and EXIT_STATUS_ZERO <= value < EXIT_PANIC:
            return self._outcome("exit", status_of(value))
        self.errors.seek(0)
        return self._outcome("emulator", code, [self.errors.read().decode(errors="replace")])

    # What a hung machine can still tell.

    def evidence(self):
        """The registers, and a backtrace by gdb with the kernel's symbols."""
        found = []
        try:
            self.monitor("stop")
            registers = self.human_monitor("info registers").partition("\r\nFCW=")[0]
            found.append("Registers:\n" + registers.replace("\r", "").strip())
            found.append("Backtrace:\n" + self.gdb("limen-bt", "limen-threads"))
        except (MachineError, OSError, subprocess.SubprocessError) as error:
            found.append(f"(no more: {error})")
        return found

    def gdb(self, *commands):
        """What gdb answers to some commands."""
        stub = self.directory.path / "gdb"
        self.human_monitor(f"gdbserver unix:{stub},server=on,wait=off")
        arguments = ["gdb", "--batch", "--nx", "-x", str(ROOT / "ovmf" / "gdb.py"),
                     str(self.settings.kernel)]
        for command in ("set pagination off", "set architecture i386:x86-64",
                        f"target remote {stub}", *commands):
            arguments += ["-ex", command]
        gdb = subprocess.run(arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=60, check=False)
        return gdb.stdout.decode(errors="replace").strip()
