"""People where a detector found them, to be evaluated on as published: SimpleBaseline's detections file."""

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
from lib.dataset.coco import PERSON, annotation_file, image_folder, read_coco_file
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import joint_mapping
from lib.dataset.packed_strings import PackedStrings
from lib.nms.nms import box_nms
from lib.utils.errors import InputError


@dataclass(frozen=True)
class DetectedPeople:
    """annotations: N boxes whose joints nobody knows (0, not visible).   scores: [N], the detector's."""

    annotations: Annotations
    scores: np.ndarray


@without_garbage_collection()
def read_detections(
    path: str | Path,
    root: str | Path,
    image_set: str,
    names: tuple[str, ...],
    aspect: float,
    image_thre: float,
    bbox_thre: float = 1.0,
    data_format: str = "jpg",
) -> DetectedPeople:
    """The people of a list of {image_id, category_id, bbox [x, y, width, height], score}.

    Only category 1 counts. Left out are scores below ``image_thre``, and of boxes that overlap by an IoU
    above ``bbox_thre`` all but the best. The people's ids are their positions in the file.
    See `read_coco` for the rest. Raises InputError naming the file and the detection for whatever cannot be
    used, and where nobody is left.
    """
    coco = read_coco_file(annotation_file(root, image_set))
    folder = ImageFolder(image_folder(root, image_set), data_format)
    images: dict[str, int] = {}
    ids, image_ids, image_index, boxes, scores = [], [], [], [], []
    for found in each_detected_person(read_json(path), path):
        where = f"{path}: detection {found.number}"
        image = coco.image(found.image_id, where)
        if found.score < image_thre:
            continue
        file = folder.path(image.file_name, where)
        ids.append(found.number)
        image_ids.append(found.image_id)
        image_index.append(images.setdefault(file, len(images)))
        boxes.append(found.box)
        scores.append(found.score)

    if not ids:
        raise InputError(f"{path}: no person detected with a score of {image_thre:g} or more")
    mapping = joint_mapping("coco", names)
    boxes, scores, image_ids = np.array(boxes), np.array(scores), np.array(image_ids, np.int64)
    centers, sizes = padded_crops(boxes, aspect)
    everyone = Annotations(
        mapping=mapping,
        ids=np.array(ids, np.int64),
        image_paths=PackedStrings.of(images),
        image_index=np.array(image_index, np.int32),
        joints=np.zeros((len(ids), len(names), 2), np.float32),
        visible=np.zeros((len(ids), len(names)), np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=image_ids,
    )
    best = [
        people[best_boxes(boxes[people], scores[people], bbox_thre)] for people in group_by_image(image_ids)
    ]
    keep = np.sort(np.concatenate(best))
    return DetectedPeople(everyone.subset(keep), scores[keep])


class Detection(NamedTuple):
    """number: its position in the file.   image_id: unchecked.   box: float64 [4], x, y, width, height."""

    number: int
    image_id: Any
    box: np.ndarray
    score: float


def each_detected_person(detections: Any, path: str | Path) -> Iterator[Detection]:
    """The people (category 1) of ``detections``, the content of ``path``. Raises InputError."""
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
    """``box`` (x, y, width, height) as float64 [4]. Raises InputError."""
    box = numbers(box, (4,), where, "bbox")
    if box[2:].min() < 0:
        raise InputError(f"{where}: width and height of bbox should not be negative, found {box[2:]}")
    return box


def best_boxes(boxes: np.ndarray, scores: np.ndarray, max_overlap: float) -> np.ndarray:
    """Positions of the ``boxes`` [N, 4] (x, y, width, height) that stay, the best first; see `box_nms`."""
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    return box_nms(corners, scores, max_overlap)
