# SPDX-License-Identifier: MIT
"""Tests of the benchmark's page: a browser can show it alone, whatever the report says."""

import copy
import re
import sys
import unittest
from html.parser import HTMLParser
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[1] / "bench"),
                str(Path(__file__).resolve().parents[2] / "ovmf")]

import page  # noqa: E402  (the paths above are for these)
import plot  # noqa: E402

ROW = {"min": 100, "p50": 200, "p99": 300, "max": 4000, "n": 4,
       "histogram": [[100, 1], [200, 1], [300, 1], [4000, 1]]}
REPORT = {
    "version": 2, "machine": "QEMU", "unit": "instructions", "overhead": 5, "calibration": 7,
    "conditions": {"emulator": "QEMU <7.2> & others", "mitigations": "none"},
    "results": [{"name": "null_syscall", **ROW}, {"name": "boot_to_init", **ROW, "n": 1}],
    "linux": {"system": "Linux 6.1", "command line": "quiet", "processor": "TCG", "overhead": 6,
              "vulnerabilities": {"meltdown": "Not affected"},
              "results": [{"name": "null_syscall", "way": "getppid", **ROW, "p50": 1234},
                          {"name": "null_syscall", "way": "getuid", **ROW, "p50": 5678}]},
}
GROWTH = [{"name": "null_syscall", "varies": "threads", "points": [[0, 68], [10000, 77]]},
          {"name": "null_syscall", "varies": "pages", "points": [[20, 68]]},
          {"name": "map_unmap", "varies": "threads", "points": [[0, 555]]}]
EXPENSIVE = {"null_syscall": {"wrmsr": 0, "swapgs": 2}, "map_unmap": {"invlpg": 1}}
VOID = {"meta", "br", "hr", "img", "input", "link"}


class Outline(HTMLParser):
    """Elements that are open, and what was seen."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.attributes, self.wrong, self.shown = [], [], [], [], ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.shown += data


def outline(**changes):
    report = copy.deepcopy(REPORT) | changes
    return Outline(page.page({name: value for name, value in report.items() if value is not None}))


class Page(unittest.TestCase):
    def test_each_element_ends_where_it_should(self):
        seen = outline(growth=GROWTH, expensive=EXPENSIVE)
        self.assertEqual((seen.open, seen.wrong), ([], []))

    def test_nothing_is_fetched_and_nothing_runs(self):
        text = page.page(REPORT | {"growth": GROWTH, "expensive": EXPENSIVE})
        self.assertNotRegex(text, r"https?:|//|url\(|@import|src=|href=|<script|<link| on\w+=")

    def test_what_a_report_says_is_text(self):
        seen = outline(linux={"missing": "<script>alert()</script>"})
        self.assertNotIn("script", seen.tags)
        self.assertIn("<script>alert()</script>", seen.shown)
        self.assertIn("QEMU <7.2> & others", seen.shown)

    def test_names_within_the_page_are_its_own_and_unique(self):
        seen = outline(growth=GROWTH)
        names = [value for name, value in seen.attributes if name == "id"]
        self.assertEqual(len(names), len(set(names)))
        labels = [value for name, value in seen.attributes if name == "aria-labelledby"]
        self.assertEqual(len(labels), seen.tags.count("svg"))
        self.assertLessEqual(set(labels), set(names))

    def test_it_says_its_language_and_tells_headers_from_cells(self):
        seen = outline(expensive=EXPENSIVE)
        self.assertIn(("lang", "en"), seen.attributes)
        scopes = [value for name, value in seen.attributes if name == "scope"]
        self.assertEqual(len(scopes), seen.tags.count("th"))

    def test_figures_of_both_kernels_and_the_ratio(self):
        seen = outline()
        for figure in ("200", "1,234", "6.2×", "5,678", "getppid"):
            self.assertIn(figure, seen.shown)

    def test_a_bar_for_each_kernel_and_a_histogram_where_there_are_samples(self):
        self.assertEqual(outline().tags.count("svg"), 2)

    def test_without_linux_it_says_why_and_shows_limen(self):
        seen = outline(linux={"missing": "no network"})
        self.assertIn("Linux was not measured: no network", seen.shown)
        self.assertEqual(seen.tags.count("svg"), 1)

    def test_growth_and_expensive_instructions_are_shown_where_they_are_known(self):
        seen = outline(growth=GROWTH, expensive=EXPENSIVE)
        for words in ("How cost grows", "Expensive instructions", "swapgs", "invlpg"):
            self.assertIn(words, seen.shown)
            self.assertNotIn(words, outline().shown)

    def test_growth_is_a_picture_for_each_operation_and_a_cell_for_each_point(self):
        seen, without = outline(growth=GROWTH), outline()
        self.assertEqual(seen.tags.count("svg") - without.tags.count("svg"), 2)
        self.assertEqual(seen.tags.count("polyline"), 3)
        self.assertEqual(seen.tags.count("td") - without.tags.count("td"), 1 + 2 * 3)
        for words in ("68 to 77", "555"):
            self.assertIn(words, seen.shown)

    def test_more_things_that_vary_than_there_are_styles(self):
        many = [dict(GROWTH[0], varies=str(i)) for i in range(9)]
        self.assertEqual(outline(growth=many).tags.count("polyline"), 9)

    def test_instructions_that_none_executes_are_named_once(self):
        seen = outline(expensive=EXPENSIVE)
        self.assertIn("none executes any of: wrmsr.", seen.shown)
        self.assertEqual(seen.shown.count("wrmsr"), 1)
        self.assertEqual(seen.tags.count("td") - outline().tags.count("td"), 2 * 2)

    def test_light_and_dark_have_the_same_colours_to_choose(self):
        style = page.STYLE.read_text(encoding="utf-8")
        light, dark = (set(re.findall(r"--\w+(?=:)", colours))
                       for colours in re.findall(r":root \{(.*?)\}", style, re.S))
        self.assertEqual(light, dark)


class Scale(unittest.TestCase):
    def test_whole_decades_hold_all_values(self):
        scale = plot.LogScale([23, 4567], 0, 300)
        self.assertEqual(scale.ticks(), [10, 100, 1000, 10000])
        self.assertEqual([round(scale.at(tick)) for tick in scale.ticks()], [0, 100, 200, 300])

    def test_one_value_and_nothing_at_all_have_a_decade(self):
        self.assertEqual(plot.LogScale([100], 0, 1).ticks(), [100, 1000])
        self.assertEqual(plot.LogScale([0], 0, 1).ticks(), [1, 10])

    def test_each_sample_is_in_one_column(self):
        scale = plot.LogScale([100, 1000], 0, 300)
        self.assertEqual(plot.binned([[100, 5], [101, 6], [1000, 7]], scale), {0: 11, 100: 7})


if __name__ == "__main__":
    unittest.main()
