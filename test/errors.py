#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""The errors of every call, from include/limen/errors.toml.

    errors.py --check          status 1 when the tables of docs/objects.md are stale
    errors.py --write          makes them
    errors.py --header FILE    makes the list that the guest's tests compare with
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DECLARED = ROOT / "include" / "limen" / "errors.toml"
PAGE = ROOT / "docs" / "objects.md"
HEADER = ROOT / "include" / "limen"

OF_NAMES = ("BAD_CAPABILITY", "WRONG_TYPE", "NO_RIGHT")
TITLES = {"irq_control": "interrupt control", "irq": "interrupt"}


class Wrong(Exception):
    """The declaration cannot be meant."""


def load():
    return tomllib.loads(DECLARED.read_text(encoding="utf-8"))


def errors_of(operation):
    """What an operation can answer, common errors included, in the order of errors.h."""
    every = set(operation.get("errors", {}))
    every |= set(OF_NAMES if "names" in operation else ())
    every |= {"NO_RIGHT"} if "right" in operation else set()
    return [name for name in known_errors() if name in every]


def known_errors():
    return re.findall(r"^    X\((\w+), ", (HEADER / "errors.h").read_text(encoding="utf-8"), re.M)


def known_operations():
    """(object, label) of every operation in the header."""
    text = (HEADER / "objects.h").read_text(encoding="utf-8")
    for name, body in re.findall(r"^enum limen_(\w+)_op \{\n(.*?)^\};", text, re.M | re.S):
        for label in re.findall(rf"^    LIMEN_{name.upper()}_(\w+) = ", body, re.M):
            yield name, label


def check(declared):
    """The headers and the declaration speak of the same."""
    listed = [(row["object"], label) for row in declared["operation"] for label in row["labels"]]
    for pair in sorted(set(listed) ^ set(known_operations())):
        raise Wrong(f"errors.toml and objects.h disagree about {'_'.join(pair)}")
    used = {error for row in declared["operation"] for error in row.get("errors", {})}
    used |= {error for row in declared["call"] for error in row["errors"]} | set(declared["when"])
    for error in sorted(used - set(known_errors())):
        raise Wrong(f"errors.h has no {error}")
    if len(listed) != len(set(listed)):
        raise Wrong("an operation stands there twice")


def header(declared):
    """A row for each pair, as C."""
    yield "/* Made from include/limen/errors.toml by test/errors.py. */\n"
    for row in declared["operation"]:
        for label in row["labels"]:
            of = row["object"].upper()
            for error in ["OK", *errors_of(row)]:
                unseen = "true" if error in ["OK", *row.get("unseen", ())] else "false"
                yield f"{{LIMEN_TYPE_{of}, LIMEN_{of}_{label}, LIMEN_{error}, {unseen}}},\n"
    for row in declared["call"]:
        of = "NONE" if row["on"] == "anything" else row["on"].upper()
        for error in ["OK", *row["errors"]]:
            unseen = "true" if error == "OK" else "false"
            yield f"{{LIMEN_TYPE_{of}, SYSTEM_CALL | LIMEN_SYS_{row['name']}, LIMEN_{error}, {unseen}}},\n"


def names(words):
    return ", ".join(f"`{word}`" for word in words)


def table_of_calls(declared):
    yield "| error | when |\n|---|---|\n"
    by_text = {}
    for error, text in declared["when"].items():
        by_text.setdefault(text, []).append(error)
    for text, errors in by_text.items():
        yield f"| {names(errors)} | {text} |\n"
    yield "\n| call | on | errors |\n|---|---|---|\n"
    for row in declared["call"]:
        yield f"| `{row['name']}` | {row['on']} | {names(row['errors'])} |\n"


def table_of_operations(declared):
    yield "| object | operation | right | names | further errors |\n|---|---|---|---|---|\n"
    before = None
    for row in declared["operation"]:
        title = TITLES.get(row["object"], row["object"])
        errors = "; ".join(f"`{error}` {text}" for error, text in row.get("errors", {}).items())
        yield (f"| {'' if title == before else title} | {names(row['labels'])} | {row.get('right', '–')} | "
               f"{', '.join(row.get('names', '–'))} | {errors or '–'} |\n")
        before = title


TABLES = {"calls": table_of_calls, "operations": table_of_operations}


def page(text, declared):
    """The page with its tables made anew, each between two comments."""
    for name, rows in TABLES.items():
        begin, end = f"<!-- errors of {name}: test/errors.py --write -->\n", "<!-- end -->\n"
        before, there, rest = text.partition(begin)
        old, also, after = rest.partition(end)
        if not there or not also:
            raise Wrong(f"docs/objects.md has no place for the errors of {name}")
        text = before + begin + "\n" + "".join(rows(declared)) + "\n" + end + after
    return text


def main(arguments):
    declared = load()
    check(declared)
    if arguments[0] == "--header":
        Path(arguments[1]).write_text("".join(header(declared)), encoding="utf-8")
        return
    old = PAGE.read_text(encoding="utf-8")
    new = page(old, declared)
    if arguments[0] == "--write":
        PAGE.write_text(new, encoding="utf-8")
    elif old != new:
        raise Wrong("the tables of docs/objects.md are stale: run test/errors.py --write")
    pairs = sum("LIMEN_OK" not in row for row in header(declared)) - 1
    print(f"note: {pairs} pairs of a call and an error")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Wrong as wrong:
        sys.exit(str(wrong))
