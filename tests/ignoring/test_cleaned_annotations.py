import copy
from dataclasses import replace

import numpy as np
import pytest

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import COCO_KEYPOINTS, joint_mapping
from lib.ignoring.cleaned_annotations import (
    Selection,
    add_weights,
    delete_keypoints,
    excess,
    hide_keypoints,
    summary,
    write_trained_labels,
)
from lib.ignoring.weight_table import WeightTable
from lib.utils.errors import InputError
from tests.factories.suspects import suspects_of

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


WEIGHTS = np.array([[0.5, 0.49], [0.1, 0.75]])
SEEN = np.array([[1, 2], [3, 1]])


def table(weights=WEIGHTS, seen=SEEN, scores=None):
    return WeightTable(weights, seen, 1 - weights if scores is None else scores)


def test_selected_are_labelled_keypoints_below_the_threshold():
    selected = Selection(threshold=0.5).select(table(), ANNOTATIONS)
    assert selected.tolist() == [[False, True], [False, False]]
    assert Selection(threshold=1.0).select(table(), ANNOTATIONS).tolist() == [[True, True], [False, True]]


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(count=0), [[0, 0], [0, 0]]),
        (Selection(count=1), [[0, 0], [0, 1]]),
        (Selection(count=2), [[1, 0], [0, 1]]),
        (Selection(count=9), [[1, 1], [0, 1]]),
        (Selection(share=0.0), [[0, 0], [0, 0]]),
        (Selection(share=1 / 3), [[0, 0], [0, 1]]),  # of three labels; the fourth is none
        (Selection(share=1.0), [[1, 1], [0, 1]]),
    ],
)
def test_the_most_suspect_go_first(selection, expected):
    """By scores, also where they contradict the weights."""
    scores = np.array([[2.0, 1.0], [9.0, 3.0]])
    assert selection.select(table(scores=scores), ANNOTATIONS).astype(int).tolist() == expected


@pytest.mark.parametrize("selection", [Selection(threshold=1.0), Selection(share=1.0), Selection(count=9)])
def test_labels_of_no_batch_are_kept(selection):
    selected = selection.select(table(seen=np.array([[0, 2], [3, 1]])), ANNOTATIONS)
    assert selected.tolist() == [[False, True], [False, True]]


JUDGED = replace(table(), suspects=suspects_of(np.array([[0.5, 0.2], [0.99, 0.875]])))


def test_what_is_probably_wrong_is_taken_by_default():
    """Not the unlabelled knee, whatever is said of it; and in a table without probabilities, low weights."""
    default = Selection().with_default(JUDGED)
    assert default.select(JUDGED, ANNOTATIONS).tolist() == [[False, False], [False, True]]
    assert str(default) == "probability of being wrong above 0.5"
    old = Selection().with_default(table())
    assert old.select(table(), ANNOTATIONS).tolist() == [[False, True], [False, False]]
    assert str(old) == "weight below 0.5"
    assert Selection(count=0).with_default(JUDGED) == Selection(count=0)
    assert Selection(threshold=0.0).with_default(JUDGED) == Selection(threshold=0.0)


def test_another_limit_of_the_probability():
    assert Selection(probability=0.25).select(JUDGED, ANNOTATIONS).tolist() == [[True, False], [False, True]]
    assert not Selection(probability=0.875).select(JUDGED, ANNOTATIONS).any()
    with pytest.raises(InputError, match="no probabilities"):
        Selection(probability=0.25).select(table(), ANNOTATIONS)


def test_judged_labels_are_taken_though_no_batch_contained_them():
    unseen = replace(JUDGED, seen=np.zeros((2, 2), int))
    assert Selection(probability=0.5).select(unseen, ANNOTATIONS).sum() == 1
    assert Selection(share=1.0).select(unseen, ANNOTATIONS).sum() == 3
    assert not Selection(threshold=1.0).select(unseen, ANNOTATIONS).any()  # weights say nothing
    kinds = np.array([["", "right"], ["", "moved"]])
    unread = replace(JUDGED, suspects=suspects_of(np.array([[0.9, 0.0], [0.0, 0.9]]), kind=kinds))
    assert Selection(share=1.0).select(unread, ANNOTATIONS).tolist() == [[False, True], [False, True]]
    assert "1 labels could not be read" in summary("title", ANNOTATIONS, unread, NONE)


