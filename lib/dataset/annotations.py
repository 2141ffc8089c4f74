"""Annotated instances as packed arrays, and checks shared by the readers of all data sets."""

import gc
import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from operator import itemgetter
from os import PathLike
from typing import Any

import numpy as np

from lib.dataset.crop import fit_aspect
from lib.dataset.image_spec import ImageSpec
from lib.dataset.keypoints import JointMapping
from lib.dataset.packed_strings import PackedStrings
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError, short_repr
from lib.utils.log import LOG

PADDING = 1.25  # width of a crop / width of its box (SimpleBaseline)
TEXTS = ("image_paths", "image_names")  # fields of Annotations that are sequences of text
MAX_COORDINATE = 1e9  # pixels; no image is as wide, and squares and products stay finite in float32


@dataclass(frozen=True)
class Annotations:
    """N instances with J joints, in pixels of their images, counted from 0.

    mapping: which keypoint of the data set each joint was read from.
    ids: int64 [N], the data set's id of each annotation.
    image_paths: path of each image, for `read_image`.
    image_index: int32 [N], position in ``image_paths``.
    joints: float32 [N, J, 2], x and y; float64 for MPII, as its evaluation has them.
    visible: float32 [N, J], 1 if the joint is annotated, else 0.
    centers: float32 [N, 2], middle of the crop.
    sizes: float32 [N, 2], width and height of the crop.
    head_sizes: float64 [N], length that PCKh divides by; None if it is not defined.
    image_ids: int64 [N], the data set's id of the image; None if it has none.
    bounds: float32 [N, 2], width and height of the image; None if the annotations lack them.
    sized: bool [N], ``bounds`` is what the annotations say, not read from the image; None: all.
    box_sizes: float32 [N], longer side of the box, which PCK divides by; None if PCK is not used.
    upright: bool [N], see `ImageSpec`; None: False, as long as `frames.settled` has not found out.
    bits: uint8 [N], see `ImageSpec`; None: unknown, as ``upright``.
    category_ids: int64 [N], the data set's id of the category; None if it has none.
    image_names: name of each image as the annotation file has it; by default its path.
    notes: what the reader left out, filled in and doubts.
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
    sized: np.ndarray | None = None
    box_sizes: np.ndarray | None = None
    upright: np.ndarray | None = None
    bits: np.ndarray | None = None
    category_ids: np.ndarray | None = None
    image_names: Sequence[str] = ()
    notes: ReadingNotes = ReadingNotes()

    def __post_init__(self):
        if not len(self.image_names):
            object.__setattr__(self, "image_names", self.image_paths)

    def __len__(self) -> int:
        return len(self.ids)

    def image(self, index: int) -> ImageSpec:
        """The image of an instance, read so that the labels lie on it."""
        size = None
        if self.bounds is not None:
            width, height = self.bounds[index].tolist()
            size = (int(width), int(height)) if min(width, height) >= 1 else None
        return ImageSpec(
            self.image_paths[self.image_index[index]],
            size,
            self.upright is not None and bool(self.upright[index]),
            None if self.bits is None else int(self.bits[index]),
        )

    def subset(self, keep: np.ndarray) -> "Annotations":
        """The instances that ``keep`` (bool [N] or positions) selects, in that order."""
        arrays: dict[str, Any] = {
            field.name: getattr(self, field.name)[keep]
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        return replace(self, **arrays)

    def joined(self, other: "Annotations") -> "Annotations":
        """These instances followed by those of ``other``, which has the same joints and fields."""
        arrays: dict[str, Any] = {
            field.name: np.concatenate([getattr(self, field.name), getattr(other, field.name)])
            for field in fields(self)
            if isinstance(getattr(self, field.name), np.ndarray)
        }
        arrays["image_index"] = np.concatenate([self.image_index, other.image_index + len(self.image_paths)])
        return replace(
            self,
            image_paths=PackedStrings.of([*self.image_paths, *other.image_paths]),
            image_names=PackedStrings.of([*self.image_names, *other.image_names]),
            # Parts of one file have the same notes, which count once.
            notes=self.notes if self.notes == other.notes else self.notes.joined(other.notes),
            **arrays,
        )

    def arrays(self) -> dict[str, np.ndarray]:
        """All fields but ``mapping`` and ``notes`` as named arrays, for files and other processes; see ``from_arrays``."""
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        named = {name: column for name, column in columns.items() if isinstance(column, np.ndarray)}
        for name in TEXTS:
            texts = columns[name]
            packed = texts if isinstance(texts, PackedStrings) else PackedStrings.of(texts)
            named |= {f"{name}_text": packed.text, f"{name}_ends": packed.ends}
        return named

    @classmethod
    def from_arrays(
        cls, mapping: JointMapping, notes: ReadingNotes, arrays: dict[str, np.ndarray]
    ) -> "Annotations":
        """The inverse of ``arrays``, without copies. Raises KeyError or TypeError for other names."""
        columns: dict[str, Any] = dict(arrays)
        for name in TEXTS:
            columns[name] = PackedStrings(columns.pop(f"{name}_text"), columns.pop(f"{name}_ends"))
        return cls(mapping=mapping, notes=notes, **columns)


@dataclass(frozen=True)
class ReadOptions:
    """How a reader makes samples of annotations.

    aspect: width / height of the network's input.
    skip_missing_images: leave out annotations whose image is not there, and count them; False: an error.
    """

    aspect: float
    skip_missing_images: bool = False


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector, which scans the lists of a large JSON file as long as it takes to parse."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@without_garbage_collection()
def read_json(path: str | PathLike) -> Any:
    """Parse a JSON file. Raises InputError if it is missing or invalid."""
    LOG.debug("reading %s", path)
    try:
        with open(path, encoding="utf-8-sig") as file:  # Windows writes a byte order mark
            return json.load(file)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid JSON ({error})") from None


def numbers(value: Any, shape: tuple[int, ...], where: str, what: str) -> np.ndarray:
    """Convert a value of a JSON file to finite floats.

    Args:
        value: a number or nested lists of numbers, unchecked.
        shape: the expected shape; () for a single number.
        where: file and annotation, for the error message.
        what: key of the value, for the error message.

    Returns:
        float64 array of ``shape``.

    Raises:
        InputError: other types, another shape, or a number that is not finite or beyond MAX_COORDINATE.
    """
    try:
        array = np.asarray(value)
    except ValueError:  # lists of different lengths
        array = np.asarray(None)
    if array.dtype.kind not in "biuf" or (array.ndim and not shape):
        kind = f"numbers of shape {shape}" if shape else "a number"
        raise InputError(f"{where}: {what} should be {kind}, found {short_repr(value)}")
    if array.shape != shape:
        raise InputError(f"{where}: {what} should have shape {shape}, found {array.shape}")
    array = array.astype(np.float64)
    if not (np.abs(array) < MAX_COORDINATE).all():
        raise InputError(
            f"{where}: {what} holds a number that is not finite or far too large: {short_repr(value)}"
        )
    return array


def float_column(values: list, shape: tuple[int, ...], where: Callable[[int], str], what: str) -> np.ndarray:
    """``numbers`` of N values, several times as fast if they are plain lists of plain numbers.

    Args:
        values: N values, unchecked.
        shape: the expected shape of each.
        where: gives the file and annotation of value k, for the error message.
        what: key of the values, for the error message.

    Returns:
        float64 [N, *shape].

    Raises:
        InputError: as ``numbers``, for the first bad value.
    """
    array = _plain_numbers(values, shape)
    if array is None:  # something unusual: check value by value
        each = [numbers(value, shape, where(k), what) for k, value in enumerate(values)]
        array = np.array(each, np.float64)
    return array.reshape(len(values), *shape)


def _plain_numbers(values: list, shape: tuple[int, ...]) -> np.ndarray | None:
    """All numbers of ``values`` as a flat float64 array; None if anything is unusual."""
    flat = values
    for length in shape:
        if set(map(type, flat)) != {list} or set(map(len, flat)) != {length}:
            return None
        flat = list(itertools.chain.from_iterable(flat))
    if not set(map(type, flat)) <= {int, float, bool}:  # NumPy would parse strings
        return None
    try:
        array = np.array(flat, np.float64)
    except OverflowError:
        return None
    return array if (np.abs(array) < MAX_COORDINATE).all() else None


def whole_number(value: Any, where: str, what: str) -> int:
    """Return ``value`` if it is an integer of at most 64 bits, or 3.0 as tables have it, else raise InputError."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or abs(value) >= 2**63:
        raise InputError(
            f"{where}: {what} should be a whole number of at most 64 bits, found {short_repr(value)}"
        )
    return value


