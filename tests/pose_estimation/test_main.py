"""The command itself: whole tiny runs of every mode, and what it says to bad input."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch

from lib.config.loader import load_config
from lib.ignoring.modes import MODES
from lib.label_noise.truth import read_truth
from pose_estimation.main import FLAGS, build_parser
from tests.factories.small_run import RUNS, assert_same, results_of, run, weights_file


@pytest.mark.parametrize("name", MODES)
def test_every_mode_trains_and_leaves_its_records(name, config, capsys):
    assert run(config, f"--{name}") == 0
    printed = capsys.readouterr().out.splitlines()
    folder = config.parent / "output" / RUNS / name
    assert printed[-1] == str(folder / "results.json")

    results, mode = results_of(config, name), MODES[name]
    assert results["mode"] == name and results["seed"] == 0 and results["steps"] == 4
    groups = ["Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1"]
    for part in (results, results["source_model"]) if mode.has_source_model else (results,):
        assert list(part["test"]["PCKh"]) == groups
        assert 0 <= part["val"]["PCKh"]["Mean"] <= 100
    assert (results["source_model"] is not None) == mode.has_source_model
    assert results["seconds_per_step"] > 0

    for file in ("train.log", "config.yaml", "last.pth", "best.pth", "metrics.jsonl"):
        assert (folder / file).stat().st_size > 0
    assert list((config.parent / "log" / RUNS / name).glob("events.out.tfevents.*"))
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    tags = {tag for line in lines for tag in line}
    assert {"loss/target", "val/PCKh_Mean", "test/PCKh_Mean", "train/learning_rate_target"} <= tags
    assert ("loss/proximity" in tags) == mode.has_source_model
    assert ("hypergradient/A_norm" in tags) == (mode.anchor.value == "weighted")
    assert ("weights_B/zero_share" in tags) == (mode.joint_loss.value == "weighted")
    waited = [line["train/waited_for_data"] for line in lines if "train/waited_for_data" in line]
    log = (folder / "train.log").read_text()
    assert len(waited) == 4 and all(0 < share < 100 for share in waited)
    assert all(f"waited for data {share:.0f} %" in log for share in waited)
    rates = [line["train/learning_rate_target"] for line in lines if "train/learning_rate_target" in line]
    assert rates == pytest.approx([0.003, 0.003, 0.0003, 0.0003])
    state = weights_file(config, name)
    assert set(state["variables"]) == set(results["weights"])
    assert (folder / "ignoring_weights.csv").exists() == mode.ignores


def test_the_weight_table_has_a_row_for_every_keypoint(config, data):
    assert run(config, "--ours5", "TRAIN.END_EPOCH", "4") == 0
    folder = config.parent / "output" / RUNS / "ours5"
    truth = read_truth(data / "coco/annotations/person_keypoints_train2017_truth.json")["annotations"]
    for place, name in (("B", "ignoring_weights"), ("A", "ignoring_weights_source_model")):
        rows = list(csv.DictReader((folder / f"{name}.csv").open()))
        assert len(rows) == 13 * len(truth)
        assert {int(row["annotation_id"]) for row in rows} == set(truth)
        assert len({(row["annotation_id"], row["joint"]) for row in rows}) == len(rows)
        ranked = [row for row in rows if row["target_weight"] == "1"]
        assert rows[: len(ranked)] == ranked
        assert [row["rank"] for row in ranked] == [str(rank + 1) for rank in range(len(ranked))]
        assert {row["rank"] for row in rows[len(ranked) :]} <= {""}
        scores = [float(row["score"]) for row in ranked]
        assert scores == sorted(scores, reverse=True) and scores[0] > scores[-1]

        state = weights_file(config, "ours5")["variables"][place]
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            ids, joints = arrays["annotation_ids"].tolist(), arrays["joints"].tolist()
            assert arrays["weights"] == pytest.approx(state["logits"].sigmoid().numpy(), abs=1e-6)
            assert (arrays["seen"] == state["seen"].numpy()).all() and arrays["seen"].max() >= 2
            for row in rows:
                at = ids.index(int(row["annotation_id"])), joints.index(row["joint"])
                assert float(row["weight"]) == pytest.approx(arrays["weights"][at], abs=1e-6)
                assert int(row["times_seen"]) == arrays["seen"][at]
                assert int(row["target_weight"]) == arrays["visible"][at]


def test_the_weights_of_all_labels_are_recorded_after_every_epoch(config):
    assert run(config, "--ours1") == 0
    folder = config.parent / "output" / RUNS / "ours1"
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    histograms = [line for line in lines if "histogram" in line]
    assert [(line["step"], line["histogram"]["tag"]) for line in histograms] == [
        (2, "weights_B_table/all"),
        (4, "weights_B_table/all"),
    ]
    ranked = [row for row in csv.DictReader((folder / "ignoring_weights.csv").open()) if row["rank"]]
    assert [sum(line["histogram"]["counts"]) for line in histograms] == [len(ranked)] * 2
    (last,) = (line for line in lines if line["step"] == 4 and "weights_B_table/mean" in line)
    learned = results_of(config, "ours1")["weights"]["B"]
    assert last["weights_B_table/mean"] == pytest.approx(learned["mean"])
    assert last["weights_B_table/auroc"] == pytest.approx(learned["auroc"])
    heads = [float(row["weight"]) for row in ranked if row["joint"] == "head"]
    assert last["weights_B_table/mean_head"] == pytest.approx(sum(heads) / len(heads), abs=1e-5)


def test_same_seed_same_numbers_whatever_the_workers(config):
    assert run(config, "--ours2", "--save_dir", str(config.parent / "a")) == 0
    assert run(config, "--ours2", "--save_dir", str(config.parent / "b"), "--workers", "2") == 0
    assert run(config, "--ours2", "--save_dir", str(config.parent / "c"), "--random_seed", "1") == 0
    a, b, c = (weights_file(config, "ours2", output) for output in "abc")
    assert_same(a, b)
    assert results_of(config, "ours2", "a")["test"] == results_of(config, "ours2", "b")["test"]
    assert not torch.equal(a["target_model"]["conv1.weight"], c["target_model"]["conv1.weight"])


@pytest.mark.parametrize("mode", ["ours5", "baseline2"])
def test_going_on_equals_never_having_stopped(mode, config):
    whole, parts = str(config.parent / "whole"), str(config.parent / "parts")
    assert run(config, f"--{mode}", "OUTPUT_DIR", whole, "--num_epochs", "3") == 0
    assert run(config, f"--{mode}", "OUTPUT_DIR", parts, "--num_epochs", "1") == 0
    assert run(config, f"--{mode}", "OUTPUT_DIR", parts, "--num_epochs", "3", "TRAIN.RESUME", "true") == 0
    assert_same(weights_file(config, mode, "whole"), weights_file(config, mode, "parts"))
    assert results_of(config, mode, "whole")["test"] == results_of(config, mode, "parts")["test"]


def test_an_earlier_run_is_kept(config):
    assert run(config, "--baseline1") == 0
    first = results_of(config, "baseline1")
    assert run(config, "--baseline1", "--random_seed", "5") == 0
    assert results_of(config, "baseline1.1") == first
    assert results_of(config, "baseline1")["seed"] == 5


def test_load_ckpt_starts_the_models_from_an_earlier_run(config):
    assert run(config, "--baseline3") == 0
    checkpoint = config.parent / "output" / RUNS / "baseline3" / "last.pth"
    assert run(config, "--ours2", "--load_ckpt", str(checkpoint), "--num_epochs", "0") == 0
    assert results_of(config, "ours2")["steps"] == 0
    assert (
        run(config, "--baseline3", "--load_ckpt", str(checkpoint), "TRAIN.LR", "0", "--num_epochs", "1") == 0
    )
    before = torch.load(checkpoint.parent.with_name("baseline3.1") / "last.pth", weights_only=True)
    after = weights_file(config, "baseline3")
    for role in ("target_model", "source_model"):
        assert torch.equal(before[role]["final_layer.weight"], after[role]["final_layer.weight"])


def test_every_flag_overrides_the_yaml(config):
    values = {"lam": "0.5", "gamma": "0.25", "meta_loop": "2", "gpus": "1", "workers": "1", "batch_size": "5",
              "num_epochs": "1", "random_seed": "9", "save_dir": str(config.parent / "else"), "load_ckpt": "",
              "wandb": ""}  # fmt: skip
    assert {*values, "resume"} == FLAGS.keys()
    words = [word for flag, value in values.items() for word in (f"--{flag}", value)]
    assert run(config, "--ours1", *words, "--resume", "TRAIN.BATCH_SIZE", "3", "DEVICE", "cpu") == 0
    written = load_config(config.parent / "else" / RUNS / "ours1" / "config.yaml")
    found = {"lam": written.lbi.lam, "gamma": written.lbi.gamma, "meta_loop": written.lbi.meta_loop,
             "gpus": written.gpus, "workers": written.workers, "batch_size": written.train.batch_size,
             "num_epochs": written.train.end_epoch, "random_seed": written.seed,
             "save_dir": written.output_dir, "load_ckpt": written.train.load_ckpt, "wandb": written.wandb}  # fmt: skip
    assert {flag: str(value) for flag, value in found.items()} == values
    assert written.train.resume


def test_help_names_every_mode_flag_and_setting(capsys):
    with pytest.raises(SystemExit):
        build_parser().parse_args(["--help"])
    text = capsys.readouterr().out
    for word in (
        *(f"--{m}" for m in MODES),
        *(f"--{f}" for f in FLAGS),
        "LBI.VARIABLES",
        "DATASET.ON_BAD_IMAGE",
    ):
        assert word in text


def error_of(capsys, code, *arguments):
    """The one line that a failing command writes to stderr."""
    assert run(*arguments) == code
    captured = capsys.readouterr()
    lines = captured.err.strip().splitlines()
    assert len(lines) == 1 and lines[0].startswith("error: ")
    return lines[0]


def test_no_mode_and_two_modes(config, capsys):
    assert "found none" in error_of(capsys, 2, config)
    assert "--baseline2 and --ours1" in error_of(capsys, 2, config, "--ours1", "--baseline2")


@pytest.mark.parametrize(
    "words, expected",
    [
        (["TRAIN.LRR", "1"], "TRAIN.LR"),
        (["TRAIN.LR", "fast"], "TRAIN.LR"),
        (["LBI.VARIABLES", "both"], "online, persistent"),
        (["TRAIN.LR"], "no value"),
        (["DATASET_SRC.ROOT", "nowhere"], "nowhere/annotations/person_keypoints_train2017.json"),
        (["DATASET_TARGET.TEST_SET", "testing"], "testing.json"),
        (["MODEL.EXTRA.HEATMAP_SIZE", "[16, 20]"], "MODEL.EXTRA.HEATMAP_SIZE"),
        (["MODEL.EXTRA.HEATMAP_SIZE", "[32, 32]"], "MODEL.EXTRA.HEATMAP_SIZE"),
        (["MODEL.IMAGE_SIZE", "[72, 72]", "MODEL.EXTRA.HEATMAP_SIZE", "[18, 18]"], "MODEL.IMAGE_SIZE"),
        (["MODEL.NUM_JOINTS", "17"], "pelvis|nose|left_eye"),
        (["MODEL.PRETRAINED", "models/pytorch/imagenet/resnet18-none.pth"], "fetch_weights.py"),
        (["TRAIN.LOAD_CKPT", "nothing.pth"], "nothing.pth"),
        (["DEVICE", "cuda", "GPUS", "0,1"], "GPUS|CUDA"),
    ],
)
def test_bad_settings_stop_at_the_start(config, capsys, words, expected):
    message = error_of(capsys, 2, config, "--ours1", *words)
    assert any(part in message for part in expected.split("|")), message
    assert not (config.parent / "output").exists()


def test_an_unreadable_image_is_named_or_left_out(config, data, capsys, tmp_path):
    copy = tmp_path / "people"
    shutil.copytree(data, copy)
    annotations = json.loads((copy / "mpii/annot/valid.json").read_text())
    (copy / "mpii/images" / annotations[0]["image"]).write_bytes(b"not an image")
    words = ["--baseline1", "DATASET_TARGET.ROOT", str(copy / "mpii")]
    assert annotations[0]["image"] in error_of(capsys, 2, config, *words)
    assert run(config, *words, "DATASET.ON_BAD_IMAGE", "skip") == 0
    in_it = sum(person["image"] == annotations[0]["image"] for person in annotations)
    assert results_of(config, "baseline1")["test"]["people"] == len(annotations) - in_it
    assert (
        annotations[0]["image"] in (config.parent / "output" / RUNS / "baseline1" / "train.log").read_text()
    )


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_checkpoint(config, capsys):
    words = ["TRAIN.LR", "1e30", "TRAIN.STEPS_PER_EPOCH", "1", "TRAIN.END_EPOCH", "4"]
    message = error_of(capsys, 3, config, "--baseline2", *words)
    assert "the loss 'target' is not finite at step 2" in message
    assert weights_file(config, "baseline2")["step"] == 1
    assert "the hypergradient 'B' is not finite at step 1" in error_of(capsys, 3, config, "--ours1", *words)


def test_a_checkpoint_of_another_mode_is_refused(config, capsys):
    assert run(config, "--baseline1") == 0
    folder = config.parent / "output" / RUNS
    shutil.copytree(folder / "baseline1", folder / "baseline2")
    capsys.readouterr()
    assert "baseline1" in error_of(capsys, 2, config, "--baseline2", "TRAIN.RESUME", "true")


def test_resuming_with_other_settings_and_after_the_end(config, capsys):
    assert run(config, "--baseline1", "--num_epochs", "1") == 0
    first, before = results_of(config, "baseline1"), weights_file(config, "baseline1")
    capsys.readouterr()

    assert run(config, "--baseline1", "--num_epochs", "1", "--resume") == 0
    assert "nothing is left to train" in capsys.readouterr().out
    assert results_of(config, "baseline1") == first

    more = ["--baseline1", "--num_epochs", "2", "--resume", "TRAIN.LR", "0.01"]
    assert run(config, *more) == 2
    error = capsys.readouterr().err.strip()
    assert "TRAIN.LR 0.003 (here 0.01)" in error and "\n" not in error
    assert weights_file(config, "baseline1")["step"] == before["step"] == 2
    assert run(config, *more, "TRAIN.RESUME_CHANGED", "TRAIN.LR") == 0
    after = weights_file(config, "baseline1")
    # The learning rate decays once, at epoch 1.
    assert after["step"] == 4 and after["target_optimizer"]["param_groups"][0]["lr"] == pytest.approx(0.001)
