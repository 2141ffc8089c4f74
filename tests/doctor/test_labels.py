"""Duplicates, and labels and boxes outside crops and images, counted by hand."""

import json
from dataclasses import replace

import numpy as np
import pytest

from lib.config.data_settings import DatasetConfig
from lib.dataset.instances import OUTSIDE_IMAGE
from lib.dataset.reading_notes import ReadingNotes
from lib.doctor.findings import Level
from lib.doctor.labels import MAX_SHARE_OUTSIDE_CROP, TOLERANCE, check_boxes, check_labels, reading_notes
from tests.factories.annotations import make_annotations


def finding(annotations, subject):
    (found,) = [f for f in check_labels("source", annotations) if f.subject == f"source, {subject}"]
    return found


def test_nothing_wrong():
    assert {f.level for f in check_labels("source", make_annotations())} == {Level.OK}


def test_duplicate_ids():
    annotations = make_annotations(ids=np.array([3, 5, 5, 7]))
    found = finding(annotations, "copies")
    assert found.level is Level.NOTE and found.result.startswith("1 ids") and "5" in found.result
    assert check_labels("source", annotations, learns_weights=True)[0].level is Level.ERROR


def test_the_same_labels_under_another_id():
    same_image = np.int32([0, 0, 0, 1])
    found = finding(make_annotations(image_index=same_image), "copies")
    assert found.level is Level.WARNING and found.result.startswith("2 ") and "annotation 1" in found.result
    # Another label, or another image, is no duplicate; a value without a label does not count.
    annotations = make_annotations(2, image_index=np.int32([0, 0]))
    annotations.joints[1, 2] += 1
    assert finding(annotations, "copies").level is Level.OK
    annotations.visible[:, 2] = 0
    assert finding(annotations, "copies").level is Level.WARNING


def test_labels_outside_their_crop():
    annotations = make_annotations(10)  # 30 labels; the crop reaches 25 pixels from the center
    annotations.joints[0, 2] = annotations.centers[0] + [25, 0]
    assert "0 of 30" in finding(annotations, "crops").result
    annotations.joints[0, 2] += [0.5, 0]
    found = finding(annotations, "crops")
    assert "1 of 30 labels (3.3 %)" in found.result and found.level is Level.OK
    assert 1 / 30 < MAX_SHARE_OUTSIDE_CROP < 2 / 30
    annotations.joints[1, 2] = [90, 40]
    found = finding(annotations, "crops")
    assert found.level is Level.WARNING and "nose of annotation 1 at (76, 40)" in found.advice


def test_labels_outside_their_image():
    annotations = make_annotations()
    annotations.joints[2, 0] = [100 + TOLERANCE, -TOLERANCE]
    assert finding(annotations, "joints").level is Level.OK
    annotations.joints[2, 0, 0] += 0.1
    found = finding(annotations, "joints")
    assert found.level is Level.WARNING and found.result.startswith("1 labels")
    assert "left_eye of annotation 3 at (101, -1)" in found.result
    annotations.visible[2, 0] = 0
    assert finding(annotations, "joints").level is Level.OK
    assert len(check_labels("source", make_annotations(bounds=None))) == 2  # sizes unknown: not checked


def box_findings(folder, boxes, **more):
    annotations = [
        {"id": i, "image_id": 1, "category_id": 3, "bbox": box, "keypoints": [5, 5, 2], **more}
        for i, box in enumerate(boxes, 1)
    ]
    tree = {
        "images": [{"id": 1, "file_name": "a.png", "width": 100, "height": 80}],
        "annotations": annotations,
        "categories": [{"id": 3, "name": "thing", "keypoints": ["tip"]}],
    }
    (folder / "train.json").write_text(json.dumps(tree))
    config = DatasetConfig(dataset="coco_format", root=str(folder), train_set="train.json")
    return check_boxes("target T", config, "train.json")


@pytest.mark.parametrize(
    ("box", "level", "result"),
    [
        ([0, 0, 100, 80], Level.OK, "2"),
        ([-TOLERANCE, 0, 50, 50], Level.OK, "2"),
        (
            [90, 70, 14, 9],
            Level.WARNING,
            "1 of 2 reach outside their image, by up to 4 pixels (annotation 2)",
        ),
        ([100, 0, 20, 20], Level.WARNING, "1 of 2 are wholly outside their image (annotation 2)"),
    ],
)
def test_boxes(tmp_path, box, level, result):
    (boxes,) = box_findings(tmp_path, [[10, 10, 20, 20], box])
    assert boxes.level is level and boxes.result.startswith(result)


def test_what_the_reader_left_out_filled_in_and_doubts():
    notes = ReadingNotes({"crowds": 2}, {"areas, from the box": 3}, {"keypoints at (0, 0)": 1})
    found = {
        finding.subject: (finding.level, finding.result)
        for finding in reading_notes("source", replace(make_annotations(), notes=notes))
    }
    assert found["source, left out"] == (Level.NOTE, "2 crowds")
    assert found["source, filled in"] == (Level.NOTE, "3 areas, from the box")
    assert found["source, doubtful"] == (Level.WARNING, "1 keypoints at (0, 0)")
    most = ReadingNotes({"without a labelled keypoint": 999})
    (first,) = reading_notes("source", replace(make_annotations(), notes=most))
    assert first.level is Level.WARNING and "999" in first.result


def test_mpii_has_no_boxes():
    assert check_boxes("test", DatasetConfig(dataset="mpii", root="none", train_set="train"), "valid") == []


def test_labels_outside_their_image_are_told_once():
    notes = ReadingNotes(doubts={OUTSIDE_IMAGE: 1})
    assert reading_notes("source", replace(make_annotations(), notes=notes)) == []
