# SPDX-License-Identifier: MIT
"""What the figures depend on: the machine, the compiler, the source, and guards against leaks."""

import re
import subprocess
from pathlib import Path

from machine import ROOT

# docs/caveats.md: what Limen does, on every processor, against the leaks that Linux lists.
LIMEN_MITIGATIONS = "none: the kernel is mapped everywhere, and indirect branches are not hardened"
HOST_MITIGATIONS = Path("/sys/devices/system/cpu/vulnerabilities")


def output_of(*command):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True,
                          check=True).stdout.strip()


def host_conditions():
    """Of the processor itself, which counts where no emulator stands between."""
    cpuinfo = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    mitigations = "; ".join(f"{path.name}: {path.read_text(encoding='utf-8').strip()}"
                            for path in sorted(HOST_MITIGATIONS.glob("*")))
    return {"host processor": re.search(r"model name\s*: (.*)", cpuinfo)[1],
            "host mitigations": mitigations}


def conditions(settings):
    version = re.search(r"version (\S+)", output_of("qemu-system-x86_64", "--version"))[1]
    counted = " -icount shift=0" if settings.icount else ""
    return {
        "emulator": f"QEMU {version} {settings.acceleration()}{counted}",
        "board": settings.machine,
        "processor": f"-cpu {settings.cpu} -smp {settings.smp}",
        "memory": f"{settings.mem} MiB",
        **({} if settings.icount else host_conditions()),
        "compiler": output_of("clang", "--version").splitlines()[0],
        "commit": output_of("git", "describe", "--always", "--dirty"),
        "mitigations": LIMEN_MITIGATIONS,
    }


def machine_text(found):
    """The machine alone, in one line."""
    return ", ".join(found[name] for name in ("emulator", "board", "processor", "memory",
                                              "host processor") if name in found)
