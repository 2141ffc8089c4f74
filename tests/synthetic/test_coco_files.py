"""COCO's files of drawn people, against one person whose numbers are known."""

import json

import numpy as np
import pytest

from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.synthetic.coco_files import coco_keypoints, corrupt_keypoints, write_coco
from lib.synthetic.drawing import FIGURE_JOINTS, DrawnImage, Person


@pytest.fixture
def image():
    """Joint k of the figure at (30 + k, 40 + 2 k); the left wrist is outside, the right one hidden."""
    joints = np.array([(30 + k, 40 + 2 * k) for k in range(17)], float)
    joints[FIGURE_JOINTS.index("left_wrist")] = -3, 50
    hidden = np.array([name == "right_wrist" for name in FIGURE_JOINTS])
    person = Person(joints, hidden, (30.0, 40.0, 20.0, 40.004), 300.0, False, 60.0)
    return DrawnImage(7, "7.jpg", 128, 130, [person])


def test_clean_labels(image):
    (keypoints,) = coco_keypoints([image])
    for name, label in zip(COCO_KEYPOINTS, keypoints.tolist()):
        k = FIGURE_JOINTS.index("head_top" if name == "nose" else name) if name in (*FIGURE_JOINTS,) else None
        unlabelled = k is None or name == "left_wrist"
        assert label == ([0, 0, 0] if unlabelled else [30 + k, 40 + 2 * k, 1 if name == "right_wrist" else 2])


def test_no_noise_keeps_the_labels(image):
    clean = coco_keypoints([image])
    noisy, wrong = corrupt_keypoints(clean, [image], [("none", 0.0)], np.random.default_rng(0))
    np.testing.assert_array_equal(noisy, clean)
    assert not wrong.any()


def test_displacements_are_in_units_of_the_longer_side_of_the_box(image):
    clean = coco_keypoints([image])
    noisy, wrong = corrupt_keypoints(clean, [image], [("offset", 1.0)], np.random.default_rng(0))
    labelled = clean[..., 2] > 0
    np.testing.assert_array_equal(wrong, labelled)
    np.testing.assert_allclose((noisy - clean)[labelled][:, :2], 0.13 * 40.004, atol=0.006)
    np.testing.assert_array_equal(noisy[..., 2], clean[..., 2])


def test_convention_marks_the_nose_of_the_figure(image):
    clean = coco_keypoints([image])
    noisy, wrong = corrupt_keypoints(clean, [image], [("convention", 1.0)], np.random.default_rng(0))
    k = FIGURE_JOINTS.index("nose")
    assert noisy[0, 0].tolist() == [30 + k, 40 + 2 * k, 2]
    assert np.argwhere(wrong).tolist() == [[0, 0]]


def test_added_labels_are_visible_ones_and_eyes_never_get_any(image):
    clean = coco_keypoints([image])
    noisy, wrong = corrupt_keypoints(clean, [image], [("visibility", 1.0)], np.random.default_rng(0))
    wrist = COCO_KEYPOINTS.index("left_wrist")
    assert np.argwhere(wrong).tolist() == [[0, wrist]] and noisy[0, wrist, 2] == 2
    assert not noisy[0, 1:5].any()


def test_the_annotation_file(image, tmp_path):
    assert write_coco(tmp_path / "a.json", [image], coco_keypoints([image])) == [7]
    content = json.loads((tmp_path / "a.json").read_text())
    assert content["images"] == [{"id": 7, "file_name": "7.jpg", "width": 128, "height": 130}]
    (annotation,) = content["annotations"]
    assert annotation["bbox"] == [30, 40, 20, 40] and annotation["area"] == 300
    assert (annotation["id"], annotation["image_id"], annotation["num_keypoints"]) == (7, 7, 12)
    (category,) = content["categories"]
    assert category["keypoints"] == list(COCO_KEYPOINTS) and [7, 6] in category["skeleton"]  # shoulders
