# SPDX-License-Identifier: MIT
"""Tests of the program that judges the benchmark's figures."""

import contextlib
import io
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import bench  # noqa: E402  (the path above is for its sake)

OUTPUT = """unit: instructions
taken off each sample, for two time stamps: 5
                            min        p50        p99        max      n
null_syscall                 80         81         82         83   1000
max_irqs_off         not measured: this machine or this build cannot do it
"""
ROW = {"min": 80, "p50": 81, "p99": 82, "max": 83, "n": 1000}


def report(median):
    return {"unit": "instructions", "results": [{"name": "null_syscall", **ROW, "p50": median}]}


class Bench(unittest.TestCase):
    def wrong(self, median, ceilings):
        with mock.patch.object(bench, "load", return_value=ceilings), \
                contextlib.redirect_stdout(io.StringIO()):
            return list(bench.above_ceilings(report(median)))

    def test_rows_are_what_was_measured(self):
        self.assertEqual(bench.rows(OUTPUT), {"null_syscall": ROW})

    def test_the_ceiling_itself_is_allowed(self):
        self.assertEqual(self.wrong(81, {"null_syscall": 81}), [])

    def test_above_the_ceiling(self):
        self.assertRegex(self.wrong(82, {"null_syscall": 81})[0], "null_syscall takes 82 .* 81")

    def test_runs_that_agree(self):
        self.assertEqual(list(bench.differences(report(81), report(81))), [])

    def test_runs_that_differ(self):
        self.assertEqual(len(list(bench.differences(report(81), report(82)))), 1)

    def test_ceilings_and_records_are_of_known_names(self):
        for file in ("ceilings.toml", "recorded.toml"):
            self.assertLessEqual(set(bench.load(file)), set(bench.NAMES))


if __name__ == "__main__":
    unittest.main()
