"""Annotation files of unusual forms: what is changed in them, and that nothing else is, to the character."""

import json
import re

import numpy as np
import pytest

from lib.review.corrected_file import JudgedFile, weights_of
from lib.review.corrections import corrections_of
from lib.review.decisions import decisions_path, read_reviews
from lib.review.found import read_found
from lib.review.label_text import read_label_text
from lib.utils.errors import InputError
from tests.factories.found_labels import annotation_file
from tests.factories.reviews import decide, differences, with_text

L, R, LE, RE = "left_wrist", "right_wrist", "left_elbow", "right_elbow"
HIDE, MOVE = (3, L, "wrong"), (7, LE, "moved", {"x": 25, "y": 24.5})


@pytest.fixture
def content():
    return annotation_file()


def judged(found):
    file, labels = read_found(found.folder)
    return JudgedFile(file, read_label_text(file, found.path), labels)


def corrected(found, *said):
    """The text after the decisions of a reviewer."""
    decide(found.folder, found.file, "ann", *said)
    corrections = corrections_of(read_reviews(found.folder, found.file), found.file)
    file = judged(found)
    return file.corrected(file.changes(corrections))


def changes(found, content, *said):
    """{path within the annotations: (before, after)} of the decisions about a file with this ``content``."""
    decisions_path(found.folder, "ann").unlink(missing_ok=True)
    text = corrected(with_text(found, json.dumps(content)), *said)
    return {path[1:]: change for path, change in differences(content, json.loads(text)).items()}


def test_all_other_text_stays(found, content):
    """Of a file with a line for each number, written as no writer of this project would."""
    content["annotations"][0] |= {"area": 1234.5, "note": 'ä\u2028"}', "score": 1e-7, "big": 10**30}
    text = json.dumps(content, indent=1, ensure_ascii=False).replace("1234.5", "1.23450e3") + "\n\n"
    text = "\ufeff" + text.replace(" 22.5,", " 22.50,")
    after = corrected(with_text(found, text), HIDE, MOVE)
    without_notes, notes = re.subn(r', "attributes": \{"lbi": \[\{[^}]*\}\]\}(?=\n *\})', "", after)
    assert notes == 2
    pairs = zip(text.split("\n"), without_notes.split("\n"), strict=True)
    assert [(a.strip(), b.strip()) for a, b in pairs if a != b] == [
        ("22.50,", "25.0,"),
        ("20,", "24.5,"),
        ("10,", "0,"),
        ("50,", "0,"),
        ("2,", "0,"),
        ('"num_keypoints": 3,', '"num_keypoints": 2,'),
    ]
    assert after.encode()[:3] == b"\xef\xbb\xbf"


def test_keypoints_as_lists_of_three(found, content):
    for person in content["annotations"]:
        flat = person["keypoints"]
        person["keypoints"] = [flat[k : k + 3] for k in range(0, len(flat), 3)]
    changed = changes(found, content, HIDE, MOVE)
    notes = [changed.pop((k, "attributes")) for k in range(2)]
    assert changed == {
        (0, "keypoints", 2, 0): (22.5, 25.0), (0, "keypoints", 2, 1): (20, 24.5),
        (1, "keypoints", 0, 0): (10, 0), (1, "keypoints", 0, 1): (50, 0), (1, "keypoints", 0, 2): (2, 0),
        (1, "num_keypoints"): (3, 2),
    }  # fmt: skip
    assert notes[1][1]["lbi"][0]["was"] == [10, 50, 2]


def test_keypoints_that_are_no_joints_of_the_network(found, content):
    """The file's first keypoint is a nose, which counts for num_keypoints; the right elbow has another name there."""
    for person in content["annotations"]:
        person["keypoints"] = [5, 6, 1, *person["keypoints"]]
        person["num_keypoints"] += 1
    names = (L, R, LE, "ulna")
    text = json.dumps(content)
    found = with_text(found, text, positions=(1, 2, 3, 4), keypoints=names)
    after = json.loads(corrected(found, HIDE, (3, RE, "moved", {"x": 1, "y": 2}), (3, R, "wrong")))
    person = after["annotations"][1]
    assert person["keypoints"] == [5, 6, 1, 0, 0, 0, 0, 0, 0, 15, 40, 2, 1, 2, 2]
    assert person["num_keypoints"] == 3
    assert [note["keypoint"] for note in person["attributes"]["lbi"]] == [L, R, "ulna"]


