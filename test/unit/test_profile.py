# SPDX-License-Identifier: MIT
"""Tests of what the profile makes of a trace."""

import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import expensive  # noqa: E402  (the path above is for its sake, and that of the next ones)
import laps  # noqa: E402
from program import Frame, Instruction, Program  # noqa: E402


def instructions(*texts, symbol="f"):
    return [Instruction(n, symbol, text) for n, text in enumerate(texts)]


class Kinds(unittest.TestCase):
    def kinds(self, text, function="f"):
        return expensive.kinds_of(Instruction(0, "f", text), (Frame(function, "f.c", 1),))

    def test_plain(self):
        for text in ("movl $1, %esi", "movq %rax, %gs:8", "xchgq %rax, %rbx", "movq %cr3, %rax",
                     "movw %ds, %ax", "incl 8(%rdi)", "insertq $1, $2, %xmm0"):
            self.assertEqual(self.kinds(text), [], text)

    def test_address_space(self):
        self.assertEqual(self.kinds("movq %rax, %cr3"), ["mov_cr3", "serialising"])
        self.assertEqual(self.kinds("movq %rax, %cr8"), [])
        self.assertEqual(self.kinds("invlpg (%rax)"), ["invlpg", "serialising"])

    def test_locked(self):
        for text in ("lock incl (%rax)", "xchgl %eax, (%rdi)", "xchgq %rax, %gs:8"):
            self.assertEqual(self.kinds(text), ["locked"], text)

    def test_ways_in_and_out(self):
        self.assertEqual(self.kinds("iretq"), ["iretq", "serialising"])
        self.assertEqual(self.kinds("sysretq"), ["sysret"])
        self.assertEqual(self.kinds("swapgs"), ["swapgs"])

    def test_segments(self):
        self.assertEqual(self.kinds("movl %eax, %ds"), ["segment"])
        self.assertEqual(self.kinds("ltrw %ax"), ["segment", "serialising"])

    def test_devices(self):
        self.assertEqual(self.kinds("outb %al, %dx"), ["port_io"])
        self.assertEqual(self.kinds("rep outsb (%rsi), %dx"), ["port_io"])
        self.assertEqual(self.kinds("movl $0, 176(%rax)", "apic_write"), ["apic"])
        self.assertEqual(self.kinds("movq 8(%rax), %rax", "apic_write"), [])


class Programs(unittest.TestCase):
    SOURCE = """
        .globl f
        .type f, @function
        f:
        label:
            lock incl (%rdi)
            ret
        .size f, . - f
    """

    def test_a_prefix_is_part_of_its_instruction(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "f.o"
            subprocess.run(["clang", "-c", "-x", "assembler", "-", "-o", path], check=True,
                           input=self.SOURCE, text=True)
            listed = Program(path).those_of("f")
        self.assertEqual([i.text for i in listed], ["lock incl (%rdi)", "retq"])


class Traces(unittest.TestCase):
    def test_the_time_stamps_do_not_count(self):
        executed = instructions("swapgs", "rdtsc")
        traced = laps.Trace("name", tuple(executed),
                            {0: (Frame("f", "f.c", 1),), 1: (Frame(laps.STAMP, "f.h", 1),)}, 1)
        counts = expensive.counts_of(traced)
        self.assertEqual({kind: n for kind, n in counts.items() if n}, {"swapgs": 1})

    def test_what_faults_has_not_been_executed(self):
        fault = instructions("movl (%rax), %ecx")
        stub = instructions("pushq $14", "jmp", symbol="vector_stubs")
        entry = instructions("pushq %r11", symbol="exception_entry")
        self.assertEqual(list(laps.completed(fault + stub + entry)), stub + entry)

    def test_what_is_interrupted_has(self):
        user = instructions("jmp")
        stub = instructions("pushq $0", "pushq $48", "jmp", symbol="vector_stubs")
        entry = instructions("pushq %r11", symbol="interrupt_entry")
        self.assertEqual(list(laps.completed(user + stub + entry)), user + stub + entry)


if __name__ == "__main__":
    unittest.main()
