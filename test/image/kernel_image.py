# SPDX-License-Identifier: MIT
"""A linked kernel: its segments and symbols, and its instructions as llvm-objdump reads them."""

import re
import struct
import subprocess
from bisect import bisect_right
from dataclasses import dataclass
from pathlib import Path

PT_LOAD = 1
PF_X, PF_W = 1, 2
SHT_SYMTAB = 2
SHT_NOBITS = 8
STT_FUNC = 2


@dataclass(frozen=True)
class Segment:
    address: int
    size: int
    data: bytes
    flags: int

    @property
    def end(self):
        return self.address + self.size


@dataclass(frozen=True)
class Symbol:
    name: str
    address: int
    size: int
    is_function: bool


@dataclass(frozen=True)
class Register:
    name: str


@dataclass(frozen=True)
class Immediate:
    value: int


@dataclass(frozen=True)
class Memory:
    segment: str  # "", "gs", "fs", ...
    displacement: int
    base: str  # "" where there is none
    index: str
    scale: int


@dataclass(frozen=True)
class Target:
    """A direct branch's or call's."""

    address: int


@dataclass(frozen=True)
class Instruction:
    address: int
    mnemonic: str  # with its prefixes: "rep movsq"
    operands: tuple
    indirect: bool  # a call or jump by what the operand holds
    text: str
    next: int  # address of the instruction behind it


OPERAND = re.compile(r"\s*((?:[^,(]|\([^)]*\))+)(?:,|$)")
MEMORY = re.compile(r"(?:%(\w\w):)?(-?(?:0x)?[0-9a-f]+)?(?:\((?:%(\w+))?(?:,%(\w+)(?:,(\d))?)?\))?$")
PREFIXES = {"rep", "repne", "lock", "data16", "notrack"}


def parse_operand(text):
    text = text.strip()
    if text.startswith("%") and ":" not in text:
        return Register(text[1:])
    if text.startswith("$"):
        return Immediate(int(text[1:], 0))
    match = MEMORY.match(text.replace(", ", ","))
    if not match:
        return text
    segment, displacement, base, index, scale = match.groups()
    return Memory(segment or "", int(displacement or "0", 0), base or "", index or "",
                  int(scale or 1))


def parse_instruction(address, text):
    words = text.split("#")[0].split(None, 1)
    mnemonic = words[0]
    while mnemonic.split()[-1] in PREFIXES and len(words) > 1:
        words = words[1].split(None, 1)
        mnemonic += " " + words[0]
    operands = re.sub(r"\s*<[^>]*>", "", words[1]) if len(words) > 1 else ""
    indirect = operands.startswith("*")
    if re.match(r"(call|j)", mnemonic) and not indirect:
        parsed = (Target(int(operands, 16)),)
    else:
        parsed = tuple(parse_operand(match) for match in OPERAND.findall(operands.lstrip("*")))
    return mnemonic, parsed, indirect


class KernelImage:
    def __init__(self, path):
        self.path = Path(path)
        self.bytes = self.path.read_bytes()
        self._read_segments()
        self._read_symbols()
        self._read_instructions()

    def _read_segments(self):
        table, = struct.unpack_from("<Q", self.bytes, 32)
        size, count = struct.unpack_from("<HH", self.bytes, 54)
        self.segments = []
        for header in range(table, table + size * count, size):
            kind, flags, offset, address, _, in_file, in_memory, _ = struct.unpack_from(
                "<IIQQQQQQ", self.bytes, header)
            if kind == PT_LOAD:
                data = self.bytes[offset:offset + in_file]
                self.segments.append(Segment(address, in_memory, data, flags))

    def _read_symbols(self):
        table, = struct.unpack_from("<Q", self.bytes, 40)
        size, count = struct.unpack_from("<HH", self.bytes, 58)
        sections = [struct.unpack_from("<IIQQQQIIQQ", self.bytes, table + size * i)
                    for i in range(count)]
        self.symbols = {}
        for _, kind, _, _, offset, length, link, _, _, entry in sections:
            if kind != SHT_SYMTAB:
                continue
            names = sections[link][4]
            for at in range(offset, offset + length, entry):
                name, info, _, _, address, extent = struct.unpack_from("<IBBHQQ", self.bytes, at)
                end = self.bytes.index(b"\0", names + name)
                text = self.bytes[names + name:end].decode()
                if text:
                    self.symbols[text] = Symbol(text, address, extent, info & 15 == STT_FUNC)

    def _read_instructions(self):
        listing = subprocess.run(["llvm-objdump", "-d", "--no-show-raw-insn", str(self.path)],
                                 check=True, capture_output=True, text=True).stdout
        lines = [(int(match[1], 16), match[2].strip()) for match in
                 re.finditer(r"^\s*([0-9a-f]{6,}):\s+(.*)$", listing, re.M)]
        following = [address for address, _ in lines[1:]] + [0]
        self.instructions = {}
        for (address, text), after in zip(lines, following):
            mnemonic, operands, indirect = parse_instruction(address, text)
            text = re.sub(r"\s+", " ", text.split("#")[0]).strip()
            self.instructions[address] = Instruction(address, mnemonic, operands, indirect, text,
                                                     after)
        self.functions = sorted((symbol for symbol in self.symbols.values() if symbol.is_function),
                                key=lambda symbol: symbol.address)
        self._starts = [function.address for function in self.functions]

    def address_of(self, name):
        return self.symbols[name].address

    def function_at(self, address):
        index = bisect_right(self._starts, address) - 1
        return self.functions[index] if index >= 0 else None

    def function_named(self, name):
        return next((function for function in self.functions if function.name == name), None)

    def end_of(self, function):
        """Where its last instruction ends; the assembler gives sizes, as the compiler does."""
        return function.address + function.size

    def body(self, function):
        at, end = function.address, self.end_of(function)
        while at < end and at in self.instructions:
            instruction = self.instructions[at]
            yield instruction
            at = instruction.next

    def name_at(self, address):
        function = self.function_at(address)
        return function.name if function else "?"

    def read(self, address, size):
        """Bytes of the image as they lie in memory; None outside of it."""
        for segment in self.segments:
            if segment.address <= address and address + size <= segment.end:
                offset = address - segment.address
                return segment.data[offset:offset + size].ljust(size, b"\0")
        return None

    def is_constant(self, address):
        return any(segment.address <= address < segment.end and not segment.flags & PF_W
                   for segment in self.segments)

    def is_text(self, address):
        return any(segment.address <= address < segment.end and segment.flags & PF_X
                   for segment in self.segments)

    def pointers(self, address, count):
        """Code addresses that stand one after the other in constant data, at most `count`."""
        found = []
        while len(found) < count and self.is_constant(address):
            word = self.read(address, 8)
            if word is None:
                break
            value, = struct.unpack("<Q", word)
            if not self.is_text(value):
                break
            found.append(value)
            address += 8
        return found
