"""The layout of LSPET and MPII, from made-up original files: labels lie on the pixels that they name."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.io import savemat

from benchmarks import lspet_layout
from benchmarks.person_crops import KEYPOINTS, LIMBS
from lib.dataset.keypoints import MPII_KEYPOINTS

REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "lspet_mpii"
DOTTED = ("right_wrist", "left_ankle", "head_top")
COLORS = {"right_wrist": (255, 0, 0), "left_ankle": (0, 255, 0), "head_top": (0, 0, 255)}  # RGB


def pose(rng, middle, size):
    """[14, 2] whole pixels within ``size`` around ``middle``, joints far from each other."""
    steps = rng.permutation(14)[:, None] / 13 - 0.5, rng.permutation(14)[:, None] / 13 - 0.5
    return np.round(np.array(middle) + size * np.hstack(steps))


def picture(path, size, poses):
    """A grey picture of ``size`` (width, height) with a colored dot on three joints of each pose."""
    pixels = np.full((size[1], size[0], 3), 100, np.uint8)
    for joints in poses:
        radius = round(np.ptp(joints, axis=0).max() / 40) + 1
        for name in DOTTED:
            center = tuple(joints[KEYPOINTS.index(name)].astype(int).tolist())
            cv2.circle(pixels, center, radius, COLORS[name][::-1], -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels, [cv2.IMWRITE_JPEG_QUALITY, 98])


def mpii_entry(image, joints, missing=()):
    """A person of MPII's files, which count from 1; pelvis and thorax are somewhere else."""
    own = {name: point for name, point in zip(KEYPOINTS, joints)}
    own |= {"upper_neck": own["neck"], "pelvis": joints.mean(axis=0), "thorax": joints.mean(axis=0)}
    points = [[-1, -1] if name in missing else (own[name] + 1).tolist() for name in MPII_KEYPOINTS]
    seen = [int(name not in missing) for name in MPII_KEYPOINTS]
    return {"image": image, "scale": 2.0, "center": [300, 300], "joints": points, "joints_vis": seen}


@pytest.fixture
def originals(tmp_path):
    """Three people of LSPET; three of MPII's train (one in a picture of valid, one without picture), two of valid."""
    rng, lspet, mpii = np.random.default_rng(3), tmp_path / "lspet", tmp_path / "mpii"
    joints = np.zeros((14, 3, 3))
    for k, (size, length) in enumerate([((180, 140), 80), ((170, 200), 130), ((400, 300), 250)]):
        joints[:, :2, k] = pose(rng, (size[0] / 2, size[1] / 2), length)
        joints[:, 2, k] = 1
        picture(lspet / f"images/im{k + 1:05d}.jpg", size, [joints[:, :2, k]])
    joints[0, :, 1] = -7, 999, 0  # a joint that is not labelled has coordinates outside of the picture
    savemat(lspet / "joints.mat", {"joints": joints})

    poses = [pose(rng, middle, 500) for middle in ((400, 350), (800, 400), (500, 360))]
    picture(mpii / "images/a.jpg", (1280, 720), poses[:1])
    picture(mpii / "images/b.jpg", (1280, 720), poses[1:])
    entries = {
        "train": [mpii_entry("a.jpg", poses[0], missing=("left_knee",)), mpii_entry("b.jpg", poses[1]),
                  mpii_entry("gone.jpg", poses[1])],
        "valid": [mpii_entry("b.jpg", poses[1]), mpii_entry("b.jpg", poses[2], missing=MPII_KEYPOINTS[:14])],
    }  # fmt: skip
    (mpii / "annot").mkdir()
    for name, people in entries.items():
        (mpii / f"annot/{name}.json").write_text(json.dumps(people))
    return tmp_path


def make(folder, *more):
    words = ["--lspet", f"{folder}/lspet", "--mpii", f"{folder}/mpii", "--out", f"{folder}/out", *more]
    return lspet_layout.main(words)


def read(folder, name):
    return json.loads((folder / "out" / f"{name}.json").read_text())


def points_of(annotation):
    return np.array(annotation["keypoints"], float).reshape(14, 3)


def middle_of(image, name):
    """Middle of the dot of the joint ``name``, from the share of its color in each pixel."""
    color = np.array(COLORS[name], bool)
    amount = image[..., color].mean(axis=-1) - image[..., ~color].max(axis=-1).astype(float)
    amount = np.where(amount > 40, amount, 0)
    ys, xs = np.indices(amount.shape)
    return np.array([(xs * amount).sum(), (ys * amount).sum()]) / amount.sum()


