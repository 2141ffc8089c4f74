"""Labels that were reviewed before: which are trusted, and in which files they are found."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lib.review.apply import apply_corrections, read_reviewed
from lib.review.decisions import decisions_path, read_reviews
from lib.review.found import LabelFile
from lib.review.reviewed import carry_over, decision_files, reviewed_labels
from lib.utils.errors import InputError
from tests.factories.found_labels import JOINTS, annotation_file, make_found
from tests.factories.reviews import decide

LEFT_WRIST, RIGHT_WRIST, LEFT_ELBOW, RIGHT_ELBOW = JOINTS


@pytest.fixture
def reviewed(tmp_path):
    """The folder of found_labels.py, of whose labels nearly all were reviewed by ann."""
    (tmp_path / "first").mkdir()
    found = make_found(tmp_path / "first")
    decide(
        found.folder, found.file, "ann",
        (7, LEFT_WRIST, "exchanged", {"partner": RIGHT_WRIST}),
        (7, LEFT_ELBOW, "right"),
        (3, LEFT_WRIST, "wrong"),
        (3, RIGHT_WRIST, "moved", {"x": 55.123, "y": 45.5}),
        (3, RIGHT_ELBOW, "moved", {"x": 52, "y": 38}),
    )  # fmt: skip
    return found


# [x, y] of what ann says, of persons 7 and 3; None: hidden, "": not reviewed.
SAID = [[(40, 30), (20, 30), (22.5, 20), ""], [None, (55.123, 45.5), "", (52, 38)]]


def read(path, found):
    """The annotations of a file in COCO's format at ``path``, as the reader has them, and their `LabelFile`."""
    people = json.loads(path.read_text())["annotations"]
    points = np.array([np.reshape(person["keypoints"], (-1, 3)) for person in people], float)
    annotations = replace(
        found.annotations,
        ids=np.array([person["id"] for person in people]),
        joints=points[..., :2].astype(np.float32),
        visible=(points[..., 2] > 0).astype(np.float32),
    )
    return annotations, LabelFile.of(path, "coco_format", found.folder / "images", annotations)


def check_said(known):
    for i, person in enumerate(SAID):
        for j, place in enumerate(person):
            assert known.settled[i, j] == (place != "")
            if place is None:
                assert known.annotations.visible[i, j] == 0
            elif place:
                assert known.annotations.visible[i, j] == 1
                np.testing.assert_allclose(known.annotations.joints[i, j], place, atol=0.006)


def test_in_the_file_that_was_reviewed_labels_are_corrected(reviewed):
    annotations, file = read(reviewed.path, reviewed)
    before = annotations.joints.copy()
    known = reviewed_labels(annotations, file, [read_reviewed(reviewed.folder)])
    check_said(known)
    assert (annotations.joints == before).all()
    assert known.annotations.joints[0, 3].tolist() == [38, 20] and known.annotations.visible[1, 2] == 1
    assert (known.disagreed, known.unread) == (0, 0)


def test_in_the_corrected_file_they_are_as_they_are(reviewed, tmp_path):
    apply_corrections(read_reviewed(reviewed.folder), tmp_path / "new.json")
    annotations, file = read(tmp_path / "new.json", reviewed)
    known = reviewed_labels(annotations, file, [read_reviewed(reviewed.folder)])
    check_said(known)
    np.testing.assert_array_equal(known.annotations.joints, annotations.joints)
    np.testing.assert_array_equal(known.annotations.visible, annotations.visible)


def test_what_is_known_in_words(reviewed):
    annotations, file = read(reviewed.path, reviewed)
    known = reviewed_labels(annotations, file, [read_reviewed(reviewed.folder)])
    assert known.line() == "reviewed before: 6 labels, of which 5 are right in their places and 1 hidden"


