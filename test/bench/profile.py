#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows where the instructions of one benchmark go, function by function, in the order they run.

One lap is executed a step at a time under gdb, from one reading of the time-stamp counter to the
next.  The same file is the program that starts the machine and the script that gdb runs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCH = ROOT / "build" / "servers" / "bench.elf"
# Functions in which a lap begins and ends, where one does not have both.
PLACES = {
    "null_syscall": ("bench_null_syscall",) * 2,
    "ipc_roundtrip_0": ("roundtrip_0",) * 2,
    "ipc_roundtrip_4": ("bench_roundtrip_4",) * 2,
    "ipc_roundtrip_8": ("bench_roundtrip_8",) * 2,
    "ipc_roundtrip_10": ("roundtrip_page",) * 2,
    "ipc_roundtrip_64": ("roundtrip_page",) * 2,
    "ipc_roundtrip_same_0": ("roundtrip_0",) * 2,
    "notify_wake": ("signal_again_and_again", "bench_notify_wake"),
    "fault_roundtrip": ("bench_fault_roundtrip",) * 2,
    "map_unmap": ("bench_map_unmap",) * 2,
    "thread_create_join": ("bench_thread_create_join",) * 2,
    "context_switch": ("yield_again_and_again", "bench_context_switch"),
}
LAPS_BEFORE = 20
STEPS_MAX = 50000
RDTSC = b"\x0f\x31"
SECONDS = 120


def stamps(function):
    """Addresses of the RDTSC instructions in a function."""
    text = subprocess.run(["llvm-objdump", "-d", "--no-show-raw-insn",
                           f"--disassemble-symbols={function}", BENCH], capture_output=True,
                          text=True, check=True).stdout
    return [int(address, 16) for address in re.findall(r"^\s*(\w+):\s+rdtsc", text, re.M)]


def trace(gdb, name):
    """(function, instruction) of every step of one lap."""
    begin, end = stamps(PLACES[name][0])[0], stamps(PLACES[name][1])[-1]
    gdb.execute(f"hbreak *{begin:#x}", to_string=True)
    laps = 0
    while laps < LAPS_BEFORE:
        gdb.execute("continue", to_string=True)
        # Other servers have code at this address, too.
        if bytes(gdb.selected_inferior().read_memory(begin, 2)) == RDTSC:
            laps += 1
    gdb.execute("delete", to_string=True)
    steps = []
    for _ in range(STEPS_MAX):
        gdb.execute("stepi", to_string=True)
        address = int(gdb.parse_and_eval("(unsigned long)$pc"))
        symbol = gdb.execute(f"info symbol {address:#x}", to_string=True).split(" in section")[0]
        text = gdb.execute(f"x/i {address:#x}", to_string=True).split(":", 1)[1].strip()
        steps.append((symbol.split(" + ")[0], text))
        if address == end:
            return steps
    raise gdb.GdbError(f"{name}: no end after {STEPS_MAX} steps")


def show(steps):
    """What gdb itself says of each step goes to its standard output, and this to the other."""
    run = []
    for function, text in steps + [("", "")]:
        if run and run[0] != function:
            print(f"{len(run) - 1:6} {run[0]}", file=sys.stderr)
            if os.environ.get("LISTING") == "1":
                print("".join(f"          {line}\n" for line in run[1:]), end="", file=sys.stderr)
            run = []
        run = run or [function]
        run.append(text)
    print(f"{len(steps):6} in all, with the time stamps", file=sys.stderr)


def start_machine():
    sys.path.insert(0, str(ROOT / "ovmf"))
    from machine import LOADER_FAREWELL, Machine, Settings
    from parked import parked

    name = os.environ.get("NAME", "")
    if name not in PLACES:
        sys.exit(f"profile: NAME={name} is none of: {' '.join(PLACES)}")
    settings = parked(Settings(icount=True, accel="tcg", cmdline=f"quiet cmd=bench {name}"))
    with Machine(settings) as machine:
        if not machine.wait_for(LOADER_FAREWELL, SECONDS):
            sys.exit("profile: the machine did not boot")
        machine.monitor("stop")
        stub = machine.directory.path / "gdb"
        machine.human_monitor(f"gdbserver unix:{stub},server=on,wait=off")
        return subprocess.run(
            ["gdb", "--batch", "--nx", "-ex", "set pagination off",
             "-ex", "set architecture i386:x86-64", "-ex", f"target remote {stub}",
             "-ex", f"add-symbol-file {BENCH}", "-x", __file__, str(settings.kernel)],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=sys.stdout,
            timeout=SECONDS, check=False).returncode


if __name__ == "__main__":
    try:
        import gdb
    except ImportError:
        sys.exit(start_machine())
    show(trace(gdb, os.environ["NAME"]))
