"""Read the poses that some other program predicted, in COCO's format of keypoint results."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from lib.dataset.annotations import (
    float_column,
    int_column,
    read_json,
    whole_number,
    without_garbage_collection,
)
from lib.utils.errors import InputError, short_repr

ID_KEYS = ("annotation_id", "id")  # of the annotation; many programs number their results as "id"


@dataclass(frozen=True)
class PoseResults:
    """R predicted poses of K keypoints, in an order that does not depend on the file's.

    path: the file.
    images: [R] id (int) or name (str) of each image.
    points: float64 [R, K, 2], x and y in image pixels; NaN where a keypoint was not predicted.
    scores: float64 [R, K] of the keypoints, on any scale; 1 if the file has none.
    pose_scores: float64 [R]; without any, the mean of the keypoints' scores.
    categories: int64 [R], None if the file has none.
    named: the whole numbers under the first of ID_KEYS that every result has, int64 [R]; None if there is none.
    id_key: that key.
    """

    path: Path
    images: list[int | str]
    points: np.ndarray
    scores: np.ndarray
    pose_scores: np.ndarray
    categories: np.ndarray | None
    named: np.ndarray | None
    id_key: str

    def __len__(self) -> int:
        return len(self.points)

    def subset(self, keep: np.ndarray) -> "PoseResults":
        """Those that ``keep`` (bool [R] or positions) selects, in that order."""
        positions = np.arange(len(self))[keep]
        columns = {field.name: getattr(self, field.name) for field in fields(self)}
        columns |= {
            name: values[positions] for name, values in columns.items() if isinstance(values, np.ndarray)
        }
        return PoseResults(**columns | {"images": [self.images[k] for k in positions.tolist()]})


@without_garbage_collection()
def read_pose_results(path: str | Path, keypoints: Sequence[str]) -> PoseResults:
    """Read a list of {image_id, category_id, keypoints, score}, or an object with such a list as "annotations".

    ``image_id`` is the id of the image or its name; where the file has a list of images of its own, they count by
    name. ``keypoints`` are x, y, score of every keypoint, in one list or in a list of lists; without scores, x and y
    alone. They may be beside it as "keypoint_scores". A keypoint at (0, 0) with score 0 was not predicted.
    ``category_id`` and ``score`` may be missing.

    Args:
        path: the file.
        keypoints: names of the K keypoints, in the order of the annotations' category.

    Raises:
        InputError: naming the file, the result, what is expected and what was found.
    """
    path, tree = Path(path), read_json(path)
    entries = tree.get("annotations") if isinstance(tree, dict) else tree
    if not isinstance(entries, list):
        found = f"the keys {short_repr(list(tree))}" if isinstance(tree, dict) else type(tree).__name__
        raise InputError(
            f"{path}: expected a list of results, or an object with the list 'annotations', found {found}"
        )
    if not entries:
        raise InputError(f"{path}: has no result")
    for k, entry in enumerate(entries):
        if not isinstance(entry, dict) or not {"image_id", "keypoints"} <= entry.keys():
            raise InputError(f"{path}: result {k} needs image_id and keypoints, found {short_repr(entry)}")

    def where(k: int) -> str:
        return f"{path}: result {k}"

    if isinstance(tree, dict):
        _check_names(tree.get("categories"), keypoints, path)
    points, scores = _keypoints(entries, len(keypoints), where)
    missing = (points == 0).all(axis=-1) & (scores == 0)
    points[missing] = np.nan
    counted = np.maximum((~missing).sum(axis=1), 1)
    id_key = next((key for key in ID_KEYS if all(type(entry.get(key)) is int for entry in entries)), "")
    pose_scores = _column(entries, "score", where)
    results = PoseResults(
        path=path,
        images=_images(entries, tree.get("images") if isinstance(tree, dict) else None, where),
        points=points,
        scores=scores,
        pose_scores=(scores * ~missing).sum(axis=1) / counted if pose_scores is None else pose_scores,
        categories=_whole_numbers(entries, "category_id", where),
        named=_whole_numbers(entries, id_key, where) if id_key else None,
        id_key=id_key,
    )
    return results.subset(_own_order(results))


def _keypoints(entries: list[dict], count: int, where: Callable[[int], str]) -> tuple[np.ndarray, np.ndarray]:
    """Points [R, K, 2] and scores [R, K]."""
    values = [_flat(entry["keypoints"]) for entry in entries]
    length = len(values[0]) if isinstance(values[0], list) else 0
    if length not in (2 * count, 3 * count):
        raise InputError(
            f"{where(0)}: expected {count} keypoints, as the annotations have, which is {3 * count} numbers (x, y, "
            f"score) or {2 * count} without scores; found {length}"
        )
    table = float_column(values, (length,), where, "keypoints").reshape(len(values), count, -1)
    points, scores = table[..., :2].copy(), np.ones(table.shape[:2])
    if table.shape[2] == 3:
        scores = table[..., 2]
    elif "keypoint_scores" in entries[0]:
        beside = [entry.get("keypoint_scores") for entry in entries]
        scores = float_column(beside, (count,), where, "keypoint_scores")
    return points, scores


def _flat(value: Any) -> Any:
    """Pairs or triples as one list; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(point, list) for point in value):
        same = len({len(point) for point in value}) == 1
        return [number for point in value for number in point] if same else value
    return value


