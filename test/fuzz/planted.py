#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Plants bugs in the kernel (planted.toml) and sees that the fuzzer of system calls finds each.

    planted.py [WORD...]     those whose names contain one of these; all otherwise
"""

import os
import sys
import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "mutants"), str(HERE.parents[1] / "ovmf")]

import guards  # noqa: E402  (the path above is for the sake of these)
import mutants  # noqa: E402
from machine import BUILD, ROOT  # noqa: E402


# Half of what make test makes on the kernel with its checks.
CALLS = "suite=fuzz seed=1 calls=300000"


def find(bug, tree):
    """What the fuzzer says of a kernel with the bug, or nothing."""
    mutant = mutants.Mutant(bug["name"], "", bug["file"], bug["find"], bug["replace"])
    mutant.apply(tree.path)
    mutants.make_kernels(tree.path, [guards.CHECKED])
    outcome = guards.boot_tests(tree, CALLS)
    tree.restore(mutant)
    failure = outcome and guards.ENDED.search(outcome.serial)
    return failure and (failure[1] or failure[3]).decode(errors="replace")


def main():
    os.chdir(ROOT)
    bugs = tomllib.loads((HERE / "planted.toml").read_text(encoding="utf-8"))["bug"]
    words = sys.argv[1:]
    mutants.work_in(BUILD / "planted")
    mutants.take_pristine()
    tree = mutants.Tree("tree")
    missed = 0
    for bug in bugs:
        if words and not any(word in bug["name"] for word in words):
            continue
        said = find(bug, tree)
        missed += not said
        print(f"note: {bug['name']}: {said or 'NOT FOUND'}", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
