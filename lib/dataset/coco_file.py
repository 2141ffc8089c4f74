"""Parse annotation files in COCO's format (https://cocodataset.org/#format-data), and check their lists of images."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.annotations import columns_of, float_column, int_column, read_json
from lib.utils.errors import InputError, short_repr

PERSON = 1  # COCO's category id


def annotation_file(root: str | Path, image_set: str) -> Path:
    """COCO's own annotation file of ``image_set``; of a test set, which has none, its list of images."""
    folder = Path(root) / "annotations"
    annotated, listed = folder / f"person_keypoints_{image_set}.json", folder / f"image_info_{image_set}.json"
    return listed if listed.exists() and not annotated.exists() else annotated


def image_folder(root: str | Path, image_set: str) -> Path:
    """COCO's own image folder of ``image_set``."""
    return Path(root) / "images" / image_set


class COCOImage(NamedTuple):
    """An entry of ``images``: file_name is unchecked; width and height in pixels, NaN if the file lacks them."""

    file_name: Any
    width: float
    height: float


@dataclass(frozen=True)
class COCOFile:
    """A parsed annotation file.

    path: the file.
    images: {image id: image}.
    annotations: entries of the file, unchecked; None if it has no such list, as COCO's own of test sets.
    categories: entries of the file, unchecked; empty if it has none.
    """

    path: Path
    images: dict[int, COCOImage]
    annotations: list | None
    categories: list

    def image(self, image_id: Any, where: str) -> COCOImage:
        """The image with this (unchecked) id. Raises InputError, naming the annotation ``where``."""
        if not isinstance(image_id, int | float) or image_id not in self.images:
            raise InputError(
                f"{where}: image_id {short_repr(image_id)} is not among the images of {self.path}"
            )
        return self.images[int(image_id)]

    def images_of(self, image_ids: list, where: Callable[[int], str]) -> list[COCOImage]:
        """``image`` of each of ``image_ids``; ``where(k)`` names the annotation at k."""
        if set(map(type, image_ids)) <= {int} and self.images.keys() >= set(image_ids):
            return [self.images[image_id] for image_id in image_ids]
        return [self.image(image_id, where(k)) for k, image_id in enumerate(image_ids)]

    def named(self, annotation: Any) -> str:
        """File and id of an (unchecked) annotation, for error messages."""
        number = annotation.get("id") if isinstance(annotation, dict) else annotation
        return f"{self.path}: annotation {short_repr(number)}"

    def person(self) -> int:
        """The id of the category of people: called "person", or the only one (with keypoints), or COCO's.

        A file without categories has one if all its annotations are of the same.

        Raises:
            InputError: there are several, and none of them is called "person".
        """
        entries = [
            entry for entry in self.categories if isinstance(entry, dict) and type(entry.get("id")) is int
        ]
        people = [entry for entry in entries if str(entry.get("name")).casefold() == "person"]
        with_keypoints = [entry for entry in entries if entry.get("keypoints")]
        for candidates in (people, with_keypoints, entries):
            if len(candidates) == 1:
                return candidates[0]["id"]
        if not entries:
            numbers = [
                entry.get("category_id") for entry in self.annotations or [] if isinstance(entry, dict)
            ]
            is_known = set(map(type, numbers)) == {int} and len(set(numbers)) == 1
            return numbers[0] if is_known else PERSON
        names = ", ".join(f"{entry['id']} ({entry.get('name')})" for entry in entries)
        raise InputError(f"{self.path}: expected a category called person, found {names}")

    def shared_files(self) -> int:
        """How many entries of ``images`` have the file name of an earlier one."""
        names = Counter(str(image.file_name) for image in self.images.values())
        return sum(count - 1 for count in names.values())


def read_coco_file(path: str | PathLike) -> COCOFile:
    """Parse a COCO annotation file and check its ``images``. Raises InputError for anything unusable."""
    path = Path(path)
    tree = read_json(path)
    if not isinstance(tree, dict) or not isinstance(tree.get("images"), list):
        raise InputError(f"{path}: expected COCO's lists 'images' and 'annotations'")
    annotations, categories = tree.get("annotations"), tree.get("categories")
    if not isinstance(annotations, list | None):
        raise InputError(f"{path}: expected COCO's lists 'images' and 'annotations'")
    images = tree["images"]
    ids, names = columns_of(
        images,
        ("id", "file_name"),
        lambda k: f"{path}: an image needs id and file_name, found {images[k]!r:.120}",
    )

    def where(k: int) -> str:
        return f"{path}: image {short_repr(ids[k])}"

    ids = int_column(ids, where, "id").tolist()
    sizes = _sizes(images, where)
    by_id = {number: COCOImage(name, *size) for number, name, size in zip(ids, names, sizes.tolist())}
    if len(by_id) < len(images):
        raise InputError(f"{path}: {len(images)} images have {len(by_id)} different ids")
    return COCOFile(path, by_id, annotations, categories if isinstance(categories, list) else [])


def _sizes(images: list[dict], where: Callable[[int], str]) -> np.ndarray:
    """Width and height of each entry, float64 [N, 2]; NaN where they are missing, null or 0."""
    given = [[image.get("width") or 0, image.get("height") or 0] for image in images]
    sizes = float_column(given, (2,), where, "width and height")
    for k in np.flatnonzero((sizes < 0).any(axis=1)).tolist():
        raise InputError(f"{where(k)}: width and height should be positive, found {sizes[k]}")
    sizes[(sizes < 1).any(axis=1)] = np.nan
    return sizes
