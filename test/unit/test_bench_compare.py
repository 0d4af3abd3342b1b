# SPDX-License-Identifier: MIT
"""Tests of what the benchmark says of two runs."""

import copy
import json
import sys
import tempfile
import unittest
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "bench"),
                str(Path(__file__).resolve().parents[2] / "ovmf")]

import compare  # noqa: E402  (the paths above are for this)

FIGURES = {"min": 100, "p50": 200, "p99": 300, "max": 400, "n": 1000}
REPORT = {
    "version": 2, "machine": "QEMU", "unit": "instructions",
    "conditions": {"processor": "-cpu max", "commit": "1111"},
    "results": [{"name": "null_syscall", **FIGURES}, {"name": "map_unmap", **FIGURES}],
    "linux": {"results": [{"name": "null_syscall", "way": "getppid", **FIGURES}]},
}


def altered(change):
    report = copy.deepcopy(REPORT)
    change(report)
    return report


class WhatMoved(unittest.TestCase):
    def text(self, change):
        return compare.text("OLD.json", REPORT, altered(change))

    def test_nothing(self):
        self.assertEqual(compare.text("OLD.json", REPORT, REPORT),
                         "Moved since OLD.json:\n  3 of 3 rows are what they were")

    def test_a_median(self):
        text = self.text(lambda new: new["results"][1].update(p50=190))
        self.assertRegex(text, r"(?m)^  map_unmap +p50 +200 +190 +-10 +-5\.0 %$")
        self.assertIn("2 of 3 rows are what they were", text)

    def test_of_linux(self):
        text = self.text(lambda new: new["linux"]["results"][0].update(p50=201, max=500))
        self.assertRegex(text, r"(?m)^  Linux null_syscall getppid +p50 +200 +201 +\+1 +\+0\.5 %$")
        self.assertNotIn("max", text)

    def test_from_nothing_has_no_percentage(self):
        self.assertEqual(compare.change(0, 5), ("+5", ""))

    def test_a_row_that_is_gone(self):
        self.assertRegex(self.text(lambda new: new["results"].pop()), "not in this run: map_unmap")

    def test_rows_that_are_new(self):
        text = self.text(lambda new: new["results"].append({"name": "irq_to_user", **FIGURES}))
        self.assertRegex(text, "not in OLD.json: irq_to_user")

    def test_another_commit_and_machine(self):
        text = self.text(lambda new: new["conditions"].update(commit="2222", processor="-cpu x"))
        self.assertIn("commit: 1111, now 2222", text)
        self.assertIn("processor: -cpu max, now -cpu x", text)

    def test_a_report_that_knows_less(self):
        old = altered(lambda old: [old.pop("conditions"), old.pop("linux")])
        text = compare.text("OLD.json", old, REPORT)
        self.assertIn("commit: (not said), now 1111", text)
        self.assertIn("2 of 3 rows are what they were", text)

    def test_another_unit_is_not_compared(self):
        text = self.text(lambda new: [new.update(unit="cycles"), new["results"][0].update(p50=1)])
        self.assertIn("no figure can be compared: it counts instructions", text)
        self.assertNotIn("p50", text)


class Base(unittest.TestCase):
    def load(self, content):
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory, "old.json")
            file.write_text(content, encoding="utf-8")
            return compare.load(str(file))

    def refused(self, content, why):
        with self.assertRaisesRegex(compare.Unusable, f"^BASE=.* is not a bench.json: {why}"):
            self.load(content)

    def test_a_report(self):
        self.assertEqual(self.load(json.dumps(REPORT)), REPORT)

    def test_no_file(self):
        with self.assertRaisesRegex(compare.Unusable, "^BASE=/none cannot be read: No such file"):
            compare.load("/none")

    def test_not_json(self):
        self.refused("{", "JSONDecodeError")

    def test_not_a_report(self):
        self.refused("[]", "TypeError")
        self.refused("{}", "KeyError")

    def test_no_rows(self):
        self.refused(json.dumps(altered(lambda old: old.update(results=[], linux={}))), "a name")

    def test_a_figure_that_is_none(self):
        self.refused(json.dumps(altered(lambda old: old["results"][0].update(p50="200"))), "a name")


if __name__ == "__main__":
    unittest.main()
