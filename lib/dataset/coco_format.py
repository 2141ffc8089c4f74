"""Read the keypoint names of any data set in COCO's format (hands, animals, machine parts, people).

They are in ``categories`` of the annotation file.
"""

import difflib
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lib.dataset.annotations import read_json
from lib.utils.errors import InputError, short_repr

EVERY = "*"  # CATEGORY: all categories with keypoints


@dataclass(frozen=True)
class KeypointCategory:
    """A category with keypoints, or several with the same ones.

    numbers: its id, or their ids.
    name: its name, or their names.
    keypoints: names of the keypoints, in the order of the annotations.
    lines: names of the keypoints that the file's skeleton connects.
    """

    numbers: tuple[int, ...]
    name: str
    keypoints: tuple[str, ...]
    lines: tuple[tuple[str, str], ...] = ()


def read_category(path: str | Path, wanted: Sequence[str] = ()) -> KeypointCategory:
    """Return the category with keypoints of an annotation file.

    Args:
        path: the annotation file.
        wanted: names of categories with the same keypoints, or "*" for all; empty: the only one with keypoints.

    Raises:
        InputError: there is no such category, several and no name is given, or several with other keypoints.
    """
    try:
        stat = os.stat(path)
        file_stat = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    categories = _categories(Path(path), file_stat)
    if not categories:
        raise InputError(
            f"{path}: none of its 'categories' names any 'keypoints', so it is not known which joints are meant"
        )
    wanted = [name for name in wanted if name]
    if wanted:
        return _joined(_chosen(categories, wanted, path), path)
    if len(categories) > 1:
        same = "; they have the same ones: CATEGORY '*' reads all of them" if _are_alike(categories) else ""
        raise InputError(
            f"{path}: {len(categories)} categories have keypoints, name one as CATEGORY, or several with the "
            f"same keypoints: {_names(categories)}{same}"
        )
    return categories[0]


def _chosen(
    categories: Sequence[KeypointCategory], wanted: Sequence[str], path: str | Path
) -> list[KeypointCategory]:
    by_name = {category.name: category for category in categories}
    if list(wanted) == [EVERY]:
        return list(categories)
    for name in wanted:
        if name not in by_name:
            nearest = difflib.get_close_matches(name, by_name, n=1, cutoff=0)[0]
            raise InputError(
                f"{path}: has no category '{name}' with keypoints, the nearest is '{nearest}'; "
                f"there are {_names(categories)}"
            )
    return [by_name[name] for name in dict.fromkeys(wanted)]


def _joined(categories: list[KeypointCategory], path: str | Path) -> KeypointCategory:
    """Several categories as one. Raises InputError unless they have the same keypoints in the same order."""
    first = categories[0]
    for other in categories:
        if other.keypoints != first.keypoints:
            raise InputError(
                f"{path}: categories that are read together need the same keypoints, but '{first.name}' has "
                f"{', '.join(first.keypoints)} and '{other.name}' {', '.join(other.keypoints)}"
            )
    numbers = tuple(number for category in categories for number in category.numbers)
    return KeypointCategory(numbers, _names(categories), first.keypoints, first.lines)


def _are_alike(categories: Sequence[KeypointCategory]) -> bool:
    return len({category.keypoints for category in categories}) == 1


def _names(categories: Sequence[KeypointCategory]) -> str:
    return ", ".join(category.name for category in categories)


@functools.lru_cache(maxsize=8)
def _categories(path: Path, file_stat: tuple[int, ...]) -> tuple[KeypointCategory, ...]:
    """All categories with keypoints; ``file_stat`` keeps a changed file from being taken from the cache."""
    tree = read_json(path)
    entries = tree.get("categories") if isinstance(tree, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{path}: expected COCO's list 'categories', which names the keypoints")
    checked = [_category(entry, f"{path}: category {k}") for k, entry in enumerate(entries)]
    categories = tuple(category for category in checked if category.keypoints)
    for what in ("numbers", "name"):
        values = [getattr(category, what) for category in categories]
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            shown = short_repr(twice) if what == "name" else twice[0]
            raise InputError(f"{path}: two categories have the {what.removesuffix('s')} {shown}")
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
    return KeypointCategory((number,), name, tuple(keypoints), _lines(entry.get("skeleton"), keypoints))


def _lines(skeleton: Any, keypoints: list[str]) -> tuple[tuple[str, str], ...]:
    """The keypoints that ``skeleton`` (unchecked) connects; pairs that make no sense are left out.

    Ends are names of keypoints or positions: COCO counts from 1, some tools from 0.
    """
    pairs = skeleton if isinstance(skeleton, list) else []
    ends = [tuple(map(_end, pair)) for pair in pairs if isinstance(pair, list) and len(pair) == 2]
    first = 0 if any(0 in pair for pair in ends) else 1
    within = range(first, first + len(keypoints))
    named = [
        tuple(keypoints[end - first] if isinstance(end, int) and end in within else end for end in pair)
        for pair in ends
    ]
    return tuple((a, b) for a, b in named if a in keypoints and b in keypoints and a != b)


def _end(value: Any) -> Any:
    """An end of a line: a position as a whole number, anything else as it is."""
    if isinstance(value, str) and value.isdecimal() or isinstance(value, float) and value.is_integer():
        return int(value)
    return None if isinstance(value, bool) else value


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != "" and value.isprintable()
