"""Annotated people as packed arrays, and the checks that every data set's reader shares."""

import gc
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.crop import fit_aspect
from lib.dataset.keypoints import JointMapping
from lib.dataset.packed_strings import PackedStrings
from lib.utils.errors import InputError
from lib.utils.log import LOG

PADDING = 1.25  # a crop is this much larger than the person's box (SimpleBaseline)
MAX_COORDINATE = 1e9  # no image is as wide; keeps all that is computed from a number finite in float32


@dataclass(frozen=True)
class Annotations:
    """N people with J joints, in pixels of their images, counted from 0.

    ids: [N] the annotation's own number.   image_paths: paths, and image_index: [N] index into them.
    joints: [N, J, 2] x and y.   visible: [N, J] 1 where the joint is annotated.
    centers: [N, 2] and sizes: [N, 2], middle, width and height of the part to crop.
    head_sizes: [N] length that PCKh divides by, or None where PCKh has no meaning.
    image_ids: [N] the data set's own number of the image, or None where it has none.
    bounds: [N, 2] width and height of the image, or None where the annotations don't say.
    box_sizes: [N] longer side of the box, which PCK divides by, or None where another length is used.
    """

    mapping: JointMapping
    ids: np.ndarray
    image_paths: Sequence[str]
    image_index: np.ndarray
    joints: np.ndarray
    visible: np.ndarray
    centers: np.ndarray
    sizes: np.ndarray
    head_sizes: np.ndarray | None = None
    image_ids: np.ndarray | None = None
    bounds: np.ndarray | None = None
    box_sizes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def subset(self, keep: np.ndarray) -> "Annotations":
        """The people that ``keep`` (boolean mask or positions) names, in that order."""
        arrays = {
            field.name: getattr(self, field.name)[keep]
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        return replace(self, **arrays)

    def joined(self, other: "Annotations") -> "Annotations":
        """These people, then those of ``other``, a set with the same joints."""
        arrays = {
            field.name: np.concatenate([getattr(self, field.name), getattr(other, field.name)])
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        arrays["image_index"] = np.concatenate([self.image_index, other.image_index + len(self.image_paths)])
        return replace(self, image_paths=PackedStrings.of([*self.image_paths, *other.image_paths]), **arrays)

    def arrays(self) -> dict[str, np.ndarray]:
        """All but ``mapping`` as named arrays, for files and other processes; see ``of_arrays``."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        images = columns["image_paths"]
        packed = images if isinstance(images, PackedStrings) else PackedStrings.of(images)
        named = {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}
        return named | {"images_text": packed.text, "images_ends": packed.ends}

    @classmethod
    def of_arrays(cls, mapping: JointMapping, arrays: dict[str, np.ndarray]) -> "Annotations":
        """The inverse of ``arrays``, without copies. Raises KeyError or TypeError where one is missing or unknown."""
        columns = dict(arrays)
        images = PackedStrings(columns.pop("images_text"), columns.pop("images_ends"))
        return cls(mapping=mapping, image_paths=images, **columns)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Looking for garbage among the millions of lists of a large JSON file takes as long as reading them."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


@without_garbage_collection()
def read_json(path: Path) -> Any:
    """Parse ``path``; InputError where it is missing or not JSON."""
    LOG.debug("reading %s", path)
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None


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
    if not (np.abs(array) < MAX_COORDINATE).all():
        raise InputError(f"{where}: {what} holds a number that is not finite or far too large: {value!r:.80}")
    return array


def column(values: list, shape: tuple[int, ...], where: Callable[[int], str], what: str) -> np.ndarray:
    """``values`` as finite floats [N, *shape]; InputError names the first bad one, k, as ``where(k)``.

    What ``numbers`` makes of each of them, all at once where they are plain lists of plain numbers.
    """
    array = _all_at_once(values, shape)
    if array is None:
        each = [numbers(value, shape, where(k), what) for k, value in enumerate(values)]
        array = np.array(each, np.float64)
    return array.reshape(len(values), *shape)


def _all_at_once(values: list, shape: tuple[int, ...]) -> np.ndarray | None:
    """All numbers of ``values`` in one row; None where anything is unusual."""
    flat = values
    for length in shape:
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {length}:
            return None
        flat = list(itertools.chain.from_iterable(flat))
    if not set(map(type, flat)) <= {int, float, bool}:  # NumPy would read numbers out of strings
        return None
    try:
        array = np.array(flat, np.float64)
    except OverflowError:
        return None
    return array if (np.abs(array) < MAX_COORDINATE).all() else None


def whole_number(value: Any, where: str, what: str) -> int:
    """``value`` where it is a whole number that fits an array; InputError otherwise."""
    if not isinstance(value, int) or abs(value) >= 2**63:
        raise InputError(f"{where}: {what} should be a whole number of at most 64 bits, found {value!r:.80}")
    return value


def whole_column(values: list, where: Callable[[int], str], what: str) -> np.ndarray:
    """``values`` as int64 [N]; InputError names the first bad one, k, as ``where(k)``."""
    if set(map(type, values)) != {int} or max(map(abs, values)) >= 2**63:
        for k, value in enumerate(values):
            whole_number(value, where(k), what)
    return np.array(values, np.int64)


def fields_of(entries: list, keys: tuple[str, ...], complaint: Callable[[int], str]) -> list[list]:
    """For each of ``keys`` the values of all ``entries``; InputError(complaint(k)) where entry k has not all of them."""
    get, rows = itemgetter(*keys), []
    for k, entry in enumerate(entries):
        try:
            rows.append(get(entry))
        except (KeyError, TypeError):
            raise InputError(complaint(k)) from None
    return [list(values) for values in zip(*rows)] if rows else [[] for _ in keys]


def padded_crops(boxes: np.ndarray, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Centers and sizes, float32 [N, 2], of the crops around ``boxes`` [N, 4] (x, y, width, height).

    width / height is ``aspect``; a box is taken as a pixel wide and high at least.
    """
    sizes = fit_aspect(np.maximum(boxes[:, 2:], 1.0), aspect) * PADDING
    return (boxes[:, :2] + boxes[:, 2:] / 2).astype(np.float32), sizes.astype(np.float32)


def group_by_image(image_ids: np.ndarray) -> list[np.ndarray]:
    """The positions of each image's people, for ``image_ids`` [N]."""
    order = np.argsort(image_ids, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(image_ids[order])) + 1)
