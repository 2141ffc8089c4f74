"""Boxes of a person detector, to evaluate on: SimpleBaseline's detections file in COCO's results format."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.annotations import (
    Annotations,
    group_by_image,
    numbers,
    padded_crops,
    read_json,
    without_garbage_collection,
)
from lib.dataset.coco import PERSON, read_coco_file
from lib.dataset.keypoints import JointMapping
from lib.dataset.layouts import DatasetLayout
from lib.dataset.packed_strings import PackedStrings
from lib.nms.nms import box_nms
from lib.utils.errors import InputError


@dataclass(frozen=True)
class DetectedPeople:
    """N detected people.

    annotations: their boxes; joints are unknown (0, not visible), ids are positions in the file.
    scores: float64 [N], the detector's.
    """

    annotations: Annotations
    scores: np.ndarray


@without_garbage_collection()
def read_detections(
    path: str | Path,
    layout: DatasetLayout,
    image_set: str,
    mapping: JointMapping,
    aspect: float,
    image_thre: float,
    bbox_thre: float = 1.0,
) -> DetectedPeople:
    """Read a list of {image_id, category_id, bbox [x, y, width, height], score}; only category 1 counts.

    Args:
        path: the detections file.
        layout: COCO data set that the image ids belong to.
        image_set: its image set.
        mapping: which of COCO's keypoints each joint of the network corresponds to.
        aspect: width / height of the network's input.
        image_thre: smallest score to keep (TEST.IMAGE_THRE).
        bbox_thre: largest IoU with a better box of the same image (TEST.BBOX_THRE).

    Raises:
        InputError: naming the file and the detection, for anything that cannot be used, or if no detection
            is left.
    """
    coco = read_coco_file(layout.annotation_files(image_set)[0])
    images = layout.images(image_set)
    position: dict[str, int] = {}  # {path: index into image_paths}
    ids, image_ids, image_index, boxes, scores = [], [], [], [], []
    for detection in each_detected_person(read_json(path), path):
        where = f"{path}: detection {detection.number}"
        image = coco.image(detection.image_id, where)
        if detection.score < image_thre:
            continue
        file = images.path(image.file_name, where)
        ids.append(detection.number)
        image_ids.append(detection.image_id)
        image_index.append(position.setdefault(file, len(position)))
        boxes.append(detection.box)
        scores.append(detection.score)

    if not ids:
        raise InputError(f"{path}: no person detected with a score of {image_thre:g} or more")
    boxes, scores, image_ids = np.array(boxes), np.array(scores), np.array(image_ids, np.int64)
    centers, sizes = padded_crops(boxes, aspect)
    annotations = Annotations(
        mapping=mapping,
        ids=np.array(ids, np.int64),
        image_paths=PackedStrings.of(position),
        image_index=np.array(image_index, np.int32),
        joints=np.zeros((len(ids), len(mapping.names), 2), np.float32),
        visible=np.zeros((len(ids), len(mapping.names)), np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=image_ids,
    )
    # Suppress overlapping boxes image by image; what is left keeps the order of the file.
    best = [
        indices[best_boxes(boxes[indices], scores[indices], bbox_thre)]
        for indices in group_by_image(image_ids)
    ]
    keep = np.sort(np.concatenate(best))
    return DetectedPeople(annotations.subset(keep), scores[keep])


class Detection(NamedTuple):
    """A detected person.

    number: position in the file.
    image_id: unchecked.
    box: float64 [4], x, y, width, height in pixels.
    score: the detector's confidence.
    """

    number: int
    image_id: Any
    box: np.ndarray
    score: float


def each_detected_person(detections: Any, path: str | Path) -> Iterator[Detection]:
    """Yield the checked people (category 1) of ``detections``, the content of ``path``. Raises InputError."""
    if not isinstance(detections, list):
        raise InputError(f"{path}: expected a list of detections, found {type(detections).__name__}")
    for number, detection in enumerate(detections):
        where = f"{path}: detection {number}"
        try:
            category, image_id, box, score = (
                detection[k] for k in ("category_id", "image_id", "bbox", "score")
            )
        except (KeyError, TypeError):
            raise InputError(f"{where} needs image_id, category_id, bbox and score") from None
        if category == PERSON:
            score = float(numbers(score, (), where, "score"))
            yield Detection(number, image_id, checked_box(box, where), score)


def checked_box(box: Any, where: str) -> np.ndarray:
    """Check a box (x, y, width, height) and return it as float64 [4]. Raises InputError."""
    box = numbers(box, (4,), where, "bbox")
    if box[2:].min() < 0:
        raise InputError(f"{where}: width and height of bbox should not be negative, found {box[2:]}")
    return box


def best_boxes(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> np.ndarray:
    """Non-maximum suppression of boxes given as x, y, width, height; see `box_nms`.

    Args:
        boxes: [N, 4], pixels.
        scores: [N].
        max_overlap: largest IoU with a better box.

    Returns:
        Positions of the boxes kept, best first.
    """
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return box_nms(corners, scores, max_overlap)
