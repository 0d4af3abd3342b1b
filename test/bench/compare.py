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
        found = figures(old)
        whole = found and isinstance(old["unit"], str) and isinstance(old["machine"], str)
        whole = whole and all(isinstance(value, int) for value in found.values())
    except OSError as error:
        raise Unusable(f"BASE={name} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unusable(f"BASE={name} is not a bench.json: {error!r}") from error
    if not whole:
        raise Unusable(f"BASE={name} is not a bench.json: a name, a unit or a figure is missing")
    return old


def figures(report):
    """{(row, column): figure} of all that is compared.  Linux's are not the same in every run: only
    its medians are looked at."""
    found = {(row["name"], column): row[column]
             for row in report["results"] for column in COLUMNS}
    for row in report.get("linux", {}).get("results", []):
        found[f"Linux {row['name']} {row['way']}", "p50"] = row["p50"]
    for name, counts in report.get("expensive", {}).items():
        found |= {(name, kind): count for kind, count in counts.items()}
    for entry in report.get("growth", []):
        found |= {(entry["name"], f"p50 with {number} {entry['varies']}"): median
                  for number, median in entry["points"]}
    return found


def rows(found):
    """What was measured by itself, and not only counted or under a load."""
    return [row for row, column in found if column == "p50"]


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


def moved(before, now):
    """One line of cells for each figure that is not what it was, or for several of a row that moved
    alike."""
    alike = {}
    for (row, column), figure in now.items():
        was = before.get((row, column), figure)
        if was != figure:
            alike.setdefault((row, was, figure), []).append(column)
    for (row, was, figure), names in alike.items():
        yield [row, " ".join(names), str(was), str(figure), *change(was, figure)]


def text(name, old, new):
    """All of it; `name` is that of the old report's file."""
    lines = [f"Moved since {name}:"]
    lines += [f"  {line}" for line in changed_conditions(old, new)]
    if old["unit"] != new["unit"]:
        return "\n".join([*lines, f"  no figure can be compared: it counts {old['unit']}"])
    before, now = figures(old), figures(new)
    for here, there, where in ((before, now, "this run"), (now, before, name)):
        missing = [row for row in rows(here) if row not in rows(there)]
        if missing:
            lines.append(f"  not in {where}: {', '.join(missing)}")
    table = list(moved(before, now))
    unmoved = set(rows(now)) & set(rows(before)) - {line[0] for line in table}
    if table:
        heading = ["", "", "old", "new", "difference", ""]
        lines += [f"  {line}" for line in columns([heading, *table], left=(0, 1))]
    return "\n".join([*lines, f"  {len(unmoved)} of {len(rows(now))} rows are what they were"])