def _column(entries: list[dict], key: str, where: Callable[[int], str]) -> np.ndarray | None:
    """float64 [R]; None if no entry has the key. Raises InputError if only some have it."""
    values = [entry.get(key) for entry in entries]
    if all(value is None for value in values):
        return None
    # One number may come as a list of one, as NumPy writes it.
    values = [value[0] if isinstance(value, list) and len(value) == 1 else value for value in values]
    return float_column(values, (), where, key)


def _whole_numbers(entries: list[dict], key: str, where: Callable[[int], str]) -> np.ndarray | None:
    """int64 [R]; None if no entry has the key."""
    values = [entry.get(key) for entry in entries]
    if all(value is None for value in values):
        return None
    return int_column(values, where, key)


def _images(entries: list[dict], listed: Any, where: Callable[[int], str]) -> list[int | str]:
    """Id or name of the image of each entry, by name if the file lists images."""
    ids = [entry["image_id"] for entry in entries]
    ids = [
        number if isinstance(number, str) else whole_number(number, where(k), "image_id")
        for k, number in enumerate(ids)
    ]
    if not isinstance(listed, list):
        return ids
    usable = [
        image for image in listed if isinstance(image, dict) and isinstance(image.get("file_name"), str)
    ]
    names = {image["id"]: image["file_name"] for image in usable if isinstance(image.get("id"), int | str)}
    for k, number in enumerate(ids):
        if number not in names:
            raise InputError(f"{where(k)}: image_id {short_repr(number)} is not among the file's images")
    return [names[number] for number in ids]


def _check_names(categories: Any, keypoints: Sequence[str], path: Path) -> None:
    """Refuse a file that names keypoints of its own, in another order or other ones."""
    own = [entry.get("keypoints") for entry in categories or [] if isinstance(entry, dict)]
    own = [names for names in own if names]
    if own and list(keypoints) not in own:
        raise InputError(
            f"{path}: expected the keypoints {', '.join(keypoints)}, in this order, as the annotations have; its "
            f"category has {short_repr(own[0])}"
        )


def _own_order(results: PoseResults) -> np.ndarray:
    """Positions of the results by what is in them, whatever their order in the file."""
    columns = [*np.nan_to_num(results.points, nan=-1).reshape(len(results), -1).T, *results.scores.T]
    if results.named is not None:
        columns.append(results.named)
    names = [str(name) for name in results.images]
    return np.lexsort((*columns, -results.pose_scores, np.unique(names, return_inverse=True)[1]))
