"""A folder as find_labels.py leaves it, of a small annotation file."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.keypoints import JointMapping
from lib.dataset.skeleton import Skeleton
from lib.ignoring.suspects import Suspects
from lib.ignoring.weight_table import WeightTable
from lib.review.found import FoundLabels, LabelFile, write_found

JOINTS = ("left_wrist", "right_wrist", "left_elbow", "right_elbow")
LINES = [("left_wrist", "left_elbow"), ("right_wrist", "right_elbow")]
# [x, y, v] of JOINTS in two people, 7 and 3; the second has no right elbow, and a note of its own.
KEYPOINTS = {
    7: [[20, 30, 2], [40, 30, 2], [22.5, 20, 1], [38, 20, 2]],
    3: [[10, 50, 2], [60, 52, 2], [15, 40, 2], [0, 0, 0]],
}


@dataclass(frozen=True)
class FoundFolder:
    """folder: of find_labels.py.   path: of the annotation file, read as ``annotations``.   file, labels: what was written."""

    folder: Path
    path: Path
    annotations: Annotations
    file: LabelFile
    labels: FoundLabels


def annotation_file() -> dict:
    """The content of a file in COCO's format with fields that nobody but its author knows."""
    people = [
        {
            "id": number,
            "image_id": 5,
            "category_id": 1,
            "bbox": [0, 0, 80, 60],
            "area": 4800,
            "iscrowd": 0,
            "keypoints": [value for point in points for value in point],
            "num_keypoints": sum(v > 0 for *_, v in points),
            "author": f"annotator {number}",
            "annotator_id": 100 + number,
        }
        for number, points in KEYPOINTS.items()
    ]
    return {
        "info": {"description": "two people"},
        "images": [{"id": 5, "file_name": "a/5.jpg", "width": 100, "height": 80}],
        "annotations": people,
        "categories": [{"id": 1, "name": "person", "keypoints": list(JOINTS), "skeleton": [[1, 3], [2, 4]]}],
    }


def make_found(folder: Path) -> FoundFolder:
    """Write the annotation file and what was found in it: the wrists of person 7 are probably exchanged."""
    path = folder / "people.json"
    path.write_text(json.dumps(annotation_file()))
    points = np.array([KEYPOINTS[number] for number in (7, 3)], float)
    annotations = Annotations(
        mapping=JointMapping("coco_format", Skeleton.of(JOINTS, lines=LINES), JOINTS, JOINTS),
        ids=np.array([7, 3]),
        image_paths=(str(folder / "images" / "a" / "5.jpg"),),
        image_names=("a/5.jpg",),
        image_index=np.zeros(2, int),
        joints=points[..., :2],
        visible=(points[..., 2] > 0).astype(float),
        centers=np.full((2, 2), 40.0),
        sizes=np.full((2, 2), 100.0),
    )
    suspects = Suspects(
        probability=np.array([[0.9, 0.8, 0.1, 0.05], [0.2, 0.6, 0.01, 0]]),
        kind=np.array([["exchanged", "exchanged", "right", "right"], ["right", "moved", "right", "missing"]]),
        partner=np.array([[1, 0, -1, -1], [-1, -1, -1, -1]]),
        proposed=np.array([[[40, 30], [20, 30], [22, 21], [38, 20]], [[10, 50], [55, 45], [15, 40], [52, 38]]], float),
        sureness=np.full((2, 4), 0.75),
    )  # fmt: skip
    scores = np.array([[3.0, 2.5, -1, -2], [0, 1, -3, 0]])
    table = WeightTable(np.full((2, 4), 0.5), np.array([[1, 1, 1, 1], [1, 1, 0, 0]]), scores, suspects)
    file = LabelFile.of(path, "coco_format", folder / "images", annotations)
    labels = FoundLabels.of(annotations, table)
    write_found(folder, file, labels)
    return FoundFolder(folder, path, annotations, file, labels)
