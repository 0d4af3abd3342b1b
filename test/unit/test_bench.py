# SPDX-License-Identifier: MIT
"""Tests of what the benchmark makes of that which guests print: figures, a table, a verdict."""

import contextlib
import io
import re
import sys
import unittest
from pathlib import Path
from unittest import mock

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "bench"))

import bench  # noqa: E402  (the path above is for these)
import figures  # noqa: E402
import limen  # noqa: E402
import linux  # noqa: E402
import report as reports  # noqa: E402
from machine import MachineError, Settings  # noqa: E402

OUTPUT = """unit: instructions
taken off each sample, for two time stamps: 5
                            min        p50        p99        max      n
null_syscall                 80         81         82         83    100
histogram null_syscall 80:1 81:50 82:48 83:1
max_irqs_off         not measured: this machine or this build cannot do it
"""
ROW = {"min": 80, "p50": 81, "p99": 82, "max": 83, "n": 100,
       "histogram": [[80, 1], [81, 50], [82, 48], [83, 1]]}

LINUX = """[    0.5] something of the kernel's own
system: Linux 6.1.0 #1 SMP
command line: console=ttyS0 quiet
processor: QEMU TCG
vulnerability meltdown: Not affected
vulnerability spectre_v2: Mitigation: Retpolines
vulnerability l1tf: Not affected
unit: instructions
taken off each sample, for two time stamps: 5
null_syscall/getppid        323        323        323        323    100
histogram null_syscall/getppid 323:100
null_syscall/getuid-fifo    320        324        324        324    100
histogram null_syscall/getuid-fifo 320:1 324:99
"""


def report(median=81, their=LINUX):
    return {"unit": "instructions", "overhead": 5, "calibration": 7,
            "conditions": {"emulator": "QEMU", "mitigations": "none"},
            "results": [{"name": "null_syscall", **ROW, "p50": median},
                        {"name": "boot_to_init", **ROW}],
            "linux": linux.read(their, "instructions") if their else {"missing": "no network"}}


class Figures(unittest.TestCase):
    def unreadable(self, text, why):
        with self.assertRaisesRegex(figures.Unreadable, why):
            figures.rows(text)

    def test_rows_are_what_was_measured(self):
        self.assertEqual(figures.rows(OUTPUT), {"null_syscall": ROW})

    def test_a_percentile_is_the_smallest_that_enough_do_not_exceed(self):
        self.assertEqual(figures.percentile([[1, 1], [2, 1], [3, 1]], 50), 2)

    def test_a_row_without_its_histogram(self):
        self.unreadable(OUTPUT.replace("histogram", "histo gram"), "no histogram of null_syscall")

    def test_a_histogram_with_a_digit_lost(self):
        self.unreadable(OUTPUT.replace("81:50", "81:5"), "not those of its histogram")

    def test_a_figure_with_a_digit_lost(self):
        self.unreadable(OUTPUT.replace(" 82 ", "  8 "), "not those of its histogram")

    def test_a_histogram_out_of_order(self):
        self.unreadable(OUTPUT.replace("80:1 81:50", "81:50 80:1"), "not those of its histogram")

    def test_a_row_twice(self):
        self.unreadable(OUTPUT + OUTPUT, "null_syscall twice")


class LimenGuest(unittest.TestCase):
    def measure(self, unit, icount, names):
        lines = [f"unit: {unit}" if unit else "unit: the emulator's ticks, which mean nothing"]
        lines += ["taken off each sample, for two time stamps: 5",
                  "taken off boot_to_init, for calibrating clocks: 7"]
        for name in names:
            lines += [f"{name} 80 80 80 80 1", f"histogram {name} 80:1"]
        text = "\n".join(lines) + "\n"
        with mock.patch.object(limen, "run_guest", side_effect=[text, ""]):
            return limen.measure(Settings(icount=icount))

    def test_each_unit_on_its_machine(self):
        for unit, icount in (("instructions", True), ("TSC ticks", False)):
            found = self.measure(unit, icount, limen.NAMES)
            self.assertEqual((found["unit"], len(found["results"])), (unit, len(limen.NAMES)))

    def test_no_cycles_under_emulation_and_no_figures_without_a_unit(self):
        for unit, icount in (("cycles", True), ("instructions", False), ("", True), ("", False)):
            with self.assertRaisesRegex(MachineError, "the guest should count"):
                self.measure(unit, icount, limen.NAMES)

    def test_cycles_leave_out_what_only_the_clock_counts(self):
        found = self.measure("cycles", False, limen.NAMES[:-1])
        self.assertNotIn("boot_to_init", [row["name"] for row in found["results"]])

    def test_what_was_not_measured_is_named(self):
        with self.assertRaisesRegex(MachineError, "not measured: null_syscall, boot_to_init"):
            self.measure("instructions", True, limen.NAMES[1:-1])


