"""Whole tiny runs: the source model first, retraining, validation people in training, and settings of speed."""

import copy
import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from lib.config.loader import load_config
from lib.config.run_paths import RunPaths
from lib.ignoring.modes import MODES
from lib.training.batches import meta_dataset
from lib.training.checkpoints import Checkpointer
from lib.training.data import build_data
from lib.training.run_spec import RunSpec
from lib.training.trainer import train
from tests.factories.small_run import RUNS, assert_same, results_of, run, weights_file

SOURCE_FIRST = ["LBI.SCHEDULE", "source_first"]


class Interrupted(Exception):
    pass


@pytest.fixture
def after_epochs(monkeypatch):
    """Whatever is put into the list is called with (state, finished epochs) after every last.pth."""
    calls, save = [], Checkpointer.save_last

    def save_and_call(keeper):
        save(keeper)
        for call in calls:
            call(keeper.state, keeper.state.epoch)

    monkeypatch.setattr(Checkpointer, "save_last", save_and_call)
    return calls


def folder_of(config, mode, output="output"):
    return config.parent / output / RUNS / mode


def metrics_of(config, mode, output="output"):
    path = folder_of(config, mode, output) / "metrics.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def log_of(config, mode, output="output"):
    return (folder_of(config, mode, output) / "train.log").read_text()


@pytest.mark.parametrize("mode", ["baseline3", "ours2", "ours5"])
def test_the_target_model_starts_from_the_source_model_which_then_rests(config, after_epochs, mode):
    models = {}

    def remember(state, epoch):
        of_source, of_target = state.source.model.state_dict(), state.target.model.state_dict()
        models[epoch] = copy.deepcopy((of_source, of_target))

    after_epochs.append(remember)
    assert run(config, f"--{mode}", *SOURCE_FIRST, "LBI.TARGET_LR", "0") == 0
    assert sorted(models) == [1, 2, 3, 4]
    source, target = zip(*(models[epoch] for epoch in (1, 2, 3, 4)))
    weight = "final_layer.weight"
    assert not torch.equal(source[0][weight], source[1][weight])
    assert_same(source[1], source[2])
    assert_same(source[1], source[3])
    assert_same(target[0], target[1])
    # At a learning rate of zero; BatchNorm's statistics follow the target's batches all the same.
    learned = [name for name in source[3] if "running" not in name and "num_batches" not in name]
    assert all(torch.equal(target[3][name], source[3][name]) for name in learned)
    assert not torch.equal(target[3]["bn1.running_mean"], source[3]["bn1.running_mean"])

    results, lines = results_of(config, mode), metrics_of(config, mode)
    assert results["steps"] == 8 and results["best_epoch"] in (2, 3) and results["source_model"]
    rates = {
        role: [line[tag] for line in lines if (tag := f"train/learning_rate_{role}") in line]
        for role in ("source", "target")
    }
    assert rates == {"source": pytest.approx([0.003] * 2 + [0.0003] * 2), "target": [0.0] * 4}
    assert ("hypergradient/A_norm" in str(lines)) == (mode != "baseline3")
    assert ("hypergradient/B_norm" in str(lines)) == (mode == "ours5")


@pytest.mark.parametrize("mode, alike", [("baseline3", "baseline2"), ("ours2", "ours1")])
def test_a_source_model_on_both_is_trained_as_a_target_model_with_the_source_in_its_loss(config, mode, alike):
    words = [*SOURCE_FIRST, "LBI.VARIABLES", "loss_aware", "LBI.SOURCE_MODEL_ON", "both"]
    assert run(config, f"--{mode}", *words) == 0
    assert run(config, f"--{alike}", *words) == 0
    found, expected = weights_file(config, mode), weights_file(config, alike)
    assert_same(found["source_model"], expected["target_model"])
    assert_same(found["variables"].get("A", {}), expected["variables"].get("B", {}))
    shown = {
        next((k for k in line if k.startswith("hypergradient/")), None) for line in metrics_of(config, mode)
    }
    assert ("hypergradient/A_norm" in shown) == (mode == "ours2") and "hypergradient/B_norm" not in shown


