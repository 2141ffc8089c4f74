"""Boxes of the people in each image: the whole image, boxes from the command line or from a file."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import read_json
from lib.dataset.coco_file import PERSON
from lib.dataset.detections import best_boxes, checked_box, each_detection
from lib.predict.sources import Frame, Source
from lib.utils.errors import InputError


@dataclass(frozen=True)
class People:
    """The N people of one image.

    boxes: float64 [N, 4], x, y, width, height in pixels.
    scores: float64 [N], the detector's confidence; 1 for boxes without one.
    """

    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def from_boxes(cls, boxes: Any, scores: Any = None) -> "People":
        """From anything that converts to [N, 4] and [N]; without ``scores`` they are 1."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        return cls(boxes, np.ones(len(boxes)) if scores is None else np.asarray(scores, np.float64))

    def filtered(self, min_score: float, max_overlap: float) -> "People":
        """Drop scores below ``min_score``; of boxes with an IoU above ``max_overlap``, keep the best."""
        sure = self.scores >= min_score
        boxes, scores = self.boxes[sure], self.scores[sure]
        keep = np.sort(best_boxes(boxes, scores, max_overlap))  # in the original order
        return People(boxes[keep], scores[keep])


# Returns the people of each of some frames.
FindPeople = Callable[[list[Frame]], list[People]]


def whole_images(frames: list[Frame]) -> list[People]:
    """One person per frame, whose box is the whole image."""
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

    The file has either COCO's detection results, with the number in the image's file name as
    image_id, or {name: [[x, y, width, height], ...]}. A name is the file name of an image, NAME#N for
    frame N of the video NAME, or the file name of a video for all of its frames without boxes of
    their own.

    Args:
        path: The JSON file.
        sources: The images and videos that boxes are needed for.
        min_score, max_overlap: Detections are filtered by them (see `People.filtered`); boxes by name
            are all used.

    Raises:
        InputError: The file cannot be used, or has boxes for none of ``sources``.
    """

    def __init__(self, path: str | Path, sources: list[Source], min_score: float, max_overlap: float):
        content = read_json(Path(path))
        self.people: dict[str | int, People]
        if isinstance(content, dict):
            self.people = {name: _boxes_of_name(boxes, f"{path}: {name}") for name, boxes in content.items()}
        else:
            self.people = {
                number: people.filtered(min_score, max_overlap)
                for number, people in _by_image_id(content, path).items()
            }
        wanted = {key for source in sources for key in (source.number, source.path.name)}
        if not wanted & {str(key).partition("#")[0] if isinstance(key, str) else key for key in self.people}:
            expected = "numbered images" if isinstance(content, list) else "images"
            available = ", ".join(map(str, list(self.people)[:3])) or "no boxes"
            raise InputError(
                f"{path}: no boxes for any of the {expected} ({sources[0].path.name}, ...); found {available}"
            )

    def __call__(self, frames: list[Frame]) -> list[People]:
        """The people of each of ``frames``, none for images that the file lacks."""
        return [self._people_of(frame) for frame in frames]

    def _people_of(self, frame: Frame) -> People:
        # From the most specific name to the least: NAME#N, NAME, image id.
        for key in (frame.name, frame.source.path.name, frame.source.number):
            if key in self.people:
                return self.people[key]
        return People.from_boxes(())


def _boxes_of_name(boxes: Any, where: str) -> People:
    """Check the boxes of a name; ``where``: begin of error messages."""
    if not isinstance(boxes, list):
        raise InputError(f"{where}: expected a list of boxes [x, y, width, height], found {boxes!r:.80}")
    return People.from_boxes([checked_box(box, f"{where}, box {i}") for i, box in enumerate(boxes)])


def _by_image_id(content: Any, path: str | Path) -> dict[int, People]:
    """Group COCO's detection results by image id."""
    boxes: dict[int, list] = {}
    others: Counter = Counter()
    for detection in each_detection(content, path):
        if detection.category != PERSON:
            others[detection.category] += 1
            continue
        if not isinstance(detection.image_id, int):
            raise InputError(
                f"{path}: detection {detection.number}: image_id should be a whole number, "
                f"found {detection.image_id!r:.80}"
            )
        boxes.setdefault(detection.image_id, []).append(detection.checked(path))
    if not boxes and others:
        found = ", ".join(f"{category} ({count})" for category, count in others.items())
        raise InputError(f"{path}: no detection is of category {PERSON} (person); found category {found}")
    return {number: People.from_boxes(*map(np.array, zip(*entries))) for number, entries in boxes.items()}
