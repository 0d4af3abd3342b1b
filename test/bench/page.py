# SPDX-License-Identifier: MIT
"""The report of a run as a page of HTML that needs no other file and no script."""

from pathlib import Path

import plot
from element import element, html
from figures import COLUMNS
from report import FIGURES, facts, kinds, least, other_lines, ratio, recorded

STYLE = Path(__file__).resolve().parent / "page.css"
# What the page begins with.
HEADLINES = {"null_syscall": "a system call", "ipc_roundtrip_0": "a call to a server and back",
             "notify_wake": "waking another address space",
             "fault_roundtrip": "a fault, its handler, and back"}


def number(value):
    return f"{value:,}" if value != "" else ""


def limen_name():
    return element("span", "Limen", class_="limen-name")


def linux_name():
    return element("span", "Linux", class_="linux-name")


def headlines(report):
    rows = {row["name"]: row for row in report["results"]}
    for name, words in HEADLINES.items():
        if name in rows:
            row, linux = rows[name], least(report, name)
            beside = f"Linux {number(linux['p50'])}, {ratio(row, linux)}×" if linux else ""
            yield element("div", element("span", words, class_="small"),
                          element("span", number(row["p50"]), class_="big"),
                          element("span", beside, class_="small"), class_="card")


def heading(report):
    missing = report["linux"].get("missing")
    beside = (f"Linux was not measured: {missing}" if missing else
              "Both kernels ran in the same machine in the same run, and were counted by the same "
              "code.")
    yield element("h1", "What Limen's operations cost")
    yield element("p", f"Medians in {report['unit']}, the stubs of user space included. {beside}",
                  class_="lead")
    yield element("div", *headlines(report), class_="facts")


def compared(report):
    pairs = [(row, least(report, row["name"])) for row in report["results"]]
    pairs = [(row["name"], row["p50"], linux["p50"], linux["way"], ratio(row, linux))
             for row, linux in pairs if linux]
    if not pairs:
        return
    yield element("h2", "Beside Linux")
    yield element("p", "Medians of ", limen_name(), " and, below it, of ", linux_name(),
                  " in the way that takes it least, which is named. Each line of the grid is ten "
                  "times the one before; at the right, how many times as much Linux takes.")
    yield element("figure", plot.bars(pairs, report["unit"]), class_="card wide", tabindex=0)


def distributions(report):
    yield element("h2", "How samples lie")
    unit = report["unit"]
    yield element("p", "All samples of ", limen_name(), " and ", linux_name(), f" by {unit}. Both "
                  "axes are logarithmic, so one sample among a thousand is seen.")
    plots = []
    for row in report["results"]:
        if row["n"] > 1:
            linux = least(report, row["name"])
            series = [("limen", row["histogram"])]
            series += [("linux", linux["histogram"])] if linux else []
            plots.append(element("figure", element("h3", row["name"]),
                                 plot.histogram(row["name"], series, unit), class_="card"))
    yield element("div", *plots, class_="plots")


def table(caption, head, body):
    """A table that scrolls by itself where the page is narrow."""
    made = element("table", element("caption", caption), element("thead", *head),
                   element("tbody", *body))
    return element("div", made, class_="card wide", tabindex=0, role="region", aria_label=caption)


def heads(cells, words=()):
    return element("tr", *(element("th", cell, scope="col", class_="words" if cell in words else "")
                           for cell in cells))


# The styles of curves, in the order in which a report has what varies.
CURVES = ("first", "second", "third", "fourth")


def growth(report):
    if not report.get("growth"):
        return
    unit = report["unit"]
    varies = list(dict.fromkeys(entry["varies"] for entry in report["growth"]))
    style = {what: CURVES[i % len(CURVES)] for i, what in enumerate(varies)}
    named = [part for what in varies
             for part in (", ", element("span", what, class_=f"curve-name {style[what]}"))]
    operations = {}
    for entry in report["growth"]:
        curve = (style[entry["varies"]], entry["points"])
        operations.setdefault(entry["name"], []).append(curve)
    yield element("h2", "How cost grows")
    yield element("p", "Medians of ", limen_name(), f" in {unit} by the number of ", *named[1:],
                  ". Flat lines are what one wants, and lines that are flat alike hide each other.")
    yield element("div", *(element("figure", element("h3", name), plot.growth(name, curves, unit),
                                   class_="card")
                           for name, curves in operations.items()), class_="plots")
    yield growth_table(report, varies, operations)


