# SPDX-License-Identifier: MIT
"""Measures Linux beside Limen: Debian's kernel in the same machine, and test/bench/linux/ in it.

The kernel is that of a Debian package, which is fetched and unpacked under build/, never installed.
"""

import re
import subprocess
import tarfile
from dataclasses import replace

from figures import OVERHEAD, UNIT, Unreadable, only, rows
from machine import BUILD, Machine, MachineError

DIRECTORY = BUILD / "linux"
INITRAMFS = DIRECTORY / "initramfs.cpio"
# Depends on the package of the newest kernel for virtual machines, with fewer drivers than others.
METAPACKAGE = "linux-image-cloud-amd64"
# A panic ends the machine at once instead of stopping it.
COMMAND_LINE = "console=ttyS0 quiet panic=-1"
FETCH_SECONDS = 120
SECONDS = 300

SYSTEM = re.compile(r"^system: (.*)$", re.M)
GIVEN = re.compile(r"^command line: (.*)$", re.M)
PROCESSOR = re.compile(r"^processor: (.*)$", re.M)
VULNERABILITY = re.compile(r"^vulnerability (\w+): (.*)$", re.M)


class Unavailable(Exception):
    """There is no Linux to measure, though nothing is wrong with what is here."""


def output_of(*command):
    try:
        done = subprocess.run(command, cwd=DIRECTORY, capture_output=True, text=True,
                              timeout=FETCH_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{' '.join(command)}: {error}") from error
    if done.returncode != 0:
        said = " ".join((done.stderr or done.stdout).split())
        raise Unavailable(f"{' '.join(command)} failed: {said}")
    return done.stdout


def fetch():
    """The package's file."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    fetched = sorted(DIRECTORY.glob("linux-image-*.deb"))
    if not fetched:
        known = output_of("apt-cache", "depends", METAPACKAGE)
        package = re.search(r"Depends: (linux-image-\S+)", known)
        if not package:
            raise Unavailable(f"apt-cache does not know {METAPACKAGE}; apt-get update may help")
        # As root, apt would fetch as a user who may not write here, and complain.
        output_of("apt-get", "download", "-q", "-o", "APT::Sandbox::User=root", package[1])
        fetched = sorted(DIRECTORY.glob("linux-image-*.deb"))
    return fetched[-1]


def kernel_of(package):
    """The kernel that the package holds."""
    kernel = package.with_suffix(".vmlinuz")
    if kernel.exists():
        return kernel
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", package],
                          stdout=subprocess.PIPE) as unpacked:
        try:
            with tarfile.open(fileobj=unpacked.stdout, mode="r|") as archive:
                for member in archive:
                    if member.name.startswith("./boot/vmlinuz-"):
                        kernel.write_bytes(archive.extractfile(member).read())
        except tarfile.TarError:
            pass  # what dpkg-deb could not read, it has complained of
    if not kernel.exists():
        raise MachineError(f"{package} holds no kernel; remove it, and it is fetched again")
    return kernel


def boot(settings, kernel, unit):
    """All that the guest prints."""
    words = f"{COMMAND_LINE} ticks" if unit == "TSC ticks" else COMMAND_LINE
    settings = replace(settings, kernel=kernel, initrd=INITRAMFS, cmdline=words)
    with Machine(settings) as machine:
        outcome = machine.finish(SECONDS)
    if (outcome.kind, outcome.status) != ("exit", 0):
        raise MachineError(f"Linux: {outcome.describe()}; it says:\n{outcome.log}")
    return outcome.log


def ways(figures):
    """The rows, each with the way in which Linux does what the name says."""
    for name, row in figures.items():
        operation, _, way = name.partition("/")
        yield {"name": operation, "way": way, **row}


def read(text, unit):
    """What the guest says of its conditions, and its results."""
    try:
        if (found := only(UNIT, text, "what it counts")) != unit:
            raise Unreadable(f"the guest counts {found}, where Limen counts {unit}")
        return {"system": only(SYSTEM, text, "what it is"),
                "command line": only(GIVEN, text, "its command line"),
                "processor": only(PROCESSOR, text, "its processor"),
                "vulnerabilities": dict(VULNERABILITY.findall(text)),
                "overhead": int(only(OVERHEAD, text, "what two time stamps cost")),
                "results": list(ways(rows(text)))}
    except Unreadable as error:
        raise MachineError(f"Linux: {error}; it says:\n{text}") from error


def measure(settings, unit):
    return read(boot(settings, kernel_of(fetch()), unit), unit)
