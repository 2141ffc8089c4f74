"""Finds image and video files and reads them image by image."""

import functools
import glob
import math
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.dataset.depth import FULL, significant_bits
from lib.dataset.frames import largest_values
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import SUFFIXES, read_image
from lib.utils.errors import InputError
from lib.utils.log import LOG

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
DEFAULT_RATE = 25.0  # frames per second, for videos without a valid rate
MAX_MISSING = 0.05  # share of a video's frames; headers may be off by a few, more means a truncated file


@dataclass(frozen=True)
class Source:
    """An image or video file."""

    path: Path

    @property
    def is_video(self) -> bool:
        """Whether the file name ends as those of videos do."""
        return self.path.suffix.lower() in VIDEO_SUFFIXES

    @property
    def number(self) -> int | None:
        """The number that is the file's name, as COCO stores image ids (000000000139.jpg); else None."""
        stem = self.path.stem
        return int(stem) if stem.isascii() and stem.isdecimal() and len(stem) < 19 else None


@dataclass(frozen=True)
class Frame:
    """An image, or a frame of a video.

    source: The file.
    image: [H, W, 3] uint8 RGB.
    number: Index of the frame in its video; None for an image.
    rate: Frames per second of the video.
    """

    source: Source
    image: np.ndarray
    number: int | None = None
    rate: float = 0.0

    @property
    def name(self) -> str:
        """The file's name; NAME#NUMBER for a frame of a video."""
        return self.source.path.name if self.number is None else f"{self.source.path.name}#{self.number}"


def find_sources(paths: list[str]) -> list[Source]:
    """The image and video files that ``paths`` name, in order and without duplicates.

    Args:
        paths: Files, folders or glob patterns. Of a folder, the images and videos directly in it are
            taken, sorted by name.

    Raises:
        InputError: A path does not exist, or a folder or pattern yields no file.
    """
    sources: dict[Path, Source] = {}
    for path in paths:
        for file in _files(path):
            sources.setdefault(file.resolve(), Source(file))
    return list(sources.values())


def _files(path: str) -> list[Path]:
    if os.path.isdir(path):
        files = [Path(path, name) for name in sorted(os.listdir(path))]
        suffixes = SUFFIXES | VIDEO_SUFFIXES
        files = [file for file in files if file.suffix.lower() in suffixes and file.is_file()]
        if not files:
            raise InputError(f"{path}: no image or video in this folder")
        return files
    if os.path.exists(path):  # before globbing: an existing name may contain brackets
        return [Path(path)]
    if not glob.has_magic(path):
        raise InputError(f"{path}: no such file or folder")
    files = [Path(file) for file in sorted(glob.glob(path, recursive=True)) if os.path.isfile(file)]
    if not files:
        raise InputError(f"{path}: no file matches")
    return files


class FrameReader:
    """Iterates over the images and frames of ``sources``, rotated as their metadata say.

    problems: A message for each file so far that cannot be read or is truncated.
    """

    def __init__(self, sources: Iterable[Source]):
        self.sources = list(sources)
        self.problems: list[str] = []

    @functools.cached_property
    def bits(self) -> int:
        """Significant bits of the images of 16 bits, which all have the same scale."""
        largest = largest_values(str(source.path) for source in self.sources if not source.is_video)
        bits = significant_bits(max(largest, default=0))
        if bits != FULL:
            LOG.info(f"16-bit images have values up to {max(largest)} and are read as {bits} bits")
        return bits

    def __iter__(self) -> Iterator[Frame]:
        for source in self.sources:
            if source.is_video:
                yield from self._read_video(source)
            elif (image := read_image(ImageSpec(str(source.path), upright=True, bits=self.bits))) is not None:
                yield Frame(source, image)
            else:
                self.problems.append(f"{source.path}: cannot be read as an image")

    def _read_video(self, source: Source) -> Iterator[Frame]:
        video = cv2.VideoCapture(str(source.path))
        try:
            rate, expected = video.get(cv2.CAP_PROP_FPS), video.get(cv2.CAP_PROP_FRAME_COUNT)
            if not (math.isfinite(rate) and 0 < rate <= 1000):
                rate = DEFAULT_RATE
            number = 0
            while True:
                ok, image = video.read()
                if not ok:
                    break
                yield Frame(source, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), number, rate)
                number += 1
        finally:
            video.release()
        if number == 0:
            self.problems.append(f"{source.path}: cannot be read as a video")
        elif number < (1 - MAX_MISSING) * expected:
            self.problems.append(f"{source.path}: only {number} of {expected:.0f} frames can be read")


def count_frames(sources: Iterable[Source]) -> int:
    """Number of images and frames of ``sources``, according to the videos' headers."""
    total = 0
    for source in sources:
        if source.is_video:
            video = cv2.VideoCapture(str(source.path))
            total += max(0, int(video.get(cv2.CAP_PROP_FRAME_COUNT)))
            video.release()
        else:
            total += 1
    return total
