# SPDX-License-Identifier: MIT
"""The pages in docs/ name tests: those must be there."""

import re
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT / "test")]

import invariants  # noqa: E402  (the path above is for its sake)


class NamesOfTests(unittest.TestCase):
    def test_each_test_of_the_guest_that_a_page_names_is_there(self):
        there = invariants.guest_tests()
        suites = "|".join({name.partition("/")[0] for name in there})
        for page in sorted((ROOT / "docs").rglob("*.md")):
            named = set(re.findall(rf"`((?:{suites})/\w+)`", page.read_text(encoding="utf-8")))
            self.assertEqual(named - there, set(), page.name)

    def test_each_attack_has_its_place_in_the_table(self):
        attacks = {name for name in invariants.guest_tests() if name.startswith("attack_")}
        page = (ROOT / "docs" / "attacks.md").read_text(encoding="utf-8")
        # It attacks nothing: it says on which processor the others ran.
        missing = {name for name in attacks - {"attack_model/says_which_processor_it_is"}
                   if f"`{name}`" not in page}
        self.assertEqual(missing, set())


if __name__ == "__main__":
    unittest.main()
