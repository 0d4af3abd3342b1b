# SPDX-License-Identifier: MIT
"""The disk image, how a run ended, and what the variables of make may hold."""

import os
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "ovmf"))

import image  # noqa: E402
import machine  # noqa: E402
import run  # noqa: E402


class ImageTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.folder = Path(scratch.name)

    def write(self, name, content, time):
        file = self.folder / "file"
        file.write_bytes(content)
        os.utime(file, (time, time))
        image.write_image(self.folder / name, {"limen/kernel.elf": file})
        return (self.folder / name).read_bytes()

    def test_same_files_give_the_same_bytes(self):
        first = self.write("one", b"kernel", 1_000_000_000)
        self.assertEqual(first, self.write("two", b"kernel", 1_500_000_000))
        self.assertNotEqual(first, self.write("three", b"Kernel", 1_000_000_000))

    def test_it_grows_with_its_files(self):
        self.assertGreater(len(self.write("big", bytes(64 << 20), 0)), 64 << 20)


class OutcomeTest(unittest.TestCase):
    def test_output_begins_after_the_loader(self):
        outcome = machine.Outcome("exit", 0, b"\x1b[2JBdsDxe\r\n"
                                  b"Limen: loaded, leaving boot services\r\nhello\r\n")
        self.assertEqual(outcome.output, "hello\n")
        self.assertNotIn("\x1b", outcome.log)

    def test_without_the_loader_there_is_no_output(self):
        self.assertEqual(machine.Outcome("timeout", 1, b"BdsDxe\r\n").output, "")


class VariablesTest(unittest.TestCase):
    def test_values_that_cannot_be(self):
        for name, value in (("MEM", "lots"), ("MEM", "0"), ("SMP", "-1"), ("ACCEL", "xen"),
                            ("MACHINE", "vax"), ("GFX", "cga")):
            with mock.patch.dict(os.environ, {name: value}), self.assertRaises(SystemExit):
                run.settings_from_environment("")

    def test_values_arrive(self):
        with mock.patch.dict(os.environ, {"MEM": "64", "CPU": "qemu64", "FAST": "0"}):
            settings = run.settings_from_environment("quiet")
        self.assertEqual((settings.mem, settings.cpu, settings.cmdline), (64, "qemu64", "quiet"))


if __name__ == "__main__":
    unittest.main()
