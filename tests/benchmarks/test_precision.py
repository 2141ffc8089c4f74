"""That the errors of the precision benchmark are of the same step."""

import json

import pytest
import torch

from benchmarks import precision
from benchmarks.pose_case import TINY
from benchmarks.tables import tables


@pytest.fixture
def small(monkeypatch):
    config_of = precision.config_of
    monkeypatch.setattr(precision, "config_of", lambda **given: config_of(**TINY, **given))


def test_the_same_step_has_no_error_and_fewer_digits_have_a_small_one(small):
    state = precision.warmed("ours2", 3)
    assert state["step"] == 3
    records = {}
    for name in ("float32", "bf16"):
        case = precision.case_of("ours2", name, state, LBI__HYPERGRAD_THROUGH="sgd")
        assert torch.equal(case.state.target.model.conv1.weight, state["target_model"]["conv1.weight"])
        records[name], labelled = case.step(), case.source.target_weight > 0
    again = precision.case_of("ours2", "float32", state, LBI__HYPERGRAD_THROUGH="sgd").step()
    rows = precision.errors("sgd", {**records, "again": again}, labelled)
    found = {row["variant"]: row for row in rows if row["of"] == "hypergradients"}
    assert (found["again"]["relative error"], found["again"]["rank correlation"]) == (0, pytest.approx(1))
    assert 1e-6 < found["bf16"]["relative error"] < 0.5
    through = precision.case_of("ours2", "float32", state, LBI__HYPERGRAD_THROUGH="optimizer").step()
    assert not torch.equal(through.hypergradients["A"], again.hypergradients["A"])


def test_its_numbers_fit_a_table(small, tmp_path, monkeypatch, capsys):
    out = tmp_path / "precision.json"
    words = ["precision.py", "--json", str(out), "--repeat", "1", "--warm", "1", "--variants", "bf16"]
    monkeypatch.setattr("sys.argv", words)
    precision.main()
    numbers = json.loads(out.read_text())
    assert len(numbers["errors against float32"]) == 8 and len(numbers["ratios"]) == 4
    assert tables(numbers).strip() == capsys.readouterr().out.strip()
