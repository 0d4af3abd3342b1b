# SPDX-License-Identifier: MIT
"""What moved between two runs: a bench.json that was kept, and the report of this run."""

import json
from pathlib import Path

from figures import COLUMNS
from report import columns


class Unusable(Exception):
    """There is nothing to compare with."""


def load(name):
    """The report in a file, with all that is used of it here."""
    try:
        old = json.loads(Path(name).read_text(encoding="utf-8"))
        whole = isinstance(old["unit"], str) and isinstance(old["machine"], str) and all(
            isinstance(row["name"], str) and all(isinstance(row[column], int) for column in COLUMNS)
            for row in rows(old).values())
    except OSError as error:
        raise Unusable(f"BASE={name} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(f"BASE={name} is not a bench.json: {error!r}") from error
    if not whole or not rows(old):
        raise Unusable(f"BASE={name} is not a bench.json: a name, a unit or a figure is missing")
    return old


def rows(report):
    """All rows by the names they are shown under."""
    found = {row["name"]: row for row in report["results"]}
    for row in report.get("linux", {}).get("results", []):
        found[f"Linux {row['name']} {row['way']}"] = row
    return found


def conditions(report):
    """What the figures depend on; an old report may know less."""
    return {"machine": report["machine"]} | report.get("conditions", {})


def changed_conditions(old, new):
    before, now = conditions(old), conditions(new)
    for name in [*now, *(name for name in before if name not in now)]:
        if before.get(name) != now.get(name):
            yield f"{name}: {before.get(name, '(not said)')}, now {now.get(name, '(not said)')}"


def change(before, now):
    """The difference, and how much it is of what was."""
    percent = f"{(now - before) * 100 / before:+.1f} %" if before else ""
    return f"{now - before:+d}", percent


def moved(old, new):
    """One line of cells for each figure that is not what it was.  Linux's are not the same in every
    run: of them only the medians are looked at."""
    before, now = rows(old), rows(new)
    for name, row in now.items():
        for column in COLUMNS if "way" not in row else ("p50",):
            if name in before and before[name][column] != row[column]:
                yield [name, column, str(before[name][column]), str(row[column]),
                       *change(before[name][column], row[column])]


def text(name, old, new):
    """All of it; `name` is that of the old report's file."""
    lines = [f"Moved since {name}:"]
    lines += [f"  {line}" for line in changed_conditions(old, new)]
    if old["unit"] != new["unit"]:
        return "\n".join([*lines, f"  no figure can be compared: it counts {old['unit']}"])
    for rows_of, others, where in ((old, new, "this run"), (new, old, name)):
        missing = [row for row in rows(rows_of) if row not in rows(others)]
        if missing:
            lines.append(f"  not in {where}: {', '.join(missing)}")
    table = list(moved(old, new))
    unmoved = rows(new).keys() & rows(old).keys() - {line[0] for line in table}
    if table:
        heading = ["", "", "old", "new", "difference", ""]
        lines += [f"  {line}" for line in columns([heading, *table], left=(0, 1))]
    return "\n".join([*lines, f"  {len(unmoved)} of {len(rows(new))} rows are what they were"])
