"""The benchmark of other directions: each is what it says, and the command's rows and table."""

import json

import pytest
import torch

from benchmarks import directions
from benchmarks.direction_sources import (
    KeptDirection,
    KeptFeatures,
    Present,
    RunningMean,
    direction_of,
    step_with,
)
from benchmarks.pose_case import TINY, PoseCase, config_of
from lib.ignoring.bilevel_step import StepModels, TrainingStep
from lib.ignoring.hypergradient import validation_gradient
from lib.ignoring.trainable_model import TrainableModel
from lib.synthetic.generate import PeopleConfig, make_people
from lib.training import step as training_step
from lib.training.batches import StepSamples, as_batch, as_step_batches
from lib.training.step import step_options
from tests.factories.small_run import write_config

SMALL = {"source_people": 20, "source_val_people": 2, "target_train_people": 15, "test_people": 8}
FINAL = {"LBI__HYPERGRAD_LAYERS": "final", "LBI__HYPERGRAD_THROUGH": "sgd"}


@pytest.fixture
def case():
    return PoseCase("ours1", config_of(**TINY, **FINAL))


@pytest.fixture
def moved(case):
    """Parameters other than the model's."""
    return [p.detach() + 0.1 * torch.randn_like(p) for p in case.state.target.parameters]


def hypergradient_of(case, step_class):
    models = StepModels(case.state.target, None, case.state.variables)
    batches = as_step_batches(StepSamples(case.target, case.source, case.validation), True)
    step = step_class(case.mode, step_options(case.config.lbi), models, batches)
    return step.run().hypergradients["B"]


def assert_close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-6)


def test_with_fresh_features_a_step_is_the_products_own():
    plain, other = (PoseCase("ours1", config_of(**TINY, **FINAL)) for _ in range(2))
    for _ in range(2):
        expected = hypergradient_of(plain, TrainingStep)
        actual = hypergradient_of(other, step_with(KeptFeatures()))
        assert expected.norm() > 0
        torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-5 * float(expected.norm()))


def test_kept_features_belong_to_earlier_parameters(case, moved):
    model, batch = case.state.target, as_batch(case.validation, True)
    source, present = KeptFeatures(2), [p.detach().clone() for p in model.parameters]
    assert_close(source.gradient(model, present, batch), validation_gradient(model, present, batch)[0])
    mixed = [new if inside else old for old, new, inside in zip(present, moved, model.in_direction)]
    expected, _ = validation_gradient(model, mixed, batch)
    assert not torch.allclose(validation_gradient(model, moved, batch)[0][0], expected[0], rtol=1e-2)
    assert_close(source.gradient(model, moved, batch), expected)
    assert_close(source.gradient(model, moved, batch), validation_gradient(model, moved, batch)[0])
    with pytest.raises(ValueError, match="VAL_BATCH_SIZE"):
        source.gradient(model, moved, as_batch(case.target, True))


def test_a_kept_direction_stays(case, moved):
    model, batch = case.state.target, as_batch(case.validation, True)
    source, present = KeptDirection(2), [p.detach().clone() for p in model.parameters]
    first = source.gradient(model, present, batch)
    assert_close(source.gradient(model, moved, batch), first)
    assert_close(source.gradient(model, moved, batch), validation_gradient(model, moved, batch)[0])


def test_the_running_mean_by_hand(case):
    model, source = case.state.target, RunningMean(0.75)
    for value in (4.0, 8.0, 0.0):
        source.observe(model, [torch.full_like(p, value) for p in model.parameters])
    weight, bias = source.gradient(model, [], None)
    assert weight.shape == model.model.final_layer.weight.shape and len(bias) == 13
    assert (weight == 3.75).all() and (bias == 3.75).all()  # 4; 4 + 4/4 = 5; 5 * 3/4


def test_without_a_look_ahead_the_gradient_is_taken_where_the_model_is(case):
    model, batch = case.state.target, as_batch(case.validation, True)
    own, step_class = TrainableModel.look_ahead, training_step.TrainingStep
    gradient = [torch.ones_like(p) for p in model.parameters]
    with direction_of(Present()):
        ahead = model.look_ahead(gradient, False)
        assert all(torch.equal(a, p) for a, p in zip(ahead.parameters, model.parameters))
        assert training_step.TrainingStep is not step_class
    assert TrainableModel.look_ahead is own and training_step.TrainingStep is step_class
    assert_close(Present().gradient(model, ahead.parameters, batch), validation_gradient(model, model.parameters, batch)[0])  # fmt: skip


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.setattr(
        directions, "draw", lambda drawn: make_people(drawn.folder, PeopleConfig(drawn.seed, **SMALL))
    )
    cfg = write_config(tmp_path, tmp_path)
    return ["--cfg", str(cfg), "--data", str(tmp_path), "--json", str(tmp_path / "found.json"), "--noise", "jitter:0.5", "--seeds", "5", "LBI.VAL_BATCH_SIZE", "100", "LBI.HYPERGRAD_THROUGH", "sgd"]  # fmt: skip


def test_rows_and_table(words, tmp_path, monkeypatch):
    names = ["baseline2", "final", "features_every_2", "running_mean"]
    assert directions.main([*words, "--variants", ",".join(names), "--repeat", "1"]) == 0
    found = json.loads((tmp_path / "found.json").read_text())
    assert [row["variant"] for row in found["rows"]] == names and list(found["ratios"]) == names
    baseline, final, *_ = found["rows"]
    assert "auroc" not in baseline and 0 <= final["auroc"] <= 1 and 0 < final["ap"] <= 1
    assert found["ratios"]["baseline2"] == 1
    assert "| features_every_2 | 1 |" in (tmp_path / "found.md").read_text()

    monkeypatch.setattr(directions, "train", lambda job: pytest.fail("run again"))
    assert directions.main([*words, "--variants", ",".join(names), "--only", "trainings"]) == 0
    assert json.loads((tmp_path / "found.json").read_text())["rows"] == found["rows"]


def test_the_table_compares_run_by_run():
    rows = [
        {"variant": v, "noise": "jitter:0.5", "seed": seed, "pckh": p, "auroc": a, "ap": 0.5}
        for v, seed, p, a in (("final", 0, 70.0, 0.9), ("final", 1, 60.0, 0.8), ("present", 0, 71.0, 0.8), ("present", 1, 61.0, 0.7))
    ]  # fmt: skip
    lines = directions.markdown(rows, {"final": 1.25}).splitlines()
    (line,) = [line for line in lines if line.startswith("| present")]
    cells = [cell.strip() for cell in line.split("|")[1:-1]]
    assert cells[:4] == ["present", "2", "66.0 / 0.750 / 0.500", "+1.0 ± 0.0"]
    assert cells[4].startswith("-0.100 ± 0.0") and cells[-1] == "-"
    assert any(line.endswith("| 1.25 |") for line in lines if line.startswith("| final"))


def test_unknown_words_are_errors(words, capsys):
    assert directions.main([*words, "--variants", "finl"]) == 2
    assert "did you mean 'final'" in capsys.readouterr().err
