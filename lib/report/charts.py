"""Charts as inline SVG: curves, bars, a histogram over time. Data in, markup out; no scripts."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lib.report.markup import Markup, element
from lib.report.style import BLUE

WIDTH, HEIGHT = 460, 280  # units of the drawing; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 28, 44  # margins, for ticks and axis titles
DARKEST = 0.2  # share of the labels
ROW = 24  # height of a horizontal bar's row


class Series(NamedTuple):
    """One curve: x and y [K], a colour, and dashes as SVG has them."""

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: str = BLUE
    dash: str = ""


class Bar(NamedTuple):
    """A row of ``bar_rows``: values in [0, 1]; NaN draws nothing."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """Numbers from ``low`` to ``high`` onto pixels from ``start`` to ``end``."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers (1, 2 or 5 times a power of ten apart) within [low, high]."""
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def span(values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest of ``values``, a little apart where they are one number."""
    low, high = float(np.min(values)), float(np.max(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def line_chart(
    label: str,
    series: list[Series],
    x_title: str,
    y_title: str,
    x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None,
    reference: Series | None = None,
) -> Markup:
    """Curves with axes; every point says its numbers under the pointer. ``reference``: a thin grey line."""
    x_range = x_range or span(np.concatenate([s.x for s in series]))
    y_range = y_range or span(np.concatenate([s.y for s in series]))
    x = Axis(*x_range, LEFT, WIDTH - RIGHT)
    y = Axis(*y_range, HEIGHT - BOTTOM, TOP)
    drawn = [_frame(x, y, x_title, y_title)]
    if reference:
        drawn.append(_curve(reference._replace(colour="#8a8f98", dash="3 3"), x, y, 1))
    for one in series:
        drawn.append(_curve(one, x, y, 2))
        # Beyond that many, points hide the curve.
        radius = 2.5 if len(one.x) <= 40 else 0
        for a, b in zip(one.x.tolist(), one.y.tolist()):
            place = {"cx": x(a), "cy": y(b), "r": radius or 4.0, "fill": one.colour}
            place |= {} if radius else {"fill-opacity": "0"}
            drawn.append(element("circle", place, _hint(f"{one.name}: {format_number(b)} at {format_number(a)}")))
    return _drawing(label, WIDTH, HEIGHT, drawn)


def histogram_over_time(label: str, steps: list[int], counts: np.ndarray) -> Markup:
    """A column for each of ``steps``, ``counts`` [S, B] of B equal bins of [0, 1]; darker is more.

    The scale is the same in all reports: full colour is ``DARKEST`` of the labels in one bin.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    bins = counts.shape[1]
    x = Axis(0, len(steps), LEFT, WIDTH - RIGHT)
    y = Axis(0, 1, HEIGHT - BOTTOM, TOP)
    drawn = [element("rect", {"x": LEFT, "y": TOP, "width": x.end - x.start, "height": y.start - y.end, "fill": "#f4f6f8"})]  # fmt: skip
    for column, (step, row) in enumerate(zip(steps, shares)):
        for b, share in enumerate(row.tolist()):
            if share == 0:
                continue
            place = {"x": x(column), "y": y((b + 1) / bins), "width": x(1) - x(0) - 0.4, "height": y(0) - y(1 / bins) - 0.4,
                     "fill": BLUE, "fill-opacity": f"{darkness(share):.2f}"}  # fmt: skip
            hint = f"step {step}, weight {b / bins:.2f} to {(b + 1) / bins:.2f}: {100 * share:.1f} % of the labels"
            drawn.append(element("rect", place, _hint(hint)))
    drawn += [_y_tick(y, tick, grid=False) for tick in ticks(0, 1)]
    every = -(-len(steps) // 6)
    drawn += [_text(str(step), x(i + 0.5), y.start + 16, "middle") for i, step in list(enumerate(steps))[::every]]  # fmt: skip
    drawn += _titles("training step", "weight")
    return _drawing(label, WIDTH, HEIGHT, drawn)


def darkness(share: float) -> float:
    """Opacity of a bin that holds ``share`` of the labels; the root keeps small shares visible."""
    return math.sqrt(min(1.0, share / DARKEST))


def histogram_bars(label: str, groups: list[tuple[str, str, np.ndarray]], x_title: str, y_title: str) -> Markup:  # fmt: skip
    """Bars side by side for (name, colour, values [B]) of B equal bins of [0, 1]."""
    bins = len(groups[0][2])
    highest = max(float(values.max()) for *_, values in groups) or 1.0
    x = Axis(0, 1, LEFT, WIDTH - RIGHT)
    y = Axis(0, highest * 1.04, HEIGHT - BOTTOM, TOP)
    drawn = [_frame(x, y, x_title, y_title)]
    width = (x(1 / bins) - x(0) - 2) / len(groups)
    for g, (name, colour, values) in enumerate(groups):
        for b, value in enumerate(values.tolist()):
            place = {"x": x(b / bins) + 1 + g * width, "y": y(value), "width": width, "height": y(0) - y(value), "fill": colour}  # fmt: skip
            hint = f"{name}, weight {b / bins:.2f} to {(b + 1) / bins:.2f}: {format_number(value)}"
            drawn.append(element("rect", place, _hint(hint)))
    return _drawing(label, WIDTH, HEIGHT, drawn)


def bar_rows(
    label: str, bars: list[Bar], styles: list[tuple[str, str]], x_title: str, marker: int | None = None
) -> Markup:
    """Rows of horizontal bars on [0, 1], one in a row for each (name, colour) of ``styles``.

    The value number ``marker`` is drawn as a diamond on the first bar instead of as a bar.
    """
    left, right, top, thick = 128, 44, 8, 14
    as_bars = [i for i in range(len(styles)) if i != marker]
    row = max(ROW, 8 * len(as_bars) + 8)
    height = top + row * len(bars) + BOTTOM
    x = Axis(0, 1, left, WIDTH - right)
    drawn = [_x_tick(x, tick, top, height - BOTTOM) for tick in ticks(0, 1)]
    thick = min(thick, (row - 8) / len(as_bars))
    for r, bar in enumerate(bars):
        middle = top + row * (r + 0.5)
        drawn.append(_text(bar.name, left - 8, middle + 4, "end"))
        for n, i in enumerate(as_bars):
            value = bar.values[i]
            if math.isnan(value):
                continue
            upper = middle + (n - len(as_bars) / 2) * thick
            place = {
                "x": left,
                "y": upper,
                "width": x(value) - left,
                "height": thick - 1,
                "fill": styles[i][1],
            }
            drawn.append(element("rect", place, _hint(f"{bar.name}, {styles[i][0]}: {value:.2f}")))
        if len(as_bars) == 1 and not math.isnan(bar.values[as_bars[0]]):
            drawn.append(_text(f"{bar.values[as_bars[0]]:.2f}", WIDTH - right + 8, middle + 4, "start"))
        if marker is not None and not math.isnan(bar.values[marker]):
            at, size = x(bar.values[marker]), 6
            shape = {"d": f"M{at - size:.1f} {middle:.1f}L{at:.1f} {middle - size:.1f}L{at + size:.1f} {middle:.1f}L{at:.1f} {middle + size:.1f}Z"}  # fmt: skip
            shape |= {"fill": styles[marker][1], "stroke": "#fff", "stroke-width": "1"}
            hint = f"{bar.name}, {styles[marker][0]}: {bar.values[marker]:.2f}"
            drawn.append(element("path", shape, _hint(hint)))
    drawn.append(_text(x_title, (left + WIDTH - right) / 2, height - 8, "middle", "title"))
    return _drawing(label, WIDTH, height, drawn)


def legend(entries: list[tuple[str, str, str]]) -> Markup:
    """(name, colour, dashes) of each curve, above the chart."""
    keys = []
    for name, colour, dash in entries:
        line = {"x1": 0, "y1": 5, "x2": 24, "y2": 5, "stroke": colour, "stroke-width": 4, "stroke-dasharray": dash}  # fmt: skip
        key = element("svg", {"width": 24, "height": 10, "aria-hidden": "true"}, element("line", line))
        keys.append(element("span", {}, key, " ", name))
    return element("div", {"class": "legend"}, keys)


def format_number(value: float) -> str:
    """At most four digits, as short as they go: 12, 0.034, 1200."""
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _frame(x: Axis, y: Axis, x_title: str, y_title: str) -> list:
    lines = [_y_tick(y, tick) for tick in ticks(y.low, y.high)]
    lines += [_x_tick(x, tick, y.end, y.start) for tick in ticks(x.low, x.high)]
    return lines + _titles(x_title, y_title)


def _titles(x_title: str, y_title: str) -> list[Markup]:
    across = _text(x_title, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", "title")
    # Level, above its axis: easier to read than turned, and never over the ticks.
    return [across, _text(y_title, 0, 12, "start", "title")]


def _y_tick(y: Axis, tick: float, grid: bool = True) -> list[Markup | None]:
    line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y(tick), "y2": y(tick), "class": "grid"}
    return [element("line", line) if grid else None, _text(format_number(tick), LEFT - 6, y(tick) + 4, "end")]


def _x_tick(x: Axis, tick: float, top: float, bottom: float) -> list[Markup]:
    line = {"x1": x(tick), "x2": x(tick), "y1": top, "y2": bottom, "class": "grid"}
    return [element("line", line), _text(format_number(tick), x(tick), bottom + 16, "middle")]


def _curve(series: Series, x: Axis, y: Axis, width: int) -> Markup:
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(series.x.tolist(), series.y.tolist()))
    style = {"fill": "none", "stroke": series.colour, "stroke-width": width, "stroke-dasharray": series.dash}
    return element("polyline", {"points": points, **style})


def _text(text: str, x: float, y: float, anchor: str, kind: str = "tick") -> Markup:
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "class": kind}, text)


def _hint(text: str) -> Markup:
    return element("title", {}, text)


def _drawing(label: str, width: int, height: int, drawn: list) -> Markup:
    box = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": label, "class": "chart"}
    return element("svg", box, drawn)
