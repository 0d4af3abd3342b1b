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
    "expensive": {"null_syscall": {"wrmsr": 0, "swapgs": 2}},
    "growth": [{"name": "map_unmap", "varies": "threads", "points": [[10, 200], [1000, 201]]}],
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

    def test_figures_that_moved_alike_share_a_line(self):
        text = self.text(lambda new: new["results"][1].update(p99=0, n=0, max=1))
        self.assertRegex(text, r"(?m)^  map_unmap +p99 +300 +0 ")
        self.assertRegex(text, r"(?m)^  map_unmap +max +400 +1 ")
        old = altered(lambda old: old["results"][1].update(p50=7, p99=7))
        new = altered(lambda new: new["results"][1].update(p50=8, p99=8))
        text = compare.text("OLD.json", old, new)
        self.assertRegex(text, r"(?m)^  map_unmap +p50 p99 +7 +8 +\+1 ")

    def test_of_linux(self):
        text = self.text(lambda new: new["linux"]["results"][0].update(p50=201, max=500))
        self.assertRegex(text, r"(?m)^  Linux null_syscall getppid +p50 +200 +201 +\+1 +\+0\.5 %$")
        self.assertNotIn("max", text)

    def test_expensive_instructions(self):
        text = self.text(lambda new: new["expensive"]["null_syscall"].update(wrmsr=1))
        self.assertRegex(text, r"(?m)^  null_syscall +wrmsr +0 +1 +\+1$")

    def test_growth(self):
        text = self.text(lambda new: new["growth"][0].update(points=[[10, 200], [1000, 301]]))
        self.assertRegex(text, r"(?m)^  map_unmap +p50 with 1000 threads +201 +301 +\+100 ")

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
        old = altered(lambda old: [old.pop(name) for name in
                                   ("conditions", "linux", "expensive", "growth")])
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
        self.refused('{"unit": "cycles", "machine": "QEMU", "results": []}', "a name")

    def test_a_figure_that_is_none(self):
        self.refused(json.dumps(altered(lambda old: old["results"][0].update(p50="200"))), "a name")
        self.refused(json.dumps(altered(lambda old: old.update(unit=3))), "a name")


if __name__ == "__main__":
    unittest.main()
