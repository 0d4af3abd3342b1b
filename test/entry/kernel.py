# SPDX-License-Identifier: MIT
"""What the injector knows of the kernel's image: its symbols, and how it leaves exceptions."""

import bisect
import re
import subprocess

VECTORS = 256
VECTOR_WORDS = 2  # of a struct vector; the first is the address
# Words of a frame below RIP (regs.h).
ORIGIN_TO_RIP = 2


class Symbols:
    """The symbols of an ELF file."""

    def __init__(self, path):
        self.path = path
        listed = subprocess.run(["llvm-nm", "--defined-only", "--print-size", path], check=True,
                                capture_output=True, text=True).stdout
        self.addresses, self.sizes = {}, {}
        for line in listed.splitlines():
            address, *size, _, name = line.split()
            self.addresses[name] = int(address, 16)
            self.sizes[name] = int(size[0], 16) if size else 0
        self.sorted = sorted((address, name) for name, address in self.addresses.items())

    def __getitem__(self, name):
        return self.addresses[name]

    def place(self, address):
        index = bisect.bisect(self.sorted, (address, "\x7f")) - 1
        if index < 0:
            return f"{address:#x}"
        start, name = self.sorted[index]
        return f"{name}+{address - start:#x}" if address - start < 0x10000 else f"{address:#x}"


class Image(Symbols):
    """The kernel."""

    def __init__(self, path):
        super().__init__(path)
        # All of entry.S.
        self.instructions = self._disassemble("_start", "vector_stubs")
        back = self._from("exit_same_gs", "iretq")
        jump = self._from("paranoid_entry", "retq")
        # The last instruction of each way out of a paranoid entry, and the one before.
        self.iret, self.ret = back[-1], jump[-1]
        self.before_iret, self.before_ret = back[-2], jump[-2]
        # From where on a frame of ring 3's is no longer on the stack of #DB or #MC.
        copied = self._from("ist_entry", "rep")[-1]
        self.after_copy = min(address for address in self.instructions if address > copied)
        # The idle loop: to be halted, and what comes after.
        self.halt = self["idle_loop"]
        self.awake = min(address for address in self.instructions if address > self.halt)

    def leaving(self, target):
        """Where to stop a handler that will leave to `target`; not there itself."""
        return {self.before_iret if target == self.iret else self.iret,
                self.before_ret if target == self.ret else self.ret}

    def _disassemble(self, first, last):
        """Two symbols, and all between: {address: instruction}."""
        listed = subprocess.run(
            ["llvm-objdump", "-d", "--no-show-raw-insn", f"--start-address={self[first]:#x}",
             f"--stop-address={self[last] + self.sizes[last]:#x}", self.path],
            check=True, capture_output=True, text=True).stdout
        return {int(match[1], 16): match[2]
                for match in re.finditer(r"^\s*([0-9a-f]+):\s+(.*)$", listed, re.M)}

    def _from(self, symbol, mnemonic):
        """Addresses from a symbol up to the first instruction of a kind."""
        found = []
        for address in sorted(self.instructions):
            if address >= self[symbol]:
                found.append(address)
                if self.instructions[address].split()[0] == mnemonic:
                    return found
        raise KeyError(f"{mnemonic} after {symbol}")

    def first(self, function, pattern):
        """The address of the first instruction of a function that matches."""
        listed = subprocess.run(
            ["llvm-objdump", "-d", "--no-show-raw-insn", f"--disassemble-symbols={function}",
             self.path], check=True, capture_output=True, text=True).stdout
        return int(re.search(rf"^\s*([0-9a-f]+):\s+{pattern}", listed, re.M)[1], 16)

    def vectors(self, remote):
        """The entry of each vector."""
        return remote.words(self["vector_table"], VECTORS * VECTOR_WORDS)[::VECTOR_WORDS]

    @staticmethod
    def is_kernel(address):
        return address >> 63 != 0

    def offsets(self, *members):
        """Of members of struct cpu, by gdb."""
        questions = [word for member in members
                     for word in ("-ex", f"print/d (long)&((struct cpu *)0)->{member}")]
        said = subprocess.run(["gdb", "--batch", "--nx", *questions, self.path], check=True,
                              capture_output=True, text=True).stdout
        return [int(number) for number in re.findall(r"^\$\d+ = (\d+)$", said, re.M)]

    def leaves(self, remote, registers):
        """(vector, RIP) of the frame by which the kernel is about to leave; no vector without."""
        rsp = registers.rsp
        if registers.rip == self.iret:
            words = remote.words(rsp - 8 * ORIGIN_TO_RIP, 3)
            return words[0], words[ORIGIN_TO_RIP]
        if registers.rip == self.before_iret:
            words = remote.words(rsp, 3)
            return words[0], words[ORIGIN_TO_RIP]
        return None, remote.words(rsp + 8 * (registers.rip == self.before_ret), 1)[0]
