"""Any set of objects with keypoints in COCO's format: hands, animals, parts of machines, people.

An image set is named by its annotation file. What the keypoints are called stands in that file, in `categories`.
"""

import difflib
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.dataset.annotations import read_json
from lib.utils.errors import InputError, shown


@dataclass(frozen=True)
class KeypointCategory:
    """number: the category's id.   keypoints: their names, in the order of annotations."""

    number: int
    name: str
    keypoints: tuple[str, ...]


def annotation_file(root: str | Path, image_set: str) -> Path:
    return Path(root) / image_set


def image_folder(root: str | Path, images: str, image_set: str) -> Path:
    """``images`` in ``root``, where {set} stands for the annotation file's name without its ending."""
    return Path(root) / images.replace("{set}", Path(image_set).stem)


def read_category(path: str | Path, wanted: str = "") -> KeypointCategory:
    """The category of the annotation file ``path`` that has keypoints; the one called ``wanted`` where given.

    Raises InputError where there is none, or several and nothing says which.
    """
    try:
        found = os.stat(path)
        stamp = (found.st_size, found.st_mtime_ns, found.st_ino)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    having = _categories(Path(path), stamp)
    if not having:
        raise InputError(f"{path}: none of its 'categories' names any 'keypoints'")
    by_name = {category.name: category for category in having}
    listed = ", ".join(by_name)
    if wanted:
        if wanted not in by_name:
            nearest = difflib.get_close_matches(wanted, by_name, n=1, cutoff=0)[0]
            raise InputError(
                f"{path}: has no category '{wanted}' with keypoints, the nearest is '{nearest}'; there are {listed}"
            )
        return by_name[wanted]
    if len(having) > 1:
        raise InputError(f"{path}: {len(having)} categories have keypoints, name one as CATEGORY: {listed}")
    return having[0]


@functools.lru_cache(maxsize=8)
def _categories(path: Path, stamp: tuple[int, ...]) -> tuple[KeypointCategory, ...]:
    """Those with keypoints. ``stamp`` is another where the file has changed."""
    tree = read_json(path)
    categories = tree.get("categories") if isinstance(tree, dict) else None
    if not isinstance(categories, list):
        raise InputError(f"{path}: expected COCO's list 'categories', which names the keypoints")
    found = [_category(entry, f"{path}: category {k}") for k, entry in enumerate(categories)]
    having = tuple(category for category in found if category.keypoints)
    for what in ("number", "name"):
        values = [getattr(category, what) for category in having]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise InputError(f"{path}: two categories have the {what} {shown(twice)}")
    return having


def _category(entry: Any, where: str) -> KeypointCategory:
    try:
        number, name, keypoints = entry["id"], entry["name"], entry.get("keypoints") or []
    except (KeyError, TypeError, AttributeError):
        raise InputError(f"{where} needs id and name, found {shown(entry)}") from None
    if type(number) is not int or not _is_name(name):
        raise InputError(f"{where}: expected a whole number as id and a text as name, found {shown(entry)}")
    if not isinstance(keypoints, list) or not all(map(_is_name, keypoints)):
        raise InputError(f"{where}: keypoints should be a list of names, found {shown(keypoints)}")
    if len(set(keypoints)) < len(keypoints):
        twice = next(name for name in keypoints if keypoints.count(name) > 1)
        raise InputError(f"{where}: two keypoints are called '{twice}'")
    return KeypointCategory(number, name, tuple(keypoints))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()
