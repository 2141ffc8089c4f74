"""The curve of benchmarks/trusted.py: average precision against the number of trusted instances."""

import math
from collections.abc import Callable, Mapping, Sequence
from statistics import mean

from lib.report.charts import Axis, format_number, ticks
from lib.report.markup import Markup, element
from lib.report.style import BLUE, ORANGE

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 300, 60, 130, 30, 50
COLORS = (ORANGE, BLUE)
Measured = Mapping[int, Sequence[float]]  # {number of trusted instances: values of the seeds}


def curve(measured: Mapping[str, Measured]) -> str:
    """SVG text: for each ground a point for every seed, and a line through the means; the x axis is logarithmic."""
    counts = sorted({count for of_ground in measured.values() for count in of_ground})
    across = Axis(math.log2(counts[0]) - 0.3, math.log2(counts[-1]) + 0.3, LEFT, WIDTH - RIGHT)
    y = Axis(0.5, 1.0, HEIGHT - BOTTOM, TOP)

    def x(count: int) -> float:
        return across(math.log2(count))

    drawn = [_line((LEFT, y(tick)), (WIDTH - RIGHT, y(tick)), "#d5d9df") for tick in ticks(y.low, y.high)]
    drawn += [_text(format_number(tick), LEFT - 8, y(tick) + 4, "end") for tick in ticks(y.low, y.high)]
    drawn += [_text(str(count), x(count), HEIGHT - BOTTOM + 18, "middle") for count in counts]
    middle = (LEFT + WIDTH - RIGHT) / 2
    drawn.append(_text("trusted instances", middle, HEIGHT - 10, "middle"))
    drawn.append(_text("average precision", 8, TOP - 12, "start"))
    for (ground, of_ground), color in zip(measured.items(), COLORS):
        drawn += _ground(ground, of_ground, color, x, y)
    box = {"xmlns": "http://www.w3.org/2000/svg", "viewBox": f"0 0 {WIDTH} {HEIGHT}",
           "font-family": "sans-serif", "font-size": 12}  # fmt: skip
    return element("svg", box, element("rect", {"width": WIDTH, "height": HEIGHT, "fill": "#fff"}), drawn) + "\n"  # fmt: skip


def _ground(name: str, measured: Measured, color: str, x: Callable[[int], float], y: Axis) -> list[Markup]:
    means = [(count, mean(values)) for count, values in sorted(measured.items())]
    path = " ".join(f"{x(count):.1f},{y(value):.1f}" for count, value in means)
    drawn = [element("polyline", {"points": path, "fill": "none", "stroke": color, "stroke-width": 2})]
    for count, values in measured.items():
        hint = f"{name}, {count}: {', '.join(f'{value:.3f}' for value in values)}"
        drawn += [
            element("circle", {"cx": x(count), "cy": y(v), "r": 3, "fill": color}, element("title", {}, hint))
            for v in values
        ]
    return [*drawn, _text(name, WIDTH - RIGHT + 8, y(means[-1][1]) + 4, "start")]


def _line(start: tuple[float, float], end: tuple[float, float], color: str) -> Markup:
    ends = {"x1": start[0], "y1": start[1], "x2": end[0], "y2": end[1]}
    return element("line", {**ends, "stroke": color, "stroke-width": 1})


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "fill": "#222"}, text)
