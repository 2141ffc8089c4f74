"""Seven invented joints, from drawn images to the commands that look at a finished run."""

import csv
import json

import pytest
import torch

from lib.label_noise.truth import read_truth
from pose_estimation import compare, export_cleaned, predict, report, show_ignored, train, valid
from pose_estimation.main import main
from tests.factories.excavators import JOINTS, SAME, SOURCE_JOINTS, make_excavators

CONFIG = "experiments/custom/excavator.yaml"
GROUPS = [*JOINTS, "Mean", "Mean@0.05", "OKS-AP"]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """The data, and a finished run of ours1 on it."""
    root = make_excavators(tmp_path_factory.mktemp("custom"), source=10, target=9, test=4)
    assert main(words(root, "--ours1")) == 0
    return root


def words(root, *more):
    roots = ["DATASET_SRC.ROOT", str(root / "source"), "DATASET_TARGET.ROOT", str(root / "target"),
             "OUTPUT_DIR", str(root / "output"), "LOG_DIR", str(root / "log")]  # fmt: skip
    short = ["LBI.HYPERGRAD_INTERVAL", "1", "LBI.VAL_BATCH_SIZE", "0", "LBI.META_DATA", "validation", "TRAIN.STEPS_PER_EPOCH", "3", "TRAIN.END_EPOCH", "2", "TEST.EVAL_EPOCHS", "1", "MODEL.EXTRA.WIDTH", "4", "THREADS", "1"]  # fmt: skip
    return ["--cfg", CONFIG, *more, *roots, *short]


@pytest.fixture
def run(root):
    return root / "output/coco_format_to_coco_format/pose_resnet_10/excavator/ours1"


def test_results_and_weights_by_name(run):
    results = json.loads((run / "results.json").read_text())
    assert list(results["test"]["PCK"]) == list(results["val"]["PCK"]) == GROUPS
    assert results["best_epoch"] in (0, 1) and 0 < results["weights"]["B"]["auroc"] < 1
    rows = list(csv.DictReader((run / "ignoring_weights.csv").open()))
    assert {row["joint"] for row in rows} == set(JOINTS)
    assert not any(row["rank"] for row in rows if row["joint"] == "counterweight")
    log = (run / "train.log").read_text()
    assert "DATASET_SRC.JOINTS: cab is read from cabin of the source" in log
    assert "without a label in the source: counterweight" in log and "not used: lamp" in log


def test_the_checkpoint_names_the_targets_category(run):
    entry = torch.load(run / "best.pth", weights_only=True)["category"]
    assert (entry["ids"], entry["name"], entry["keypoints"]) == ([3], "excavator", list(JOINTS))


def test_valid_repeats_the_runs_numbers(run, capsys):
    assert valid.main(["--run", str(run)]) == 0
    found = json.loads((run / "valid/results.json").read_text())
    assert found["test"] == json.loads((run / "results.json").read_text())["test"]
    assert found["data"]["dataset"] == "coco_format"


def test_the_injected_truth_is_in_the_sources_own_joints(root, run):
    truth = read_truth(run / "injected_truth.json", len(SOURCE_JOINTS))["annotations"]
    tree = json.loads((root / "source/train.json").read_text())
    by_id = {a["id"]: a for a in tree["annotations"] if a["category_id"] == 3}
    assert truth.keys() == by_id.keys() and any(label["wrong"].any() for label in truth.values())
    lamp = SOURCE_JOINTS.index("lamp")
    for number, label in truth.items():
        points = by_id[number]["keypoints"]
        for k in range(len(SOURCE_JOINTS)):
            if k == lamp:
                assert not label["wrong"][k] and not label["keypoints"][k].any()
            elif points[3 * k + 2]:
                assert label["keypoints"][k][:2] == pytest.approx(points[3 * k : 3 * k + 2], rel=1e-6)


