import re
from xml.etree import ElementTree

import numpy as np
import pytest

from lib.report.charts import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Bar,
    Series,
    bar_rows,
    format_number,
    histogram_bars,
    histogram_over_time,
    legend,
    line_chart,
    opacity,
    ticks,
    value_range,
)


def shapes(svg, name):
    """The elements of one kind; parsing fails if the drawing is not well-formed."""
    return [element for element in ElementTree.fromstring(svg).iter() if element.tag == name]


def tooltips(svg):
    return [element.text for element in shapes(svg, "title")]


def test_ticks_are_round_and_inside():
    assert ticks(0, 1) == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
    assert ticks(0, 160, 5) == [0, 50, 100, 150]
    assert ticks(-0.3, 0.3, 3) == pytest.approx([-0.2, 0, 0.2])
    for low, high in ((3, 3.001), (0, 1e-7), (5, 12345), (-7, 2)):
        values = ticks(low, high)
        assert 2 <= len(values) <= 7 and low - 1e-9 <= min(values) and max(values) <= high * (1 + 1e-9)


def test_an_axis_maps_its_ends_and_its_middle():
    axis = Axis(10, 20, 100, 0)
    assert [axis(10), axis(20), axis(15)] == [100, 0, 50]


def test_a_curve_goes_through_its_points():
    series = Series("run <1>", np.array([0, 5, 10]), np.array([0.0, 1.0, 0.5]))
    svg = line_chart("Loss & more", [series], "step", "loss", (0, 10), (0, 1))
    (curve,) = shapes(svg, "polyline")
    points = [tuple(map(float, point.split(","))) for point in curve.get("points").split()]
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    assert points == [(LEFT, bottom), ((LEFT + right) / 2, TOP), (right, (TOP + bottom) / 2)]
    assert tooltips(svg) == ["run <1>: 0 at 0", "run <1>: 1 at 5", "run <1>: 0.5 at 10"]
    assert ElementTree.fromstring(svg).get("aria-label") == "Loss & more"


def test_points_of_long_curves_show_only_their_tooltips():
    series = Series("x", np.arange(50), np.arange(50.0))
    circles = shapes(line_chart("x", [series], "step", "x", reference=series), "circle")
    assert len(circles) == 50 and {circle.get("fill-opacity") for circle in circles} == {"0"}


def test_the_reference_is_a_thin_dotted_line_behind_the_curves():
    line = Series("x", np.array([0, 1]), np.array([0.0, 1.0]))
    svg = line_chart("x", [line], "step", "x", reference=line._replace(name="chance"))
    reference, curve = shapes(svg, "polyline")
    assert (reference.get("stroke-width"), curve.get("stroke-width")) == ("1", "2")
    assert reference.get("stroke-dasharray") == "3 3" and "chance" not in svg


def test_one_point_is_drawn():
    svg = line_chart("x", [Series("x", np.array([4]), np.array([2.0]))], "step", "x")
    assert len(shapes(svg, "circle")) == 1 and "nan" not in svg


def test_a_histogram_over_time_has_a_cell_for_every_bin_that_is_not_empty():
    svg = histogram_over_time("weights", [10, 20], np.array([[3, 0, 1, 0], [0, 0, 0, 2]]))
    assert tooltips(svg) == [
        "step 10, weight 0.00 to 0.25: 75.0 % of the labels",
        "step 10, weight 0.50 to 0.75: 25.0 % of the labels",
        "step 20, weight 0.75 to 1.00: 100.0 % of the labels",
    ]
    _, first, second, third = shapes(svg, "rect")  # the first one is the background
    middle = (LEFT + WIDTH - RIGHT) / 2
    assert float(first.get("x")) == float(second.get("x")) == LEFT and float(third.get("x")) == middle
    assert float(third.get("y")) == TOP and float(second.get("y")) > TOP
    assert float(first.get("y")) + float(first.get("height")) == pytest.approx(HEIGHT - BOTTOM, abs=0.5)
    assert all(float(cell.get("fill-opacity")) == 1 for cell in (first, second, third))


def test_shades_of_a_histogram_grow_with_the_share():
    svg = histogram_over_time("weights", [1], np.array([[90, 5, 4, 1]]))
    _, *cells = shapes(svg, "rect")
    opacity = [float(cell.get("fill-opacity")) for cell in cells]
    assert opacity == sorted(opacity, reverse=True) and opacity[1:] == pytest.approx(
        [0.5, 0.45, 0.22], abs=0.01
    )


def test_bars_are_as_high_as_their_counts():
    groups = [("correct", "#000", np.array([1, 4])), ("wrong", "#fff", np.array([2, 0]))]
    svg = histogram_bars("w", groups, "weight", "labels")
    heights = [float(bar.get("height")) for bar in shapes(svg, "rect")]
    assert np.array(heights) / heights[1] == pytest.approx([0.25, 1, 0.5, 0], abs=0.01)
    assert tooltips(svg)[2] == "wrong, weight 0.00 to 0.50: 2"


def test_rows_of_bars_leave_out_unknown_values():
    bars = [Bar("head", (0.5, 0.25)), Bar("hip", (1.0, float("nan")))]
    svg = bar_rows("joints", bars, [("mean", "#000"), ("right", "#111")], "weight", marker=1)
    widths = [float(bar.get("width")) for bar in shapes(svg, "rect")]
    assert widths[1] == 2 * widths[0]
    assert tooltips(svg) == ["head, mean: 0.50", "head, right: 0.25", "hip, mean: 1.00"]
    (diamond,) = shapes(svg, "path")
    left, at = float(shapes(svg, "rect")[0].get("x")), float(re.findall(r"L([\d.]+)", diamond.get("d"))[0])
    assert at - left == pytest.approx(widths[0] / 2, abs=0.1)


def test_several_bars_of_a_row_share_its_height():
    svg = bar_rows("joints", [Bar("head", (0.5, 0.25, 1.0))], [(n, "#000") for n in "abc"], "weight")
    tops = [float(bar.get("y")) for bar in shapes(svg, "rect")]
    heights = {float(bar.get("height")) for bar in shapes(svg, "rect")}
    assert len(heights) == 1 and tops == sorted(tops) and tops[1] - tops[0] > heights.pop()


def test_opacity_grows_with_the_root_up_to_full_colour():
    assert [opacity(share) for share in (0, 0.05, 0.2, 0.9)] == [0, 0.5, 1, 1]


def test_a_range_of_equal_values_has_length_one():
    assert value_range(np.array([3.0, -1.0])) == (-1, 3)
    assert value_range(np.array([2.0, 2.0])) == (1.5, 2.5)


def test_numbers_have_four_digits():
    assert [format_number(value) for value in (12.0, 0.034, 1234.56, 12345.6)] == [
        "12",
        "0.034",
        "1235",
        "12,346",
    ]


def test_a_legend_has_a_line_for_each_curve():
    svg = legend([("ours1", "#123", ""), ("ours2 <", "#456", "7 4")])
    assert [line.get("stroke") for line in shapes(svg, "line")] == ["#123", "#456"]
    assert [line.get("stroke-dasharray") for line in shapes(svg, "line")] == ["", "7 4"]
    assert [span[0].tail for span in shapes(svg, "span")] == [" ours1", " ours2 <"]
