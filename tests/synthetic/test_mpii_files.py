"""MPII's files of drawn people, against one person whose numbers are known."""

import json

import numpy as np
import pytest
import scipy.io

from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.synthetic.appearance import ROUGH
from lib.synthetic.drawing import FIGURE_JOINTS, DrawnImage, Person, draw_image
from lib.synthetic.mpii_files import mpii_annotations, write_gt_valid, write_mpii


@pytest.fixture
def image():
    """One person in a box of 20 x 40 at (10, 30); joint k of the figure at (10 + k, 30 + 2 k), one outside."""
    joints = np.array([(10 + k, 30 + 2 * k) for k in range(17)], float)
    joints[FIGURE_JOINTS.index("left_wrist")] = -3, 50
    person = Person(joints, np.zeros(17, bool), (10.0, 30.0, 20.0, 40.0), 300.0, False, 60.0)
    return DrawnImage(7, "7.jpg", 128, 130, [person])


def test_joints_are_one_based_and_absent_outside_the_image(image, tmp_path):
    write_mpii(tmp_path / "train.json", [image])
    (entry,) = json.loads((tmp_path / "train.json").read_text())
    wrist = MPII_KEYPOINTS.index("left_wrist")
    assert entry["joints_vis"] == [int(k != wrist) for k in range(16)]
    assert entry["joints"][wrist] == [-1, -1] and entry["joints"][3] == [14, 37]
    assert entry["image"] == "7.jpg" and entry["scale"] == 0.2
    assert entry["center"] == [21, 48]  # (20, 50) in 0-based pixels, 1-based, and higher by 15 * 0.2


def test_readers_of_the_annotations_get_the_middle_of_the_box():
    rng = np.random.default_rng(0)
    pixels, drawn = draw_image(rng, ROUGH, 2)
    image = DrawnImage(1, "1.jpg", pixels.shape[1], pixels.shape[0], drawn)
    for annotation, person in zip(mpii_annotations([image]), drawn):
        left, top, width, height = person.box
        x, y = annotation["center"]
        assert abs(x - 1 - (left + width / 2)) < 0.01
        assert abs(y + 15 * annotation["scale"] - 1 - (top + height / 2)) < 0.01
        assert abs(annotation["scale"] * 200 - max(width, height)) < 0.01


def test_the_head_box_gives_an_eighth_of_the_stature_as_unit_of_length(image, tmp_path):
    write_gt_valid(tmp_path / "gt_valid.mat", [image])
    matrix = scipy.io.loadmat(tmp_path / "gt_valid.mat")
    wrist = MPII_KEYPOINTS.index("left_wrist")
    assert matrix["jnt_missing"].T.tolist() == [[int(k == wrist) for k in range(16)]]
    assert matrix["pos_gt_src"][wrist].ravel().tolist() == [0, 0]
    assert matrix["pos_gt_src"][3].ravel().tolist() == [14, 37]
    low, high = matrix["headboxes_src"][..., 0]
    assert 0.6 * np.hypot(*(high - low)) == pytest.approx(60 / 8)
    neck, top = (MPII_KEYPOINTS.index(name) for name in ("upper_neck", "head_top"))
    assert (low + high) / 2 == pytest.approx([11 + (neck + top) / 2, 31 + neck + top])


def test_the_file_of_the_evaluation_has_no_date(image, tmp_path):
    for name in "ab":
        write_gt_valid(tmp_path / name, [image])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert (tmp_path / "a").read_bytes()[:116].strip() == b"MATLAB 5.0 MAT-file, drawn people"
