"""Where images come from: files, folders, globs and videos, read one image at a time."""

import glob
import math
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.dataset.images import read_image
from lib.utils.errors import InputError

PICTURES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})
VIDEOS = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
USUAL_RATE = 25.0  # images a second of a video that does not say
# A video whose header promises more images than can be read was cut off; headers may be wrong by a few.
MAY_LACK = 0.05


@dataclass(frozen=True)
class Source:
    """An image or video file."""

    path: Path

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEOS

    @property
    def number(self) -> int | None:
        """What the file's name says where it is a number, as COCO's image ids are kept (000000000139.jpg)."""
        stem = self.path.stem
        return int(stem) if stem.isascii() and stem.isdecimal() and len(stem) < 19 else None


@dataclass(frozen=True)
class Frame:
    """image: [H, W, 3] uint8 RGB.   number: its place in a video, from 0; None for an image.

    rate: images a second of the video.
    """

    source: Source
    image: np.ndarray
    number: int | None = None
    rate: float = 0.0

    @property
    def name(self) -> str:
        """The file's name, with #NUMBER for an image of a video."""
        return self.source.path.name if self.number is None else f"{self.source.path.name}#{self.number}"


def find_sources(paths: list[str]) -> list[Source]:
    """The image and video files that ``paths`` (files, folders, globs) name, each once, in order.

    Of a folder: what is right inside and ends as images and videos do, by name.
    Raises InputError for a path where nothing is.
    """
    found: dict[Path, Source] = {}
    for path in paths:
        for file in _files(path):
            found.setdefault(file.resolve(), Source(file))
    return list(found.values())


def _files(path: str) -> list[Path]:
    if os.path.isdir(path):
        files = [Path(path, name) for name in sorted(os.listdir(path))]
        files = [file for file in files if file.suffix.lower() in PICTURES | VIDEOS and file.is_file()]
        if not files:
            raise InputError(f"{path}: no image or video in this folder")
        return files
    if os.path.exists(path):
        return [Path(path)]
    if not glob.has_magic(path):
        raise InputError(f"{path}: there is no such file or folder")
    files = [Path(file) for file in sorted(glob.glob(path, recursive=True)) if os.path.isfile(file)]
    if not files:
        raise InputError(f"{path}: no file matches")
    return files


def read_frames(sources: Iterable[Source], report: Callable[[str], None]) -> Iterator[Frame]:
    """Every image of ``sources``, upright; ``report`` hears of files that can't be read, or not wholly."""
    for source in sources:
        if source.is_video:
            yield from _read_video(source, report)
        elif (image := read_image(str(source.path), upright=True)) is not None:
            yield Frame(source, image)
        else:
            report(f"{source.path}: cannot be read as an image")


def count_frames(sources: Iterable[Source]) -> int:
    """How many images ``sources`` hold, as far as videos say."""
    total = 0
    for source in sources:
        if source.is_video:
            video = cv2.VideoCapture(str(source.path))
            total += max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
            video.release()
        else:
            total += 1
    return total


def _read_video(source: Source, report: Callable[[str], None]) -> Iterator[Frame]:
    video = cv2.VideoCapture(str(source.path))
    try:
        rate, promised = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
        if not (math.isfinite(rate) and 0 < rate <= 1000):
            rate = USUAL_RATE
        number = 0
        while True:
            there, image = video.read()
            if not there:
                break
            yield Frame(source, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), number, rate)
            number += 1
    finally:
        video.release()
    if number == 0:
        report(f"{source.path}: cannot be read as a video")
    elif number < (1 - MAY_LACK) * promised:
        report(f"{source.path}: only {number} of {promised:.0f} images can be read")
