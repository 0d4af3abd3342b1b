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
MUTANTS = TEST / "mutants" / "mutants.toml"
GUEST_TESTS = TEST / "boot"
ASSERTIONS = ROOT / "arch" / "x86_64" / "check.c"

HEAD = """# Invariants of the threshold

*Made from [test/invariants.toml](../test/invariants.toml) by `test/invariants.py --write`; `make test`
fails when this page is stale, or a row has no guard of some kind.*

Breaking one of these need not show in any ordinary test, so each has three guards of its own:

- **On the image.** [test/image/check.py](../test/image/check.py) looks at every kernel that is linked. It follows each
  path through the entry file with names for values, and each function of C for its stack; what it
  lets certain functions do stands in [test/image/policy.toml](../test/image/policy.toml).
- **At run time.** A kernel built with its checks asserts at every entry and exit
  ([arch/x86_64/check.c](../arch/x86_64/check.c)), and tests in the guest drive each case from ring 3
  ([test/boot](../test/boot)).
- **By mutants.** [test/mutants/mutants.toml](../test/mutants/mutants.toml) has changes that break the
  invariant. `make mutants` builds each and shows which guards kill it; `make test` does so for a few.
  A mutant that survives is a missing test.

"""


@dataclass
class Row:
    name: str
    says: str
    why: str
    source: str
    image: list
    run_time: list
    mutants: list = field(default_factory=list)


def load():
    rows = [Row(**entry) for entry in
            tomllib.loads(TABLE.read_text(encoding="utf-8"))["invariant"]]
    by_name = {row.name: row for row in rows}
    for mutant in tomllib.loads(MUTANTS.read_text(encoding="utf-8"))["mutant"]:
        if mutant["breaks"] not in by_name:
            raise SystemExit(f"{MUTANTS.name}: {mutant['name']} breaks {mutant['breaks']}, "
                             "which is no invariant")
        by_name[mutant["breaks"]].mutants.append(mutant["name"])
    return rows


def guest_tests():
    """The tests that exist, and whether both builds of the kernel run them."""
    found = set()
    for path in GUEST_TESTS.glob("*.c"):
        found |= {f"{suite}/{name}" for suite, name in
                  re.findall(r"^TEST\((\w+), (\w+)\)", path.read_text(encoding="utf-8"), re.M)}
    return found


def injections():
    """The paths through the kernel at whose boundaries exceptions are injected."""
    text = "".join(path.read_text(encoding="utf-8") for path in (TEST / "entry").glob("*.c"))
    return {"paranoid"} | set(re.findall(r"^TEST\(entry, (\w+)\)", text, re.M))


def image_checks():
    text = (TEST / "image" / "check.py").read_text(encoding="utf-8")
    return dict(re.findall(r'^@check\("([\w-]+)"\)\ndef \w+\(subject\):\n    """(.*?)"""', text, re.M))


def assertions():
    """Functions of check.c that entries and exits come through and that assert."""
    text = ASSERTIONS.read_text(encoding="utf-8")
    bodies = dict(re.findall(r"^(?:static )?void (\w+)\([^)]*\)\n\{\n(.*?)^\}", text, re.M | re.S))
    run = {"arch_check_entry", "arch_check_exit", "arch_check_boot"} & set(bodies)
    while more := {name for name in bodies if name not in run and
                   any(re.search(rf"\b{name}\(", bodies[caller]) for caller in run)}:
        run |= more
    return {name for name in run if "ASSERT(" in bodies[name]}


def missing(rows):
    """What is wrong with the table, a sentence each."""
    checks = image_checks()
    there = {"guest": guest_tests(), "assertion": assertions(), "injection": injections()}
    declared = tomllib.loads((TEST / "tests.toml").read_text(encoding="utf-8"))
    whole_runs = [entry for entry in declared.get("guest", []) if "cmdline" not in entry]
    if not any("build/test/check/boot.img" in str(entry.get("image")) for entry in whole_runs):
        yield "tests.toml does not run all of the guest's tests on a kernel with its checks on"
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
                yield f"{row.name}: {guard} is not there, or nothing runs it"
    for name in set(checks) - {name for row in rows for name in row.image}:
        yield f"check {name} of the image guards no invariant"


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
                     "- Mutants: " + "; ".join(row.mutants) + "\n")
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