def test_another_file_is_refused(reviewed, tmp_path):
    content = annotation_file()
    content["annotations"][0]["keypoints"][0] += 5
    (tmp_path / "other.json").write_text(json.dumps(content))
    annotations, file = read(tmp_path / "other.json", reviewed)
    with pytest.raises(InputError, match=r"left_wrist of annotation 7 is at \(25.00, 30.00\) in .*other.json, expected at \(40.00, 30.00\).*apply_corrections"):  # fmt: skip
        reviewed_labels(annotations, file, [read_reviewed(reviewed.folder)])
    content["annotations"][0]["id"] = 8
    (tmp_path / "other.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match="left_wrist of annotation 7 is not in"):
        reviewed_labels(*read(tmp_path / "other.json", reviewed), [read_reviewed(reviewed.folder)])


def test_an_instance_without_any_label_left_is_not_read(reviewed, tmp_path):
    for joint in JOINTS[1:3]:
        decide(reviewed.folder, reviewed.file, f"of-{joint}", (3, joint, "wrong"))
    decisions_path(reviewed.folder, "ann").unlink()
    decide(reviewed.folder, reviewed.file, "ann", (3, LEFT_WRIST, "wrong"))
    apply_corrections(read_reviewed(reviewed.folder), tmp_path / "new.json")
    annotations, file = read(tmp_path / "new.json", reviewed)
    assert not annotations.visible[1].any()
    known = reviewed_labels(annotations.subset(np.array([0])), file, [read_reviewed(reviewed.folder)])
    assert not known.settled.any()


def test_disagreements_are_not_trusted_and_counted(reviewed):
    decide(reviewed.folder, reviewed.file, "bob", (7, LEFT_ELBOW, "wrong"), (7, RIGHT_ELBOW, "right"))
    known = reviewed_labels(*read(reviewed.path, reviewed), [read_reviewed(reviewed.folder)])
    assert known.settled[0].tolist() == [True, True, False, True] and known.disagreed == 1
    assert "disagree on 1 more" in known.line()


def second(reviewed, tmp_path, path, *said):
    """Another folder about the annotation file at ``path``, which bob has reviewed."""
    (tmp_path / "second").mkdir()
    other = make_found(tmp_path / "second")
    other.path.unlink()
    annotations, file = read(path, reviewed)
    (tmp_path / "second/found.json").write_text((reviewed.folder / "found.json").read_text().replace(reviewed.file.sha256, file.sha256))  # fmt: skip
    decide(other.folder, file, "bob", *said)
    return [read_reviewed(reviewed.folder), read_reviewed(other.folder)]


def test_two_folders_of_one_file_that_disagree(reviewed, tmp_path):
    folders = second(
        reviewed, tmp_path, reviewed.path,
        (7, LEFT_ELBOW, "right"), (7, RIGHT_WRIST, "right"), (3, LEFT_ELBOW, "right"),
    )  # fmt: skip
    known = reviewed_labels(*read(reviewed.path, reviewed), folders)
    assert known.settled.tolist() == [[True, False, True, False], [True, True, True, True]]
    assert known.disagreed == 1


def test_a_later_folder_about_the_corrected_file_replaces_what_was_said(reviewed, tmp_path):
    apply_corrections(read_reviewed(reviewed.folder), tmp_path / "new.json")
    folders = second(reviewed, tmp_path, tmp_path / "new.json", (7, LEFT_WRIST, "moved", {"x": 41, "y": 33}))
    known = reviewed_labels(*read(tmp_path / "new.json", reviewed), folders)
    assert known.annotations.joints[0, 0].tolist() == [41, 33] and known.disagreed == 0
    assert known.settled[0].tolist() == [True, True, True, False]


def test_keypoints_that_are_not_read_are_counted(reviewed):
    annotations, file = read(reviewed.path, reviewed)
    file = replace(file, keypoints=("", *file.keypoints[1:]))
    known = reviewed_labels(annotations, file, [read_reviewed(reviewed.folder)])
    assert known.unread == 2 and not known.settled[:, 0].any()
    assert "2 more are of keypoints that are not read here" in known.line()


def test_decisions_about_the_same_file_go_into_the_new_folder(reviewed, tmp_path):
    (tmp_path / "new").mkdir()
    earlier = [read_reviewed(reviewed.folder)]
    files = decision_files(earlier, reviewed.file)
    for _ in range(2):
        carry_over(files, tmp_path / "new")
        assert read_reviews(tmp_path / "new", reviewed.file) == read_reviews(reviewed.folder, reviewed.file)
    # What was added there stays.
    path = tmp_path / "new/decisions-ann.jsonl"
    longer = path.read_text() + '{"number": 6, "time": "", "annotation_id": 7, "joint": "right_elbow", "verdict": "right"}\n'  # fmt: skip
    path.write_text(longer)
    carry_over(files, tmp_path / "new")
    assert path.read_text() == longer
    both = decision_files([*earlier, replace(earlier[0], folder=tmp_path / "new")], reviewed.file)
    assert both == {"decisions-ann.jsonl": path}
    path.write_text(longer.replace("22.5", "23").replace('"y": 45.5', '"y": 45'))
    with pytest.raises(InputError, match="two reviewers of one name"):
        carry_over(files, tmp_path / "new")
    assert decision_files(earlier, replace(reviewed.file, sha256="0" * 64)) == {}
