"""The demo data, read back with the tools that read the real data sets."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from pycocotools.coco import COCO

from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS
from lib.label_noise.truth import read_truth
from lib.synthetic.generate import (
    JPEG_QUALITY,
    NOISE_STREAM,
    SECOND_PERSON,
    SPLITS,
    PeopleConfig,
    describe,
    make_people,
)
from lib.utils.errors import InputError

REPOSITORY = Path(__file__).parents[2]
SAMPLE = REPOSITORY.parent / "shared" / "data" / "mpii" / "annot" / "gt_valid.mat"
SMALL = {"source_people": 24, "source_val_people": 5, "target_train_people": 7, "test_people": 16}
ANNOTATED = [i for i, name in enumerate(COCO_KEYPOINTS) if not name.endswith(("eye", "ear"))]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "people"
    assert make(folder, seed=3, noise="mixed:0.6")
    return folder


def make(folder, **changed):
    return make_people(folder, PeopleConfig(**SMALL | changed))


def read_coco(root, split):
    """Keypoints [N, 17, 3] by annotation id."""
    content = json.loads((root / f"coco/annotations/person_keypoints_{split}.json").read_text())
    return {a["id"]: np.array(a["keypoints"]).reshape(17, 3) for a in content["annotations"]}


def truth_of(root):
    return read_truth(root / "coco/annotations/person_keypoints_train2017_truth.json")


def all_bytes(root):
    return {str(f.relative_to(root)): f.read_bytes() for f in sorted(root.rglob("*")) if f.is_file()}


def test_the_default_data_is_what_results_were_measured_on():
    """A change of one of these numbers gives other data, and must raise FORMAT if it is no parameter."""
    noise = "exchange:0.6+limb_swap:0.05+person_swap:0.05+offset:0.05+jitter:0.05"
    assert PeopleConfig() == PeopleConfig(0, noise, 0.75, 1500, 50, 120, 400)
    assert (SECOND_PERSON, JPEG_QUALITY) == (0.1, 92)
    assert SPLITS | {"noise": NOISE_STREAM} == {
        "train2017": 0,
        "val2017": 1,
        "train": 2,
        "valid": 3,
        "noise": 4,
    }


@pytest.mark.parametrize(("split", "count"), [("train2017", 24), ("val2017", 5)])
def test_pycocotools_reads_the_source(root, split, count):
    coco = COCO(root / f"coco/annotations/person_keypoints_{split}.json")
    category = coco.loadCats(coco.getCatIds("person"))[0]
    assert tuple(category["keypoints"]) == COCO_KEYPOINTS
    real = {(14, 16), (12, 14), (6, 8), (8, 10), (5, 6), (11, 12), (0, 1)}  # joined in the real file, too
    assert real <= {tuple(sorted((a - 1, b - 1))) for a, b in category["skeleton"]}
    annotations = coco.loadAnns(coco.getAnnIds(catIds=[category["id"]], iscrowd=False))
    assert len(annotations) == count
    for annotation in annotations:
        image = coco.loadImgs(annotation["image_id"])[0]
        width, height = image["width"], image["height"]
        assert (height, width, 3) == cv2.imread(str(root / "coco/images" / split / image["file_name"])).shape
        keypoints = np.array(annotation["keypoints"]).reshape(17, 3)
        labelled = keypoints[:, 2] > 0
        assert annotation["num_keypoints"] == labelled.sum() > 0
        assert not keypoints[~labelled].any() and not labelled[1:5].any()
        assert (keypoints[:, :2] >= 0).all() and (keypoints[:, :2] <= (width - 1, height - 1)).all()
        left, top, w, h = annotation["bbox"]
        assert left >= 0 and top >= 0 and left + w <= width and top + h <= height
        assert 0 < annotation["area"] < w * h


def test_clean_labels_lie_in_the_box(root):
    content = json.loads((root / "coco/annotations/person_keypoints_train2017.json").read_text())
    truth = truth_of(root)["annotations"]
    for annotation in content["annotations"]:
        left, top, width, height = annotation["bbox"]
        keypoints = truth[annotation["id"]]["keypoints"]
        x, y, _ = keypoints[keypoints[:, 2] > 0].T
        assert (x >= left - 0.1).all() and (x <= left + width + 0.1).all()
        assert (y >= top - 0.1).all() and (y <= top + height + 0.1).all()


def test_noisy_labels_differ_from_the_truth_exactly_where_it_says_so(root):
    noisy, truth = read_coco(root, "train2017"), truth_of(root)
    assert truth["noise"] == "mixed:0.6" and truth["seed"] == 3
    assert truth["annotations"].keys() == noisy.keys()
    wrong = np.array([truth["annotations"][i]["wrong"] for i in noisy])
    different = np.array([(noisy[i] != truth["annotations"][i]["keypoints"]).any(1) for i in noisy])
    np.testing.assert_array_equal(wrong, different)
    assert 0.2 < wrong[:, ANNOTATED].mean() < 0.8
    assert json.loads((root / "people.json").read_text())["made"]["wrong"] == wrong.sum()


def test_person_swap_exchanges_left_and_right_labels(tmp_path):
    make(tmp_path / "p", noise="person_swap:1")
    noisy, truth = read_coco(tmp_path / "p", "train2017"), truth_of(tmp_path / "p")["annotations"]
    for i, keypoints in noisy.items():
        clean = dict(zip(COCO_KEYPOINTS, truth[i]["keypoints"]))
        for name, label in zip(COCO_KEYPOINTS, keypoints):
            side, _, part = name.partition("_")
            other = {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)
            assert label[:2].tolist() == clean[other][:2].tolist()


def test_the_head_is_marked_at_its_top_or_by_convention_at_the_nose(tmp_path):
    make(tmp_path / "clean", noise="none")
    make(tmp_path / "shifted", noise="convention:1")
    clean, shifted = (read_coco(tmp_path / name, "train2017") for name in ("clean", "shifted"))
    truth = truth_of(tmp_path / "shifted")["annotations"]
    for i in clean:
        np.testing.assert_array_equal(clean[i], truth[i]["keypoints"])
        np.testing.assert_array_equal(clean[i][5:], shifted[i][5:])
        assert truth[i]["wrong"].tolist() == [clean[i][0, 2] > 0] + [False] * 16
    head_to_shoulders = [
        [k[5:7, 1].mean() - k[0, 1] for k in labels.values() if k[[0, 5, 6], 2].all()]
        for labels in (clean, shifted)
    ]
    assert np.mean(head_to_shoulders[0]) > 1.5 * np.mean(head_to_shoulders[1]) > 0


def test_noise_changes_labels_and_no_image(root, tmp_path):
    make(tmp_path / "p", seed=3, noise="none")
    first, second = all_bytes(root), all_bytes(tmp_path / "p")
    assert first.keys() == second.keys()
    assert {name.rsplit("/", 1)[-1] for name in first if first[name] != second[name]} == {
        "people.json", "person_keypoints_train2017.json", "person_keypoints_train2017_truth.json",
    }  # fmt: skip


@pytest.mark.parametrize(("split", "count"), [("train", 7), ("valid", 16)])
def test_mpii_annotations(root, split, count):
    annotations = json.loads((root / f"mpii/annot/{split}.json").read_text())
    assert len(annotations) == count
    for annotation in annotations:
        assert set(annotation) == {"image", "center", "scale", "joints", "joints_vis"}
        height, width, _ = cv2.imread(str(root / "mpii/images" / annotation["image"])).shape
        joints, visible = np.array(annotation["joints"]), np.array(annotation["joints_vis"])
        assert joints.shape == (16, 2) and set(visible) <= {0, 1}
        assert (joints[visible == 0] == -1).all()
        assert (joints[visible == 1] >= 1).all() and (joints[visible == 1] <= (width, height)).all()
        size = annotation["scale"] * 200
        middle = np.array(annotation["center"]) + [0, 15 * annotation["scale"]]
        assert 50 < size < 115
        assert (abs(joints[visible == 1] - middle) <= size / 2 + 0.1).all()


def test_gt_valid_agrees_with_the_annotations(root):
    matrix = scipy.io.loadmat(root / "mpii/annot/gt_valid.mat")
    annotations = json.loads((root / "mpii/annot/valid.json").read_text())
    visible = np.array([a["joints_vis"] for a in annotations]).T
    joints = np.array([a["joints"] for a in annotations]).transpose(1, 2, 0)
    np.testing.assert_array_equal(matrix["jnt_missing"], 1 - visible)
    np.testing.assert_allclose(matrix["pos_gt_src"], np.where(visible[:, None] == 1, joints, 0))

    neck, top = MPII_KEYPOINTS.index("upper_neck"), MPII_KEYPOINTS.index("head_top")
    seen = (visible[neck] & visible[top]) == 1
    length = np.linalg.norm(joints[top] - joints[neck], axis=0)
    unit = 0.6 * np.linalg.norm(matrix["headboxes_src"][1] - matrix["headboxes_src"][0], axis=0)
    assert 0.6 < np.median((unit / length)[seen]) < 0.9  # 0.75 in MPII itself
    assert (
        unit > 20 * np.array([a["scale"] for a in annotations])
    ).all()  # equal to 25 * scale in MPII itself


@pytest.mark.skipif(not SAMPLE.exists(), reason="the sample of the real MPII annotations is not here")
def test_gt_valid_looks_like_the_real_one(root):
    ours, real = scipy.io.loadmat(root / "mpii/annot/gt_valid.mat"), scipy.io.loadmat(SAMPLE)
    assert ours.keys() == real.keys()
    for key in ("jnt_missing", "pos_gt_src", "headboxes_src"):
        assert ours[key].dtype == real[key].dtype and ours[key].shape[:-1] == real[key].shape[:-1]
    assert [str(n[0]) for n in ours["dataset_joints"][0]] == [str(n[0]) for n in real["dataset_joints"][0]]


@pytest.mark.parametrize(("mix", "dark"), [(0.0, False), (1.0, True)])
def test_mix_draws_the_source_in_the_look_of_the_target(tmp_path, mix, dark):
    make(tmp_path / "p", mix=mix)
    images = [cv2.imread(str(f)) for f in (tmp_path / "p/coco/images/train2017").iterdir()]
    assert (np.median([image.mean() for image in images]) < 130) == dark


def test_the_same_seed_gives_the_same_bytes(root, tmp_path):
    make(tmp_path / "again", seed=3, noise="mixed:0.6")
    make(tmp_path / "other", seed=4, noise="mixed:0.6")
    first, other = all_bytes(root), all_bytes(tmp_path / "other")
    assert first == all_bytes(tmp_path / "again")
    assert not any(first[n] == other[n] for n in first.keys() & other.keys() if n.endswith(".jpg"))


def test_a_second_call_does_nothing_and_other_parameters_replace_the_data(tmp_path):
    folder = tmp_path / "p"
    assert make(folder)
    before = {f: f.stat().st_mtime_ns for f in folder.rglob("*")}
    assert not make(folder)
    assert before == {f: f.stat().st_mtime_ns for f in folder.rglob("*")}
    assert make(folder, source_people=3)
    assert len(read_coco(folder, "train2017")) == 3
    assert [f.name for f in tmp_path.iterdir()] == ["p"]


def test_an_interrupted_call_leaves_what_was_there(tmp_path, monkeypatch):
    folder = tmp_path / "p"
    make(folder)
    before = all_bytes(folder)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("lib.synthetic.generate.write_gt_valid", interrupt)
    for target in (folder, tmp_path / "new"):
        with pytest.raises(KeyboardInterrupt):
            make(target, seed=1)
    assert [f.name for f in tmp_path.iterdir()] == ["p"] and all_bytes(folder) == before


def test_a_folder_with_other_files_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        make(tmp_path)
    with pytest.raises(InputError, match=r"thesis\.tex"):
        make(tmp_path / "thesis.tex")
    assert (tmp_path / "thesis.tex").read_text() == "mine"


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"mix": 1.5}, "mix is 1.5"),
        ({"mix": float("nan")}, "mix is nan"),
        ({"test_people": 0}, "test_people is 0"),
        ({"seed": -1}, "seed is -1"),
        ({"noise": "jitter:2"}, "jitter:2"),
    ],
)
def test_parameters_out_of_range(tmp_path, parameters, says):
    with pytest.raises(InputError, match=says):
        make(tmp_path / "p", **parameters)
    assert not list(tmp_path.iterdir())


def test_the_description_counts_people_images_and_labels(root):
    totals = json.loads((root / "people.json").read_text())["made"]
    line = describe(root)
    for number in ("24", "5", "7", "16", totals["pictures"]["train2017"], totals["wrong"], totals["labels"]):
        assert f" {number} " in line
    assert str(root) in line and "mixed:0.6" in line and "\n" not in line
