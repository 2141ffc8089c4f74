"""Truth files: written, read back, and refused."""

import json

import numpy as np
import pytest

from lib.dataset.coco_file import annotation_file
from lib.dataset.keypoints import COCO_KEYPOINTS, SHARED_KEYPOINTS
from lib.label_noise.injection import inject
from lib.label_noise.truth import (
    file_beside,
    read_truth,
    read_truth_of,
    truth_beside,
    truth_file,
    write_truth,
    write_truth_of,
)
from lib.utils.errors import InputError
from tests.factories.data_sets import read_coco
from tests.factories.noisy_labels import annotations_with_gaps
from tests.factories.small_run import make_data


def test_the_file_lies_beside_the_annotations(tmp_path):
    assert file_beside(tmp_path / "a" / "person.v1.json") == tmp_path / "a" / "person.v1_truth.json"
    expected = tmp_path / "annotations" / "person_keypoints_train2017_truth.json"
    assert truth_file(tmp_path, "train2017") == expected


def test_the_file_is_json_in_the_documented_format(tmp_path):
    keypoints, wrong = np.array([[[1.5, 2, 2], [0, 0, 0]]]), np.array([[True, False]])
    write_truth(tmp_path / "t.json", "jitter:0.5", 3, np.array([7]), keypoints, wrong)
    assert json.loads((tmp_path / "t.json").read_text()) == {
        "noise": "jitter:0.5",
        "seed": 3,
        "annotations": {"7": {"keypoints": [1.5, 2, 2, 0, 0, 0], "wrong": [True, False]}},
    }
    read = read_truth(tmp_path / "t.json", joints=2)["annotations"][7]
    assert read["keypoints"].tolist() == keypoints[0].tolist() and read["wrong"].tolist() == [True, False]


def test_known_labels_are_written_as_visible_and_hidden_ones_are_read_too(tmp_path):
    annotations = annotations_with_gaps(tmp_path, count=2)
    _, truth = inject(annotations, "none", 0)
    write_truth_of(tmp_path / "t.json", "none", 0, annotations, truth)
    content = json.loads((tmp_path / "t.json").read_text())
    labels = content["annotations"].values()
    assert {v for label in labels for v in label["keypoints"][2::3]} == {0, 2}
    for label in labels:
        label["keypoints"][2::3] = [min(v, 1) for v in label["keypoints"][2::3]]
    (tmp_path / "hidden.json").write_text(json.dumps(content))
    again = read_truth_of(tmp_path / "hidden.json", annotations)
    np.testing.assert_array_equal(again.clean_joints, truth.clean_joints)


@pytest.mark.parametrize("names", [SHARED_KEYPOINTS, COCO_KEYPOINTS], ids=["13", "17"])
def test_truth_is_read_back_as_written(tmp_path, names):
    annotations = annotations_with_gaps(tmp_path, names, 6)
    _, truth = inject(annotations, "jitter:0.5+visibility:0.5", 4)
    write_truth_of(tmp_path / "truth.json", "jitter:0.5", 4, annotations, truth)
    again = read_truth_of(tmp_path / "truth.json", annotations)
    np.testing.assert_array_equal(again.clean_joints, truth.clean_joints)
    np.testing.assert_array_equal(again.corrupted, truth.corrupted)

    content = read_truth(tmp_path / "truth.json")
    assert (content["noise"], content["seed"]) == ("jitter:0.5", 4)
    assert sorted(content["annotations"]) == sorted(annotations.ids)
    mapped = set(annotations.mapping.index)
    for i, number in enumerate(annotations.ids):
        label = content["annotations"][number]
        for k in range(17):
            if k not in mapped:
                assert not label["wrong"][k] and not label["keypoints"][k].any()
        for j, k in enumerate(annotations.mapping.index):
            assert (label["keypoints"][k, 2] > 0) == (annotations.visible[i, j] > 0)

    with pytest.raises(InputError, match=r"truth\.json.*annotation 7"):
        read_truth_of(tmp_path / "truth.json", annotations_with_gaps(tmp_path, names, 8))


def test_truth_beside_drawn_people(tmp_path):
    root = make_data(tmp_path) / "coco"
    annotations = read_coco(root, "train2017", SHARED_KEYPOINTS, 1.0)
    truth = truth_beside(annotation_file(root, "train2017"), annotations)
    known = np.isfinite(truth.clean_joints).all(axis=2)
    # Labels are written with two decimals.
    moved = np.abs(truth.clean_joints - annotations.joints).max(axis=2) > 0.006
    np.testing.assert_array_equal(truth.corrupted, (known != (annotations.visible > 0)) | (known & moved))
    assert truth.corrupted.any()
    assert truth_beside(annotation_file(root, "val2017"), annotations) is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "JSON"),
        ("[]", "JSON"),
        ('{"noise": "none", "seed": 0}', "'annotations'"),
        ('{"annotations": {}}', "'noise'"),
        (
            '{"noise": "", "seed": 0, "annotations": {"7": {"keypoints": [1, 2], "wrong": []}}}',
            "annotation 7",
        ),
        ('{"noise": "", "seed": 0, "annotations": {"7": {"wrong": []}}}', "annotation 7"),
    ],
)
def test_a_truth_file_of_another_format(tmp_path, content, says):
    (tmp_path / "truth.json").write_text(content)
    with pytest.raises(InputError, match=says) as error:
        read_truth(tmp_path / "truth.json")
    assert "truth.json" in str(error.value)


def test_a_missing_truth_file(tmp_path):
    with pytest.raises(InputError, match=r"none\.json"):
        read_truth(tmp_path / "none.json")
