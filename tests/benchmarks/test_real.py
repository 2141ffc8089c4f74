"""The real benchmark, on drawn people in the layout of the real ones: files, tables, resuming, judging again."""

import csv
import json
import shutil

import numpy as np
import pytest
import torch

from benchmarks import real
from benchmarks.evidence import keeping, trial
from benchmarks.evidence.target_gain import MeasuredPeople, accuracies, read_heads
from lib.wrong_labels.metrics import auroc, average_precision
from tests.factories.real_people import JOINTS, make_layout

CONFIG = """\
DATASET_SRC: {DATASET: coco_format, TRAIN_SET: source.json, IMAGES: images}
DATASET_TARGET: {DATASET: coco_format, TRAIN_SET: trusted.json, VAL_SET: trusted.json, TEST_SET: test.json, IMAGES: images}
MODEL:
  NUM_JOINTS: 12
  IMAGE_SIZE: [64, 64]
  EXTRA: {HEATMAP_SIZE: [16, 16], SIGMA: 1, NUM_LAYERS: 18, WIDTH: 4, NUM_DECONV_FILTERS: [8, 8, 8]}
TRAIN: {BATCH_SIZE: 4, END_EPOCH: 1, STEPS_PER_EPOCH: 2, LR: 0.003, LR_STEP: [1]}
LBI: {META_DATA: target}
WORKERS: 0
"""
METHODS = "ours1,ours1_weights,distance,geometry,baseline2"


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """The layout, a finished benchmark of it, and its command line."""
    root = tmp_path_factory.mktemp("real")
    make_layout(root / "layout")
    (root / "small.yaml").write_text(CONFIG)
    words = [
        "--data",
        str(root / "layout"),
        "--size",
        "cpu",
        "--cfg",
        str(root / "small.yaml"),
        "--jobs",
        "1",
    ]
    given = [*words, "--out", str(root / "out"), "--methods", METHODS, "--seeds", "0,1", "LBI.WARMUP", "0"]
    assert real.main(given) == 0
    assert real.main([*given, "--noise", "limb_swap:0.3", "--seeds", "1"]) == 0
    return root, given


@pytest.fixture
def copied(done, tmp_path):
    """A copy of the finished benchmark, to be changed, and its command line."""
    root, words = done
    shutil.copytree(root / "out", tmp_path / "out", symlinks=True)
    return tmp_path / "out", [str(tmp_path / "out") if word == str(root / "out") else word for word in words]


def rows_in(out):
    return json.loads((out / "results.json").read_text())


def scores_in(path):
    with open(path) as file:
        return {(int(row["annotation_id"]), row["joint"]): float(row["score"]) for row in csv.DictReader(file)}  # fmt: skip


def test_files_of_every_method(done):
    out = done[0] / "out"
    source = json.loads((done[0] / "layout/lspet_train.json").read_text())
    labels = {(person["id"], joint) for person in source["annotations"] for joint in JOINTS[:12]}
    ranked = [f"{m}-{s}" for m in METHODS.split(",")[:-1] for s in ("0", "1", "1-limb_swap_0.3")]
    for name in ranked:
        assert scores_in(out / f"{name}.csv").keys() == labels
    made = {path.stem for path in out.glob("*.csv")}
    assert made == {*ranked, "injected-1-limb_swap_0.3"}
    assert {row["scores"] for row in rows_in(out)} == {f"{name}.csv" for name in ranked} | {None}
    injected = keeping.read_injected(out / "injected-1-limb_swap_0.3.csv")
    assert 0 < len(injected) < len(labels) / 2 and injected < labels


def test_rankings_are_those_of_the_runs(done):
    """The table of weights that ours1 writes; the truth in the run's own folder; the figures in the rows."""
    out = done[0] / "out"
    rows = {(row["method"], row["noise"], row["seed"]): row for row in rows_in(out)}
    folder = out / rows["ours1", "limb_swap", 1]["run"]
    with open(folder / "ignoring_weights.csv") as file:
        table = list(csv.DictReader(file))
    own = {(int(row["annotation_id"]), row["joint"]): float(row["score"]) for row in table}
    assert scores_in(out / "ours1-1-limb_swap_0.3.csv") == own
    weights = scores_in(out / "ours1_weights-1-limb_swap_0.3.csv")
    assert weights == {(int(r["annotation_id"]), r["joint"]): -float(r["weight"]) for r in table}
    injected = keeping.read_injected(out / "injected-1-limb_swap_0.3.csv")
    truth = json.loads((folder / "injected_truth.json").read_text())["annotations"]
    assert sum(sum(person["wrong"]) for person in truth.values()) == len(injected)
    wrong = np.array([label in injected for label in own])
    assert rows["ours1", "limb_swap", 1]["auroc"] == pytest.approx(auroc(np.array(list(own.values())), wrong))


