"""Read the keypoint names of any data set in COCO's format (hands, animals, machine parts, people).

They are in ``categories`` of the annotation file.
"""

import difflib
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.dataset.annotations import read_json
from lib.utils.errors import InputError, short_repr


@dataclass(frozen=True)
class KeypointCategory:
    """A category with keypoints.

    number: its id.
    name: its name.
    keypoints: their names, in the order of the annotations.
    """

    number: int
    name: str
    keypoints: tuple[str, ...]


def read_category(path: str | Path, wanted: str = "") -> KeypointCategory:
    """Return the category with keypoints of an annotation file.

    Args:
        path: the annotation file.
        wanted: name of the category; empty: the only one with keypoints.

    Raises:
        InputError: there is no such category, or several and no name is given.
    """
    try:
        stat = os.stat(path)
        file_stat = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    categories = _categories(Path(path), file_stat)
    if not categories:
        raise InputError(f"{path}: none of its 'categories' names any 'keypoints'")
    by_name = {category.name: category for category in categories}
    listed = ", ".join(by_name)
    if wanted:
        if wanted not in by_name:
            nearest = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0)[0]
            raise InputError(
                f"{path}: has no category '{wanted}' with keypoints, the nearest is '{nearest}'; there are {listed}"
            )
        return by_name[wanted]
    if len(categories) > 1:
        raise InputError(
            f"{path}: {len(categories)} categories have keypoints, name one as CATEGORY: {listed}"
        )
    return categories[0]


@functools.lru_cache(maxsize=8)
def _categories(path: Path, file_stat: tuple[int, ...]) -> tuple[KeypointCategory, ...]:
    """All categories with keypoints; ``file_stat`` keeps a changed file from being taken from the cache."""
    tree = read_json(path)
    entries = tree.get("categories") if isinstance(tree, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected COCO's list 'categories', which names the keypoints")
    checked = [_category(entry, f"{path}: category {k}") for k, entry in enumerate(entries)]
    categories = tuple(category for category in checked if category.keypoints)
    for what in ("number", "name"):
        values = [getattr(category, what) for category in categories]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise InputError(f"{path}: two categories have the {what} {short_repr(twice)}")
    return categories


def _category(entry: Any, where: str) -> KeypointCategory:
    """Check an entry of ``categories``. Raises InputError."""
    try:
        number, name, keypoints = entry["id"], entry["name"], entry.get("keypoints") or []
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{where} needs id and name, found {short_repr(entry)}") from None
    if type(number) is not int or not _is_name(name):
        raise InputError(
            f"{where}: expected a whole number as id and a text as name, found {short_repr(entry)}"
        )
    if not isinstance(keypoints, list) or not all(map(_is_name, keypoints)):
        raise InputError(f"{where}: keypoints should be a list of names, found {short_repr(keypoints)}")
    if len(set(keypoints)) < len(keypoints):
        twice = next(name for name in keypoints if keypoints.count(name) > 1)
        raise InputError(f"{where}: two keypoints are called '{twice}'")
    return KeypointCategory(number, name, tuple(keypoints))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()
