#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The kernel's symbol table, from `llvm-nm` of the image linked without it.

    symbols.py table NM-OUTPUT         writes assembly with the table to standard output
    symbols.py compare BEFORE AFTER    fails unless both list the same functions at the same addresses
"""
import sys

BOUNDS = ("kernel_text", "kernel_text_end")  # from link.ld, no functions


def functions(path):
    """(offset, name) of all code, sorted; of several names for an address, the first by name."""
    with open(path, encoding="ascii") as lines:
        symbols = [line.split() for line in lines]
    start = next(int(address, 16) for address, _, name in symbols if name == "kernel_text")
    found = {}
    for address, kind, name in symbols:
        if kind in "tT" and name not in BOUNDS:
            offset = int(address, 16) - start
            found[offset] = min(name, found.get(offset, name))
    return sorted(found.items())


def table(path):
    names = {}
    size = 0
    symbols = functions(path)
    print('\t.section .symbol_table, "a"\n\t.balign 4')
    for offset, name in symbols:
        if name not in names:
            names[name] = size
            size += len(name) + 1
        print(f"\t.long {offset:#x}, {names[name]}")
    print('\t.section .symbol_names, "a"')
    for name in names:
        print(f'\t.asciz "{name}"')
    print('\t.section .note.GNU-stack, "", @progbits')


def main():
    if len(sys.argv) == 3 and sys.argv[1] == "table":
        table(sys.argv[2])
    elif len(sys.argv) == 4 and sys.argv[1] == "compare":
        if functions(sys.argv[2]) != functions(sys.argv[3]):
            sys.exit("the symbol table moved the code it names: link.ld must place it last")
    else:
        sys.exit(__doc__)


main()
