# SPDX-License-Identifier: MIT
"""The harness must see a failure for what it is."""

import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "test"), str(ROOT / "ovmf")]

import kinds  # noqa: E402
from machine import Outcome  # noqa: E402

BOOTED = b"Limen: loaded, leaving boot services\r\n"


def guest(text, kind="exit", status=0):
    return kinds.judge_guest("suite", Outcome(kind, status, BOOTED + text))


class GuestTest(unittest.TestCase):
    def test_counts(self):
        result = guest(b"ok one\r\nok two\r\ndone 2\r\n")
        self.assertEqual((result.passed, result.failures), (2, []))

    def test_failure_keeps_its_reason(self):
        result = guest(b"ok one\r\nnot ok two: 3 is not 4\r\ndone 2\r\n", status=1)
        self.assertEqual((result.passed, result.failures), (1, [("two", "3 is not 4")]))

    def test_missing_done_fails(self):
        result = guest(b"ok one\r\n", kind="timeout")
        self.assertEqual(len(result.failures), 1)
        self.assertIn("never said 'done'", result.failures[0][1])

    def test_lost_line_fails(self):
        self.assertEqual(len(guest(b"ok one\r\ndone 2\r\n").failures), 1)

    def test_bad_end_after_done_fails(self):
        self.assertEqual(len(guest(b"ok one\r\ndone 1\r\n", kind="panic").failures), 1)

    def test_firmware_output_counts_for_nothing(self):
        outcome = Outcome("exit", 0, b"ok firmware\r\ndone 1\r\n")
        self.assertEqual(len(kinds.judge_guest("suite", outcome).failures), 1)


class UnitTest(unittest.TestCase):
    def test_counts(self):
        result = kinds.judge_unit("u", "u", 0, "1..2\nok 1 - a\nok 2 - b\n")
        self.assertEqual((result.passed, result.failures), (2, []))

    def test_failure_keeps_its_reason(self):
        result = kinds.judge_unit("u", "u", 1, "1..1\nnot ok 1 - a\n# 1 != 2\n# a.c:3\n")
        self.assertEqual(result.failures, [("a", "# 1 != 2\n# a.c:3")])

    def test_crash_fails(self):
        result = kinds.judge_unit("u", "u", -11, "1..2\nok 1 - a\n")
        self.assertEqual((result.passed, len(result.failures)), (1, 1))

    def test_two_groups(self):
        result = kinds.judge_unit("u", "u", 0, "1..1\nok 1 - a\n1..1\nok 1 - b\n")
        self.assertEqual((result.passed, result.failures), (2, []))

    def test_leak_after_all_passed_fails(self):
        self.assertEqual(len(kinds.judge_unit("u", "u", 23, "1..1\nok 1 - a\n").failures), 1)


class PythonTest(unittest.TestCase):
    def test_failure_is_named(self):
        output = ("test_a (t.A.test_a) ... ok\ntest_b (t.A.test_b) ... FAIL\n\n" + "=" * 70 +
                  "\nFAIL: test_b (t.A.test_b)\n" + "-" * 70 + "\nTraceback\nAssertionError\n\n" +
                  "-" * 70 + "\nRan 2 tests\n")
        result = kinds.judge_python("p", 1, output)
        self.assertEqual(result.passed, 1)
        self.assertEqual([name for name, _ in result.failures], ["test_b"])

    def test_import_error_fails(self):
        self.assertEqual(len(kinds.judge_python("p", 1, "ImportError\n").failures), 1)


class BootTest(unittest.TestCase):
    def judge(self, outcome, **entry):
        return kinds.Boot("b", **entry).judge(outcome)

    def test_expected_output(self):
        result = self.judge(Outcome("exit", 0, BOOTED + b"hello\r\n"), expect=["^hello$"])
        self.assertEqual(result.passed, 1)

    def test_missing_output_fails(self):
        result = self.judge(Outcome("exit", 0, BOOTED + b"help\r\n"), expect=["^hello$"])
        self.assertEqual(len(result.failures), 1)

    def test_other_end_fails(self):
        for outcome in (Outcome("exit", 1, BOOTED), Outcome("panic", 1, BOOTED),
                        Outcome("timeout", 1, BOOTED), Outcome("triple", 1, BOOTED)):
            self.assertEqual(len(self.judge(outcome).failures), 1, outcome.kind)


class CommandTest(unittest.TestCase):
    def test_status(self):
        self.assertEqual(kinds.Command("c", command="true").run().passed, 1)
        self.assertEqual(len(kinds.Command("c", command="false").run().failures), 1)

    def test_hang_is_ended(self):
        result = kinds.Command("c", seconds=1, command="cat <(sleep 1000)").run()
        self.assertIn("no end in 1 s", result.failures[0][1])


class DeclarationTest(unittest.TestCase):
    def test_lists_stand_for_every_combination(self):
        entry = {"name": "n", "cpu": ["max", "qemu64"], "mem": [64, 8192], "gfx": "none"}
        names = [one["name"] for one in kinds.expand(entry)]
        self.assertEqual(names, ["n, max, mem 64", "n, max, mem 8192", "n, qemu64, mem 64",
                                 "n, qemu64, mem 8192"])

    def test_a_pattern_stands_for_every_file(self):
        entry = {"name": "n", "source": "test/unit/efi_el?.c"}
        self.assertEqual([one["name"] for one in kinds.expand(entry)], ["n, efi_elf"])

    def test_a_pattern_without_files_is_an_error(self):
        with tempfile.NamedTemporaryFile("w", suffix=".toml") as file:
            file.write('[[unit]]\nname = "n"\nsource = "test/unit/nothing_*.c"\n')
            file.flush()
            with self.assertRaises(kinds.TestsError):
                kinds.load(Path(file.name))

    def test_unknown_key_is_an_error(self):
        with self.assertRaises(kinds.TestsError):
            kinds.make("boot", {"name": "n", "comand": "ps"})


if __name__ == "__main__":
    unittest.main()
