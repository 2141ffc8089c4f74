import pytest

from benchmarks.growth import Case, lines_of, measure, side_by_side, straight_line
from benchmarks.tables import tables


def test_a_straight_line_is_found_and_what_is_off_it():
    fit = straight_line([1, 2, 4, 8], [1.5, 2.0, 3.0, 5.0])
    assert fit == pytest.approx({"fixed": 1, "each": 0.5, "furthest": 0}, abs=1e-12)
    bent = straight_line([1, 2, 4, 8], [1.5, 2.0, 3.0, 10.0])
    assert bent["furthest"] > 0.1


def test_lines_and_columns_of_rows():
    rows = [{"mode": m, "batch": b, "seconds": f + b} for b in (1, 2, 4) for m, f in (("a", 0.5), ("b", 2.0))]
    lines = lines_of(rows, "batch")
    assert [line["mode"] for line in lines] == ["a", "b"]
    assert [line["fixed seconds"] for line in lines] == pytest.approx([0.5, 2.0])
    assert [line["seconds per batch"] for line in lines] == pytest.approx([1, 1])
    assert side_by_side(rows[:3], "batch", "mode") == [
        {"mode": "a", "batch 1": 1.5, "batch 2": 2.5},
        {"mode": "b", "batch 1": 3.0},
    ]


@pytest.mark.slow
def test_steps_of_all_sizes_are_measured():
    numbers = measure(
        Case(layers=18, image=(64, 64), batch=2), 1, batches=(1, 2), joints=(13, 14), networks=(18,)
    )
    assert [(row["mode"], row["batch"]) for row in numbers["batch"]] == [
        (name, size) for size in (1, 2) for name in ("baseline2", "ours1_final", "ours2")
    ]  # fmt: skip
    assert set(numbers["ratios"]) == {
        f"step of {name} / baseline2, {where}"
        for name in ("ours1_final", "ours2")
        for where in ("batch 1", "batch 2", "joints 13", "joints 14", "layers 18")
    }
    parts = {row["part"] for row in numbers["batch, parts of ours1_final, seconds"]}
    assert {"look-ahead", "source: jvp", "target: backward"} <= parts
    # More than the first convolution alone: of two people, 64 channels and 32 x 32 pixels from 3 x 7 x 7 numbers.
    assert 2 * 2 * 64 * 32**2 * 3 * 7**2 / 1e9 < numbers["network"][0]["GFLOP a forward pass"] < 2
    assert tables(numbers)
