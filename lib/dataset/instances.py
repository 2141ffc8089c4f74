"""The annotations of one or several categories of a COCO file as arrays; what tools leave out is filled in.

Everything that reads a file (training, evaluation, the doctor) reads it here, so all see the same boxes, areas,
ids and labels. See docs/tools.md for the rules.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from lib.dataset.annotations import float_column, int_column
from lib.dataset.box_forms import as_corner_and_size, keypoints_in_pixels
from lib.dataset.coco_file import COCOFile
from lib.dataset.image_sizes import SIZES_READ, image_sizes
from lib.dataset.images import ImageFolder
from lib.dataset.reading_notes import ReadingNotes
from lib.utils.errors import InputError, short_repr

# A box made from joints is wider than they are: by a tenth of their extent's longer side on each side, and at
# least by a twentieth of the image's longer side, as a single joint has no extent.
BOX_MARGIN, LEAST_BOX_MARGIN = 0.1, 0.05
OUTSIDE_IMAGE = "labelled keypoints outside of their image"  # in the notes, a doubt
FAR = 0.25  # of the box's longer side: keypoints outside of it by more are doubtful


@dataclass(frozen=True)
class Wanted:
    """Which annotations are read, and how.

    categories: ids of the categories.
    keypoints: K, how many keypoints they have.
    drop_zero: keypoints at exactly (0, 0) are not labelled, whatever their visibility says.
    """

    categories: tuple[int, ...]
    keypoints: int
    drop_zero: bool = False


@dataclass(frozen=True)
class Instances:
    """N annotations with K keypoints, in pixels of their images, counted from 0.

    ids: int64 [N], the file's, or numbers not used in it.
    image_ids: [N].
    category_ids: int64 [N].
    crowd: bool [N], iscrowd.
    points: float64 [N, K, 3], x, y and visibility, above 0 where labelled.
    boxes: float64 [N, 4], x, y, width and height; those of unlabelled annotations may be empty.
    areas: float64 [N], for OKS.
    bounds: float64 [N, 2], width and height of the image; NaN if unknown.
    sized: bool [N], that size is the annotation file's, not read from the image.
    notes: what was left out and filled in.
    """

    ids: np.ndarray
    image_ids: list[int]
    category_ids: np.ndarray
    crowd: np.ndarray
    points: np.ndarray
    boxes: np.ndarray
    areas: np.ndarray
    bounds: np.ndarray
    sized: np.ndarray
    notes: ReadingNotes

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def labelled(self) -> np.ndarray:
        """bool [N], at least one keypoint is labelled."""
        return np.asarray((self.points[..., 2] > 0).any(axis=1))


def read_instances(coco: COCOFile, wanted: Wanted, images: ImageFolder | None) -> Instances:
    """Read the annotations of the wanted categories.

    Args:
        coco: the parsed file.
        wanted: categories and number of keypoints.
        images: where the size of an image is read that the file does not give; None: it stays unknown.

    Raises:
        InputError: naming the file and the annotation, for anything that cannot be used.
    """
    if coco.annotations is None:
        raise InputError(f"{coco.path}: expected COCO's lists 'images' and 'annotations'")
    entries, ids, category_ids, notes = _entries(coco, coco.annotations, wanted)

    def where(k: int) -> str:
        return coco.named(entries[k])

    image_ids = [entry.get("image_id") for entry in entries]
    coco.images_of(image_ids, where)
    if set(map(type, image_ids)) != {int}:
        image_ids = [int(number) for number in image_ids]  # tables have 3.0
    sizes = image_sizes(coco, images, image_ids)
    bounds = np.array([sizes.of[number] for number in image_ids], np.float64).reshape(-1, 2)
    points, read_points = _points(entries, wanted.keypoints, where)
    points, of_points = keypoints_in_pixels(points, bounds)
    points, dropped, at_zero = _without_zeros(points, wanted.drop_zero)
    boxes, of_boxes = as_corner_and_size(_boxes(entries, where), points, bounds)
    boxes, made_boxes = _filled_boxes(boxes, points, bounds, dropped)
    areas, made_areas = _areas(entries, boxes, where)
    of_images = ReadingNotes(
        filled_in={SIZES_READ: len(sizes.read)},
        doubts={"entries of images name the file of an earlier entry": coco.shared_files()},
    )
    far = _far_keypoints(points, boxes, bounds)
    for more in (of_images, read_points, of_points, at_zero, of_boxes, made_boxes, made_areas, far):
        notes = notes.joined(more)
    return Instances(
        ids=ids,
        image_ids=image_ids,
        category_ids=category_ids,
        crowd=_crowd(entries),
        points=points,
        boxes=boxes,
        areas=areas,
        bounds=bounds,
        sized=np.array([number not in sizes.read for number in image_ids], bool),
        notes=notes,
    )


def _entries(
    coco: COCOFile, entries: list, wanted: Wanted
) -> tuple[list[dict], np.ndarray, np.ndarray, ReadingNotes]:
    """The ``entries`` of the wanted categories, their ids and category ids, and what is left out and filled in."""
    chosen, without_category = [], 0
    others: Counter[str] = Counter()
    only = wanted.categories[0] if len(coco.categories) <= 1 and len(wanted.categories) == 1 else None
    for k, entry in enumerate(entries):
        if not isinstance(entry, dict):
            raise InputError(f"{coco.named(entry)} needs id, image_id, bbox and keypoints")
        category = entry.get("category_id")
        if category is None and only is not None:
            category = only
            without_category += 1
        if category is None:
            raise InputError(f"{coco.named(entry)} needs category_id, as there are several categories")
        if category in wanted.categories:
            chosen.append((k, entry, category))
        else:
            others[short_repr(category)] += 1
    ids = annotation_ids(entries, coco.path)
    notes = ReadingNotes(
        left_out={f"of category {number}": count for number, count in others.items()},
        filled_in={
            "category ids, as there is one category": without_category,
            "ids of annotations, numbered in the order of the file": sum(
                entry.get("id") is None for entry in entries
            ),
        },
    )
    positions = [k for k, _, _ in chosen]
    categories = np.array([category for _, _, category in chosen], np.int64)
    return [entry for _, entry, _ in chosen], ids[positions], categories, notes


def annotation_ids(entries: list[dict], path: object) -> np.ndarray:
    """The id of each annotation of a file, int64 [N]; those without one get the numbers above the largest.

    Raises:
        InputError: an id is not a whole number.
    """
    given = [entry.get("id") for entry in entries]
    missing = np.array([number is None for number in given], bool)
    known = [number for number in given if number is not None]
    ids = np.empty(len(given), np.int64)
    ids[~missing] = int_column(known, lambda k: f"{path}: annotation {short_repr(known[k])}", "id")
    ids[missing] = ids[~missing].max(initial=0) + 1 + np.arange(missing.sum())
    return ids


def _points(entries: list[dict], count: int, where: Callable[[int], str]) -> tuple[np.ndarray, ReadingNotes]:
    """x, y and visibility, float64 [N, K, 3], zeros where an annotation has no keypoints; and the gaps filled."""
    unlabelled = [0.0] * (3 * count)
    values, gaps = [entry.get("keypoints") or unlabelled for entry in entries], 0
    try:
        points = float_column(values, (3 * count,), where, "keypoints")
    except InputError:
        filled = [_without_gaps(value) for value in values]
        values, gaps = [value for value, _ in filled], sum(number for _, number in filled)
        points = float_column(values, (3 * count,), where, "keypoints")
    notes = ReadingNotes(filled_in={"unlabelled keypoints that are null or not a number": gaps})
    return points.reshape(-1, count, 3), notes


def _without_gaps(value: Any) -> tuple[Any, int]:
    """A list of keypoints with zeros for those that are null or NaN and not visible, and how many; else as it is."""
    if not isinstance(value, list):
        return value, 0
    if value and all(isinstance(point, list) and len(point) == 3 for point in value):
        value = [number for point in value for number in point]
    filled, gaps = list(value), 0
    for k in range(0, len(value) - 2, 3):
        x, y, v = value[k : k + 3]
        if (_is_gap(x) or _is_gap(y)) and (_is_gap(v) or v == 0):
            filled[k : k + 3] = [0, 0, 0]
            gaps += 1
    return filled, gaps


def _crowd(entries: list[dict]) -> np.ndarray:
    values = [entry.get("iscrowd", 0) for entry in entries]
    plain = set(map(type, values)) <= {int, bool}
    return np.array(values if plain else [_is_crowd(value) for value in values], bool)


def _is_crowd(value: Any) -> bool:
    return bool(value) and not _is_gap(value) and str(value).casefold() not in ("0", "0.0", "false", "no")


def _is_gap(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value)


def _without_zeros(points: np.ndarray, drop: bool) -> tuple[np.ndarray, np.ndarray, ReadingNotes]:
    """The points, without those at (0, 0) if they are to be dropped; bool [N], which annotations lost some; notes."""
    at_zero = (points[..., 2] > 0) & (points[..., :2] == 0).all(axis=2)
    count = int(at_zero.sum())
    if not drop:
        doubt = (
            "labelled keypoints at exactly (0, 0), as some tools write unlabelled ones "
            "(DROP_ZERO_KEYPOINTS true leaves them out)"
        )
        return points, np.zeros(len(points), bool), ReadingNotes(doubts={doubt: count})
    notes = ReadingNotes(left_out={"keypoints at (0, 0) (DROP_ZERO_KEYPOINTS)": count})
    return np.where(at_zero[..., None], 0, points), at_zero.any(axis=1), notes


def _boxes(entries: list[dict], where: Callable[[int], str]) -> np.ndarray:
    """The boxes as the file gives them, float64 [N, 4]; zeros where they are missing, null or empty lists."""
    values = [entry.get("bbox") or [0.0] * 4 for entry in entries]
    try:
        return float_column(values, (4,), where, "bbox")
    except InputError:
        missing = [
            isinstance(value, list) and len(value) == 4 and any(map(_is_gap, value)) for value in values
        ]
        values = [[0.0] * 4 if gap else value for value, gap in zip(values, missing)]
        return float_column(values, (4,), where, "bbox")


def _filled_boxes(
    boxes: np.ndarray, points: np.ndarray, bounds: np.ndarray, dropped: np.ndarray
) -> tuple[np.ndarray, ReadingNotes]:
    """Boxes around the labelled keypoints in place of empty ones, and of those that an unlabelled (0, 0) stretches."""
    visible = points[..., 2] > 0
    at_zero = (boxes[:, :2] <= 0).all(axis=1)
    empty = (boxes[:, 2:] <= 0).any(axis=1) | (dropped & at_zero) | _stretched(boxes, points)
    made = empty & visible.any(axis=1)
    if not made.any():
        return boxes, ReadingNotes()
    low = np.where(visible[..., None], points[..., :2], np.inf)[made].min(axis=1)
    high = np.where(visible[..., None], points[..., :2], -np.inf)[made].max(axis=1)
    extent = (high - low).max(axis=1)
    image = np.nan_to_num(bounds[made].max(axis=1)) if len(bounds) else 0.0
    margin = np.maximum(np.maximum(BOX_MARGIN * extent, LEAST_BOX_MARGIN * image), 1.0)[:, None]
    filled = boxes.copy()
    filled[made] = np.concatenate([low - margin, high - low + 2 * margin], axis=1)
    return filled, ReadingNotes(
        filled_in={"boxes, from the labelled keypoints with a margin": int(made.sum())}
    )


def _far_keypoints(points: np.ndarray, boxes: np.ndarray, bounds: np.ndarray) -> ReadingNotes:
    """How many keypoints that lie where they cannot be, if boxes or keypoints have another form than COCO's."""
    labelled = points[..., 2] > 0
    xy = points[..., :2]
    # False where the size is unknown.
    beyond = labelled & ((xy < -1) | (xy > bounds[:, None] + 1)).any(axis=2)
    low, high = boxes[:, None, :2], boxes[:, None, :2] + boxes[:, None, 2:]
    slack = FAR * boxes[:, None, 2:].max(axis=2, keepdims=True) + 1
    far = labelled & ((xy < low - slack) | (xy > high + slack)).any(axis=2)
    gone = ((low >= bounds[:, None]) | (high <= 0)).any(axis=(1, 2))  # the box is not in the image: left out
    most_far = ~gone & (far.sum(axis=1) > labelled.sum(axis=1) / 2)
    doubts = {
        OUTSIDE_IMAGE: int(beyond.sum()),
        "annotations with most labelled keypoints far outside of their box": int(most_far.sum()),
    }
    return ReadingNotes(doubts=doubts)


