"""What a step sends, counted in 2 and 3 processes, against the calculation."""

from collections import Counter

import pytest

from benchmarks.traffic import Traffic, ring_seconds
from lib.ignoring.modes import MODES


@pytest.mark.parametrize("size", [2, 3])
def test_a_step_sends_what_is_calculated(together, size):
    for found in together[size]:
        assert len(found["sent"]) == len(MODES) + 2 * 3
        for name, (counted, expected) in found["sent"].items():
            for kind in ("sum", "gather"):
                for what in ("messages", "sent"):
                    assert counted[what].get(kind, 0) == expected[what].get(kind, 0), (name, kind, what)


def test_gradients_of_each_mode(together):
    """By hand: the target's, a source model's, and with a hypergradient that of validation and of the source."""
    expected = dict(
        baseline1=1, baseline2=1, baseline3=2, baseline4=2, ours1=3, ours2=3, ours3=4, ours4=3, ours5=4
    )
    for mode, gradients in expected.items():
        counted, _ = together[2][0]["sent"][f"{mode} {{}}"]
        assert counted["messages"]["sum"] == gradients + 1  # and one of losses


def test_a_ring_passes_sums_twice_and_gathers_once():
    of_sums = Traffic(Counter(sum=2), Counter(sum=800))
    assert ring_seconds(of_sums, 4, 100.0, 0.0) == pytest.approx(2 * 3 / 4 * 800 / 100)
    of_gathers = Traffic(Counter(gather=2), Counter(gather=800))
    assert ring_seconds(of_gathers, 4, 100.0, 0.0) == pytest.approx(3 * 800 / 100)
    assert ring_seconds(of_sums, 4, 100.0, 0.5) - ring_seconds(of_sums, 4, 100.0, 0.0) == pytest.approx(
        2 * 6 * 0.5
    )