def test_methods_share_a_training_and_only_the_final_network_is_kept(done):
    out = done[0] / "out"
    assert {path.name for path in (out / "runs").iterdir()} == {
        f"{run}-{s}" for run in ("ours1", "baseline2") for s in ("0", "1", "1-limb_swap_0.3")
    }
    for folder in (out / "runs").iterdir():
        (best,) = folder.rglob("*.pth")
        content = torch.load(best, weights_only=True)
        assert best.name == "best.pth" and "target_model" in content
        assert not [key for key in content if key.endswith("optimizer")]


def cells(text, title, method):
    """The cells of a method's row below a title of table.md."""
    part = text.split(f"### {title}")[1].split("###")[0]
    (line,) = [line for line in part.splitlines() if line.startswith(f"| {method} ")]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_table_of_real_errors(done):
    """By hand from the files: the mean over seeds of the plain metrics, wrong against right of the second opinion."""
    out = done[0] / "out"
    text = (out / "table.md").read_text()
    people = json.loads((done[0] / "layout/lspet_second_opinion.json").read_text())["people"]
    assert "4 wrong against 128 right labels of 12 people" in text and "12 doubt, 0 unlabelled" in text
    for title, rest in (("Real wrong labels, everyone", None), ("Real wrong labels, even", 0), ("Real wrong labels, odd", 1)):  # fmt: skip
        judged = {
            (person["annotation_id"], joint): verdict == "wrong"
            for person in people
            for joint, verdict in zip(JOINTS, person["verdict"])
            if verdict != "doubt" and rest in (None, person["annotation_id"] % 2)
        }
        wrong = np.array(list(judged.values()))
        for method in ("ours1", "distance", "geometry"):
            values = [np.array([scores_in(out / f"{method}-{s}.csv")[label] for label in judged]) for s in (0, 1)]  # fmt: skip
            name, seeds, area, precision, *_ = cells(text, title, method)
            assert (name, seeds) == (method, "2")
            assert float(area.split()[0]) == pytest.approx(np.mean([auroc(v, wrong) for v in values]), abs=6e-4)  # fmt: skip
            assert float(precision.split()[0]) == pytest.approx(np.mean([average_precision(v, wrong) for v in values]), abs=6e-4)  # fmt: skip
        ours, other = (float(cells(text, title, m)[2].split()[0]) for m in ("ours1", "geometry"))
        assert float(cells(text, title, "geometry")[5].split()[0]) == pytest.approx(ours - other, abs=2e-3)
    assert cells(text, "Real wrong labels, everyone", "ours1")[5] == "-"


def test_the_table_of_injected_errors(done):
    out = done[0] / "out"
    injected = keeping.read_injected(out / "injected-1-limb_swap_0.3.csv")
    called_wrong = {(number, "left_wrist") for number in (101, 104, 107, 110)}
    scores = scores_in(out / "distance-1-limb_swap_0.3.csv")
    used = [label for label in scores if label in injected or label not in called_wrong]
    wrong = np.array([label in injected for label in used])
    text = (out / "table.md").read_text()
    assert f"{wrong.sum()} of {len(used)} (seed 1)" in text
    found = float(cells(text, "Injected limb_swap:0.3", "distance")[2].split()[0])
    assert found == pytest.approx(auroc(np.array([scores[label] for label in used]), wrong), abs=6e-4)


def test_the_targets_gain_is_what_the_runs_measure(done):
    out = done[0] / "out"
    text = (out / "table.md").read_text()
    assert "without 2 people who lack one of the two" in text
    for method in ("baseline2", "ours1"):
        own = [row["pckh"] for row in rows_in(out) if row["method"] == method and row["noise"] == "none"]
        found = cells(text, "The target's gain, errors as they are", method)
        assert len(own) == 2 and float(found[2].split()[0]) == pytest.approx(np.mean(own), abs=0.06)
    assert "injected limb_swap:0.3 on top" in text


