# SPDX-License-Identifier: MIT
"""The kinds of test that test/tests.toml can declare, and how each is run and judged."""

import itertools
import os
import re
import signal
import subprocess
import tempfile
import tomllib
from dataclasses import dataclass, field, replace
from pathlib import Path

import spoil
from bochs import Bochs
from machine import BUILD, ROOT, Machine, Settings
from parked import parked


class TestsError(Exception):
    """tests.toml says something that cannot be meant."""


@dataclass
class Result:
    passed: int = 0
    failures: list = field(default_factory=list)  # (name, detail)
    notes: list = field(default_factory=list)
    seconds: float = 0.0

    @property
    def total(self):
        return self.passed + len(self.failures)


def passed():
    return Result(passed=1)


def failed(name, detail):
    return Result(failures=[(name, detail)])


def run_command(command, seconds, **environment):
    """Runs a shell command to its end; its status (None: out of time) and all it printed.

    It gets a process group of its own, so that at a timeout its children end with it.
    """
    process = subprocess.Popen(command, shell=True, executable="/bin/bash", cwd=ROOT,
                               env=dict(os.environ, **environment), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               start_new_session=True)
    try:
        output, _ = process.communicate(timeout=seconds)
        status = process.returncode
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        status = None
    return status, output.decode(errors="replace")


def tail(text, lines=60):
    kept = text.splitlines()
    if len(kept) <= lines:
        return text
    return "\n".join([f"({len(kept) - lines} lines before these)", *kept[-lines:]])


@dataclass
class Test:
    name: str
    seconds: int = 120  # it is ended, and has failed, after so many


@dataclass
class Command(Test):
    """Passes when the command ends with status 0.  Lines it begins with 'note:' are shown."""

    command: str = ""

    def run(self):
        status, output = run_command(self.command, self.seconds)
        if status == 0:
            notes = [line[5:].strip() for line in output.splitlines() if line.startswith("note:")]
            return Result(passed=1, notes=notes)
        how = f"no end in {self.seconds} s" if status is None else f"exit status {status}"
        return failed(self.name, f"{self.command}: {how}\n{tail(output)}")


@dataclass
class Unit(Test):
    """A program of cmocka's, test/unit/NAME.c built as build/test/unit/NAME, each test counted.

    An entry whose `source` is a pattern stands for every file that matches.
    """

    source: str = ""

    def run(self):
        program = f"build/test/unit/{Path(self.source).stem}"
        status, output = run_command(program, self.seconds, CMOCKA_MESSAGE_OUTPUT="TAP",
                                     ASAN_OPTIONS="detect_leaks=1", UBSAN_OPTIONS="halt_on_error=1")
        return judge_unit(self.name, program, status, output)


def judge_unit(name, program, status, output):
    result = Result()
    for match in re.finditer(r"^(ok|not ok) \d+ - (.*)$((?:\n#.*)*)", output, re.M):
        verdict, case, detail = match.groups()
        if verdict == "ok":
            result.passed += 1
        else:
            result.failures.append((case, detail.strip() or "(it gave no reason)"))
    plan = re.findall(r"^1\.\.(\d+)$", output, re.M)
    if status != 0 and not result.failures or sum(map(int, plan)) != result.total:
        result.failures.append((name, f"{program}: exit status {status}\n{tail(output)}"))
    return result


@dataclass
class Python(Test):
    """A folder of Python unit tests, each counted."""

    folder: str = ""

    def run(self):
        status, output = run_command(
            f"/usr/bin/python3 -B -m unittest discover -v -s {self.folder}", self.seconds)
        return judge_python(self.name, status, output)


def judge_python(name, status, output):
    result = Result(passed=len(re.findall(r"\.\.\. ok$", output, re.M)))
    for match in re.finditer(r"^(?:FAIL|ERROR): (\S+).*\n-+\n((?:.*\n)*?)(?=\n[=-]{20})", output,
                             re.M):
        result.failures.append((match[1], match[2]))
    if status != 0 and not result.failures:
        result.failures.append((name, f"exit status {status}\n{tail(output)}"))
    return result


@dataclass
class MachineTest(Test):
    """Starts a machine where the firmware has just finished, or `cold`, through all of it."""

    settings: Settings = Settings()
    cmdline: str = ""
    cold: bool = False

    def machine(self, **changes):
        settings = replace(self.settings, cmdline=self.cmdline)
        if not self.cold:
            settings = parked(settings)
        return Machine(replace(settings, **changes))


@dataclass
class Boot(MachineTest):
    """Boots a machine, gives the shell one line, and looks at its output and status."""

    cmd: str = ""
    status: int = 0
    ends: str = "exit"
    expect: tuple = ()
    reject: tuple = ()

    def run(self):
        line = f"{self.cmdline} quiet cmd={self.cmd}".strip() if self.cmd else self.cmdline
        with self.machine(cmdline=line) as machine:
            outcome = machine.finish(self.seconds)
        return self.judge(outcome)

    def judge(self, outcome):
        wrong = []
        if (outcome.kind, outcome.status) != (self.ends, self.status):
            wrong.append(f"expected to end with {self.ends} {self.status}, "
                         f"but {outcome.describe()}")
        for pattern in self.expect:
            if not re.search(pattern, outcome.output, re.M):
                wrong.append(f"nothing in the output matches {pattern!r}")
        for pattern in self.reject:
            found = re.search(pattern, outcome.output, re.M)
            if found:
                wrong.append(f"the output has {found[0]!r}, which matches {pattern!r}")
        return failed(self.name, explain(wrong, outcome)) if wrong else passed()


def explain(wrong, outcome):
    return "\n".join([*wrong, "The serial port said:", tail(outcome.log), *outcome.evidence])


