"""The benchmark of the layers: its parts sum to the hypergradient, and watching a training does not change it."""

import json
import math

import numpy as np
import pytest
import torch

from benchmarks import layers
from benchmarks.evidence.grounds import People
from benchmarks.evidence.trial import Trial
from benchmarks.pose_case import TINY, PoseCase, config_of
from lib.synthetic.generate import PeopleConfig, make_people
from lib.training.batches import as_source_batch
from tests.factories.small_run import assert_same, make_data, write_config

SMALL = {"source_people": 20, "source_val_people": 2, "target_train_people": 15, "test_people": 8}


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return make_data(tmp_path_factory.mktemp("layers"))


def test_every_parameter_is_in_one_group():
    model = PoseCase("ours1", config_of(**TINY)).state.target
    counts = sum(
        np.array(layers.along(model, modules).in_direction, int) for modules in layers.GROUPS.values()
    )
    assert (counts == 1).all()


def test_the_groups_sum_to_the_product_with_the_gradient():
    case = PoseCase("ours1", config_of(**TINY))
    model, batch = case.state.target, as_source_batch(case.source, True)
    rng = torch.Generator().manual_seed(0)
    v = [torch.randn(p.shape, generator=rng) for p in model.parameters]
    losses, products = layers.products_by_group(model, v, [batch])
    for i, j in ((0, 0), (3, 5)):
        loss = model.losses(batch)[i, j]
        gradient = torch.autograd.grad(loss, model.parameters)
        expected = sum(float((a.double() * b.double()).sum()) for a, b in zip(v, gradient))
        assert losses[i, j] == pytest.approx(loss.item(), rel=1e-5)
        assert sum(product[i, j] for product in products.values()) == pytest.approx(expected, rel=1e-3)
    norms = layers.norm_shares(model, v)
    assert norms["all"] == 1 and sum(norms[group] for group in layers.GROUPS) == pytest.approx(1)


def test_findings_by_hand():
    rng = np.random.default_rng(0)
    wrong = np.arange(40) < 10
    parts = {group: 1e-9 * rng.standard_normal(40) for group in layers.GROUPS}
    parts["final_layer"] = np.where(wrong, -1.0, 1.0) + 0.01 * rng.standard_normal(40)
    parts["stem"] = 0.5 * parts["final_layer"] + 7
    parts["deconv3"] = -0.25 * parts["final_layer"]
    found = layers.findings(parts, wrong)
    total = 1 + 0.5 - 0.25
    shares = {name: row["share"] for name, row in found.items()}
    assert shares["final_layer"] == pytest.approx(1 / total) and shares["stem"] == pytest.approx(0.5 / total)
    assert shares["head"] == pytest.approx(0.75 / total) and shares["all"] == pytest.approx(1)
    assert found["stem"]["rank"] == pytest.approx(1) and found["deconv3"]["rank"] == pytest.approx(-1)
    assert found["final_layer"]["auroc"] == 1 and found["deconv3"]["auroc"] == 0


def test_watching_leaves_no_trace(people, tmp_path):
    cfg = write_config(tmp_path, people)
    states = []
    for name, steps in (("plain", []), ("watched", [1, 3])):
        trial = Trial(cfg, "ours1", People(people, "none", 5), "jitter:0.5", 5, {}, tmp_path / name)
        trainer = layers.WatchedTrainer(trial.spec("ours1", {}), steps, 8)
        trainer.train()
        states.append(trainer.state.state_dict())
    assert_same(*states)
    assert {row["step"] for row in trainer.rows} == {1, 3}
    for through in ("sgd", "optimizer"):
        rows = [row for row in trainer.rows if row.get("through") == through and row["step"] == 3]
        shares = {row["layers"]: row["share"] for row in rows}
        assert sum(shares[group] for group in layers.GROUPS) == pytest.approx(1)
        assert all(0 <= row["auroc"] <= 1 for row in rows)


def test_the_command_writes_its_tables(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(
        layers, "draw", lambda drawn: make_people(drawn.folder, PeopleConfig(drawn.seed, **SMALL))
    )
    out = tmp_path / "layers.json"
    words = ["--cfg", str(write_config(tmp_path, tmp_path)), "--data", str(tmp_path), "--json", str(out)]
    words += ["--noise", "jitter:0.5", "--seeds", "5,6", "--steps", "2", "--people", "8"]
    assert layers.main(words) == 0
    numbers = json.loads(out.read_text())
    rows = [row for row in numbers["rows"] if row["layers"] == "head" and row["through"] == "sgd"]
    assert [row["seed"] for row in rows] == [5, 6]
    mean = numbers["share, validation gradient"]["head"]["step 2"]
    assert mean == pytest.approx(math.fsum(row["share"] for row in rows) / 2)
    assert "| final_layer |" in capsys.readouterr().out
