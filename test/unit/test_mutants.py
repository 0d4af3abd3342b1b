# SPDX-License-Identifier: MIT
"""Tests of what judges the guards: the table of invariants, and the runner of mutants."""

import copy
import sys
import tomllib
import unittest
from pathlib import Path
from unittest import mock

TEST = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(TEST), str(TEST / "mutants"), str(TEST.parent / "ovmf")]

import guards  # noqa: E402  (the path above is for the sake of these)
import invariants  # noqa: E402
import mutants  # noqa: E402

ROW = "guarded-stacks"


class Table(unittest.TestCase):
    """Each way in which a row can lack a guard, or a guard not be run, is told."""

    def setUp(self):
        self.rows = invariants.load()
        self.declared = tomllib.loads((TEST / "tests.toml").read_text(encoding="utf-8"))
        self.row = next(row for row in self.rows if row.name == ROW)

    def told(self):
        return "\n".join(invariants.missing_guards(self.rows, self.declared))

    def without(self, command):
        declared = copy.deepcopy(self.declared)
        declared["command"] = [entry for entry in declared["command"]
                               if not entry["command"].startswith(command)]
        self.declared = declared

    def test_nothing_is_missing(self):
        self.assertEqual(self.told(), "")

    def test_row_without_guards_of_a_kind(self):
        for kind in ("image", "run_time", "mutants"):
            with self.subTest(kind):
                self.setUp()
                setattr(self.row, kind, [])
                self.assertIn(f"{ROW}: no guard of the kind {kind}", self.told())

    def test_row_with_assertions_alone(self):
        self.row.run_time = ["assertion check_guards"]
        self.assertIn(f"{ROW}: assertions alone", self.told())

    def test_guards_that_are_not_there(self):
        self.row.image = ["crenels"]
        self.row.run_time = ["guest fault/nothing", "assertion check_nothing", "oops nothing",
                             "injection nothing"]
        told = self.told()
        for name in ("check crenels", *self.row.run_time):
            self.assertIn(f"{name}", told)

    def test_guards_that_make_test_does_not_run(self):
        for command, guard in (("test/entry/oops.py", "oops thread overflow"),
                               ("test/entry/inject.py", "injection null_system_call"),
                               ("test/entry/nested.py", "injection second_nmi")):
            with self.subTest(command):
                self.setUp()
                self.without(command)
                self.assertIn(f"{guard} is not there, or make test does not run it", self.told())

    def test_guests_tests_on_no_kernel_with_checks(self):
        for entry in self.declared["guest"]:
            entry["image"] = "build/test/boot.img"
        self.assertIn("guest fault/invalid_opcode is not there", self.told())

    def test_suites_of_a_machine_of_their_own(self):
        tests = invariants.guest_tests_with_checks(self.declared)
        self.assertIn("long/two_revoke_the_same", tests)
        self.assertNotIn("end/by_request", tests)

    def test_quick_mutants_that_make_test_does_not_run(self):
        self.without("test/mutants/mutants.py")
        told = "\n".join(invariants.wrong_mutants(self.declared))
        self.assertIn("tests.toml does not run the quick mutants", told)


class Runner(unittest.TestCase):
    def test_a_failure_is_seen_when_its_line_is_whole(self):
        self.assertIsNone(guards.ENDED.search(b"ok a/b\r\nnot ok a/c"))
        self.assertEqual(guards.ENDED.search(b"ok a/b\r\nnot ok a/c: why\r\n")[1], b"a/c: why")
        for how in (b"panic", b"cannot start"):
            found = guards.ENDED.search(b"Limen " + how + b": no more\r\n")
            self.assertEqual((found[2], found[3]), (how, b"no more"))

    def test_time_alone_tells_of_a_hang(self):
        for what in ("a/b: no end", "a/b: nothing ended the run in 30 seconds",
                     "path: the machine has not stopped in 30 s",
                     "a/b: it did not end within 60 s of the guest's time"):
            self.assertTrue(guards.Objection("guest", what).is_hang, what)
            self.assertTrue(str(guards.Objection("guest", what)).startswith("hang: "))
        self.assertFalse(guards.Objection("guest", "a/b: panic: no more").is_hang)

    def judge(self, mutated, unmutated):
        """What is said of a mutant, by what its guard says of it and of the kernel itself."""
        rows = {row.name: row for row in invariants.load()}
        with mock.patch.object(mutants, "Tree"):
            court = mutants.Court(rows, False)
        court.reference.tree = "reference"
        answers = {"reference": unmutated}
        mutant = mutants.Mutant("one", ROW, "", guards=["guest fault/invalid_opcode"])
        with mock.patch.object(guards, "RUNNERS", {
                "guest": lambda tree, test: answers.get(tree, mutated)}):
            return court.ask_at_run_time(mutant, "mutated")

    def test_a_failing_test_kills(self):
        self.assertEqual([str(found) for found in self.judge("a/b: panic", "a/b: no end")],
                         ["a/b: panic"])

    def test_a_hang_kills_when_the_kernel_itself_passes(self):
        self.assertEqual([str(found) for found in self.judge("a/b: no end", "")],
                         ["hang: a/b: no end"])

    def test_a_hang_says_nothing_when_the_kernel_itself_does_not_pass(self):
        with self.assertRaises(mutants.MutantError):
            self.judge("a/b: no end", "a/b: no end")

    def test_no_objection_is_a_survivor(self):
        self.assertEqual(self.judge("", ""), [])


if __name__ == "__main__":
    unittest.main()
