"""Boxes of the people in each image: the whole image, boxes from the command line or from a file."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import read_json
from lib.dataset.detections import best_boxes, checked_box, each_detection
from lib.models.category import Category
from lib.predict.sources import Frame, Source
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG


@dataclass(frozen=True)
class People:
    """The N people of one image, or objects of the network's category.

    boxes: float64 [N, 4], x, y, width, height in pixels.
    scores: float64 [N], the detector's confidence; 1 for boxes without one.
    categories: int64 [N], the detector's category_id; -1 for boxes without one.
    """

    boxes: np.ndarray
    scores: np.ndarray
    categories: np.ndarray

    @classmethod
    def from_boxes(cls, boxes: Any, scores: Any = None, categories: Any = None) -> "People":
        """From anything that converts to [N, 4], [N] and [N]; without ``scores`` they are 1."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        return cls(
            boxes,
            np.ones(len(boxes)) if scores is None else np.asarray(scores, np.float64),
            np.full(len(boxes), -1) if categories is None else np.asarray(categories, np.int64),
        )

    def filtered(self, min_score: float, max_overlap: float) -> "People":
        """Drop scores below ``min_score``; of boxes with an IoU above ``max_overlap``, keep the best."""
        sure = np.flatnonzero(self.scores >= min_score)
        best = best_boxes(self.boxes[sure], self.scores[sure], max_overlap)
        keep = sure[np.sort(best)]  # in the original order
        return People(self.boxes[keep], self.scores[keep], self.categories[keep])


# Returns the people of each of some frames.
FindPeople = Callable[[list[Frame]], list[People]]


def whole_images(frames: list[Frame]) -> list[People]:
    """One person, or object, per frame, whose box is the whole image."""
    return [People.from_boxes((0, 0, frame.image.shape[1], frame.image.shape[0])) for frame in frames]


def parse_box(text: str) -> tuple[float, ...]:
    """Parse X,Y,WIDTH,HEIGHT. Raises InputError."""
    try:
        box = [float(number) for number in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4:
        raise InputError(f"--box {text}: expected X,Y,WIDTH,HEIGHT in pixels")
    return tuple(checked_box(box, f"--box {text}"))


@dataclass(frozen=True)
class GivenBoxes:
    """The same people in every frame."""

    people: People

    def __call__(self, frames: list[Frame]) -> list[People]:
        """The people of each of ``frames``."""
        return [self.people] * len(frames)


class BoxesFile:
    """People by image, from a JSON file.

    The file has either COCO's detection results, with the number in the image's file name, or the
    name with or without its suffix, as image_id, or {name: [[x, y, width, height], ...]}. A name is the file name of an image, NAME#N for
    frame N of the video NAME, or the file name of a video for all of its frames without boxes of
    their own.

    Args:
        path: The JSON file.
        sources: The images and videos that boxes are needed for.
        category: The network's; detections of other categories are left out and counted.
        min_score, max_overlap: Detections are filtered by them (see `People.filtered`); boxes by name
            are all used.

    Raises:
        InputError: The file cannot be used, or has boxes for none of ``sources``.
    """

    def __init__(
        self,
        path: str | Path,
        sources: list[Source],
        category: Category,
        min_score: float,
        max_overlap: float,
    ):
        content = read_json(Path(path))
        self.people: dict[str | int, People]
        if isinstance(content, dict):
            self.people = {name: _boxes_of_name(boxes, f"{path}: {name}") for name, boxes in content.items()}
        else:
            self.people = {
                number: people.filtered(min_score, max_overlap)
                for number, people in _by_image_id(content, category, path).items()
            }
        wanted = {key for source in sources for key in _keys(source)}
        if not wanted & {str(key).partition("#")[0] if isinstance(key, str) else key for key in self.people}:
            first = sources[0]
            known = ", ".join(repr(key) for key in dict.fromkeys(_keys(first)))
            available = ", ".join(map(repr, list(self.people)[:3])) or "no boxes"
            raise InputError(
                f"{path}: no boxes for any of the images; found those of {available}; expected the names of files, "
                f"or their numbers: {known} for {first.path}"
            )

    def __call__(self, frames: list[Frame]) -> list[People]:
        """The people of each of ``frames``, none for images that the file lacks."""
        return [self._people_of(frame) for frame in frames]

    def _people_of(self, frame: Frame) -> People:
        for key in (frame.name, *_keys(frame.source)):  # the most specific name first
            if key in self.people:
                return self.people[key]
        return People.from_boxes(())


def _keys(source: Source) -> tuple[str | int, ...]:
    """What a file of boxes may call ``source``."""
    names = source.path.name, source.path.stem
    return names if source.number is None else (*names, source.number, str(source.number))


def _boxes_of_name(boxes: Any, where: str) -> People:
    """Check the boxes of a name; ``where``: begin of error messages."""
    if not isinstance(boxes, list):
        raise InputError(f"{where}: expected a list of boxes [x, y, width, height], found {boxes!r:.80}")
    return People.from_boxes([checked_box(box, f"{where}, box {i}") for i, box in enumerate(boxes)])


def _by_image_id(content: Any, category: Category, path: str | Path) -> dict[int | str, People]:
    """Group COCO's detection results of ``category``, or all if it is unknown, by image id."""
    boxes: dict[int | str, list] = {}
    others: Counter = Counter()
    for detection in each_detection(content, path):
        if category.ids and detection.category not in category.ids:
            others[short_repr(detection.category)] += 1
            continue
        if not isinstance(detection.image_id, int | str):
            raise InputError(
                f"{path}: detection {detection.number}: image_id should be a whole number or the name of an "
                f"image, found {detection.image_id!r:.80}"
            )
        known = detection.category if type(detection.category) is int else -1
        boxes.setdefault(detection.image_id, []).append((*detection.checked(path), known))
    found = ", ".join(f"{other} ({count})" for other, count in others.items())
    if not boxes and others:
        raise InputError(f"{path}: no detection is of {category}; found category {found}")
    if others:
        LOG.info(f"{path}: {others.total()} detections are not of {category} and left out: category {found}")
    return {number: People.from_boxes(*map(np.array, zip(*entries))) for number, entries in boxes.items()}
