import copy

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import COCO_KEYPOINTS, joint_mapping
from lib.ignoring.cleaned_annotations import ignored_keypoints, remove_keypoints
from lib.utils.errors import InputError

KNEE, NOSE, EAR = (3 * COCO_KEYPOINTS.index(name) for name in ("left_knee", "nose", "left_ear"))


def keypoints(knee, nose):
    """The 17 keypoints of COCO with a knee, a nose and an ear, which is none of the mapped joints."""
    values = [0] * 51
    values[KNEE : KNEE + 3], values[NOSE : NOSE + 3], values[EAR : EAR + 3] = knee, nose, [5, 6, 1]
    return values


ANNOTATIONS = Annotations(
    mapping=joint_mapping("coco", ("left_knee", "head")),  # COCO's nose serves as head
    ids=np.array([40, 7]),
    image_paths=("a.jpg",),
    image_index=np.array([0, 0]),
    joints=np.array([[[10.5, 20], [3, 4]], [[0, 0], [7.125, 8]]], np.float32),
    visible=np.array([[1, 1], [0, 1]]),
    centers=np.zeros((2, 2)),
    sizes=np.ones((2, 2)),
)
CONTENT = {
    "info": {"year": 2017},
    "annotations": [
        {"id": 40, "keypoints": keypoints([10.5, 20, 1], [3, 4, 2]), "num_keypoints": 3, "area": 9},
        {"id": 7, "keypoints": keypoints([0, 0, 0], [7.125, 8, 2]), "num_keypoints": 2},
        {"id": 8, "keypoints": keypoints([1, 1, 2], [1, 1, 2]), "num_keypoints": 3},  # not trained on
        {"id": 7, "iscrowd": 1, "segmentation": []},
    ],
}
NONE = np.zeros((2, 2), bool)


def test_ignored_are_labelled_keypoints_below_the_threshold():
    weights = np.array([[0.5, 0.49], [0.1, 1.0]])
    ignored = ignored_keypoints(weights, ANNOTATIONS.visible, 0.5)
    assert ignored.tolist() == [[False, True], [False, False]]


def test_dropped_labels_become_zero_and_are_counted_again():
    before = copy.deepcopy(CONTENT)
    cleaned = remove_keypoints(CONTENT, ANNOTATIONS, np.array([[True, False], [False, True]]))
    assert before == CONTENT, "the argument is changed"
    first, second, *others = cleaned["annotations"]
    knee_dropped = {"keypoints": keypoints([0, 0, 0], [3, 4, 2]), "num_keypoints": 2}
    assert first == CONTENT["annotations"][0] | knee_dropped
    assert second["keypoints"] == keypoints([0, 0, 0], [0, 0, 0]) and second["num_keypoints"] == 1
    assert others == CONTENT["annotations"][2:] and cleaned["info"] == CONTENT["info"]


def test_without_dropped_labels_the_file_is_unchanged():
    assert remove_keypoints(CONTENT, ANNOTATIONS, NONE) == CONTENT


def test_labels_that_the_run_was_trained_on_replace_the_files():
    content = copy.deepcopy(CONTENT)
    content["annotations"][0]["keypoints"] = keypoints([99, 20, 1], [0, 0, 0])  # moved, and missing
    content["annotations"][1]["keypoints"] = keypoints([9, 9, 2], [7.125, 8, 2])  # removed by the noise
    first, second, *_ = remove_keypoints(content, ANNOTATIONS, NONE)["annotations"]
    assert first["keypoints"] == keypoints([10.5, 20, 1], [3, 4, 2])  # v of the file; 2 if it had none
    assert second["keypoints"] == keypoints([0, 0, 0], [7.125, 8, 2])
    assert (first["num_keypoints"], second["num_keypoints"]) == (3, 2)


def test_an_id_given_twice_is_an_error():
    twice = ANNOTATIONS.subset(np.array([1, 1]))
    with pytest.raises(InputError, match="annotation 7:"):
        remove_keypoints(CONTENT, twice, NONE)
