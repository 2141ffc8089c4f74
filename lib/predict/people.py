"""Where the people are: the whole image, boxes that were given, boxes of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import read_json
from lib.dataset.detections import best_boxes, checked_box, each_detected_person
from lib.predict.sources import Frame, Source
from lib.utils.errors import InputError


@dataclass(frozen=True)
class People:
    """boxes: float64 [N, 4], x, y, width, height in pixels of one image.   scores: [N], the detector's."""

    boxes: np.ndarray
    scores: np.ndarray

    @classmethod
    def from_boxes(cls, boxes: Any, scores: Any = None) -> "People":
        """``scores`` left out: 1 each."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        return cls(boxes, np.ones(len(boxes)) if scores is None else np.asarray(scores, np.float64))

    def filtered(self, min_score: float, max_overlap: float) -> "People":
        """Without those that score less; of boxes that overlap more (IoU), the best alone."""
        sure = self.scores >= min_score
        boxes, scores = self.boxes[sure], self.scores[sure]
        keep = np.sort(best_boxes(boxes, scores, max_overlap))  # in the order they came in
        return People(boxes[keep], scores[keep])


# Each of the following gives the people of each of some images.
FindPeople = Callable[[list[Frame]], list[People]]


def whole_images(frames: list[Frame]) -> list[People]:
    """One person, who fills the image."""
    return [People.from_boxes((0, 0, frame.image.shape[1], frame.image.shape[0])) for frame in frames]


def parse_box(text: str) -> tuple[float, ...]:
    """X,Y,WIDTH,HEIGHT. Raises InputError."""
    try:
        box = [float(number) for number in text.split(",")]
    except ValueError:
        box = []
    if len(box) != 4:
        raise InputError(f"--box {text}: expected X,Y,WIDTH,HEIGHT in pixels")
    return tuple(checked_box(box, f"--box {text}"))


@dataclass(frozen=True)
class GivenBoxes:
    """The same people in every image."""

    people: People

    def __call__(self, frames: list[Frame]) -> list[People]:
        return [self.people] * len(frames)


class BoxesFile:
    """People by image, from JSON: COCO's detection results, or {file name: [[x, y, width, height], ...]}.

    COCO's image ids are the numbers that files are named by. Boxes by name are for the image NAME, for
    image number N of the video NAME where they are named NAME#N, or for all of a video's images.
    Detections are chosen by score and overlap; boxes by name are all used.
    Raises InputError for a file that can't be used, or has boxes for none of ``sources``.
    """

    def __init__(self, path: str | Path, sources: list[Source], min_score: float, max_overlap: float):
        content = read_json(Path(path))
        if isinstance(content, dict):
            self.people = {name: _named(boxes, f"{path}: {name}") for name, boxes in content.items()}
        else:
            self.people = {
                number: people.filtered(min_score, max_overlap)
                for number, people in _by_image(content, path).items()
            }
        wanted = {key for source in sources for key in (source.number, source.path.name)}
        if not wanted & {str(key).partition("#")[0] if isinstance(key, str) else key for key in self.people}:
            expected = "numbered images" if isinstance(content, list) else "images"
            found = ", ".join(map(str, list(self.people)[:3])) or "no boxes"
            raise InputError(
                f"{path}: no boxes for any of the {expected} ({sources[0].path.name}, ...); it has {found}"
            )

    def __call__(self, frames: list[Frame]) -> list[People]:
        return [self._of(frame) for frame in frames]

    def _of(self, frame: Frame) -> People:
        for key in (frame.name, frame.source.path.name, frame.source.number):
            if key in self.people:
                return self.people[key]
        return People.from_boxes(())


def _named(boxes: Any, where: str) -> People:
    if not isinstance(boxes, list):
        raise InputError(f"{where}: expected a list of boxes [x, y, width, height], found {boxes!r:.80}")
    return People.from_boxes([checked_box(box, f"{where}, box {i}") for i, box in enumerate(boxes)])


def _by_image(content: Any, path: str | Path) -> dict[int, People]:
    boxes: dict[int, list] = {}
    for found in each_detected_person(content, path):
        if not isinstance(found.image_id, int):
            raise InputError(
                f"{path}: detection {found.number}: image_id should be a whole number, found {found.image_id!r:.80}"
            )
        boxes.setdefault(found.image_id, []).append((found.box, found.score))
    return {number: People.from_boxes(*map(np.array, zip(*of_image))) for number, of_image in boxes.items()}
