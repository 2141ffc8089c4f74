"""Annotated people as packed arrays, and the checks that every data set's reader shares."""

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from lib.core.errors import InputError
from lib.dataset.keypoints import JointMapping

PADDING = 1.25  # a crop is this much larger than the person's box (SimpleBaseline)
LARGEST = 1e9  # no picture is as wide; keeps all that is computed from a number finite in float32


@dataclass(frozen=True)
class Annotations:
    """N people with J joints, in pixels of their pictures, counted from 0.

    ids: [N] the annotation's own number.   pictures: paths, and picture: [N] index into them.
    joints: [N, J, 2] x and y.   visible: [N, J] 1 where the joint is annotated.
    centers: [N, 2] and sizes: [N, 2], middle, width and height of the part to crop.
    head_sizes: [N] length that PCKh divides by, or None where PCKh has no meaning.
    """

    mapping: JointMapping
    ids: np.ndarray
    pictures: tuple[str, ...]
    picture: np.ndarray
    joints: np.ndarray
    visible: np.ndarray
    centers: np.ndarray
    sizes: np.ndarray
    head_sizes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, keep: np.ndarray) -> "Annotations":
        """The people that ``keep`` (boolean mask or positions) names, in that order."""
        arrays = {
            name: getattr(self, name)[keep]
            for name in ("ids", "picture", "joints", "visible", "centers", "sizes", "head_sizes")
            if getattr(self, name) is not None
        }
        return replace(self, **arrays)


def read_json(path: Path) -> Any:
    """Parse ``path``; InputError where it is missing or not JSON."""
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot read the annotations ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None


class PictureFolder:
    """The pictures of one folder, listed once, so that asking for each of 100,000 costs nothing."""

    def __init__(self, folder: Path):
        self.folder = folder
        try:
            self.names = {entry.name for entry in os.scandir(folder)}
        except OSError as error:
            raise InputError(f"{folder}: cannot read the image folder ({error.strerror})") from None

    def path(self, name: Any, where: str) -> str:
        """Full path of the picture ``name`` that the annotation ``where`` asks for."""
        if not isinstance(name, str) or name != os.path.basename(name):
            raise InputError(f"{where}: image name {name!r} is not the name of a file in {self.folder}")
        if name not in self.names:
            raise InputError(f"{where}: image {name!r} is not in {self.folder}")
        return str(self.folder / name)


def numbers(value: Any, shape: tuple[int, ...], where: str, what: str) -> np.ndarray:
    """``value`` as finite floats of ``shape``; InputError says what was found instead."""
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf":
        raise InputError(f"{where}: {what} should be numbers of shape {shape}, found {value!r:.80}")
    if array.shape != shape:
        raise InputError(f"{where}: {what} should have shape {shape}, found {array.shape}")
    array = array.astype(np.float64)
    if not (np.abs(array) < LARGEST).all():
        raise InputError(f"{where}: {what} holds a number that is not finite or far too large: {value!r:.80}")
    return array
