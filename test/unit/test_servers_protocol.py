# SPDX-License-Identifier: MIT
"""The protocol generator: what it refuses.  What it makes, servers_protocol.c tests."""

import pathlib
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "servers/lib"))

import protocol  # noqa: E402


class Declarations(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def read(self, text, name="some"):
        path = self.folder / f"{name}.toml"
        path.write_text(text)
        return protocol.Protocol(path)

    def refused(self, place, words, text):
        with self.assertRaises(protocol.ProtocolError) as caught:
            self.read(text)
        message = str(caught.exception)
        self.assertIn(words, message)
        self.assertIn(f"some.toml{place}", message)

    def method(self, declaration):
        return f'about = "x"\n\n[go]\nabout = "y"\n{declaration}\n'

    def test_every_declaration_of_this_repository(self):
        paths = sorted((ROOT / "include/limen/protocols").glob("*.toml"))
        self.assertTrue(paths)
        protocol.check_labels([protocol.Protocol(path) for path in paths])

    def test_numbers_follow_the_order(self):
        made = self.read('about = "x"\n[b]\nabout = "1"\n[a]\nabout = "2"\n')
        self.assertEqual([(m.name, m.number) for m in made.methods], [("b", 1), ("a", 2)])

    def test_what_is_missing(self):
        self.refused(":1", "lacks its line about", '[go]\nabout = "y"\n')
        self.refused(":3", "method go lacks its line about", 'about = "x"\n\n[go]\nin.a = "word"\n')

    def test_unknown_keys_and_types(self):
        self.refused(":3", "unknown key input", self.method('input.a = "word"'))
        for declared in ('"int"', '"string"', '"string 0"', '"bytes -1"', "3", '"word 3"'):
            self.refused(":3", 'want a name and "word"', self.method(f"in.a = {declared}"))
        self.refused(":3", "want a name", self.method('in.Loud = "word"'))
        self.refused(":1", "not the table of a method", 'about = "x"\ncolor = 3\n')

    def test_retry(self):
        self.assertFalse(self.read(self.method("")).methods[0].retry)
        self.assertTrue(self.read(self.method("retry = true")).methods[0].retry)
        self.refused(":3", "retry is true or false", self.method('retry = "yes"'))

    def test_names_of_all_methods(self):
        made = self.read('about = "x"\n[b]\nabout = "1"\n[a]\nabout = "2"\n')
        names = protocol.names([made])
        self.assertIn(f'{{{made.label | 1:#010x}u, "some.b"}}', names)
        self.assertIn(f'{{{made.label | 2:#010x}u, "some.a"}}', names)
        with self.assertRaisesRegex(protocol.ProtocolError, "the list of all protocols"):
            self.read('about = "x"', "names")

    def test_names_that_clash(self):
        self.refused(":3", "two values of one name",
                     self.method('in.a = "word"\nout.a = "word"'))
        self.refused(":3", "uses the name reply itself", self.method('in.reply = "word"'))

    def test_what_fits_a_message(self):
        self.read(self.method('in.a = "bytes 504"'))
        self.refused(":3", "can take 65 words", self.method('in.a = "bytes 505"'))
        self.refused(":3", "the answer of go can take 66 words",
                     self.method('out.a = "string 504"\nout.b = "string 1"'))

    def test_labels_that_clash(self):
        first, second = self.read('about = "x"', "one"), self.read('about = "x"', "two")
        protocol.check_labels([first, second])
        second.label = first.label
        with self.assertRaisesRegex(protocol.ProtocolError, "those of one.toml"):
            protocol.check_labels([first, second])
        second.label = protocol.FAULT_LABELS
        with self.assertRaisesRegex(protocol.ProtocolError, "kernel's faults"):
            protocol.check_labels([first, second])


if __name__ == "__main__":
    unittest.main()
