"""Plots of the table: a point with its interval for each method, one panel per noise."""

import math
from typing import NamedTuple

from benchmarks.evidence.summary import Interval, Line, common_settings, interval, lines_by_noise
from lib.report.charts import Axis, format_number, ticks
from lib.report.markup import Markup, element
from lib.report.style import BLUE, GREEN, ORANGE

WIDTH, LEFT, RIGHT = 640, 220, 50
ROW, HEADING, FOOT = 20, 34, 34
PER_CENT = 100


class Figure(NamedTuple):
    """What is plotted.   column: of the rows.   title: below the axis.   scale: factor to percent."""

    column: str
    title: str
    scale: float = 1.0

    def values(self, line: Line) -> list[float]:
        """Of all seeds that have one, in percent."""
        return [self.scale * value for value in line.known(self.column)]


ACCURACY = Figure("pckh", "PCKh@0.5, percent")
RANKING = Figure("ap", "average precision in finding wrong labels, percent", PER_CENT)


def plot(rows: list[dict], figure: Figure = ACCURACY) -> str:
    """The plot as SVG text; all noises share one scale."""
    common = common_settings(rows)
    # A method that trains nothing has no PCKh, one that does not look for wrong labels no average precision.
    known = {
        noise: [line for line in lines if figure.values(line)]
        for noise, lines in lines_by_noise(rows).items()
    }
    noises = {noise: lines for noise, lines in known.items() if lines}
    intervals = [interval(figure.values(line)) for lines in noises.values() for line in lines]
    halves = [0.0 if math.isnan(value.half) else value.half for value in intervals]
    low = min((value.mean - half for value, half in zip(intervals, halves)), default=0)
    high = max((value.mean + half for value, half in zip(intervals, halves)), default=100)
    x = Axis(max(low - 1, 0), min(high + 1, 100), LEFT, WIDTH - RIGHT)
    drawn, top = [], 0
    for noise, lines in noises.items():
        bottom = top + HEADING + ROW * len(lines)
        drawn.append(_text(noise, 8, top + 22, "start", "600"))
        for tick in ticks(x.low, x.high):
            drawn.append(_line(x(tick), top + HEADING, x(tick), bottom, "#d5d9df", 1))
        for row, line in enumerate(lines):
            value = interval(figure.values(line))
            drawn += _point(line, line.called(common), value, (x, top + HEADING + ROW * (row + 0.5)))
        top = bottom
    drawn += [_text(format_number(tick), x(tick), top + 14, "middle") for tick in ticks(x.low, x.high)]
    drawn.append(
        _text(f"{figure.title}: mean and 95 % interval over seeds", (x.start + x.end) / 2, top + 30, "middle")
    )
    box = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {top + FOOT + 4}",
           "font-family": "sans-serif", "font-size": 12}  # fmt: skip
    paper = element("rect", {"width": WIDTH, "height": top + FOOT + 4, "fill": "#fff"})
    return element("svg", box, paper, drawn) + "\n"


def _point(line: Line, name: str, value: Interval, at: tuple[Axis, float]) -> list[Markup]:
    (x, y), colour = at, _colour(line.method)
    hint = element("title", {}, f"{name}: {value} ({len(line.rows)} seeds)")
    drawn = [_text(name, LEFT - 10, y + 4, "end")]
    if not math.isnan(value.half):
        # The axis ends at 0 and 100; an interval may reach further.
        ends = (min(max(end, x.low), x.high) for end in (value.mean - value.half, value.mean + value.half))
        drawn.append(_line(x(next(ends)), y, x(next(ends)), y, colour, 2))
    drawn.append(element("circle", {"cx": x(value.mean), "cy": y, "r": 4, "fill": colour}, hint))
    return [*drawn, _text(f"{value.mean:.1f}", WIDTH - RIGHT + 8, y + 4, "start")]


def _colour(method: str) -> str:
    if method.startswith("ours"):
        return ORANGE
    return GREEN if method.startswith("oracle") else BLUE


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> Markup:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", {**ends, "stroke": colour, "stroke-width": width})


def _text(text: str, x: float, y: float, anchor: str, weight: str = "400") -> Markup:
    return element(
        "text", {"x": x, "y": y, "text-anchor": anchor, "font-weight": weight, "fill": "#222"}, text
    )