def test_the_cleaned_file_keeps_the_sources_joints(root, run, capsys):
    assert export_cleaned.main([str(run), "--output", str(root / "cleaned.json"), "--count", "10"]) == 0
    before = json.loads((root / "source/train.json").read_text())
    after = json.loads((root / "cleaned.json").read_text())
    assert before["categories"] == after["categories"]
    low = {
        (int(row["annotation_id"]), SAME.get(row["joint"], row["joint"]))
        for row in csv.DictReader((run / "ignoring_weights.csv").open())
        if row["rank"] and int(row["rank"]) <= 10
    }
    assert low
    for old, new in zip(before["annotations"], after["annotations"]):
        if old["category_id"] != 3:
            assert old == new
            continue
        for k, name in enumerate(SOURCE_JOINTS):
            labelled = old["keypoints"][3 * k + 2] > 0
            kept = labelled and (old["id"], name) not in low
            assert (new["keypoints"][3 * k + 2] > 0) == kept, (old["id"], name)
    assert "counterweight (not in the source)" in capsys.readouterr().out


def test_the_report_and_the_table(root, run, capsys):
    assert report.main([str(run), "--output", str(root / "r.html")]) == 0
    text = (root / "r.html").read_text()
    assert "PCK@0.1 of the box on the test set" in text and "counterweight" in text and "PCKh" not in text
    assert "means two things" not in text  # the names that differ were said to mean the same
    assert main(words(root, "--baseline1")) == 0
    both = [str(run), str(run.parent / "baseline1")]
    assert report.main([*both, "--output", str(root / "c.html")]) == 0
    capsys.readouterr()
    assert compare.main([f"{folder}/results.json" for folder in both]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("PCK@0.1 of the box") and lines[2].split()[1:-3] == GROUPS
    assert [line.split()[0] for line in lines[4:6]] == ["ours1", "baseline1"]


def test_runs_with_other_joints_have_no_table(root, run, capsys):
    content = json.loads((run / "results.json").read_text())
    del content["test"]["PCK"]["bucket"]
    (root / "other.json").write_text(json.dumps(content))
    assert compare.main([str(run / "results.json"), str(root / "other.json")]) == 2
    assert "other joints or measures (PCK)" in capsys.readouterr().err


def test_prediction_and_images_of_labels(root, run):
    image = root / "target/images/test/0001.png"
    asked = [
        str(image),
        "--model-file",
        str(run / "best.pth"),
        "--output",
        str(root / "found"),
        "--flip-test",
    ]
    assert predict.main(asked) == 0
    (line,) = (root / "found/predictions.jsonl").read_text().splitlines()
    assert list(json.loads(line)["people"][0]["keypoints"]) == list(JOINTS)
    (result,) = json.loads((root / "found/keypoints_results.json").read_text())
    assert result["category_id"] == 3
    assert show_ignored.main([str(run), "--output", str(root / "ignored.png"), "--rows", "1"]) == 0


def test_one_data_set_alone(root, capsys):
    group = [word.replace("DATASET_TARGET", "DATASET") for word in words(root)]
    one = [*group, "DATASET.DATASET", "coco_format", "DATASET.TRAIN_SET", "annotations/train.json",
           "DATASET.TEST_SET", "annotations/test.json"]  # fmt: skip
    assert train.main(one) == 0
    folder = root / "output/coco_format/pose_resnet_10/excavator"
    tested = json.loads((folder / "train/results.json").read_text())["test"]["PCK"]
    checkpoint = ["--model-file", str(folder / "train/best.pth")]
    assert valid.main([*checkpoint, *one]) == 0
    found = json.loads((folder / "valid/results.json").read_text())["test"]["PCK"]
    assert found == pytest.approx(tested, abs=1e-3)
    capsys.readouterr()
    assert valid.main(["--predictions", "a.json", *one]) == 2
    assert "--predictions is for mpii and coco" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["LBI.INJECT_NOISE", "exchange:0.5"], "noise 'exchange'"),
        (["MODEL.NUM_JOINTS", "13"], "must be 7: left_track, right_track"),
        (["DATASET_SRC.JOINTS", "{cab: cabine}"], "'cabine', the nearest is 'cabin'"),
        (["DATASET_SRC.CATEGORY", "cone"], "no category 'cone' with keypoints, the nearest is 'excavator'"),
        (["DATASET_TARGET.SIGMAS", "[0.1, 0.2]"], "SIGMAS has 2 numbers"),
        (["TEST.USE_GT_BBOX", "false"], "coco_format is evaluated on annotated boxes"),
        (["DATASET_TARGET.IMAGES", "nowhere"], "nowhere: cannot read the image folder"),
    ],
)
def test_one_clear_error(root, capsys, more, says):
    assert main([*words(root, "--ours1"), *more]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line
