"""What a step sends, counted in 2 and 3 processes, against the calculation."""

from collections import Counter

import pytest

from benchmarks.pose_case import TINY, PoseCase, config_of
from benchmarks.traffic import Parameters, Traffic, ring_seconds
from lib.ignoring.modes import MODES
from tests.harness.together import SENT


@pytest.mark.parametrize("size", [2, 3])
def test_a_step_sends_what_is_calculated(together, size):
    for found in together[size]:
        assert len(found["sent"]) == len(MODES) + 2 * len(SENT)
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


def test_the_last_layer_alone_sends_no_whole_validation_gradient(together):
    """Of the tiny network's last layer: 13 heatmaps from 4 channels, and their biases."""
    found = together[2][0]["sent"]
    whole, final = (found[f"ours5 {settings}"][0] for settings in ({}, {"LBI__HYPERGRAD_LAYERS": "final"}))
    joints = config_of(**TINY).model.num_joints
    parameters = Parameters.of(PoseCase("baseline1", config_of(**TINY)).state.target)
    assert whole["messages"] == final["messages"]
    assert whole["sent"]["sum"] - final["sent"]["sum"] == 4 * (parameters.whole - joints * (4 + 1))


def test_a_ring_passes_sums_twice_and_gathers_once():
    of_sums = Traffic(Counter(sum=2), Counter(sum=800))
    assert ring_seconds(of_sums, 4, 100.0, 0.0) == pytest.approx(2 * 3 / 4 * 800 / 100)
    of_gathers = Traffic(Counter(gather=2), Counter(gather=800))
    assert ring_seconds(of_gathers, 4, 100.0, 0.0) == pytest.approx(3 * 800 / 100)
    assert ring_seconds(of_sums, 4, 100.0, 0.5) - ring_seconds(of_sums, 4, 100.0, 0.0) == pytest.approx(
        2 * 6 * 0.5
    )