def _stretched(boxes: np.ndarray, points: np.ndarray) -> np.ndarray:
    """bool [N]: the box holds (0, 0) beside the labelled joints, tightly, and an unlabelled keypoint lies there."""
    visible = points[..., 2] > 0
    at_zero = ~visible & (points[..., :2] == 0).all(axis=2)
    high = np.where(visible[..., None], points[..., :2], -np.inf).max(axis=1, initial=-np.inf)
    low = np.where(visible[..., None], points[..., :2], np.inf).min(axis=1, initial=np.inf)
    is_tight = (np.abs(boxes[:, :2]) < 0.5).all(axis=1) & (np.abs(boxes[:, 2:] - high) < 0.5).all(axis=1)
    return is_tight & at_zero.any(axis=1) & (low > 1).all(axis=1)


def _areas(
    entries: list[dict], boxes: np.ndarray, where: Callable[[int], str]
) -> tuple[np.ndarray, ReadingNotes]:
    """The areas, float64 [N]; that of the box where it is missing, null, NaN or 0."""
    values = [entry.get("area") or 0.0 for entry in entries]
    values = [0.0 if _is_gap(value) else value for value in values]
    areas = float_column(values, (), where, "area")
    for k in np.flatnonzero(areas < 0).tolist():
        raise InputError(f"{where(k)}: area should not be negative, found {areas[k]:g}")
    of_box = boxes[:, 2:].clip(min=0).prod(axis=1)
    missing = areas == 0
    notes = ReadingNotes(filled_in={"areas, from the box": int((missing & (of_box > 0)).sum())})
    return np.where(missing, of_box, areas), notes
