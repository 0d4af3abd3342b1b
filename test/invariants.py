#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The table of invariants: read, checked for guards that are missing or not run, made into a page.

    invariants.py --check    status 1 when a row lacks a guard, or docs/invariants.md is stale
    invariants.py --write    makes docs/invariants.md
"""

import re
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

TEST = Path(__file__).resolve().parent
ROOT = TEST.parent
TABLE = TEST / "invariants.toml"
PAGE = ROOT / "docs" / "invariants.md"
MUTANTS = TEST / "mutants"
GUEST_TESTS = TEST / "boot"
ASSERTIONS = ROOT / "test" / "check" / "guest" / "threshold.c"

HEAD = """# Invariants of the threshold

*Made from [test/invariants.toml](../test/invariants.toml) by `test/invariants.py --write`; `make test`
fails when this page is stale, or a row has no guard of some kind.*

Breaking one of these need not show in any ordinary test, so each has three guards of its own:

- **On the image.** [test/image/check.py](../test/image/check.py) looks at every kernel that is linked. It follows each
  path through the entry file with names for values, and each function of C for its stack; what it
  lets certain functions do stands in [test/image/policy.toml](../test/image/policy.toml).
- **At run time.** A kernel built with its checks asserts at every entry and exit
  ([threshold.c](../test/check/guest/threshold.c)), tests in the guest drive each case from ring 3
  ([test/boot](../test/boot)), and what only the hardware can do is [injected](injection.md).
- **By mutants.** [test/mutants](../test/mutants) has changes that break the invariant, a file for each
  theme. `make mutants` builds each and shows which guards kill it; `make test` does so for a few, of
  each theme and for each kind of guard. A mutant that survives is a missing test.

