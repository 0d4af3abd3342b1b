# SPDX-License-Identifier: MIT
"""Plots of the report, as SVG inside the page, whose style sheet gives them colours."""

import math
import re

from element import element
from figures import percentile

CHARACTER = 7.4  # the width of one in the plots' font, roughly


class LogScale:
    """Whole decades that hold all values, on a line from start to end."""

    def __init__(self, values, start, end):
        self.low = math.floor(math.log10(max(1, min(values))))
        self.high = max(self.low + 1, math.ceil(math.log10(max(1, *values))))
        self.start, self.end = start, end

    def at(self, value):
        share = (math.log10(max(1, value)) - self.low) / (self.high - self.low)
        return self.start + (self.end - self.start) * share

    def ticks(self):
        return [10 ** power for power in range(self.low, self.high + 1)]


def short(value):
    """A tick's label."""
    for size, suffix in ((1_000_000, "M"), (1000, "k")):
        if value >= size:
            return f"{value // size}{suffix}"
    return str(value)


def text(x, y, what, class_="", anchor="start"):
    return element("text", what, x=float(x), y=float(y), class_=class_, text_anchor=anchor)


def bar(x, y, width, height, class_):
    return element("rect", x=float(x), y=float(y), width=float(max(width, 1)), height=float(height),
                   rx=2, class_=class_)


def line(x1, y1, x2, y2, class_="grid"):
    return element("line", x1=float(x1), y1=float(y1), x2=float(x2), y2=float(y2), class_=class_)


def drawing(width, height, title, parts):
    """A picture with a name; who does not see it finds its figures in the page's tables."""
    name = re.sub(r"\W+", "-", title.lower())
    return element("svg", element("title", title, id=name), *parts, viewBox=f"0 0 {width} {height}",
                   role="img", aria_labelledby=name)


# -- bars --

LABELS, WIDTH, RATIOS = 190, 960, 78
BAR, PAIR, TOP = 13, 42, 26


def bars(pairs, unit):
    """`pairs`: (name, Limen's median, Linux's, its way, ratio)."""
    values = [value for _, mine, theirs, _, _ in pairs for value in (mine, theirs)]
    scale = LogScale(values, LABELS + 10, WIDTH - RATIOS - 150)
    bottom = TOP + PAIR * len(pairs)
    parts = []
    for tick in scale.ticks():
        parts += [line(scale.at(tick), TOP - 6, scale.at(tick), bottom),
                  text(scale.at(tick), TOP - 12, short(tick), "tick", "middle")]
    for i, (name, mine, theirs, way, ratio) in enumerate(pairs):
        y = TOP + PAIR * i + 5
        parts += [text(LABELS, y + BAR + 5, name, "name", "end"),
                  text(WIDTH - 4, y + BAR + 6, f"{ratio}×", "ratio", "end")]
        for value, class_, note in ((mine, "limen", ""), (theirs, "linux", way)):
            x = scale.at(value) + 6
            parts += [bar(scale.start, y, x - 6 - scale.start, BAR, class_),
                      text(x, y + 10.5, f"{value:,}", "value"),
                      text(x + 6 + CHARACTER * len(f"{value:,}"), y + 10.5, note, "note")]
            y += BAR + 2
    return drawing(WIDTH, bottom + 6,
                   f"Medians of Limen and Linux in {unit}, on a logarithmic scale", parts)


# -- histograms --

PLOT_WIDTH, PLOT_HEIGHT, LEFT, BASE, COLUMN = 300, 130, 34, 104, 3
NEAR = 6 * CHARACTER  # so near each other, two names would overlap


def binned(histogram, scale):
    """How many samples fall into each column of the picture."""
    columns = {}
    for value, samples in histogram:
        column = int((scale.at(value) - scale.start) // COLUMN)
        columns[column] = columns.get(column, 0) + samples
    return columns


def histogram(name, series, unit):
    """`series`: (class, histogram).  Both axes are logarithmic: one sample of 1,000 is seen."""
    scale = LogScale([value for _, values in series for value, _ in values], LEFT, PLOT_WIDTH - 12)
    # A column of one sample has a height, too: the base line is below one.
    heights = LogScale([1, max(sum(samples for _, samples in values) for _, values in series)],
                       BASE - 10, 24)
    parts = []
    for tick in heights.ticks():
        parts += [line(LEFT, heights.at(tick), PLOT_WIDTH - 6, heights.at(tick)),
                  text(LEFT - 5, heights.at(tick) + 4, short(tick), "tick", "end")]
    medians = [scale.at(percentile(values, 50)) for _, values in series]
    for (class_, values), median in zip(series, medians):
        for column, samples in binned(values, scale).items():
            top = heights.at(samples)
            parts.append(bar(LEFT + column * COLUMN, top, COLUMN - 0.5, BASE - top, class_))
        anchor = "middle"
        if max(medians) - min(medians) < NEAR:
            anchor = "start" if median == max(medians) else "end"
        parts.append(text(median, 13, class_.capitalize(), "tick " + class_, anchor))
    parts.append(line(LEFT, BASE, PLOT_WIDTH - 6, BASE, "axis"))
    parts += [text(scale.at(tick), BASE + 16, short(tick), "tick", "middle")
              for tick in scale.ticks()]
    return drawing(PLOT_WIDTH, PLOT_HEIGHT, f"{name}: samples by {unit}", parts)


# -- growth --

def growth(name, curves, unit):
    """`curves`: (class, points) of one operation, by the number of this and of that, from zero up:
    flat lines are what one wants."""
    numbers = [number for _, points in curves for number, _ in points]
    values = [value for _, points in curves for _, value in points]
    across = LogScale(numbers, LEFT, PLOT_WIDTH - 12)
    least, most = min(values), max(values)

    def up(value):
        return BASE - (BASE - 24) * value / max(1, most)

    parts = [line(LEFT, BASE, PLOT_WIDTH - 6, BASE, "axis"),
             text(LEFT - 5, BASE + 4, "0", "tick", "end")]
    parts += [text(across.at(tick), BASE + 16, short(tick), "tick", "middle")
              for tick in across.ticks()]
    for class_, points in curves:
        places = [(across.at(number), up(value)) for number, value in points]
        parts.append(element("polyline", class_=f"curve {class_}",
                             points=" ".join(f"{x:.1f},{y:.1f}" for x, y in places)))
        parts += [element("circle", cx=x, cy=y, r=3, class_=class_) for x, y in places]
    said = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    parts.append(text(PLOT_WIDTH - 6, 13, said, "value", "end"))
    return drawing(PLOT_WIDTH, PLOT_HEIGHT, f"{name} in {unit} as things grow: {said}", parts)