def test_the_summary_estimates_how_many_are_wrong():
    selected = np.array([[True, False], [False, True]])
    first, estimate, knee, head = summary("title", ANNOTATIONS, JUDGED, selected).splitlines()
    assert first == "title"
    # Probabilities 0.5 and 0.875 of 1.575 in all.
    assert (
        estimate
        == "estimated: 1 of these 2 are wrong (69 %), out of 2 wrong labels in all; 1 moved, 1 rather right"
    )
    assert " ".join(knee.split()) == "left_knee 1 of 1, mean weight 0.50: 1 rather right"
    assert " ".join(head.split()) == "head (nose) 1 of 2, mean weight 0.62: 1 moved"
    assert "estimated" not in summary("title", ANNOTATIONS, table(), selected)
    assert "estimated" not in summary("title", ANNOTATIONS, JUDGED, NONE)


def labels(count):
    """``count`` instances with a labelled knee and, the first tenth alone, a labelled head."""
    visible = np.ones((count, 2))
    visible[count // 10 :, 1] = 0
    return ANNOTATIONS.subset(np.zeros(count, int)), visible


@pytest.mark.parametrize(
    ("knees", "heads", "allowed", "named"),
    [
        (33, 0, 0.3, []),
        (34, 0, 0.3, ["30.9 % of all"]),
        (110, 0, 0.3, ["of all", "left_knee 100 %"]),
        (0, 5, 0.3, []),  # just half of one joint
        (0, 6, 0.3, ["head 60 %"]),
        (0, 6, 0.59, ["head 60 %"]),
        (0, 6, 0.6, []),
        (0, 5, 0.0, ["4.5 % of all"]),
        (0, 0, 0.0, []),
        (100, 10, 1.0, []),
    ],
)
def test_what_is_too_much(knees, heads, allowed, named):
    """Of 110 labels, 100 knees and 10 heads, at most ``allowed``; and at most half of one joint, if not more."""
    annotations, visible = labels(100)
    selected = np.zeros((100, 2), bool)
    selected[:knees, 0], selected[:heads, 1] = True, True
    found = excess(selected, replace(annotations, visible=visible), allowed)
    assert bool(found) == bool(named) and all(name in found for name in named), found


def test_a_few_labels_of_a_joint_may_all_go():
    annotations, visible = labels(90)  # with nine heads
    selected = np.zeros((90, 2), bool)
    selected[:9, 1] = True
    assert excess(selected, replace(annotations, visible=visible), 0.3) == ""


def test_dropped_labels_become_zero_and_are_counted_again():
    before = copy.deepcopy(CONTENT)
    cleaned = delete_keypoints(CONTENT, ANNOTATIONS, np.array([[True, False], [False, True]]))
    assert before == CONTENT, "the argument is changed"
    first, second, *others = cleaned["annotations"]
    knee_dropped = {"keypoints": keypoints([0, 0, 0], [3, 4, 2]), "num_keypoints": 2}
    assert first == CONTENT["annotations"][0] | knee_dropped
    assert second["keypoints"] == keypoints([0, 0, 0], [0, 0, 0]) and second["num_keypoints"] == 1
    assert others == CONTENT["annotations"][2:] and cleaned["info"] == CONTENT["info"]


def test_without_dropped_labels_the_file_is_unchanged():
    assert delete_keypoints(CONTENT, ANNOTATIONS, NONE) == CONTENT


def test_labels_that_the_run_was_trained_on_replace_the_files():
    """The knee of 40 moved, its nose removed; 7 got a knee."""
    joints = np.array([[[99, 20.126], [3, 4]], [[9, 8], [7.125, 8]]], np.float32)
    trained_on = replace(ANNOTATIONS, joints=joints, visible=np.array([[1, 0], [1, 1]]))
    before = copy.deepcopy(CONTENT)
    first, second, *others = write_trained_labels(CONTENT, ANNOTATIONS, trained_on)["annotations"]
    assert before == CONTENT, "the argument is changed"
    assert first["keypoints"] == keypoints([99, 20.13, 1], [0, 0, 0])  # v of the file; 2 if it had none
    assert second["keypoints"] == keypoints([9, 8, 2], [7.125, 8, 2])
    assert (first["num_keypoints"], second["num_keypoints"]) == (2, 3)
    assert others == CONTENT["annotations"][2:]
    assert write_trained_labels(CONTENT, ANNOTATIONS, ANNOTATIONS) == CONTENT


def test_trained_labels_are_in_pixels_as_the_files_have_to_be():
    content = copy.deepcopy(CONTENT)
    content["annotations"][0]["keypoints"] = keypoints([0.105, 0.2, 1], [0.03, 0.04, 2])
    moved = replace(ANNOTATIONS, joints=ANNOTATIONS.joints + 1)
    with pytest.raises(InputError, match="annotation 40: left_knee .*pixels"):
        write_trained_labels(content, ANNOTATIONS, moved)
    # What is deleted or hidden needs no coordinates.
    first = hide_keypoints(content, ANNOTATIONS, np.array([[True, False], [False, False]]))["annotations"][0]
    assert first["keypoints"] == keypoints([0.105, 0.2, 0], [0.03, 0.04, 2])


def test_annotations_without_ids_have_those_that_reading_gave_them():
    """Above the largest of the file, 8, in its order."""
    content = copy.deepcopy(CONTENT)
    for entry in content["annotations"][:2]:
        del entry["id"]
    selected = np.array([[True, False], [False, True]])
    first, second, *_ = delete_keypoints(content, replace(ANNOTATIONS, ids=np.array([9, 10])), selected)[
        "annotations"
    ]
    assert first["keypoints"] == keypoints([0, 0, 0], [3, 4, 2]) and "id" not in first
    assert second["keypoints"] == keypoints([0, 0, 0], [0, 0, 0])


def test_keypoints_may_be_lists_of_points_and_have_gaps():
    content = copy.deepcopy(CONTENT)
    points = keypoints([10.5, 20, 1], [3, 4, 2])
    points[-3:] = [None, None, None]
    content["annotations"][0]["keypoints"] = [points[k : k + 3] for k in range(0, 51, 3)]
    changed = delete_keypoints(content, ANNOTATIONS, np.array([[True, False], [False, False]]))[
        "annotations"
    ][0]
    expected = copy.deepcopy(content["annotations"][0]["keypoints"])
    expected[KNEE // 3] = [0, 0, 0]
    assert changed["keypoints"] == expected and changed["num_keypoints"] == 2
    weighted = add_weights(content, ANNOTATIONS, table())["annotations"][0]
    assert weighted["keypoint_weights"][KNEE // 3] == 0.5 and len(weighted["keypoint_weights"]) == 17


def test_the_same_id_of_another_category_does_not_matter():
    content = copy.deepcopy(CONTENT)
    content["annotations"][2] |= {"id": 7, "category_id": 5}
    annotations = replace(ANNOTATIONS, category_ids=np.array([1, 1]))
    cleaned = delete_keypoints(content, annotations, np.array([[False, False], [False, True]]))["annotations"]
    assert cleaned[1]["num_keypoints"] == 1 and cleaned[2] == content["annotations"][2]


def test_hidden_labels_keep_their_coordinates():
    first, second, *others = hide_keypoints(CONTENT, ANNOTATIONS, np.array([[True, False], [False, True]]))[
        "annotations"
    ]
    assert first["keypoints"] == keypoints([10.5, 20, 0], [3, 4, 2]) and first["num_keypoints"] == 2
    assert second["keypoints"] == keypoints([0, 0, 0], [7.125, 8, 0]) and second["num_keypoints"] == 1
    assert others == CONTENT["annotations"][2:]


def test_every_annotation_with_keypoints_gets_their_weights():
    before = copy.deepcopy(CONTENT)
    weighted = add_weights(CONTENT, ANNOTATIONS, table(seen=np.array([[0, 2], [3, 1]])))["annotations"]
    assert before == CONTENT, "the argument is changed"
    expected = [[1.0] * 17 for _ in range(3)]
    expected[0][NOSE // 3], expected[1][NOSE // 3] = 0.49, 0.75  # one knee of no batch, the other unlabelled
    assert [entry["keypoint_weights"] for entry in weighted[:3]] == expected
    for entry, original in zip(weighted, CONTENT["annotations"]):
        assert {key: value for key, value in entry.items() if key != "keypoint_weights"} == original
    assert weighted[3] == CONTENT["annotations"][3]


def test_the_same_id_of_an_object_without_labels_does_not_matter():
    """Readers leave it out; weights and labels belong to the other one."""
    content = copy.deepcopy(CONTENT)
    content["annotations"].append({"id": 7, "keypoints": [0] * 51, "num_keypoints": 0})
    content["annotations"].append({"id": 40, "bbox": [1, 2, 3, 4]})
    cleaned = delete_keypoints(content, ANNOTATIONS, np.array([[True, False], [False, True]]))
    assert cleaned["annotations"][-2:] == content["annotations"][-2:]
    assert cleaned["annotations"][1]["num_keypoints"] == 1


def test_the_same_id_of_two_objects_with_labels_is_an_error():
    content = copy.deepcopy(CONTENT)
    content["annotations"][2]["id"] = 7
    with pytest.raises(InputError, match="annotation 7:"):
        delete_keypoints(content, ANNOTATIONS, NONE)


def test_an_id_given_twice_is_an_error():
    twice = ANNOTATIONS.subset(np.array([1, 1]))
    with pytest.raises(InputError, match="annotation 7:"):
        delete_keypoints(CONTENT, twice, NONE)