@pytest.mark.parametrize("size", ["160", "60"])
def test_labels_lie_on_their_pixels(originals, size):
    assert make(originals, "--size", size) == 0
    checked = 0
    for name in ("lspet_train", "mpii_train"):
        tree = read(originals, name)
        for image, annotation in zip(tree["images"], tree["annotations"]):
            pixels = cv2.imread(str(originals / "out/images" / image["file_name"]))[..., ::-1]
            assert pixels.shape[:2] == (image["height"], image["width"])
            points = points_of(annotation)
            assert np.ptp(points[points[:, 2] > 0, :2], axis=0).max() <= float(size) * 1.02
            for joint in DOTTED:
                found = middle_of(pixels, joint)
                assert np.abs(found - points[KEYPOINTS.index(joint), :2]).max() < 0.35
                checked += 1
    assert checked == 12


def test_crops_say_where_they_are_from(originals):
    assert make(originals) == 0
    tree = read(originals, "mpii_train")
    (image,), (annotation,) = tree["images"], tree["annotations"]
    points, scale = points_of(annotation), np.array(image["crop_scale"])
    assert (scale < 0.4).all() and image["source_file"] == "a.jpg"
    original = np.array(image["crop_offset"]) + (points[:, :2] + 0.5) / scale - 0.5
    there = points[:, 2] > 0
    entry = json.loads((originals / "mpii/annot/train.json").read_text())[0]
    expected = [np.array(entry["joints"][MPII_KEYPOINTS.index({"neck": "upper_neck"}.get(n, n))]) - 1 for n in KEYPOINTS]  # fmt: skip
    assert np.abs(original - expected)[there].max() < 0.1
    assert not there[KEYPOINTS.index("left_knee")] and there.sum() == annotation["num_keypoints"] == 13


def test_who_is_read_and_who_is_left_out(originals, capsys):
    assert make(originals) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "lspet_train.json: 3 people",
        "mpii_train.json: 1 people; left out: 1 whose image is missing, 1 in a picture of valid.json",
        "mpii_test.json: 1 people; left out: 1 with fewer than 4 joints",
    ]
    lspet = read(originals, "lspet_train")
    assert [a["id"] for a in lspet["annotations"]] == [1, 2, 3]
    assert lspet["annotations"][1]["keypoints"][:3] == [0, 0, 0]
    assert {points_of(a)[1, 2] for a in lspet["annotations"]} == {2}
    assert [image["crop_scale"] for image in lspet["images"]][:2] == [[1, 1], [1, 1]]
    for annotation, image in zip(lspet["annotations"], lspet["images"]):
        x, y, width, height = annotation["bbox"]
        assert 0 <= x < x + width <= image["width"] and 0 <= y < y + height <= image["height"]
        assert annotation["area"] == pytest.approx(width * height, rel=1e-3)


@pytest.mark.parametrize(
    ("joints", "message"),
    [
        (np.ones((3, 14, 2000)), "3 x 14 x 2000, as in Leeds Sports Pose, where the third number is 1 for an occluded"),
        (np.ones((14, 2, 5)), "14 x 2 x 5, expected 14 x 3 x 10000"),
        (np.ones((14, 3)), "14 x 3, expected 14 x 3 x 10000"),
        (np.ones((14, 3, 9)), "6 of 9 pictures are missing: im00004.jpg, im00005.jpg, im00006.jpg, ..."),
        (np.full((14, 3, 3), np.inf), "a labelled joint has no finite coordinates"),
        (5000 + np.arange(14 * 9.0).reshape(14, 3, 3), "outside of the picture"),
    ],
)  # fmt: skip
def test_errors_of_lspet(originals, capsys, joints, message):
    savemat(originals / "lspet/joints.mat", {"joints": joints})
    assert make(originals) == 2
    assert message in capsys.readouterr().err


def test_other_errors(originals, capsys):
    assert make(originals, "--size", "0") == 2 and "--size is 0" in capsys.readouterr().err
    (originals / "mpii/images/a.jpg").unlink()
    assert make(originals) == 2
    assert "mpii_train: nobody is left; left out: 2 whose image is missing" in capsys.readouterr().err
    savemat(originals / "lspet/joints.mat", {"other": np.ones(3)})
    assert make(originals) == 2 and "no variable joints" in capsys.readouterr().err


@pytest.mark.skipif(not REAL.exists(), reason="the real people are not here")
def test_the_real_layout_has_the_same_fields(originals):
    assert make(originals) == 0
    for name in ("lspet_train", "mpii_train", "mpii_test"):
        real, own = json.loads((REAL / f"{name}.json").read_text()), read(originals, name)
        for key in ("images", "annotations"):
            assert set(own[key][0]) == set(real[key][0])
        assert tuple(real["categories"][0]["keypoints"]) == KEYPOINTS
        lines = {frozenset(line) for line in real["categories"][0]["skeleton"]}
        assert lines == {frozenset(line) for line in own["categories"][0]["skeleton"]}
        assert len(lines) == len(LIMBS)
