"""SVG charts of the report, without scripts: curves, bars, histograms."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from lib.report.markup import Attributes, Content, Markup, element
from lib.report.style import BLUE

# Units of the SVG view box; the page scales the drawing to its column.
WIDTH, HEIGHT = 460, 280
LEFT, RIGHT, TOP, BOTTOM = 54, 14, 28, 44  # margins, for ticks and axis titles
ROW_LEFT, ROW_RIGHT, ROW_TOP = 128, 44, 8  # margins of `bar_rows`, for joint names and values
ROW_HEIGHT, BAR_HEIGHT = 24, 14
MAX_MARKED_POINTS = 40  # points of longer curves are not marked: they would hide the curve
OPAQUE_SHARE = 0.2  # share of the labels from which a bin of `histogram_over_time` has full colour
MAX_STEP_TICKS = 6


class Series(NamedTuple):
    """One curve.

    name: for tooltips and legend.
    x, y: [K] coordinates.
    colour, dash: stroke colour and SVG dash pattern.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    colour: str = BLUE
    dash: str = ""


class Bar(NamedTuple):
    """A row of `bar_rows`: its name, and values in [0, 1]; NaN draws nothing."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Axis:
    """Linear map of the values [low, high] to the coordinates [start, end]."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Coordinate of ``value``."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """About ``count`` round numbers (1, 2 or 5 times a power of ten apart) within [low, high]."""
    raw = (high - low) / count
    power = 10 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [n * step for n in range(first, last + 1)]


def value_range(values: np.ndarray) -> tuple[float, float]:
    """Minimum and maximum of ``values``; a range of length 1 around them if they are all equal."""
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
    """Draw curves with axes; each point has its values as a tooltip.

    Args:
        label: Description for screen readers.
        series: The curves; at least one, with at least one point each.
        x_title, y_title: Axis titles.
        x_range, y_range: (low, high) of the axes; by default the range of the values.
        reference: A curve drawn thin, grey and dotted behind the others.
    """
    x_low, x_high = x_range or value_range(np.concatenate([s.x for s in series]))
    y_low, y_high = y_range or value_range(np.concatenate([s.y for s in series]))
    x = Axis(x_low, x_high, LEFT, WIDTH - RIGHT)
    y = Axis(y_low, y_high, HEIGHT - BOTTOM, TOP)
    shapes: list[Content] = [_frame(x, y, x_title, y_title)]
    if reference:
        shapes.append(_curve(reference._replace(colour="#8a8f98", dash="3 3"), x, y, 1))
    for curve in series:
        shapes.append(_curve(curve, x, y, 2))
        # Points of long curves stay as transparent discs, which still show the tooltip.
        marked = len(curve.x) <= MAX_MARKED_POINTS
        for a, b in zip(curve.x.tolist(), curve.y.tolist()):
            circle: Attributes = {"cx": x(a), "cy": y(b), "r": 2.5 if marked else 4.0, "fill": curve.colour}
            circle |= {} if marked else {"fill-opacity": "0"}
            tooltip = f"{curve.name}: {format_number(b)} at {format_number(a)}"
            shapes.append(element("circle", circle, _tooltip(tooltip)))
    return _svg(label, WIDTH, HEIGHT, shapes)


