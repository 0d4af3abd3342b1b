#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the tests that test/tests.toml declares, some at a time, and counts.

One line for each test as it ends, what a failed one had to say below its line, and last of all
`N passed, N failed`.  The exit status is 0 when nothing failed and something passed.
"""

import argparse
import concurrent.futures
import os
import re
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "ovmf"))

import kinds  # noqa: E402  (the path above is for its sake)
from machine import MachineError  # noqa: E402


def run_one(test):
    """Runs a test; whatever goes wrong in the harness is a failure of that test."""
    begin = time.monotonic()
    try:
        result = test.run()
    except (MachineError, OSError, RuntimeError) as error:
        result = kinds.Result(failures=[(test.name, str(error))])
    if not result.passed and not result.failures:
        result.failures.append((test.name, "it ran and tested nothing"))
    result.seconds = time.monotonic() - begin
    return result


def report(test, result):
    verdict = "FAILED" if result.failures else "ok"
    count = f" ({result.passed} of {result.total})" if result.total != 1 else ""
    print(f"{verdict:6} {test.name}{count}  {result.seconds:.1f} s", flush=True)
    for name, detail in result.failures:
        if name != test.name:
            print(f"       {name}:")
        print("".join(f"         {line}\n" for line in detail.rstrip().splitlines()), end="")
    for line in result.notes:
        print(f"       note: {line}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", type=Path, default=Path(__file__).with_name("tests.toml"))
    parser.add_argument("--only", default="", help="a regular expression that names must match")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()

    os.chdir(kinds.ROOT)
    try:
        tests = [test for test in kinds.load(options.tests) if re.search(options.only, test.name)]
    except kinds.TestsError as error:
        sys.exit(f"test: {options.tests}: {error}")
    if not tests:
        sys.exit(f"test: no test has a name that matches {options.only}")
    # Longest first, so that no worker is left alone with one at the end.
    tests.sort(key=lambda test: -test.seconds)

    passed = failed = 0
    printing = threading.Lock()
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as workers:
        running = {workers.submit(run_one, test): test for test in tests}
        for done in concurrent.futures.as_completed(running):
            result = done.result()
            with printing:
                report(running[done], result)
            passed += result.passed
            failed += len(result.failures)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
