#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Checks the models of the kernel with Spin: model.py MODEL...

Each model must hold in every state it can reach, none of its lines unreached; and each of its
variants BROKEN_..., which a line of the kernel has been taken out of, must be found wrong, or the
model could not find that line missing.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Deeper than any path of the models; pan says so where that is no longer true.
DEPTH = 3000000
SECONDS = 300


def check(model, variant, scratch):
    """pan's report on a model, or on one of its broken variants."""
    define = [f"-D{variant}"] if variant else []
    subprocess.run(["spin", "-a", *define, model], cwd=scratch, check=True)
    # Atomic transitions leave nothing for partial-order reduction to do.  What is wrong is found
    # sooner than a compiler has optimised, and in few states.
    subprocess.run(["clang", "-O0" if variant else "-O1", "-w", "-DSAFETY", "-DNOREDUCE", "-DSFH",
                    "-o", "pan", "pan.c"], cwd=scratch, check=True)
    done = subprocess.run(["./pan", f"-m{DEPTH}", "-w20" if variant else "-w24"], cwd=scratch,
                          timeout=SECONDS, capture_output=True, text=True, check=True)
    return done.stdout


def check_whole(model, scratch):
    report = check(model, None, scratch)
    states = re.search(r"^ *(\d+) states, stored", report, re.M)
    errors = re.search(r"errors: (\d+)$", report, re.M)
    if "max search depth too small" in report:
        return f"{model.name}: a path is longer than {DEPTH} steps\n{report}"
    if not errors or errors[1] != "0":
        trail = subprocess.run(["spin", "-t", "-p", "-g", model], cwd=scratch, check=True,
                               capture_output=True, text=True).stdout
        return f"{model.name} is violated:\n{report}\nThe last steps:\n{trail[-6000:]}"
    unreached = re.findall(r"^\t(\S+:\d+), state .*$", report, re.M)
    if unreached:
        return f"{model.name}: nothing leads to {', '.join(unreached)}"
    print(f"note: {model.name} holds in {states[1]} states")
    return None


def check_broken(model, variant, scratch):
    report = check(model, variant, scratch)
    if "assertion violated" not in report:
        return f"{model.name} does not notice {variant}:\n{report}"
    print(f"note: {model.name} notices {variant}")
    return None


def parts_of(source):
    """A model's files: its own, and those that it includes."""
    included = re.findall(r'^#include "(\S+)"$', source.read_text("utf-8"), re.M)
    return [source, *(HERE / name for name in included)]


def main():
    failures = []
    for name in sys.argv[1:]:
        source = HERE / f"{name}.pml"
        parts = parts_of(source)
        text = "".join(part.read_text("utf-8") for part in parts)
        variants = sorted(set(re.findall(r"\bBROKEN_[A-Z_]+[A-Z]\b", text)))
        with tempfile.TemporaryDirectory() as scratch:
            model = Path(scratch, source.name)
            for part in parts:
                os.symlink(part, Path(scratch, part.name))
            failures.append(check_whole(model, scratch))
            failures += [check_broken(model, variant, scratch) for variant in variants]
        if not variants:
            failures.append(f"{name}: a model with no broken variant cannot be seen to fail")
    failures = [failure for failure in failures if failure]
    print("\n".join(failures), file=sys.stderr)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