class LinuxGuest(unittest.TestCase):
    def refused(self, text, why):
        with self.assertRaisesRegex(MachineError, why):
            linux.read(text, "instructions")

    def test_what_it_says(self):
        found = linux.read(LINUX, "instructions")
        self.assertEqual(found["system"], "Linux 6.1.0 #1 SMP")
        self.assertEqual(found["vulnerabilities"]["spectre_v2"], "Mitigation: Retpolines")
        self.assertEqual([(row["name"], row["way"], row["p50"]) for row in found["results"]],
                         [("null_syscall", "getppid", 323), ("null_syscall", "getuid-fifo", 324)])

    def test_another_unit(self):
        self.refused(LINUX.replace("unit: instructions", "unit: none"), "counts none")

    def test_garbage_is_shown(self):
        self.refused("Kernel panic - not syncing", "(?s)what it counts.*Kernel panic")

    def test_garbage_in_a_row(self):
        self.refused(LINUX.replace("323:100", "32"), "no histogram of null_syscall/getppid")

    def test_nothing_measured(self):
        with mock.patch.object(linux, "measure", return_value={"results": []}), \
                self.assertRaisesRegex(MachineError, "did not measure null_syscall"):
            bench.measure_linux(None, {"unit": "instructions", "results": report()["results"]})

    def test_fewer_samples_than_limen(self):
        theirs = linux.read(LINUX.replace("323:100", "323:99").replace("323    100", "323     99"),
                            "instructions")
        with mock.patch.object(linux, "measure", return_value=theirs), \
                self.assertRaisesRegex(MachineError, "99 samples of null_syscall, and Limen 100"):
            bench.measure_linux(None, {"unit": "instructions", "results": report()["results"]})

    def test_no_network_leaves_it_out(self):
        reason = linux.Unavailable("apt-get failed: no route")
        with mock.patch.object(linux, "measure", side_effect=reason):
            self.assertEqual(bench.measure_linux(None, {"unit": "", "results": []}),
                             {"missing": "apt-get failed: no route"})

    def test_a_failure_of_apt_is_a_reason(self):
        with mock.patch.object(linux, "DIRECTORY", Path("/")), \
                self.assertRaisesRegex(linux.Unavailable, "^sh -c .* failed: no route$"):
            linux.output_of("sh", "-c", "echo no route >&2; exit 100")


class Table(unittest.TestCase):
    def test_the_least_way_is_beside_and_the_ratio_is_of_medians(self):
        self.assertRegex(reports.text(report()), r"(?m)^null_syscall +80 +81 +82 +83 +100"
                                                 r" +323 +323 +323 +323 +4\.0  getppid +227-280")

    def test_other_ways_are_shown(self):
        self.assertRegex(reports.text(report()), r"(?m)^null_syscall +getuid-fifo +320 +324 ")

    def test_what_linux_does_not_do_is_empty(self):
        self.assertRegex(reports.text(report()), r"(?m)^boot_to_init +80 +81 +82 +83 +100$")

    def test_without_linux_its_columns_are_empty_and_say_why(self):
        text = reports.text(report(their=None))
        self.assertRegex(text, r"(?m)^Linux +not measured: no network$")
        self.assertRegex(text, r"(?m)^null_syscall +80 +81 +82 +83 +100 +227-280")

    def test_overheads_and_mitigations_are_said(self):
        text = reports.text(report())
        self.assertEqual(len(re.findall("two time stamps cost 5", text)), 2)
        self.assertIn("spectre_v2: Mitigation: Retpolines; meltdown, l1tf: Not affected", text)

    def test_nothing_recorded_stands_beside_cycles(self):
        self.assertNotIn("227", reports.text(report() | {"unit": "cycles"}))


class Verdict(unittest.TestCase):
    def wrong(self, median, ceilings):
        with mock.patch.object(reports, "load", return_value=ceilings), \
                contextlib.redirect_stdout(io.StringIO()):
            return list(bench.above_ceilings(report(median)))

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
            self.assertLessEqual(set(reports.load(file)), set(limen.NAMES))


if __name__ == "__main__":
    unittest.main()
