"""That the errors of the precision benchmark are of the same step."""

import pytest
import torch

from benchmarks import precision
from tests.benchmarks.test_pose_case import SMALL


@pytest.fixture
def small(monkeypatch):
    config_of = precision.config_of
    monkeypatch.setattr(precision, "config_of", lambda **given: config_of(**SMALL, **given))


def test_the_same_step_has_no_error_and_fewer_digits_have_a_small_one(small):
    state = precision.warmed("ours2", 3)
    assert state["step"] == 3
    records = {}
    for name in ("float32", "bf16"):
        case = precision.case_of("ours2", name, state, LBI__LOOKAHEAD="sgd")
        assert torch.equal(case.state.target.model.conv1.weight, state["target_model"]["conv1.weight"])
        records[name], labelled = case.step(), case.source.target_weight > 0
    again = precision.case_of("ours2", "float32", state, LBI__LOOKAHEAD="sgd").step()
    found = precision.errors({**records, "again": again}, labelled)
    assert found["again"]["hypergradients"] == {"relative error": 0, "rank correlation": pytest.approx(1)}
    assert 1e-6 < found["bf16"]["hypergradients"]["relative error"] < 0.5
    through = precision.case_of("ours2", "float32", state, LBI__LOOKAHEAD="optimizer").step()
    assert not torch.equal(through.gradients["A"], again.gradients["A"])
