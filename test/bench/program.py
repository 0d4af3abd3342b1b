# SPDX-License-Identifier: MIT
"""The instructions of a linked program, and the source lines that they were compiled from."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# Of llvm-nm and of llvm-objdump.  A label within a function has no size.
FUNCTION = re.compile(r"^([0-9a-f]+) (0*[1-9a-f][0-9a-f]*) [tT] (\S+)$")
INSTRUCTION = re.compile(r"^\s*([0-9a-f]+):\s+(\S.*)$")


@dataclass(frozen=True)
class Instruction:
    address: int
    symbol: str  # the function whose code it is part of
    text: str


@dataclass(frozen=True)
class Frame:
    """A place in the source."""

    function: str
    file: str
    line: int


def relative(file):
    """A file's path from the root of the repository, from where its compiler started."""
    return os.path.relpath(ROOT / file, ROOT) if file else ""


class Program:
    """A linked program."""

    def __init__(self, path):
        self.path = Path(path)
        self.symbols, owners = {}, {}
        for line in self._listed("llvm-nm", "--defined-only", "--print-size").splitlines():
            if match := FUNCTION.match(line):
                address, size, name = int(match[1], 16), int(match[2], 16), match[3]
                self.symbols[name] = address
                owners |= {at: name for at in range(address, address + size)}
        self.instructions = {}
        lock = None
        for line in self._listed("llvm-objdump", "-d", "--no-show-raw-insn").splitlines():
            if not (match := INSTRUCTION.match(line)):
                continue
            address, text = int(match[1], 16), " ".join(match[2].split("#")[0].split())
            if lock is not None:  # the prefix is listed as if it were an instruction
                address, text = lock, f"lock {text}"
            lock = address if text == "lock" else None
            self.instructions[address] = Instruction(address, owners.get(address, ""), text)

    def _listed(self, *command):
        return subprocess.run([*command, self.path], check=True, capture_output=True,
                              text=True).stdout

    def those_of(self, symbol):
        return [i for i in self.instructions.values() if i.symbol == symbol]

    def sources(self, addresses):
        """{address: frames}, of which each was inlined into the next, for addresses with source."""
        asked = "".join(f"{address:#x}\n" for address in sorted(addresses))
        answer = subprocess.run(
            ["llvm-symbolizer", f"--obj={self.path}", "--inlines", "--output-style=JSON"],
            input=asked, check=True, capture_output=True, text=True).stdout
        found = {}
        for line in answer.splitlines():
            place = json.loads(line)
            found[int(place["Address"], 16)] = tuple(
                Frame(frame["FunctionName"], relative(frame["FileName"]), frame["Line"])
                for frame in place["Symbol"])
        return found