def histogram_over_time(label: str, steps: list[int], counts: np.ndarray) -> Markup:
    """Draw one histogram of the weights per training step as a column of shaded cells.

    The shades are the same in all reports: full colour from ``OPAQUE_SHARE`` of the labels in a bin.

    Args:
        label: Description for screen readers.
        steps: The S training steps.
        counts: [S, B] number of labels in B equal bins of [0, 1].
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    bins = counts.shape[1]
    x = Axis(0, len(steps), LEFT, WIDTH - RIGHT)
    y = Axis(0, 1, HEIGHT - BOTTOM, TOP)
    ground = {"x": LEFT, "y": TOP, "width": x.end - x.start, "height": y.start - y.end, "fill": "#f4f6f8"}
    shapes: list[Content] = [element("rect", ground)]
    width, height = x(1) - x(0) - 0.4, y(0) - y(1 / bins) - 0.4  # 0.4: gap between cells
    for column, (step, row) in enumerate(zip(steps, shares)):
        for b, share in enumerate(row.tolist()):
            if share == 0:
                continue
            cell: Attributes = {"x": x(column), "y": y((b + 1) / bins), "width": width, "height": height}
            cell |= {"fill": BLUE, "fill-opacity": f"{opacity(share):.2f}"}
            tooltip = f"step {step}, {_bin_name(b, bins)}: {100 * share:.1f} % of the labels"
            shapes.append(element("rect", cell, _tooltip(tooltip)))
    shapes += [_y_tick(y, tick, grid=False) for tick in ticks(0, 1)]
    every = -(-len(steps) // MAX_STEP_TICKS)
    for column in range(0, len(steps), every):
        shapes.append(_text(str(steps[column]), x(column + 0.5), y.start + 16, "middle"))
    shapes += _titles("training step", "weight")
    return _svg(label, WIDTH, HEIGHT, shapes)


def opacity(share: float) -> float:
    """Opacity of a bin with ``share`` of the labels; the square root keeps small shares visible."""
    return math.sqrt(min(1.0, share / OPAQUE_SHARE))


def histogram_bars(
    label: str, groups: list[tuple[str, str, np.ndarray]], x_title: str, y_title: str
) -> Markup:
    """Draw histograms side by side.

    Args:
        label: Description for screen readers.
        groups: (name, colour, counts [B] in B equal bins of [0, 1]) of each histogram.
        x_title, y_title: Axis titles.
    """
    bins = len(groups[0][2])
    highest = max(float(values.max()) for *_, values in groups) or 1.0
    x = Axis(0, 1, LEFT, WIDTH - RIGHT)
    y = Axis(0, highest * 1.04, HEIGHT - BOTTOM, TOP)
    shapes: list[Content] = [_frame(x, y, x_title, y_title)]
    width = (x(1 / bins) - x(0) - 2) / len(groups)
    for g, (name, colour, values) in enumerate(groups):
        for b, value in enumerate(values.tolist()):
            left = x(b / bins) + 1 + g * width
            bar = {"x": left, "y": y(value), "width": width, "height": y(0) - y(value), "fill": colour}
            tooltip = f"{name}, {_bin_name(b, bins)}: {format_number(value)}"
            shapes.append(element("rect", bar, _tooltip(tooltip)))
    return _svg(label, WIDTH, HEIGHT, shapes)


def bar_rows(
    label: str, bars: list[Bar], styles: list[tuple[str, str]], x_title: str, marker: int | None = None
) -> Markup:
    """Draw rows of horizontal bars on [0, 1].

    Args:
        label: Description for screen readers.
        bars: The rows, with one value for each of ``styles``.
        styles: (name, colour) of each value of a row.
        x_title: Axis title.
        marker: Index of the value that is drawn as a diamond on the row instead of as a bar.
    """
    bar_indices = [i for i in range(len(styles)) if i != marker]
    row_height = max(ROW_HEIGHT, 8 * len(bar_indices) + 8)
    height = ROW_TOP + row_height * len(bars) + BOTTOM
    x = Axis(0, 1, ROW_LEFT, WIDTH - ROW_RIGHT)
    shapes: list[Content] = [_x_tick(x, tick, ROW_TOP, height - BOTTOM) for tick in ticks(0, 1)]
    thickness = min(BAR_HEIGHT, (row_height - 8) / len(bar_indices))
    for r, bar in enumerate(bars):
        middle = ROW_TOP + row_height * (r + 0.5)
        shapes.append(_text(bar.name, ROW_LEFT - 8, middle + 4, "end"))
        for n, i in enumerate(bar_indices):
            value = bar.values[i]
            if math.isnan(value):
                continue
            top = middle + (n - len(bar_indices) / 2) * thickness
            shape: Attributes = {"x": ROW_LEFT, "y": top, "width": x(value) - ROW_LEFT}
            shape |= {"height": thickness - 1, "fill": styles[i][1]}
            shapes.append(element("rect", shape, _tooltip(f"{bar.name}, {styles[i][0]}: {value:.2f}")))
        if len(bar_indices) == 1 and not math.isnan(value := bar.values[bar_indices[0]]):
            shapes.append(_text(f"{value:.2f}", WIDTH - ROW_RIGHT + 8, middle + 4, "start"))
        if marker is not None and not math.isnan(value := bar.values[marker]):
            name, colour = styles[marker]
            shapes.append(_diamond(x(value), middle, colour, f"{bar.name}, {name}: {value:.2f}"))
    shapes.append(_text(x_title, (ROW_LEFT + WIDTH - ROW_RIGHT) / 2, height - 8, "middle", "title"))
    return _svg(label, WIDTH, height, shapes)


def legend(entries: Sequence[tuple[str, str, str]]) -> Markup:
    """The legend above a chart, from (name, colour, dash pattern) of each curve."""
    keys = []
    for name, colour, dash in entries:
        line: Attributes = {"x1": 0, "y1": 5, "x2": 24, "y2": 5}
        line |= {"stroke": colour, "stroke-width": 4, "stroke-dasharray": dash}
        key = element("svg", {"width": 24, "height": 10, "aria-hidden": "true"}, element("line", line))
        keys.append(element("span", {}, key, " ", name))
    return element("div", {"class": "legend"}, keys)


def format_number(value: float) -> str:
    """At most four significant digits, without trailing zeros: 12, 0.034, 1200; from 1e4 on 12,345."""
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _frame(x: Axis, y: Axis, x_title: str, y_title: str) -> list[Content]:
    """Grid lines, ticks and titles of both axes."""
    lines: list[Content] = [_y_tick(y, tick) for tick in ticks(y.low, y.high)]
    lines += [_x_tick(x, tick, y.end, y.start) for tick in ticks(x.low, x.high)]
    return lines + _titles(x_title, y_title)


def _titles(x_title: str, y_title: str) -> list[Markup]:
    x_text = _text(x_title, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle", "title")
    # The y title is horizontal, above its axis: easier to read, and it cannot overlap the ticks.
    return [x_text, _text(y_title, 0, 12, "start", "title")]


def _y_tick(y: Axis, tick: float, grid: bool = True) -> list[Markup | None]:
    line = {"x1": LEFT, "x2": WIDTH - RIGHT, "y1": y(tick), "y2": y(tick), "class": "grid"}
    text = _text(format_number(tick), LEFT - 6, y(tick) + 4, "end")
    return [element("line", line) if grid else None, text]


def _x_tick(x: Axis, tick: float, top: float, bottom: float) -> list[Markup]:
    line = {"x1": x(tick), "x2": x(tick), "y1": top, "y2": bottom, "class": "grid"}
    return [element("line", line), _text(format_number(tick), x(tick), bottom + 16, "middle")]


def _curve(series: Series, x: Axis, y: Axis, width: int) -> Markup:
    points = " ".join(f"{x(a):.1f},{y(b):.1f}" for a, b in zip(series.x.tolist(), series.y.tolist()))
    style = {"fill": "none", "stroke": series.colour, "stroke-width": width}
    style |= {"stroke-dasharray": series.dash}
    return element("polyline", {"points": points, **style})


def _diamond(x: float, y: float, colour: str, tooltip: str, size: int = 6) -> Markup:
    left, right, top, bottom = x - size, x + size, y - size, y + size
    corners = f"M{left:.1f} {y:.1f}L{x:.1f} {top:.1f}L{right:.1f} {y:.1f}L{x:.1f} {bottom:.1f}Z"
    shape = {"d": corners, "fill": colour, "stroke": "#fff", "stroke-width": "1"}
    return element("path", shape, _tooltip(tooltip))


def _bin_name(b: int, bins: int) -> str:
    return f"weight {b / bins:.2f} to {(b + 1) / bins:.2f}"


def _text(text: str, x: float, y: float, anchor: str, kind: str = "tick") -> Markup:
    return element("text", {"x": x, "y": y, "text-anchor": anchor, "class": kind}, text)


def _tooltip(text: str) -> Markup:
    return element("title", {}, text)


def _svg(label: str, width: int, height: int, shapes: list[Content]) -> Markup:
    box = {"viewBox": f"0 0 {width} {height}", "role": "img", "aria-label": label, "class": "chart"}
    return element("svg", box, shapes)
