"""train.py and valid.py: tiny runs on the built-in data, and published predictions of MPII."""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from pose_estimation import train, valid

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
MPII_256 = "experiments/mpii/resnet50/256x256_d256x3_adam_lr1e-3.yaml"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the sample of real data is not here")

PUBLISHED = {  # Head, Shoulder, Elbow, Wrist, Hip, Knee, Ankle, Mean, Mean at 0.1, Mean at 0.11
    "newell_hourglass": (95.88, 95.19, 89.14, 84.17, 86.97, 83.20, 80.40, 88.41, 21.18, 25.00),
    "tompson": (95.60, 92.71, 83.36, 76.74, 81.93, 73.32, 65.40, 82.31, 28.91, 33.08),
    "bearpaw_hg_s1": (95.12, 93.61, 85.53, 79.56, 84.51, 78.28, 73.41, 85.07, 23.25, 27.32),
}


def single(kind, data):
    """Settings that make the built-in source or target the one data set."""
    sets = {"coco": ("train2017", "val2017", 17), "mpii": ("train", "valid", 16)}[kind]
    return ["DATASET.DATASET", kind, "DATASET.ROOT", f"{data}/{kind}", "DATASET.TRAIN_SET", sets[0],
            "DATASET.TEST_SET", sets[1], "MODEL.NUM_JOINTS", str(sets[2])]  # fmt: skip


def last_line(capsys):
    return Path(capsys.readouterr().out.splitlines()[-1])


@needs_shared
@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("legacy", [False, True])
def test_published_predictions_give_the_published_table(name, legacy, tmp_path, capsys):
    words = ["--cfg", MPII_256, "--predictions", str(SHARED / f"mpii_eval/preds/{name}.mat"), "--save_dir", str(tmp_path),
             "DATASET.ROOT", str(SHARED / "mpii_eval"), "TEST.PCKH_LEGACY_01", str(legacy).lower()]  # fmt: skip
    assert valid.main(words) == 0
    found = json.loads(last_line(capsys).read_text())["test"]["PCKh"]
    expected = PUBLISHED[name][:8] + (PUBLISHED[name][9 if legacy else 8],)
    assert list(found.values())[:9] == pytest.approx(expected, abs=0.0051)


@pytest.mark.parametrize("kind, measure", [("mpii", "PCKh"), ("coco", "AP")])
def test_train_then_valid_then_its_predictions_agree(kind, measure, config, data, capsys):
    words = ["--cfg", str(config), *single(kind, data)]
    assert train.main(words) == 0
    path = last_line(capsys)
    trained = json.loads(path.read_text())
    assert trained["mode"] == "train" and trained["source_model"] is None

    assert valid.main([*words, "--model-file", str(path.with_name("best.pth")), "--flip-test"]) == 0
    validated = json.loads(last_line(capsys).read_text())
    assert validated["test"] == trained["test"]

    assert valid.main([*words, "--predictions", validated["predictions"]]) == 0
    rescored = json.loads(last_line(capsys).read_text())["test"][measure]
    assert rescored == pytest.approx(trained["test"][measure], abs=1e-6)


def test_flip_test_changes_the_numbers(config, data, capsys):
    words = ["--cfg", str(config), *single("mpii", data)]
    assert train.main(words) == 0
    model = str(last_line(capsys).with_name("last.pth"))
    losses = []
    for flip in ([], ["--flip-test"]):
        assert valid.main([*words, "--model-file", model, "TEST.FLIP_TEST", "false", *flip]) == 0
        losses.append(json.loads(last_line(capsys).read_text())["test"]["loss"])
    assert losses[0] != losses[1]


def test_detected_boxes(config, data, capsys, tmp_path):
    words = ["--cfg", str(config), *single("coco", data)]
    assert train.main([*words, "--num_epochs", "1"]) == 0
    model = str(last_line(capsys).with_name("last.pth"))
    people = json.loads((data / "coco/annotations/person_keypoints_val2017.json").read_text())["annotations"]
    boxes = [{"image_id": p["image_id"], "category_id": 1, "bbox": p["bbox"], "score": 0.5} for p in people]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    words += ["--model-file", model, "TEST.COCO_BBOX_FILE", str(tmp_path / "boxes.json")]
    assert valid.main([*words, "--use-detect-bbox"]) == 0
    found = json.loads(last_line(capsys).read_text())
    assert found["test"]["people"] == len(people)
    assert found["test"]["loss"] is None and found["test"]["accuracy"] is None
    for result in json.loads(Path(found["predictions"]).read_text()):
        assert result["score"] <= 0.5 * np.max(result["keypoints"][2::3]) + 1e-6


def test_predictions_of_a_network_with_the_shared_joints_are_saved_in_mpii_order(config, data, capsys):
    words = ["--cfg", str(config), *single("mpii", data)]
    words[-1] = "13"
    assert train.main(words) == 0
    folder = last_line(capsys).parent
    joints = scipy.io.loadmat(folder / "predictions.mat")["preds"]
    assert joints.shape == (8, 16, 2)
    assert np.isnan(joints[:, [6, 7, 8]]).all() and np.isfinite(np.delete(joints, [6, 7, 8], axis=1)).all()


@pytest.mark.parametrize(
    "words, expected",
    [
        ([], "--predictions"),
        (["--model-file", "a.pth", "--predictions", "b.mat"], "--predictions"),
        (["--model-file", "none.pth"], "none.pth"),
        (["--predictions", "none.mat"], "none.mat"),
        (["--model-file", "a.pth", "MODEL.NUM_JOINTS", "17"], "no label for 'nose'"),
    ],
)
def test_bad_input_is_one_line(words, expected, config, data, capsys):
    assert valid.main(["--cfg", str(config), *single("mpii", data), *words]) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and expected in error and "\n" not in error
