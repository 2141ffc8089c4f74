"""Boxes of a person detector, to evaluate on: SimpleBaseline's detections file in COCO's results format."""

import functools
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.annotations import (
    Annotations,
    ReadOptions,
    group_by_image,
    numbers,
    padded_crops,
    read_json,
    whole_number,
    without_garbage_collection,
)
from lib.dataset.coco_file import COCOFile, read_coco_file
from lib.dataset.image_index import IMAGE_MISSING, ImageIndex, with_image
from lib.dataset.image_names import candidates
from lib.dataset.keypoints import JointMapping
from lib.dataset.layouts import DatasetLayout
from lib.dataset.reading_notes import ReadingNotes, counted
from lib.nms.nms import box_nms
from lib.utils.errors import InputError, short_repr

BEYOND = 0.02  # of a box's sides: boxes that reach out of the image by more are doubtful


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
    options: ReadOptions,
    image_thre: float,
    bbox_thre: float = 1.0,
) -> DetectedPeople:
    """Read a list of {image_id, category_id, bbox [x, y, width, height], score}; only people count.

    An ``image_id`` may also be the name of the image, with or without its folder and suffix, or the id as text.

    Args:
        path: the detections file.
        layout: COCO data set that the image ids belong to.
        image_set: its image set.
        mapping: which of COCO's keypoints each joint of the network corresponds to.
        options: shape of the crops, and what to do about missing images.
        image_thre: smallest score to keep (TEST.IMAGE_THRE).
        bbox_thre: largest IoU with a better box of the same image (TEST.BBOX_THRE).

    Raises:
        InputError: naming the file and the detection, for anything that cannot be used, or if no detection
            is left.
    """
    coco = read_coco_file(layout.annotation_files(image_set)[0])
    images, find = ImageIndex(layout.images(image_set)), _ImageIds(coco)
    person = coco.person()
    left_out: Counter[str] = Counter()
    unknown = ""  # the first image that is not in the set
    ids, image_ids, image_index, boxes, scores = [], [], [], [], []
    for detection in each_detection(read_json(path), path):
        if detection.category != person:
            left_out[f"of category {short_repr(detection.category)}, where people are category {person}"] += 1
            continue
        image_id = find(detection.image_id, f"{path}: detection {detection.number}")
        box, score = detection.checked(path)
        if image_id is None:
            unknown = unknown or short_repr(detection.image_id)
            left_out[f"of images that are not in {coco.path}, such as {unknown}"] += 1
        elif score < image_thre:
            left_out[f"with a score below {image_thre:g} (TEST.IMAGE_THRE)"] += 1
        else:
            name = coco.images[image_id].file_name
            ids.append(detection.number)
            image_ids.append(image_id)
            image_index.append(images.position(name, f"{path}: detection {detection.number}"))
            boxes.append(box)
            scores.append(score)

    there = with_image(image_index)
    if not options.skip_missing_images or not there.any():
        images.refuse_missing()
    left_out[IMAGE_MISSING] = int((~there).sum())
    if not ids:
        raise InputError(f"{path}: no person detected: {counted(left_out) or 'it has no detection'}")
    boxes, scores, image_ids = np.array(boxes), np.array(scores), np.array(image_ids, np.int64)
    centers, sizes = padded_crops(boxes, options.aspect)
    bounds = np.array([coco.images[k][1:] for k in image_ids.tolist()])
    beyond = (boxes[:, :2] + boxes[:, 2:] > bounds + BEYOND * boxes[:, 2:] + 1).any(axis=1)
    doubts = {"boxes that reach out of their image (are they corners?)": int(beyond.sum())}
    annotations = Annotations(
        mapping=mapping,
        ids=np.array(ids, np.int64),
        image_paths=images.paths,
        image_names=images.names,
        image_index=np.array(image_index, np.int32),
        joints=np.zeros((len(ids), len(mapping.names), 2), np.float32),
        visible=np.zeros((len(ids), len(mapping.names)), np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=image_ids,
        bounds=bounds.astype(np.float32),
        category_ids=np.full(len(ids), person, np.int64),
    )
    # Suppress overlapping boxes image by image; what is left keeps the order of the file.
    best = [
        indices[best_boxes(boxes[indices], scores[indices], bbox_thre)]
        for indices in group_by_image(image_ids)
    ]
    keep = np.sort(np.concatenate(best))
    left_out["suppressed by a better box (TEST.BBOX_THRE)"] = len(ids) - len(keep)
    keep = keep[there[keep]]
    annotations = replace(
        annotations.subset(keep), notes=ReadingNotes(dict(left_out), {}, doubts).joined(images.notes)
    )
    return DetectedPeople(annotations, scores[keep])


class _ImageIds:
    """Finds the id of the image that a detection names by its id or by its file name."""

    def __init__(self, coco: COCOFile):
        self.coco = coco

    @functools.cached_property
    def by_name(self) -> dict[str, set[int]]:
        """{name of an image, or its end, with or without its suffix: ids}."""
        names: dict[str, set[int]] = {}
        for number, image in self.coco.images.items():
            for candidate in candidates(str(image.file_name)):
                path = PurePosixPath(candidate)
                for part in {candidate, path.with_suffix("").as_posix() if path.name else candidate}:
                    names.setdefault(part, set()).add(number)
        return names

    def __call__(self, image_id: Any, where: str) -> int | None:
        """The image's id; None if it is not in the set.

        Raises:
            InputError: it is neither a number nor a text, or the name of several images.
        """
        if isinstance(image_id, str):
            return self._named(image_id, where)
        number = whole_number(image_id, where, "image_id")
        return number if number in self.coco.images else None

    def _named(self, name: str, where: str) -> int | None:
        for candidate in candidates(name):
            found = self.by_name.get(candidate, set())
            if len(found) > 1:
                raise InputError(
                    f"{where}: image_id {short_repr(name)} may be {len(found)} images of {self.coco.path}, "
                    f"{' and '.join(map(str, sorted(found)[:2]))}; expected the id, or the name with its folder"
                )
            if found:
                return next(iter(found))
        return int(name) if name.isdecimal() and int(name) in self.coco.images else None


class Detection(NamedTuple):
    """A detected object.

    number: position in the file.
    category, image_id, box, score: as the file has them, unchecked.
    """

    number: int
    category: Any
    image_id: Any
    box: Any
    score: Any

    def checked(self, path: str | Path) -> tuple[np.ndarray, float]:
        """x, y, width and height in pixels, float64 [4], and the detector's confidence. Raises InputError."""
        where = f"{path}: detection {self.number}"
        score = float(numbers(self.score, (), where, "score"))
        return checked_box(self.box, where), score


def each_detection(detections: Any, path: str | Path) -> Iterator[Detection]:
    """Yield the ``detections``, the content of ``path``. Raises InputError if one lacks a key."""
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
        yield Detection(number, category, image_id, box, score)


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
