#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the linked kernel for instructions that must not be in it (docs/threshold.md).

    llvm-objdump -d --no-show-raw-insn kernel.elf | check_image.py

The compiler's flags forbid them too; this looks at what was really linked, assembly included.
"""
import re
import sys

RULES = [
    (re.compile(r"%[xyz]mm\d|%st|%mm\d"), "uses an extended register, which holds ring 3's state"),
    (re.compile(r"^f(?!ild|nclex|xsave|xrstor)"), "is floating-point"),
    (re.compile(r"^stac"), "opens SMAP"),
    (re.compile(r"-(0x)?[0-9a-f]+\(%rsp"), "reaches below RSP, where an interrupt writes"),
    (re.compile(r"^popf"), "sets flags from memory"),
]
# POPF is how entries set all flags, and how an NMI's frame is left without IRETQ.
ALLOWED = {
    "popf": {"_start", "exception_entry", "interrupt_entry", "ist_entry", "paranoid_entry",
             "paranoid_saved"},
}


def main():
    function, bad, seen = "?", 0, 0
    for line in sys.stdin:
        header = re.match(r"[0-9a-f]+ <(.*)>:", line)
        if header:
            function = header.group(1)
            continue
        instruction = re.match(r"\s*([0-9a-f]+):\s+(.*)", line)
        if not instruction:
            continue
        seen += 1
        text = instruction.group(2).strip()
        for rule, why in RULES:
            if not rule.search(text) or function in ALLOWED.get(text.split()[0].rstrip("q"), ()):
                continue
            print(f"{function} at {instruction.group(1)}: `{text}` {why}", file=sys.stderr)
            bad += 1
    if seen == 0:
        sys.exit("no instructions: is this the output of llvm-objdump -d?")
    sys.exit(1 if bad else 0)


main()
