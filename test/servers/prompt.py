# SPDX-License-Identifier: MIT
"""The shell of a machine, for a test that types."""

import re

from machine import printable

SECONDS = 60
PROMPT = r"limen> \Z"
HIDDEN = re.compile(rb"[^\n]*\r\x1b\[K")


class Wrong(Exception):
    """Something is not as it should be."""


class Shell:
    """A prompt that lines are typed at."""

    def __init__(self, machine):
        self.machine = machine
        self.start = 0

    def text(self):
        """What stands on the terminal: a line that was taken off it again is not there."""
        return printable(HIDDEN.sub(b"", bytes(self.machine.serial[self.start:])))

    def wait(self, pattern):
        """Waits until what is printable of the output since the last line matches."""
        def search():
            return re.search(pattern, self.text(), re.M)
        while not search():
            before = len(self.machine.serial)
            if not self.machine.wait_for(re.compile(b"(?s)."), SECONDS, before):
                raise Wrong(f"nothing matches {pattern!r} in:\n{printable(bytes(self.machine.serial))}")
        return self.text()

    def run(self, line):
        """What a line prints."""
        self.wait(PROMPT)
        self.start = len(self.machine.serial)
        self.machine.send(line.encode() + b"\r")
        return self.wait(rf"{re.escape(line)}\n[\s\S]*{PROMPT}")