"""


@dataclass
class Row:
    name: str
    says: str
    why: str
    source: str
    image: list
    run_time: list
    unseen: str = ""
    mutants: list = field(default_factory=list)


def themes():
    """The files of mutants, each with what it declares."""
    return {path.name: tomllib.loads(path.read_text(encoding="utf-8"))["mutant"]
            for path in sorted(MUTANTS.glob("*.toml"))}


def mutants():
    return [mutant for declared in themes().values() for mutant in declared]


def load():
    rows = [Row(**entry) for entry in
            tomllib.loads(TABLE.read_text(encoding="utf-8"))["invariant"]]
    by_name = {row.name: row for row in rows}
    for mutant in mutants():
        if mutant["breaks"] not in by_name:
            raise SystemExit(f"{mutant['name']} breaks {mutant['breaks']}, which is no invariant")
        by_name[mutant["breaks"]].mutants.append(mutant["name"])
    return rows


# How make test runs the tests in the guest: all but the suites that need a machine of their own.
CHECKED_IMAGE = "build/test/check/boot.img"
OWN_MACHINE = re.compile(r'strcmp\(test->suite, "(\w+)"\) == 0')


def guest_tests():
    """The tests in the guest that there are."""
    found = set()
    for path in GUEST_TESTS.glob("*.c"):
        found |= {f"{suite}/{name}" for suite, name in
                  re.findall(r"^TEST\((\w+), (\w+)\)", path.read_text(encoding="utf-8"), re.M)}
    return found


def guest_tests_with_checks(declared):
    """Those that make test runs on a kernel with its checks on."""
    lines = [entry.get("cmdline", "").split() for entry in declared.get("guest", [])
             if CHECKED_IMAGE in str(entry.get("image"))]
    alone = set(OWN_MACHINE.findall((GUEST_TESTS / "runner.c").read_text(encoding="utf-8")))
    return {test for test in guest_tests()
            if any(f"suite={test.partition('/')[0]}" in line for line in lines) or
            [] in lines and test.partition("/")[0] not in alone}


def keys_of(text, name):
    """The keys of a table in a Python source, one or more a line."""
    body = re.search(rf"^{name} = \{{\n(.*?)^\}}", text, re.M | re.S)[1]
    return set(re.findall(r'^    "([^"]+)":', body, re.M))


def entry_tests(declared):
    """(injections, oopses): what the commands of make test have test/entry do; a command without
    names does all there is."""
    commands = [entry["command"].split() for entry in declared.get("command", [])]
    text = {name: (TEST / "entry" / f"{name}.py").read_text(encoding="utf-8")
            for name in ("nested", "oops")}
    cases = re.search(r"for function in \(([\w, ]+)\)", text["nested"])[1].split(", ")
    injected = {name for words in commands if words[0] == "test/entry/inject.py"
                for name in words[1:]}
    if ["test/entry/nested.py"] in commands:
        injected |= set(cases)
    oopses = keys_of(text["oops"], "SCENARIOS") if ["test/entry/oops.py"] in commands else set()
    return injected, oopses


def image_checks():
    text = (TEST / "image" / "check.py").read_text(encoding="utf-8")
    return dict(re.findall(r'^@check\("([\w-]+)"\)\ndef \w+\(subject\):\n    """(.*?)"""', text, re.M))


def assertions():
    """Functions of threshold.c that entries and exits come through and that assert."""
    text = ASSERTIONS.read_text(encoding="utf-8")
    bodies = dict(re.findall(r"^(?:static )?void (\w+)\([^)]*\)\n\{\n(.*?)^\}", text, re.M | re.S))
    run = {"arch_check_frame", "arch_check_leaving", "arch_check_fast_exit", "arch_check_boot"} & set(bodies)
    while more := {name for name in bodies if name not in run and
                   any(re.search(rf"\b{name}\(", bodies[caller]) for caller in run)}:
        run |= more
    return {name for name in run if "ASSERT(" in bodies[name]}


# Guards that are run by themselves; assertions speak while one of these runs.
RUN = ("guest", "oops", "injection")


def missing_guards(rows, declared):
    checks = image_checks()
    injected, oopses = entry_tests(declared)
    there = {"guest": guest_tests_with_checks(declared), "assertion": assertions(), "injection": injected,
             "oops": oopses}
    for row in rows:
        for kind in ("image", "run_time", "mutants"):
            if not getattr(row, kind):
                yield f"{row.name}: no guard of the kind {kind}"
        for name in row.image:
            if name not in checks:
                yield f"{row.name}: there is no check {name} of the image"
        for guard in row.run_time:
            kind, _, name = guard.partition(" ")
            if name not in there.get(kind, ()):
                yield f"{row.name}: {guard} is not there, or make test does not run it"
        if row.run_time and not any(guard.split()[0] in RUN for guard in row.run_time):
            yield f"{row.name}: assertions alone, and no test that comes by them"
    for name in set(checks) - {name for row in rows for name in row.image}:
        yield f"check {name} of the image guards no invariant"
    if "$(CHECK_IMAGE) $$@" not in (ROOT / "kernel" / "build.mk").read_text(encoding="utf-8"):
        yield "kernel/build.mk does not check each kernel that it links"


def wrong_mutants(declared):
    """What is wrong with the mutants themselves, and the choice that make test makes of them."""
    names = [mutant["name"] for mutant in mutants()]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"two mutants are called {name}"
    for mutant in mutants():
        text = (ROOT / mutant["file"]).read_text(encoding="utf-8")
        if "find" in mutant and text.count(mutant["find"]) != 1:
            yield f"mutant {mutant['name']}: what it replaces stands {text.count(mutant['find'])} " \
                  f"times in {mutant['file']}"
    if not any(entry["command"] == "test/mutants/mutants.py --quick"
               for entry in declared.get("command", [])):
        yield "tests.toml does not run the quick mutants"
    for theme, its in themes().items():
        if not any("quick" in mutant for mutant in its):
            yield f"no mutant of {theme} is quick"
    for kind in {"image", *RUN} - {mutant.get("quick") for mutant in mutants()}:
        yield f"no quick mutant is for guards of the kind {kind}"


def missing(rows):
    """What is wrong with the table, a sentence each."""
    declared = tomllib.loads((TEST / "tests.toml").read_text(encoding="utf-8"))
    yield from missing_guards(rows, declared)
    yield from wrong_mutants(declared)


def page(rows):
    checks = image_checks()
    parts = [HEAD.rstrip() + "\n"]
    for row in rows:
        parts.append(f"\n## {row.name}\n\n**{row.says}** {row.why}\n\n"
                     f"- Source: {row.source}\n"
                     "- On the image: " + "; ".join(f"`{name}`" for name in row.image) + "\n"
                     "- At run time: " + "; ".join(f"{guard.partition(' ')[0]} "
                                                   f"`{guard.partition(' ')[2]}`"
                                                   for guard in row.run_time) + "\n"
                     "- Mutants: " + "; ".join(row.mutants) + "\n" +
                     (f"- Not seen at run time: {row.unseen}\n" if row.unseen else ""))
    parts.append("\n## Checks of the image\n\n| check | sees to |\n|---|---|\n")
    parts += [f"| `{name}` | {text} |\n" for name, text in checks.items()]
    return "".join(parts)


def main(arguments):
    rows = load()
    if arguments == ["--write"]:
        PAGE.write_text(page(rows), encoding="utf-8")
        return 0
    wrong = list(missing(rows))
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page(rows):
        wrong.append("docs/invariants.md is stale: run test/invariants.py --write")
    print("\n".join(wrong), file=sys.stderr, end="\n" if wrong else "")
    print(f"note: {len(rows)} invariants, {sum(len(row.mutants) for row in rows)} mutants")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
