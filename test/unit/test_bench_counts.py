# SPDX-License-Identifier: MIT
"""Tests of what holds the benchmark to the instructions that are recorded, and to flat costs."""

import sys
import tomllib
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import counts  # noqa: E402  (the path above is for these)
import growth  # noqa: E402

RECORD = {"instructions": 230, "expensive": {"mov_cr3": 2}, "functions": {"fast_call": 40, "go_on": 4}}


def changed(**changes):
    return RECORD | changes


class Recorded(unittest.TestCase):
    def wrong(self, now, name="ipc_roundtrip_0"):
        return list(counts.differences(name, RECORD, now))

    def test_the_same(self):
        self.assertEqual(self.wrong(RECORD), [])

    def test_one_instruction_more(self):
        wrong = self.wrong(changed(instructions=231, functions={"fast_call": 41, "go_on": 4}))
        self.assertEqual(wrong, ["ipc_roundtrip_0: 231 instructions, 230 are recorded",
                                 "        +1 fast_call, 41 now"])

    def test_one_instruction_fewer(self):
        wrong = self.wrong(changed(instructions=229, functions={"fast_call": 39, "go_on": 4}))
        self.assertEqual(wrong[1], "        -1 fast_call, 39 now")

    def test_another_function(self):
        wrong = self.wrong(changed(instructions=231,
                                   functions={"fast_call": 40, "come_on": 5}))
        self.assertEqual(wrong[1:], ["        +5 come_on, 5 now", "        -4 go_on, 0 now"])

    def test_the_same_number_by_other_functions(self):
        self.assertEqual(self.wrong(changed(functions={"fast_call": 44})), [])

    def test_an_expensive_instruction(self):
        wrong = self.wrong(changed(expensive={"mov_cr3": 2, "locked": 1}))
        self.assertIn("        +1 locked, 1 now", wrong)
        self.assertIn("ipc_roundtrip_0: 1 locked on the fast path, which may have 0", wrong)

    def test_the_fast_path_is_held_to_more_than_the_record(self):
        record = changed(expensive={"mov_cr3": 3})
        self.assertEqual(list(counts.differences("ipc_roundtrip_8", record, record)),
                         ["ipc_roundtrip_8: 3 mov_cr3 on the fast path, which may have 2"])
        self.assertEqual(list(counts.differences("map_unmap", record, record)), [])

    def test_a_record_can_be_read_again(self):
        records = {"ipc_roundtrip_0": RECORD, "map_unmap": changed(expensive={})}
        self.assertEqual(tomllib.loads(counts.written(records)), records)


class Growth(unittest.TestCase):
    def grown(self, first, last):
        return list(growth.grown({("map_unmap", "threads"): [[10, first], [1000, last]]}))

    def test_flat(self):
        self.assertEqual(self.grown(500, 510) + self.grown(500, 490) + self.grown(69, 70), [])

    def test_more_than_two_percent(self):
        self.assertEqual(self.grown(500, 511), ["map_unmap costs 500 with 10 threads, and 511 with 1000"])

    def test_any_point(self):
        points = [[0, 100], [10, 103], [100, 100], [1000, 97]]
        self.assertEqual(len(list(growth.grown({("map_unmap", "threads"): points}))), 2)

    def test_a_straight_line(self):
        self.assertEqual(list(growth.steeper([[0, 1000], [25, 1100], [50, 1200], [75, 1290]])), [])

    def test_steeper_than_a_line(self):
        self.assertEqual(len(list(growth.steeper([[0, 1000], [25, 1100], [50, 1300]]))), 1)


if __name__ == "__main__":
    unittest.main()
