"""That the benchmarks of the training step time the steps that they name."""

import pytest

from benchmarks.pose_case import RECOMMENDED, TINY, PoseCase, config_of


@pytest.mark.parametrize("mode, places", [("baseline2", ""), ("ours1", "B"), ("ours2", "A"), ("ours5", "AB")])
def test_every_step_has_its_hypergradients(mode, places):
    case = PoseCase(mode, config_of(**TINY))
    for _ in range(3):
        assert sorted(case.step().hypergradients) == list(places)


def test_one_step_in_four_has_a_hypergradient():
    case = PoseCase("ours2", config_of(LBI__HYPERGRAD_INTERVAL=4, LBI__VARIABLES="persistent", **TINY))
    assert [len(case.step().hypergradients) for _ in range(8)] == [1, 0, 0, 0] * 2


def test_the_recommended_way_trains_the_source_model_first_and_along_the_last_layer():
    case = PoseCase("ours2", config_of(**RECOMMENDED, **TINY))
    assert [phase.roles for phase in case.phases] == [("source",), ("target",)]
    before = case.state.target.parameters[0].clone()
    assert list(case.step(phase=case.phases[0]).hypergradients) == ["A"]
    assert (case.state.target.parameters[0] == before).all()
    assert not case.step(phase=case.phases[1]).hypergradients
    assert (case.state.target.parameters[0] != before).any()
    assert sum(case.state.target.in_direction) == 2
