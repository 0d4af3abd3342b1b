# SPDX-License-Identifier: MIT
"""The report of a run, as a table for a terminal."""

import tomllib
from pathlib import Path

from figures import COLUMNS

HERE = Path(__file__).resolve().parent
FIGURES = COLUMNS[:-1]


def load(name):
    return tomllib.loads((HERE / name).read_text(encoding="utf-8"))


def least(report, name):
    """Of the ways in which Linux does an operation, the one with the least median, or None."""
    rows = [row for row in report["linux"].get("results", []) if row["name"] == name]
    return min(rows, key=lambda row: (row["p50"], row["p99"]), default=None)


def recorded(report):
    """What was recorded of another kernel, to compare instructions with."""
    return load("recorded.toml") if report["unit"] == "instructions" else {}


def ratio(row, other):
    """How many times as much the other takes, at the median."""
    return f"{other['p50'] / row['p50']:.1f}" if other and row["p50"] else ""


def mitigations(vulnerabilities):
    """What a Linux kernel says, with the names of all that it calls the same put together."""
    said = {}
    for name, text in vulnerabilities.items():
        said.setdefault(text, []).append(name)
    return "; ".join(f"{', '.join(names)}: {text}" for text, names in
                     sorted(said.items(), key=lambda item: len(item[1])))


def facts(report):
    """(name, text) of all that the figures depend on."""
    found = dict(report["conditions"])
    found["Limen's mitigations"] = found.pop("mitigations")
    yield from found.items()
    yield "overhead", f"two time stamps cost {report['overhead']}, taken off Limen's samples"
    yield "boot_to_init", f"without {report['calibration']} spent calibrating clocks"
    yield "max_irqs_off", "of the kernel with time stamps, in a run of its own"
    linux = report["linux"]
    if "missing" in linux:
        yield "Linux", f"not measured: {linux['missing']}"
        return
    yield "Linux", linux["system"]
    yield "its command line", linux["command line"]
    yield "its processor", linux["processor"]
    yield "its mitigations", mitigations(linux["vulnerabilities"])
    yield "its overhead", f"two time stamps cost {linux['overhead']}, taken off its samples"


def columns(lines, left):
    """Lines of cells, aligned; those numbered in `left` to the left, others to the right."""
    widths = [max(map(len, cells)) for cells in zip(*lines)]
    for line in lines:
        yield "  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                        for i, (cell, width) in enumerate(zip(line, widths))).rstrip()


def result_lines(report):
    """One line an operation: Limen, the least of Linux, their ratio, what was recorded."""
    others = recorded(report)
    yield ["", "Limen", *[""] * (len(COLUMNS) - 1), "Linux", *[""] * (len(FIGURES) + 2)]
    yield ["", *COLUMNS, *FIGURES, "ratio", "Linux's way", "seL4, recorded"]
    for row in report["results"]:
        linux = least(report, row["name"])
        yield [row["name"], *(str(row[column]) for column in COLUMNS),
               *(str(linux[column]) if linux else "" for column in FIGURES),
               ratio(row, linux), linux["way"] if linux else "", others.get(row["name"], "")]


def other_lines(report):
    """The ways of Linux that the table does not show."""
    shown = [least(report, row["name"]) for row in report["results"]]
    for row in report["linux"].get("results", []):
        if row not in shown:
            yield [row["name"], row["way"], *(str(row[column]) for column in COLUMNS)]


def kinds(report):
    """Of expensive instructions: those that occur, and those that do not."""
    counted = report["expensive"].values()
    known = dict.fromkeys(kind for counts in counted for kind in counts)
    occur = [kind for kind in known if any(counts.get(kind) for counts in counted)]
    return occur, [kind for kind in known if kind not in occur]


def expensive_lines(report):
    """How many instructions of each kind that occurs, a line an operation."""
    occur, _ = kinds(report)
    yield ["", *occur]
    for name, counts in report["expensive"].items():
        yield [name, *(str(counts.get(kind) or "") for kind in occur)]


def growth_tables(report):
    """What varies, and lines of medians, one an operation."""
    found = {}
    for entry in report["growth"]:
        lines = found.setdefault(entry["varies"], [["", *(str(n) for n, _ in entry["points"])]])
        lines.append([entry["name"], *(str(median) for _, median in entry["points"])])
    return found.items()


def text(report):
    """All of it."""
    listed = list(facts(report))
    width = max(len(name) for name, _ in listed)
    lines = [f"Limen beside Linux, in {report['unit']}; the ratio is Linux's median to Limen's", ""]
    lines += [f"{name.ljust(width)}  {what}" for name, what in listed]
    names = (0, 1 + len(COLUMNS) + len(FIGURES) + 1, 1 + len(COLUMNS) + len(FIGURES) + 2)
    lines += ["", *columns(list(result_lines(report)), left=names)]
    others = list(other_lines(report))
    if others:
        lines += ["", "Linux in other ways:",
                  *columns([["", "", *COLUMNS], *others], left=(0, 1))]
    if "expensive" in report:
        never = ", ".join(kinds(report)[1])
        lines += ["", f"Expensive instructions in one operation of Limen's, none of them {never}:",
                  *columns(list(expensive_lines(report)), left=(0,))]
    for varies, table in growth_tables(report) if "growth" in report else ():
        lines += ["", f"Medians of Limen's by {varies}:", *columns(table, left=(0,))]
    return "\n".join(lines)