def test_a_pair_of_which_the_file_has_one_joint(found, content):
    """It has no sides that could be exchanged."""
    found.labels.rank[found.labels.joint == RE] = 0
    found = with_text(found, json.dumps(content), positions=(0, 1, 2, -1))
    after = json.loads(corrected(found, (7, L, "sides")))
    assert after["annotations"][0]["keypoints"] == [40, 30, 2, 20, 30, 2, 22.5, 20, 1, 38, 20, 2]


@pytest.mark.parametrize("said", [("moved", {"x": 1, "y": 2}), ("exchanged", {"partner": LE}), ("wrong",)])
def test_a_decision_on_a_joint_that_the_file_does_not_have(found, content, said):
    found.labels.rank[found.labels.joint == RE] = 0
    found = with_text(found, json.dumps(content), positions=(0, 1, 2, -1))
    with pytest.raises(
        InputError, match="annotation 7: has a decision on right_elbow, for which .* has no keypoint"
    ):
        corrected(found, (7, RE, *said))


def test_crowds_and_other_objects_may_have_the_same_id(found, content):
    crowd = content["annotations"][1] | {"iscrowd": 1, "keypoints": [0] * 12}
    other = {"id": 3, "image_id": 5, "category_id": 2}
    content["annotations"] = [crowd, other, *content["annotations"], {"id": 8, "keypoints": None}]
    assert {path[0] for path in changes(found, content, HIDE)} == {3}


def test_an_id_given_twice(found, content):
    content["annotations"].append(content["annotations"][1])
    assert {path[0] for path in changes(found, content, MOVE)} == {0}  # others are not concerned
    with pytest.raises(InputError, match="annotation 3: id given twice"):
        changes(found, content, HIDE)


@pytest.mark.parametrize("number", [3.0, None])
def test_ids_as_tables_have_them(found, content, number):
    """Without one, an annotation gets the number above the largest, here 3."""
    content["annotations"][1]["id"] = number
    if number is None:
        content["annotations"][0]["id"] = 2
        found.labels.annotation_id[found.labels.annotation_id == 7] = 2
    assert (1, "keypoints", 0) in changes(found, content, HIDE)


def test_places_as_shares_of_the_image(found, content):
    """Of 100 x 80 pixels; they are read as pixels, and written as shares again."""
    for person in content["annotations"]:
        keypoints = person["keypoints"]
        keypoints[0::3] = [x / 100 for x in keypoints[0::3]]
        keypoints[1::3] = [y / 80 for y in keypoints[1::3]]
    changed = changes(found, content, HIDE, MOVE, (3, RE, "moved", {"x": 52.12345678, "y": 40}))
    assert changed[0, "keypoints", 6] == (0.225, 0.25) and changed[0, "keypoints", 7] == (0.25, 0.30625)
    assert changed[1, "keypoints", 9] == (0, 0.521235) and changed[1, "keypoints", 0] == (0.1, 0)
    del content["images"][0]["width"]
    with pytest.raises(
        InputError, match="left_wrist of annotation 7 is .0.2, 0.375, 2., but .20.0, 30.0. pixels"
    ):
        changes(found, content, (7, L, "right"))


def test_labels_that_are_not_those_of_the_file(found, content):
    """As with injected noise."""
    content["annotations"][1]["keypoints"][3] += 0.5
    with pytest.raises(
        InputError, match="right_wrist of annotation 3 is .60.5, 52, 2., but .60.0, 52.0. pixels"
    ):
        changes(found, content, HIDE)