def test_the_target_model_is_trained_near_the_source_model(config):
    """Pulled hard enough it stays; at its own learning rate it goes."""
    far = {}
    for lam in ("0", "1000"):
        assert run(config, "--ours2", *SOURCE_FIRST, "LBI.LAM", lam, "TRAIN.OPTIMIZER", "sgd",
                   "TRAIN.LR", "0.001", "LBI.TARGET_LR", "0.4", "TRAIN.MOMENTUM", "0") == 0  # fmt: skip
        state = weights_file(config, "ours2")
        pairs = [
            (p, state["source_model"][n]) for n, p in state["target_model"].items() if "running" not in n
        ]
        far[lam] = sum(float((p - q).double().square().sum()) for p, q in pairs if p.is_floating_point())
    assert 0 < far["1000"] < 0.5 * far["0"]


@pytest.mark.parametrize("epochs", [1, 2, 3], ids=["first phase", "between", "second phase"])
def test_going_on_in_either_phase_equals_never_having_stopped(config, after_epochs, epochs):
    mode = "ours5"
    words = [f"--{mode}", *SOURCE_FIRST, "LBI.VARIABLES", "loss_aware"]
    whole, parts = str(config.parent / "whole"), str(config.parent / "parts")
    assert run(config, *words, "OUTPUT_DIR", whole) == 0

    def stop(state, epoch):
        if epoch == epochs:
            raise Interrupted

    after_epochs.append(stop)
    with pytest.raises(Interrupted):
        run(config, *words, "OUTPUT_DIR", parts)
    after_epochs.clear()
    assert weights_file(config, mode, "parts")["epoch"] == epochs
    assert run(config, *words, "OUTPUT_DIR", parts, "TRAIN.RESUME", "true") == 0
    assert_same(weights_file(config, mode, "whole"), weights_file(config, mode, "parts"))
    assert results_of(config, mode, "whole")["test"] == results_of(config, mode, "parts")["test"]


def test_a_run_retrains_without_the_labels_of_low_weight(config):
    """Labels below the threshold have no influence: made wrong by far, they change nothing."""
    words = ["TRAIN.END_EPOCH", "3", "LBI.LR", "2"]
    assert run(config, "--ours1", *words, "LBI.RETRAIN", "0.5") == 0
    folder = folder_of(config, "ours1")
    results = results_of(config, "ours1")
    again = json.loads((folder / "retrained" / "results.json").read_text())
    assert results["retrained"] == again and again["steps"] == results["steps"] == 6

    with np.load(folder / "ignoring_weights.npz") as arrays:
        ranked, labelled = arrays["weights"], arrays["visible"]
    kept = ranked >= 0.5
    dropped = labelled & ~kept
    assert 20 < dropped.sum() < labelled.sum() - 20
    log = log_of(config, "ours1/retrained")
    assert f"weight below 0.5: {dropped.sum()} of {labelled.sum()} labels (B)" in log
    used = weights_file(config, "ours1/retrained")["variables"]["B"]["weights"]
    assert (used.numpy() == kept).all()
    # The table still ranks the keypoints; persistent weights don't look at losses, so it is as it was.
    with np.load(folder / "retrained" / "ignoring_weights.npz") as arrays:
        assert (arrays["weights"] == ranked).all()

    settings = load_config(folder / "config.yaml", {"LBI.RETRAIN": 0.0})

    def trained_with_wrong(labels, name):
        data = build_data(settings, True)
        people = data.source.annotations
        data.source.annotations = replace(
            people, joints=people.joints + 9 * labels[..., None].astype(np.float32)
        )
        paths = RunPaths(config.parent / name, config.parent / "log" / name)
        path = train(RunSpec(settings, MODES["ours1"], data, paths), {"B": kept.astype(np.float32)})
        return torch.load(path.with_name("last.pth"), weights_only=True)["target_model"]

    expected = weights_file(config, "ours1/retrained")["target_model"]
    assert_same(trained_with_wrong(dropped, "dropped"), expected)
    weight = "final_layer.weight"
    assert not torch.equal(trained_with_wrong(labelled & kept, "kept")[weight], expected[weight])
    assert not torch.equal(weights_file(config, "ours1")["target_model"][weight], expected[weight])


@pytest.mark.parametrize("mode", ["baseline2", "ours1"])
def test_nothing_is_retrained_unless_asked_for(config, mode):
    assert run(config, f"--{mode}", "LBI.RETRAIN", "0.5" if mode == "baseline2" else "0") == 0
    assert "retrained" not in results_of(config, mode)
    assert not (folder_of(config, mode) / "retrained").exists()