def growth_table(report, varies, operations):
    """A row for each operation, and columns for each number of each thing."""
    medians, columns = {}, []
    for entry in report["growth"]:
        for at, median in entry["points"]:
            medians[entry["name"], entry["varies"], at] = median
    for what in varies:
        columns.append((what, sorted({at for _, varying, at in medians if varying == what})))
    groups = element("tr", element("td"),
                     *(element("th", what, colspan=len(numbers), scope="colgroup", class_="group")
                       for what, numbers in columns))
    head = heads(["", *(number(at) for _, numbers in columns for at in numbers)])
    body = [element("tr", element("th", name, scope="row"),
                    *(element("td", number(medians.get((name, what, at), "")))
                      for what, numbers in columns for at in numbers)) for name in operations]
    return table(f"In {report['unit']}, by how many there are", [groups, head], body)


def expensive(report):
    if not report.get("expensive"):
        return
    some, none = kinds(report)
    body = [element("tr", element("th", name, scope="row"),
                    *(element("td", number(found.get(kind, 0)),
                              class_="main" if found.get(kind) else "zero") for kind in some))
            for name, found in report["expensive"].items()]
    yield element("h2", "Expensive instructions")
    yield element("p", "Some instructions take many times as long as others. How many of them one "
                  "operation of ", limen_name(), " executes",
                  f"; none executes any of: {', '.join(none)}." if none else ".")
    yield table("Instructions of each kind in one operation", [heads(["", *some])], body)


def result_table(report):
    others = recorded(report)
    words = ["its way", "seL4, recorded"] if others else ["its way"]
    groups = element("tr", element("td"),
                     element("th", "Limen", colspan=len(COLUMNS), scope="colgroup",
                             class_="limen-name"),
                     element("th", "Linux", colspan=len(FIGURES) + 1, scope="colgroup",
                             class_="linux-name"),
                     *(element("td") for _ in words))
    body = []
    for row in report["results"]:
        linux = least(report, row["name"])
        cells = [element("td", number(row[column]), class_="main" if column == "p50" else "")
                 for column in COLUMNS]
        cells += [element("td", number(linux[column]) if linux else "",
                          class_="main" if column == "p50" else "") for column in FIGURES]
        cells += [element("td", linux["way"] if linux else "", class_="words"),
                  element("td", ratio(row, linux), class_="main")]
        if others:
            cells.append(element("td", others.get(row["name"], ""), class_="words"))
        body.append(element("tr", element("th", row["name"], scope="row"), *cells))
    head = heads(["", *COLUMNS, *FIGURES, words[0], "ratio", *words[1:]], words)
    caption = f"In {report['unit']}; the ratio is Linux's median to Limen's"
    return table(caption, [groups, head], body)


def figures(report):
    yield element("h2", "All figures")
    yield result_table(report)
    others = list(other_lines(report))
    if others:
        body = [element("tr", element("th", name, scope="row"), element("td", way, class_="words"),
                        *(element("td", number(int(value))) for value in values))
                for name, way, *values in others]
        yield element("h2", "Other ways of Linux")
        yield table(f"In {report['unit']}; -fifo: with real-time priorities",
                    [heads(["", "way", *COLUMNS], ("way",))], body)


def conditions(report):
    yield element("h2", "Conditions")
    yield element("dl", *(part for name, what in facts(report)
                          for part in (element("dt", name), element("dd", what))))
    if report["unit"] == "instructions":
        yield element("p", "Instructions are not time: they leave out cache misses and "
                      "mispredictions, and that some take far longer than others. But Limen's are "
                      "the same in every run.")
    yield element("p", "docs/benchmark.md tells what each operation is, on either kernel.")


SECTIONS = (heading, compared, distributions, growth, expensive, figures, conditions)


def page(report):
    body = [part for section in SECTIONS for part in section(report)]
    return html(element(
        "html",
        element("head", element("meta", charset="utf-8"),
                element("meta", name="viewport", content="width=device-width, initial-scale=1"),
                element("title", "Limen: what its operations cost"),
                element("style", STYLE.read_text(encoding="utf-8"))),
        element("body", element("main", *body)), lang="en"))
