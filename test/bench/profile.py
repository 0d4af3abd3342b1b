#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows the instructions of one benchmark's lap in the order in which they are executed, each with
the line of source that it comes from, and how many each function has.

    profile.py NAME...     all benchmarks that can be traced when none is named
"""

import argparse
import itertools
import linecache
import sys
from collections import Counter

from expensive import counts_of, kinds_of
from laps import OPERATIONS, ROOT, TraceError, trace
from machine import MachineError, Settings
from remote import RemoteError

WIDTH = 110
TEXT = 64  # where what makes an instruction expensive stands


def source_line(frames):
    """Where an instruction comes from, and what stands there."""
    if not frames[0].line:
        return "(no line of its own)"
    text = linecache.getline(str(ROOT / frames[0].file), frames[0].line).strip()
    inlined = "".join(f" < {frame.function}:{frame.line}" for frame in frames[1:])
    return f"{frames[0].file}:{frames[0].line}{inlined}".ljust(TEXT - 14) + f"  {text}"


def instruction_line(run, frames):
    """One instruction, which a REP prefix may have executed again and again."""
    instruction, times = run[0], len(run)
    text = instruction.text + (f"   x {times}" if times > 1 else "")
    marks = " ".join(kinds_of(instruction, frames))
    return f"{'':8}{instruction.address:16x}  {text:{TEXT - 26}} {marks}".rstrip()


def listing(traced):
    for symbol, visit in itertools.groupby(traced.instructions, lambda i: i.symbol):
        visit = list(visit)
        yield f"{len(visit):6} {symbol} ".ljust(WIDTH, "-")
        for frames, line in itertools.groupby(visit, lambda i: traced.frames[i.address]):
            yield f"    {source_line(frames)}"
            for _, run in itertools.groupby(line):
                yield instruction_line(list(run), frames)


def functions(traced):
    """How many instructions each function has, and of these what was inlined into it."""
    whole, parts = Counter(), Counter()
    for instruction in traced.instructions:
        frames = traced.frames[instruction.address]
        whole[instruction.symbol] += 1
        parts[instruction.symbol, frames[0].function, frames[0].file] += 1
    for symbol, count in whole.most_common():
        inside = [(name, file, part) for (of, name, file), part in parts.most_common()
                  if of == symbol]
        only = inside[0] if len(inside) == 1 else None
        yield f"{count:6}  {symbol:42}{only[1] if only else ''}".rstrip()
        for name, file, part in [] if only else inside:
            yield f"{'':10}{part:6}  {name:30}{file}"


def profile(traced):
    expensive = [f"{count} {kind}" for kind, count in counts_of(traced).items() if count]
    yield from listing(traced)
    yield ""
    yield " count  function, and what was inlined into it"
    yield from functions(traced)
    yield ""
    yield (f"{traced.name}: {traced.figure} instructions, and {traced.overhead} for the time stamps; "
           f"among them {', '.join(expensive) or 'nothing expensive'}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(OPERATIONS))
    names = parser.parse_args().names or list(OPERATIONS)
    unknown = [name for name in names if name not in OPERATIONS]
    if unknown:
        sys.exit(f"profile: OP={unknown[0]} is none of: {' '.join(OPERATIONS)}")
    try:
        traces = trace(Settings(), names)
    except (MachineError, RemoteError, TraceError) as error:
        sys.exit(f"profile: {error}")
    for traced in traces:
        print("\n".join(profile(traced)))


if __name__ == "__main__":
    main()
