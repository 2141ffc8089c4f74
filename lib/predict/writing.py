"""Writes predictions: COCO results, JSON lines per image, drawn images and videos."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from lib.config.schema import settings
from lib.dataset.images import SUFFIXES
from lib.evaluation.coco import PoseNMS, PredictedPoses, coco_results
from lib.models.category import Category
from lib.predict.drawing import draw_people
from lib.predict.poses import Poses
from lib.predict.sources import Frame, Source
from lib.utils.errors import InputError
from lib.utils.files import open_atomically, path_atomically, write_atomically

RESULTS, PREDICTIONS, DRAWN = "keypoints_results.json", "predictions.jsonl", "drawn"
QUALITY = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95]}
CODEC = "mp4v"  # included in every build of OpenCV


def drawn_names(sources: list[Source]) -> dict[Source, str]:
    """File names of the drawings: those of the sources, with .mp4 for videos.

    Raises:
        InputError: Two sources would have the same name.
    """
    names: dict[str, Source] = {}
    for source in sources:
        suffix = source.path.suffix
        if source.is_video:
            suffix = ".mp4"
        elif suffix.lower() not in SUFFIXES:
            suffix = ".png"
        name = source.path.stem + suffix
        other = names.setdefault(name, source)
        if other is not source:
            raise InputError(
                f"{other.path} and {source.path} would both be drawn as {name}; "
                "run them separately, each with its own --output"
            )
    return {source: name for name, source in names.items()}


@contextmanager
def open_predictions(
    folder: Path, sources: list[Source], category: Category, draws: bool
) -> Iterator["PredictionWriter"]:
    """Open a writer of predictions; the JSON files appear when the block ends without an error.

    keypoints_results.json has COCO's results format, with the network's category and its joints as keypoints.
    predictions.jsonl has one object per image: file, image_id, width, height, people, and frame for videos.
    drawn/ has the images under their own names, videos as mp4.

    Args:
        folder: Output folder.
        sources: The images and videos that will be added.
        category: The network's objects and their joints.
        draws: Whether to write drawn/.

    Raises:
        InputError: A drawing would replace its source or another drawing.
    """
    drawn = drawn_names(sources) if draws else {}
    for source, name in drawn.items():
        if source.path.resolve() == (folder / DRAWN / name).resolve():
            raise InputError(f"{source.path}: the drawing would replace the image; give another --output")
    with (
        open_atomically(folder / RESULTS) as results,
        open_atomically(folder / PREDICTIONS) as lines,
        ExitStack() as video,
    ):
        writer = PredictionWriter(
            folder / DRAWN, category, drawn, are_numbered(sources), results, lines, video
        )
        results.write(b"[")
        yield writer
        results.write(b"\n]\n")


def are_numbered(sources: list[Source]) -> bool:
    """Whether all sources are images named by different numbers, which are their image ids then."""
    numbers = [source.number for source in sources if not source.is_video]
    return len(numbers) == len(sources) == len(set(numbers)) and None not in numbers


@dataclass
class PredictionWriter:
    """Writes predictions frame by frame; opened by `open_predictions`.

    folder: Folder of the drawings.
    category: The network's objects and their joints.
    drawn: File name of each source's drawing; empty to draw nothing.
    numbered: Whether image ids are the numbers in the file names (see `are_numbered`) or counted from 1.
    results, lines: The open JSON files.
    video: Holds the video that is being written.
    images, people: How many were written.
    """

    folder: Path
    category: Category
    drawn: dict[Source, str]
    numbered: bool
    results: BinaryIO
    lines: BinaryIO
    video: ExitStack
    images: int = 0
    people: int = 0
    _video_source: Source | None = None
    _add_to_video: Callable[[np.ndarray], None] | None = None

    def add(self, frame: Frame, poses: Poses) -> None:
        """Write the poses of a frame; frames of a video must be added one after the other, in order."""
        self.images += 1
        image_id = frame.source.number if self.numbered else self.images
        self._add_results(image_id, poses)
        self.lines.write((json.dumps(self._describe(frame, image_id, poses)) + "\n").encode())
        if self.drawn:
            drawing = draw_people(frame.image, poses, self.category.skeleton)
            self._add_drawing(frame, cv2.cvtColor(drawing, cv2.COLOR_RGB2BGR))

    def _add_results(self, image_id: int, poses: Poses) -> None:
        """Append to keypoints_results.json."""
        if not len(poses.joints):
            return
        predicted = PredictedPoses(
            joints=poses.joints,
            scores=poses.scores,
            image_ids=np.full(len(poses.joints), image_id),
            box_scores=poses.people.scores,
            areas=poses.crops.prod(axis=1),
            category_ids=np.where(
                poses.people.categories >= 0, poses.people.categories, self.category.number
            ),
        )
        # Scores are those of the evaluation; overlapping poses are kept, as predictions.jsonl keeps them.
        nms = PoseNMS(settings()["TEST.IN_VIS_THRE"].default, oks_thre=None)
        for result in coco_results(predicted, nms):
            result["keypoints"] = np.round(result["keypoints"], 3).tolist()
            self.results.write(b",\n" if self.people else b"\n")
            self.results.write(json.dumps(result).encode())
            self.people += 1

    def _describe(self, frame: Frame, image_id: int, poses: Poses) -> dict:
        """The object of a frame in predictions.jsonl."""
        height, width = frame.image.shape[:2]
        content = {"file": frame.source.path.name, "image_id": image_id, "width": width, "height": height}
        if frame.number is not None:
            content["frame"] = frame.number
        keypoints = np.round(np.concatenate([poses.joints, poses.scores[..., None]], axis=-1), 3)
        content["people"] = [
            {
                "box": np.round(box, 2).tolist(),
                "score": round(float(score), 4),
                "keypoints": dict(zip(self.category.skeleton.names, keypoints_of_person.tolist())),
            }
            for box, score, keypoints_of_person in zip(poses.people.boxes, poses.people.scores, keypoints)
        ]
        return content

    def _add_drawing(self, frame: Frame, drawing: np.ndarray) -> None:
        path = self.folder / self.drawn[frame.source]
        if frame.number is None:
            write_image(path, drawing)
            return
        if frame.source != self._video_source:
            self.video.close()  # finishes the previous video
            size = drawing.shape[1::-1]
            self._add_to_video = self.video.enter_context(open_video(path, frame.rate, size))
            self._video_source = frame.source
        self._add_to_video(drawing)


def write_image(path: Path, image: np.ndarray) -> None:
    """Write [H, W, 3] uint8 BGR atomically, in the format of the path's suffix."""
    _, content = cv2.imencode(path.suffix, image, QUALITY.get(path.suffix.lower(), []))
    write_atomically(path, lambda file: file.write(content.tobytes()))


@contextmanager
def open_video(path: Path, rate: float, size: tuple[int, int]) -> Iterator[Callable[[np.ndarray], None]]:
    """Open an mp4 video, which appears at ``path`` when the block ends without error.

    Args:
        path: The file.
        rate: Frames per second.
        size: (width, height) in pixels.

    Yields:
        A function that appends a frame, [H, W, 3] uint8 BGR; other sizes are scaled.

    Raises:
        InputError: OpenCV cannot write a video of this size.
    """
    with path_atomically(path) as temporary:
        video = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*CODEC), rate, size)
        if not video.isOpened():
            raise InputError(f"{path}: OpenCV cannot write a video of {size[0]} x {size[1]} pixels")

        def add(image: np.ndarray) -> None:
            # OpenCV silently drops frames of another size.
            same = image.shape[1::-1] == size
            video.write(image if same else cv2.resize(image, size, interpolation=cv2.INTER_AREA))

        try:
            yield add
        finally:
            video.release()