@dataclass
class Guest(MachineTest):
    """Boots a suite of tests that run in the guest, each counted.

    The suite prints `ok NAME` or `not ok NAME: reason` for each, then `done N`, and ends with
    status 0.
    """

    def run(self):
        with self.machine() as machine:
            outcome = machine.finish(self.seconds)
        return judge_guest(self.name, outcome)


def judge_guest(name, outcome):
    result = Result()
    for match in re.finditer(r"^(ok|not ok) ([^:\n]+)(?:: (.*))?$", outcome.output, re.M):
        verdict, case, reason = match.groups()
        if verdict == "ok":
            result.passed += 1
        else:
            result.failures.append((case, reason or "(it gave no reason)"))
    done = re.findall(r"^done (\d+)$", outcome.output, re.M)
    if done != [str(result.total)]:
        said = f"said 'done {done[-1]}'" if done else "never said 'done'"
        result.failures.append((name, explain([f"the suite {said} after {result.total} tests; "
                                               f"{outcome.describe()}"], outcome)))
    elif (outcome.kind, outcome.status) != ("exit", 0) and not result.failures:
        result.failures.append((name, explain([outcome.describe()], outcome)))
    return result


class OnBochs:
    """The same test in a machine of Bochs, which starts with the firmware."""

    def machine(self, **changes):
        return Bochs(replace(self.settings, **{"cmdline": self.cmdline, **changes}))


class BochsBoot(OnBochs, Boot):
    pass


class BochsGuest(OnBochs, Guest):
    pass


@dataclass
class Talk(MachineTest):
    """Boots a machine and types at it: each step waits for a pattern and then sends a text."""

    steps: tuple = ()
    status: int = 0
    ends: str = "exit"

    def run(self):
        with self.machine() as machine:
            seen = 0
            for step in self.steps:
                match = machine.wait_for(re.compile(step["expect"].encode(), re.M), self.seconds,
                                         seen)
                if not match:
                    outcome = machine.finish(0)
                    return failed(self.name, explain([f"it never said {step['expect']!r}"],
                                                     outcome))
                seen = match.end()
                machine.send(step.get("send", "").encode())
            outcome = machine.finish(self.seconds)
        if (outcome.kind, outcome.status) != (self.ends, self.status):
            return failed(self.name, explain([outcome.describe()], outcome))
        return passed()


@dataclass
class Debug(MachineTest):
    """Boots a machine, stops it when it has said `stop`, and looks at what gdb answers."""

    stop: str = ""
    gdb: tuple = ()  # commands
    expect: tuple = ()

    def run(self):
        with self.machine() as machine:
            if not machine.wait_for(re.compile(self.stop.encode()), self.seconds):
                return failed(self.name, explain([f"it never said {self.stop!r}"],
                                                 machine.finish(0)))
            machine.monitor("stop")
            answers = machine.gdb(*self.gdb)
        wrong = [f"nothing in gdb's answers matches {pattern!r}" for pattern in self.expect
                 if not re.search(pattern, answers, re.M)]
        return failed(self.name, "\n".join([*wrong, answers])) if wrong else passed()


@dataclass
class Refusal(MachineTest):
    """Something is wrong with the image or the machine: the loader must name it and give up."""

    spoilt: str = ""
    sentence: str = ""

    def run(self):
        with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
            image = self.settings.image
            if self.spoilt:
                image = Path(scratch, "limen.img")
                spoil.write_spoilt_image(self.spoilt, image)
            with self.machine(image=image) as machine:
                outcome = machine.finish(self.seconds)
        if outcome.kind != "refused" or not re.search(self.sentence, outcome.log):
            return failed(self.name, explain([f"the loader should have said {self.sentence!r}; "
                                              f"{outcome.describe()}"], outcome))
        return passed()


KINDS = {"command": Command, "unit": Unit, "python": Python, "boot": Boot, "guest": Guest,
         "talk": Talk, "debug": Debug, "refusal": Refusal,
         "bochs_boot": BochsBoot, "bochs_guest": BochsGuest}
SETTINGS = {"image", "kernel", "cpu", "smp", "mem", "machine", "gfx", "icount"}


def expand(entry):
    """An entry with a pattern of sources, or with lists of parts of the machine, stands for every
    file, or every combination of their members."""
    choices = {key: value for key, value in entry.items()
               if key in SETTINGS and isinstance(value, list)}
    if "source" in entry:
        choices["source"] = sorted(str(path.relative_to(ROOT))
                                   for path in ROOT.glob(entry["source"]))
    for values in itertools.product(*choices.values()):
        chosen = dict(zip(choices, values))
        words = [f"{key} {value}" if isinstance(value, int) else Path(value).stem
                 for key, value in chosen.items()]
        name = ", ".join([entry["name"], *words])
        yield {**entry, **chosen, "name": name}


def make(kind, entry):
    """The test of one entry."""
    machine = {key: entry.pop(key) for key in list(entry) if key in SETTINGS}
    for path in ("image", "kernel"):
        if path in machine:
            machine[path] = ROOT / machine[path]
    if machine:
        entry["settings"] = Settings(**machine)
    try:
        return KINDS[kind](**entry)
    except (TypeError, KeyError) as error:
        raise TestsError(f"[[{kind}]] {entry.get('name')}: {error}") from error


def load(path):
    declared = tomllib.loads(path.read_text(encoding="utf-8"))
    tests = []
    for kind, entries in declared.items():
        for entry in entries:
            expanded = [make(kind, one) for one in expand(entry)]
            if not expanded:
                raise TestsError(f"[[{kind}]] {entry['name']} stands for no test at all")
            tests += expanded
    names = [test.name for test in tests]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise TestsError(f"tests with the same name: {', '.join(sorted(twice))}")
    return tests
