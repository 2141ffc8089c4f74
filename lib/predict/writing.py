"""What predictions are written to: COCO's results, one object for each image, drawings and videos."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from lib.config.schema import settings
from lib.evaluation.coco import PoseNMS, PredictedPoses, coco_results
from lib.predict.drawing import draw_people
from lib.predict.poses import Poses
from lib.predict.sources import PICTURES, Frame, Source
from lib.utils.errors import InputError
from lib.utils.files import open_atomically, path_atomically, write_atomically

RESULTS, PREDICTIONS, DRAWN = "keypoints_results.json", "predictions.jsonl", "drawn"
QUALITY = {".jpg": [cv2.IMWRITE_JPEG_QUALITY, 95], ".jpeg": [cv2.IMWRITE_JPEG_QUALITY, 95]}
CODEC = "mp4v"  # in every build of OpenCV


def drawn_names(sources: list[Source]) -> dict[Source, str]:
    """The file that each source's drawing is written to. InputError where two would be the same."""
    names: dict[str, Source] = {}
    for source in sources:
        suffix = source.path.suffix
        if source.is_video:
            suffix = ".mp4"
        elif suffix.lower() not in PICTURES:
            suffix = ".png"
        other = names.setdefault(source.path.stem + suffix, source)
        if other is not source:
            raise InputError(
                f"{other.path} and {source.path} would both be drawn as {source.path.stem + suffix}; "
                "give them in two commands, with an --output each"
            )
    return {source: name for name, source in names.items()}


@contextmanager
def open_predictions(
    folder: Path, sources: list[Source], joints: tuple[str, ...], draws: bool
) -> Iterator["PredictionWriter"]:
    """A writer below ``folder``; the JSON files are there once the ``with`` block has ended without an error.

    keypoints_results.json: COCO's results format; keypoints are the network's ``joints``, in that order.
    predictions.jsonl: a line for each image, an object with file, image_id, width, height and people.
    drawn/: the images under their own names, videos as mp4; not with ``draws`` false.
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
        writer = PredictionWriter(folder / DRAWN, joints, drawn, are_numbered(sources), results, lines, video)
        results.write(b"[")
        yield writer
        results.write(b"\n]\n")


def are_numbered(sources: list[Source]) -> bool:
    """All are images, each named by a number of its own, which is its image id then."""
    numbers = [source.number for source in sources if not source.is_video]
    return len(numbers) == len(sources) == len(set(numbers)) and None not in numbers


@dataclass
class PredictionWriter:
    """What `open_predictions` gives. results, lines: the JSON files.   video: holds the one being written.

    drawn: file names in ``folder``, empty where nothing is drawn.   numbered: see `are_numbered`.
    """

    folder: Path
    joints: tuple[str, ...]
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
        """Images of a video come one after the other."""
        self.images += 1
        image_id = frame.source.number if self.numbered else self.images
        self._add_results(image_id, poses)
        self.lines.write(_line(self._describe(frame, image_id, poses)))
        if self.drawn:
            drawing = draw_people(frame.image, poses, self.joints)
            self._add_drawing(frame, cv2.cvtColor(drawing, cv2.COLOR_RGB2BGR))

    def _add_results(self, image_id: int, poses: Poses) -> None:
        if not len(poses.joints):
            return
        predicted = PredictedPoses(
            joints=poses.joints,
            scores=poses.scores,
            image_ids=np.full(len(poses.joints), image_id),
            box_scores=poses.people.scores,
            areas=poses.crops.prod(axis=1),
        )
        nms = PoseNMS(settings()["TEST.IN_VIS_THRE"].default, oks_thre=None)
        for result in coco_results(predicted, nms):
            result["keypoints"] = np.round(result["keypoints"], 3).tolist()
            self.results.write(b",\n" if self.people else b"\n")
            self.results.write(json.dumps(result).encode())
            self.people += 1

    def _describe(self, frame: Frame, image_id: int, poses: Poses) -> dict:
        height, width = frame.image.shape[:2]
        described = {"file": frame.source.path.name, "image_id": image_id, "width": width, "height": height}
        if frame.number is not None:
            described["frame"] = frame.number
        keypoints = np.round(np.concatenate([poses.joints, poses.scores[..., None]], axis=-1), 3)
        described["people"] = [
            {
                "box": np.round(box, 2).tolist(),
                "score": round(float(score), 4),
                "keypoints": dict(zip(self.joints, of_person.tolist())),
            }
            for box, score, of_person in zip(poses.people.boxes, poses.people.scores, keypoints)
        ]
        return described

    def _add_drawing(self, frame: Frame, drawing: np.ndarray) -> None:
        path = self.folder / self.drawn[frame.source]
        if frame.number is None:
            write_image(path, drawing)
            return
        if frame.source != self._video_source:
            self.video.close()
            size = drawing.shape[1::-1]
            self._add_to_video = self.video.enter_context(open_video(path, frame.rate, size))
            self._video_source = frame.source
        self._add_to_video(drawing)


def write_image(path: Path, image: np.ndarray) -> None:
    """[H, W, 3] BGR, in the format that ``path`` ends in, atomically."""
    _, content = cv2.imencode(path.suffix, image, QUALITY.get(path.suffix.lower(), []))
    write_atomically(path, lambda file: file.write(content.tobytes()))


@contextmanager
def open_video(path: Path, rate: float, size: tuple[int, int]) -> Iterator[Callable[[np.ndarray], None]]:
    """An mp4 that is at ``path`` once the ``with`` block has ended without an error.

    What it gives takes the next image, [H, W, 3] BGR; ``size``: width and height.
    """
    with path_atomically(path) as temporary:
        video = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*CODEC), rate, size)
        if not video.isOpened():
            raise InputError(f"{path}: OpenCV can't write a video of {size[0]} x {size[1]} pixels")

        def add(image: np.ndarray) -> None:
            # OpenCV silently leaves out images of another size.
            same = image.shape[1::-1] == size
            video.write(image if same else cv2.resize(image, size, interpolation=cv2.INTER_AREA))

        try:
            yield add
        finally:
            video.release()


def _line(content: dict) -> bytes:
    return (json.dumps(content) + "\n").encode()