def test_retraining_with_the_source_model_first_keeps_both_tables(config):
    assert run(config, "--ours5", *SOURCE_FIRST, "TRAIN.END_EPOCH", "1", "LBI.RETRAIN", "0.5") == 0
    again = results_of(config, "ours5")["retrained"]
    assert again["steps"] == 4 and set(again["weights"]) == {"A", "B"}
    state = weights_file(config, "ours5/retrained")["variables"]
    before = weights_file(config, "ours5")["variables"]
    for place in "AB":
        assert torch.equal(state[place]["weights"] > 0, before[place]["logits"] >= 0)
    assert not torch.equal(state["A"]["weights"], state["B"]["weights"])


def test_validation_people_in_training(config):
    """T has 10 people and V 5: three batches of five in an epoch. The last epoch is taken, whatever V says."""
    words = ["--ours1", "TRAIN.STEPS_PER_EPOCH", "0", "TRAIN.BATCH_SIZE", "5", "TRAIN.END_EPOCH", "3"]
    assert run(config, *words) == 0
    assert results_of(config, "ours1")["steps"] == 6
    assert run(config, *words, "LBI.VAL_IN_TRAIN", "true", "--save_dir", str(config.parent / "all")) == 0
    results = results_of(config, "ours1", "all")
    assert results["steps"] == 9 and results["best_epoch"] == 2 and results["val"]["people"] == 5
    assert "target model for 9 steps" in log_of(config, "ours1", "all")
    best = torch.load(folder_of(config, "ours1", "all") / "best.pth", weights_only=True)
    assert_same(best, weights_file(config, "ours1", "all"))


def test_a_hypergradient_every_second_step(config):
    words = [
        "LBI.HYPERGRAD_INTERVAL",
        "2",
        "LBI.WARMUP",
        "1",
        "TRAIN.STEPS_PER_EPOCH",
        "5",
        "TRAIN.END_EPOCH",
        "1",
    ]
    assert run(config, "--ours5", *words) == 0
    steps = [line for line in metrics_of(config, "ours5") if "loss/target" in line]
    assert [line["step"] for line in steps] == [1, 2, 3, 4, 5]
    # Counted from 0: step 0 warms up, 2 and 4 learn, 1 and 3 take the weights as they are.
    for place in "AB":
        assert [f"hypergradient/{place}_norm" in line for line in steps] == [False, False, True, False, True]
        means = [line[f"weights_{place}/mean"] for line in steps]
        assert means[:2] == [1.0, 0.5] and means[2] != 0.5


@pytest.mark.parametrize("mode", ["ours1", "ours2", "ours5"])
def test_loss_aware_variables(config, mode):
    assert run(config, f"--{mode}", "LBI.VARIABLES", "loss_aware") == 0
    for place, summary in results_of(config, mode)["weights"].items():
        state = weights_file(config, mode)["variables"][place]
        assert (state["linear"] != 0).all() and int(state["steps"]) == int(state["batches"].max()) == 4
        rows = list(csv.DictReader((folder_of(config, mode) / summary["file"]).open()))
        weights = [float(row["weight"]) for row in rows if row["rank"]]
        assert min(weights) < 0.5 < max(weights)
        assert summary["mean"] == pytest.approx(sum(weights) / len(weights), abs=1e-5)
        assert 0 <= summary["auroc"] <= 1


def test_cached_images_change_nothing(config):
    for name, value in (("a", "false"), ("b", "true")):
        assert run(config, "--ours2", "DATASET.CACHE", value, "--save_dir", str(config.parent / name)) == 0
    assert_same(weights_file(config, "ours2", "a"), weights_file(config, "ours2", "b"))
    assert results_of(config, "ours2", "a")["test"] == results_of(config, "ours2", "b")["test"]


@pytest.mark.parametrize(
    "more", [[], ["LBI.META_DATA", "target", "LBI.VAL_BATCH_SIZE", "3"]], ids=["V", "T and V"]
)
def test_packs_change_nothing(config, more):
    for name, value in (("a", "false"), ("b", "true")):
        words = [*more, "DATASET.PACK", value, "--save_dir", str(config.parent / name)]
        assert run(config, "--ours2", *words) == 0
    assert not (config.parent / "a/packs").exists()
    roles = sorted(path.name.split("_")[0] for path in (config.parent / "b/packs").iterdir())
    assert roles == ["source", "training", "validation"]
    assert_same(weights_file(config, "ours2", "a"), weights_file(config, "ours2", "b"))
    assert results_of(config, "ours2", "a")["test"] == results_of(config, "ours2", "b")["test"]


