# SPDX-License-Identifier: MIT
"""The manifest compiler: what it accepts, and where it says a mistake is."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "servers"))

from archive import archive  # noqa: E402
from manifest import C, Manifest, ManifestError  # noqa: E402

GOOD = """\
# a comment
[console]
priority = 200
memory = "128K"
ports = { uart = "0x3f8-0x3ff" }
interrupts = { uart = 4 }
provides = "console"
kernel = ["log"]
restart = "always"

[shell]
binary = "sh"
priority = 100
memory = "1M"
services = ["console", "process"]
arguments = ["-v", "x y"]
"""


class Compiling(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.path = pathlib.Path(folder.name) / "manifest.toml"

    def read(self, text):
        self.path.write_text(text)
        return Manifest(self.path)

    def refused(self, line, words, text):
        with self.assertRaises(ManifestError) as caught:
            self.read(text)
        message = str(caught.exception)
        self.assertIn(words, message)
        self.assertTrue(message.startswith(f"{self.path}:{line}: "), message)

    def changed(self, line, words, old, new):
        """Refused at that line when the good manifest is changed like that."""
        self.assertIn(old, GOOD)
        self.refused(line, words, GOOD.replace(old, new))

    def test_a_good_one(self):
        manifest = self.read(GOOD)
        console, shell = manifest.servers
        self.assertEqual((console.name, console.binary, shell.binary), ("console", "console", "sh"))
        self.assertEqual((console.memory_order, shell.memory_order), (17, 20))
        self.assertEqual([(g.name, g.first, g.last) for g in console.grants],
                         [("uart", 0x3F8, 0x3FF), ("uart", 4, 0), ("console", 0, 0),
                          ("log", C["LIMEN_KERNEL_GRANT_LOG"], 0)])
        self.assertEqual((console.state_order, shell.state_order), (0, 0))
        kept = self.read(GOOD.replace('memory = "1M"\n', 'memory = "1M"\nstate = "16K"\n'))
        self.assertEqual(kept.servers[1].state_order, 14)
        self.assertEqual((console.budget, console.period), (0, 0))
        limited = self.read(GOOD.replace('memory = "1M"\n', 'memory = "1M"\nbudget = "500us"\n'
                                         'period = "10ms"\n'))
        self.assertEqual((limited.servers[1].budget, limited.servers[1].period), (500, 10000))
        packed = manifest.pack()
        self.assertEqual(len(packed), C["LIMEN_MANIFEST_HEADER_SIZE"]
                         + 2 * C["LIMEN_MANIFEST_SERVER_SIZE"])
        self.assertEqual(packed, self.read(GOOD).pack())
        self.assertIn(b"-v\0x y\0", packed)

    def test_the_manifest_of_this_repository(self):
        manifest = Manifest(ROOT / "servers/manifest.toml")
        self.assertIn("shell", [server.name for server in manifest.servers])

    def test_keys(self):
        self.changed(9, "unknown key restarts", 'restart = "always"', 'restarts = "always"')
        self.changed(4, "unknown key color", 'memory = "128K"\n', 'color = 3\nmemory = "128K"\n')
        self.changed(11, "the key priority is missing", "priority = 100\n", "")
        self.changed(13, "not of type int", "priority = 100", 'priority = "100"')
        self.changed(13, "not of type int", "priority = 100", "priority = true")
        self.changed(15, "not of type list", 'services = ["console", "process"]',
                     'services = "console"')
        self.changed(15, "not a list of strings", '"process"]', "3]")

    def test_values(self):
        self.changed(13, "within 0 to 254", "priority = 100", "priority = 255")
        self.changed(14, "power of two", '"1M"', '"3M"')
        self.changed(14, "power of two", '"1M"', '"32K"')
        self.changed(14, "power of two", '"1M"', '"1024M"')
        self.changed(14, "power of two", '"1M"', '"1G"')
        for size in ('"2K"', '"2M"', '"12K"'):
            self.changed(15, "state = ", 'memory = "1M"\n', f'memory = "1M"\nstate = {size}\n')
        for line, words, budget, period in (
                (15, "want a time like", "2s", "10ms"), (16, "want a time like", "2ms", "10"),
                (15, "longer than the period", "11ms", "10ms"),
                (16, "not within 100us", "50us", "99us"),
                (16, "not within 100us", "1ms", "1000001ms")):
            self.changed(line, words, 'memory = "1M"\n', 'memory = "1M"\n'
                         f'budget = "{budget}"\nperiod = "{period}"\n')
        self.changed(11, "the key period is missing", 'memory = "1M"\n',
                     'memory = "1M"\nbudget = "1ms"\n')
        self.changed(9, "none of never, on-fault, always", '"always"', '"sometimes"')
        self.changed(8, "known are log, counters", '["log"]', '["everything"]')
        self.changed(5, "first-last", "0x3f8-0x3ff", "0x3ff-0x3f8")
        self.changed(5, "first-last", "0x3f8-0x3ff", "0x3f8-0x10000")
        self.changed(5, "first-last", "0x3f8-0x3ff", "com1")
        self.changed(6, "a line from 0 to 255", "uart = 4", "uart = 256")
        self.changed(12, "too long", '"sh"', f'"{"x" * 32}"')
        self.changed(16, "there is room for 256", '"x y"', f'"{"x" * 256}"')

    def test_names(self):
        self.changed(11, "is no name", "[shell]", "[Shell]")
        self.changed(11, "is no name", "[shell]", "[sixteen-letters-]")
        self.changed(7, "is no name", 'provides = "console"', 'provides = "a b"')

    def test_tables_by_header(self):
        self.refused(5, "first-last",
                     '[a]\npriority = 1\nmemory = "64K"\n\n[a.ports]\nuart = 4\n')

    def test_one_owner(self):
        more = '\n[other]\npriority = 1\nmemory = "64K"\n'
        self.refused(21, "server console has port 0x3ff already",
                     GOOD + more + 'ports = { a = "0x100", b = "0x3ff-0x400" }\n')
        self.refused(21, "server console has interrupt 4 already",
                     GOOD + more + "interrupts = { mine = 4 }\n")
        self.refused(21, "provided by server console already",
                     GOOD + more + 'provides = "console"\n')
        self.refused(21, "provided by init already", GOOD + more + 'provides = "process"\n')

    def test_names_twice(self):
        self.refused(18, "Cannot declare", GOOD + "\n[console]\n")
        self.changed(15, "twice", '"process"]', '"console"]')

    def test_unknown_service(self):
        self.changed(15, "unknown service printer", '"process"]', '"printer"]')

    def test_circles(self):
        self.refused(8, "console -> shell -> console",
                     GOOD.replace('kernel = ["log"]', 'services = ["two"]') + 'provides = "two"\n')

    def test_not_toml(self):
        self.refused(5, "Invalid value", 'a = 1\nb = 2\n\n\nc = nothing\n')
        with self.assertRaises(ManifestError):
            Manifest(self.path.parent / "nosuch.toml")

    def test_empty(self):
        self.refused(1, "no servers", "# nothing\n")
        self.refused(1, "not the table of a server", "priority = 3\n")

    def test_too_many(self):
        self.refused(1, "more than 32 servers",
                     "".join(f'[s{i}]\npriority = 1\nmemory = "64K"\n' for i in range(33)))
        ports = ", ".join(f'p{i} = "{i}"' for i in range(25))
        self.changed(2, "25 grants", 'ports = { uart = "0x3f8-0x3ff" }\ninterrupts = { uart = 4 }\n'
                     'provides = "console"\nkernel = ["log"]\n', f"ports = {{ {ports} }}\n")

    def test_missing_binary(self):
        manifest = self.read(GOOD)
        manifest.check_binaries({"console", "sh"})
        with self.assertRaises(ManifestError) as caught:
            manifest.check_binaries({"console"})
        self.assertIn(":12: server shell: there is no binary sh", str(caught.exception))


class Archives(unittest.TestCase):
    def test_as_cpio_reads_it(self):
        files = {"b": b"", "a": b"12345", "longer": bytes(100)}
        packed = archive(files)
        listed = subprocess.run(["cpio", "--quiet", "-t"], input=packed, check=True,
                                capture_output=True).stdout
        self.assertEqual(listed.decode().split(), ["a", "b", "longer"])
        self.assertEqual(packed, archive(dict(reversed(files.items()))))
        self.assertEqual(len(packed) % 4, 0)


if __name__ == "__main__":
    unittest.main()