def int_column(values: list, where: Callable[[int], str], what: str) -> np.ndarray:
    """``whole_number`` of N values, as int64 [N]; ``where`` gives the file and annotation of value k."""
    if set(map(type, values)) != {int} or max(map(abs, values)) >= 2**63:
        values = [whole_number(value, where(k), what) for k, value in enumerate(values)]
    return np.array(values, np.int64)


def columns_of(entries: list, keys: tuple[str, ...], message: Callable[[int], str]) -> list[list]:
    """Transpose a list of dictionaries.

    Args:
        entries: N entries of a JSON list, unchecked.
        keys: keys that each must have (at least two).
        message: gives the error message for entry k.

    Returns:
        For each key a list of N values.

    Raises:
        InputError: an entry is not a dictionary or lacks a key.
    """
    get, rows = itemgetter(*keys), []
    for k, entry in enumerate(entries):
        try:
            rows.append(get(entry))
        except (KeyError, TypeError):
            raise InputError(message(k)) from None
    return [list(values) for values in zip(*rows)] if rows else [[] for _ in keys]


def padded_crops(boxes: np.ndarray, aspect: float) -> tuple[np.ndarray, np.ndarray]:
    """Compute the crops around boxes (SimpleBaseline's ``_xywh2cs``): enlarged to ``aspect``, then padded.

    Args:
        boxes: float [N, 4], x, y, width and height in pixels; sides below a pixel count as one pixel.
        aspect: width / height of the crops.

    Returns:
        Centers and sizes (width, height) of the crops, float32 [N, 2] each.
    """
    sizes = fit_aspect(np.maximum(boxes[:, 2:], 1.0), aspect) * PADDING
    return (boxes[:, :2] + boxes[:, 2:] / 2).astype(np.float32), sizes.astype(np.float32)


def group_by_image(image_ids: np.ndarray) -> list[np.ndarray]:
    """Return for each image the positions of its instances, given ``image_ids`` [N]; ids in ascending order."""
    order = np.argsort(image_ids, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(image_ids[order])) + 1)