def test_mixed_precision_trains_and_keeps_everything_in_single_precision(config):
    """As ``off`` in YAML, which reads it as false, and ``bf16``; hypergradients agree to about 1 %."""
    config.write_text(config.read_text().replace("TRAIN: {", "TRAIN: {AMP: off, OPTIMIZER: sgd, "))
    norms = {}
    for name in ("off", "bf16"):
        given = [] if name == "off" else ["TRAIN.AMP", "bf16"]
        assert run(config, "--ours5", *given, "--save_dir", str(config.parent / name)) == 0
        checkpoint = weights_file(config, "ours5", name)
        for part in ("target_model", "source_model", "variables"):
            tensors = checkpoint[part] if part != "variables" else checkpoint[part]["B"]
            assert not any(t.dtype in (torch.bfloat16, torch.float16) for t in tensors.values())
        first = next(line for line in metrics_of(config, "ours5", name) if "loss/target" in line)
        norms[name] = [first[f"hypergradient/{place}_norm"] for place in "AB"]
    assert norms["bf16"] != norms["off"]
    assert norms["bf16"] == pytest.approx(norms["off"], rel=0.1)


def test_channels_last_gives_the_same_numbers(config):
    """But for rounding; SGD, because Adam's first steps make a rounding error of a zero gradient large."""
    words = ["--ours5", "TRAIN.OPTIMIZER", "sgd", "LBI.HYPERGRAD_THROUGH", "sgd"]
    for name, value in (("a", "false"), ("b", "true")):
        assert run(config, *words, "TRAIN.CHANNELS_LAST", value, "--save_dir", str(config.parent / name)) == 0
    a, b = (weights_file(config, "ours5", name) for name in "ab")
    for model in ("target_model", "source_model"):
        torch.testing.assert_close(b[model], a[model], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(
        b["variables"]["B"]["logits"], a["variables"]["B"]["logits"], rtol=1e-2, atol=1e-2
    )
    kernel = "layer1.0.conv1.weight"
    last = [
        state["target_model"][kernel].is_contiguous(memory_format=torch.channels_last) for state in (a, b)
    ]
    assert last == [False, True]


def test_the_source_has_its_own_batch_size(config):
    """20 people: two batches of ten see everyone once, two of six see twelve."""
    words = ["--ours1", "TRAIN.END_EPOCH", "1"]
    for size, people in (("0", 12), ("10", 20)):
        assert run(config, *words, "TRAIN.SRC_BATCH_SIZE", size) == 0
        seen = weights_file(config, "ours1")["variables"]["B"]["seen"]
        assert int((seen.sum(1) > 0).sum()) == people and int(seen.max()) == 1


@pytest.mark.parametrize("in_train", [True, False])
def test_weights_may_serve_training_and_meta_dataset(config, in_train):
    overrides = {"LBI.VAL_IN_TRAIN": in_train}
    only_v = load_config(config, overrides)
    of_both = load_config(config, overrides | {"LBI.META_DATA": "target"})
    data = build_data(of_both, True)
    assert meta_dataset(only_v.lbi, data) is data.validation.dataset
    people = meta_dataset(of_both.lbi, data)
    assert len(people) == 15 and len(data.validation.dataset) < 15
    assert sorted(people.annotations.ids.tolist()) == list(range(15))
    # As they are: without augmentation, and the same every time.
    assert torch.equal(people[3, 0].image, people[3, 1].image)


@pytest.mark.parametrize("key, value", [("LBI.SCHEDULE", "source_first"), ("LBI.VARIABLES", "online")])
def test_a_run_goes_on_as_it_began(config, capsys, key, value):
    assert run(config, "--ours2", "TRAIN.END_EPOCH", "1") == 0
    capsys.readouterr()
    assert run(config, "--ours2", "TRAIN.RESUME", "true", key, value) == 2
    assert f"checkpoint has {key}" in capsys.readouterr().err
