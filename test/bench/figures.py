# SPDX-License-Identifier: MIT
"""What a guest prints of its measurements, made into figures.  Both guests print the same lines."""

import re

COLUMNS = ("min", "p50", "p99", "max", "n")

UNIT = re.compile(r"^unit: (.*)$", re.M)
OVERHEAD = re.compile(r"^taken off each sample, for two time stamps: (\d+)$", re.M)
ROW = re.compile(r"^([\w/-]+)" + r" +(\d+)" * len(COLUMNS) + r"$", re.M)
HISTOGRAM = re.compile(r"^histogram ([\w/-]+)((?: \d+:\d+)+)$", re.M)


class Unreadable(Exception):
    """A guest printed what it should not."""


def only(pattern, text, what):
    """The one thing that the text says of something."""
    found = pattern.findall(text)
    if len(found) != 1:
        raise Unreadable(f"the guest should say once, not {len(found)} times, {what}")
    return found[0]


def percentile(histogram, percent):
    """The smallest value that at least so many of all do not exceed."""
    wanted = (sum(count for _, count in histogram) * percent + 99) // 100
    for value, count in histogram:
        wanted -= count
        if wanted <= 0:
            return value
    raise Unreadable("a histogram is empty")


def figures_of(histogram):
    """The figures that a histogram has, by which those that were printed with it are checked."""
    return {"min": histogram[0][0], "p50": percentile(histogram, 50),
            "p99": percentile(histogram, 99), "max": histogram[-1][0],
            "n": sum(count for _, count in histogram)}


def rows(text):
    """The figures of each name, with all of its samples as [value, how many] in `histogram`."""
    histograms = {name: [[int(number) for number in pair.split(":")] for pair in pairs.split()]
                  for name, pairs in HISTOGRAM.findall(text)}
    found = {}
    for name, *figures in ROW.findall(text):
        row = dict(zip(COLUMNS, map(int, figures)))
        histogram = histograms.get(name)
        if name in found:
            raise Unreadable(f"the guest prints {name} twice")
        if histogram is None:
            raise Unreadable(f"the guest prints no histogram of {name} that could be read")
        if figures_of(histogram) != row:
            raise Unreadable(f"the guest's figures of {name} are not those of its histogram")
        found[name] = row | {"histogram": histogram}
    return found