def test_accuracies_by_hand(done):
    """Errors of 5 and 20 pixels, of a box of 100 and a head of 30; the second person has no head."""
    annotations = type("Some", (), {"joints": np.zeros((2, 2, 2)), "visible": np.array([[1, 1], [1, 0]]), "box_sizes": np.array([100, 100])})  # fmt: skip
    people = MeasuredPeople(annotations, np.array([30.0, np.nan]))
    predicted = np.array([[[5.0, 0], [20, 0]], [[20, 0], [0, 0]]])
    found = accuracies(predicted, people, np.array([[1, 1], [2, 0]]))
    assert found["PCK@0.1"].tolist() == [25, 50] and found["PCKh@0.5"].tolist() == [50, 50]
    assert people.headless == 1
    tree = json.loads((done[0] / "layout/mpii_test.json").read_text())["annotations"]
    heads = read_heads(done[0] / "layout/mpii_test.json", np.array([tree[1]["id"], tree[0]["id"]]))
    neck, top = np.array(tree[1]["keypoints"]).reshape(-1, 3)[12:, :2]
    assert heads[0] == pytest.approx(np.hypot(*(neck - top))) and np.isnan(heads[1])


def test_what_is_there_is_not_run_again(copied, capsys, monkeypatch):
    out, words = copied
    before = (out / "table.md").read_text()
    monkeypatch.setattr(trial, "train", lambda *_: pytest.fail("trained again"))
    assert real.main(words) == 0 and "10 exist, 0 runs" in capsys.readouterr().out
    (out / "table.md").unlink()
    assert real.main([*words, "--table", "--half", "odd"]) == 0
    printed = capsys.readouterr().out
    assert "odd annotation ids" in printed and "even annotation ids" not in printed
    assert (out / "table.md").read_text() == before
    # A row that is lost, and a method that shares a training, need no training either.
    rows = [row for row in rows_in(out) if row["method"] != "ours1"]
    (out / "results.json").write_text(json.dumps(rows))
    score = (out / "ours1-0.csv").read_bytes()
    (out / "ours1-0.csv").unlink()
    assert real.main([*words, "--methods", "ours1,loss"]) == 0
    assert (out / "ours1-0.csv").read_bytes() == score and (out / "loss-1.csv").exists()


def test_labels_are_judged_again_without_training(copied, monkeypatch):
    out, words = copied
    names = ("ours1-0.csv", "ours1-1.csv", "distance-0.csv")
    before = {name: (out / name).read_bytes() for name in names}
    rows = rows_in(out)
    for name in names:
        (out / name).write_text("gone")
    table = next((out / "runs/ours1-0").rglob("ignoring_weights.csv"))
    own = table.read_bytes()
    table.unlink()
    monkeypatch.setattr(trial, "train", lambda *_: pytest.fail("trained again"))
    assert real.main([*words, "--rejudge"]) == 0
    # Nothing has changed since: the same network says the same of the same labels.
    assert {name: (out / name).read_bytes() for name in names} == before and table.read_bytes() == own
    key = lambda row: (row["method"], row["noise"], row["seed"])  # noqa: E731
    assert sorted(rows_in(out), key=key) == sorted(rows, key=key)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["LBI.WARMUP", "1"], "give another --out"),
        (["--size", "gpu"], "holds runs on lspet_cpu"),
        (["--methods", "ours3"], "unknown 'ours3'"),
        (["--jobs", "-1"], "--jobs is -1"),
        (["SEED", "1"], "SEED: the benchmark sets it itself"),
    ],
)
def test_errors_of_the_command(done, capsys, more, message):
    assert real.main([*done[1][:-2], *more]) == 2
    assert message in capsys.readouterr().err


def test_a_finished_run_with_other_settings_is_not_taken(copied, capsys):
    out, words = copied
    (out / "results.json").write_text("[]")
    assert real.main([*words[:-2], "--methods", "ours1", "--seeds", "0", "TRAIN.LR", "0.002"]) == 1
    assert "give another --out" in capsys.readouterr().out


def test_damaged_scores_are_named(copied, capsys):
    out, words = copied
    lines = (out / "geometry-0.csv").read_text().splitlines()
    (out / "geometry-0.csv").write_text("\n".join(lines[:3]))
    assert real.main([*words, "--table"]) == 2 and "geometry-0.csv: has no score of" in capsys.readouterr().err  # fmt: skip
    (out / "geometry-0.csv").write_text("a,b\n1,2\n")
    assert real.main([*words, "--table"]) == 2 and "no column" in capsys.readouterr().err