def test_notes_stand_beside_other_attributes(found, content):
    earlier = {"keypoint": R, "was": [1, 1, 2], "verdict": "moved", "reviewer": "bo"}
    content["annotations"][0]["attributes"] = {"occluded": False, "lbi": [earlier], "id": 1.50}
    content["annotations"][1]["attributes"] = {}
    changed = changes(found, content, HIDE, MOVE)
    assert changed[1, "attributes", "lbi"][1] == [
        {"keypoint": L, "was": [10, 50, 2], "verdict": "wrong", "reviewer": "ann"}
    ]
    before, after = changed[0, "attributes", "lbi"]
    assert before == [earlier] and after[0] == earlier and [note["keypoint"] for note in after[1:]] == [LE]
    content["annotations"][1]["attributes"] = None
    assert changes(found, content, HIDE)[1, "attributes"][0] is None


@pytest.mark.parametrize("attributes", [["occluded"], "", 0, {"lbi": {}}, {"lbi": "mine"}])
def test_attributes_that_can_hold_no_note(found, content, attributes):
    content["annotations"][1]["attributes"] = attributes
    with pytest.raises(InputError, match="people.json: attributes.* annotation 3 .*expected"):
        changes(found, content, HIDE)


def test_fields_that_are_not_there_are_not_added(found, content):
    del content["annotations"][1]["num_keypoints"]
    assert (1, "num_keypoints") not in changes(found, content, HIDE)


def test_a_place_that_is_no_label_stays(found, content):
    """As hiding leaves it in other tools, with v = 0."""
    content["annotations"][1]["keypoints"][9:] = [52, 38, 0]
    assert changes(found, content, (3, RE, "wrong")) == {}
    changed = changes(found, content, (3, RE, "moved", {"x": 52, "y": 38}))
    assert changed[1, "keypoints", 11] == (0, 2) and changed[1, "num_keypoints"] == (3, 4)


def test_gaps_in_the_place_of_missing_labels(found, content):
    content["annotations"][1]["keypoints"][9:] = [None, float("nan"), 0]
    text = corrected(
        with_text(found, json.dumps(content)), (3, RE, "moved", {"x": 1, "y": 2}), (3, L, "wrong")
    )
    assert json.loads(text)["annotations"][1]["keypoints"][9:] == [1.0, 2.0, 2]


@pytest.mark.parametrize(
    "text, layout",
    [("[]", "coco"), ("{}", "coco"), ('{"annotations": [1]}', "coco_format"), ('{"annotations": [{"id": "a"}]}', "coco"),
     ("{", "mpii"), ("[{}]", "mpii"), ("[]", "yolo")],
)  # fmt: skip
def test_files_of_another_form(found, text, layout):
    with_text(found, text, layout=layout)
    with pytest.raises(
        InputError, match="people.json|layout is 'yolo', expected one of coco, coco_format, mpii"
    ):
        judged(found)


def test_weights(found, content):
    """Of 7: L and R exchanged (0), LE right (1), RE not reviewed; of 3: L disputed, R moved (0), LE no probability."""
    labels = found.labels
    labels.probability[(labels.annotation_id == 3) & (labels.joint == LE)] = np.nan
    labels.weight[(labels.annotation_id == 3) & (labels.joint == LE)] = 0.625
    content["annotations"].append({"id": 9, "image_id": 5, "iscrowd": 1, "keypoints": [0] * 12})
    content["annotations"].append({"id": 10, "image_id": 5, "keypoint_weights": "none"})
    found = with_text(found, json.dumps(content))
    decide(
        found.folder,
        found.file,
        "ann",
        (7, L, "exchanged", {"partner": R}),
        (7, LE, "right"),
        (3, L, "wrong"),
    )
    decide(
        found.folder,
        found.file,
        "bo",
        (3, L, "right"),
        (3, R, "moved", {"x": 1, "y": 1}),
        (3, RE, "moved", {"x": 1, "y": 1}),
    )
    corrections = corrections_of(read_reviews(found.folder, found.file), found.file)
    file = judged(found)
    changed = differences(content, json.loads(file.weighted(weights_of(file.labels, corrections))))
    assert {path[1:]: after for path, (_, after) in changed.items()} == {
        (0, "keypoint_weights"): [0.0, 0.0, 1.0, 0.95],
        (1, "keypoint_weights"): [0.8, 0.0, 0.625, 1.0],  # the last has no label
        (2, "keypoint_weights"): [1.0] * 4,
    }
