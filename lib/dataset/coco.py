"""Read keypoint annotations in COCO's format (https://cocodataset.org/#format-data)."""

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.annotations import (
    Annotations,
    columns_of,
    float_column,
    int_column,
    padded_crops,
    read_json,
    without_garbage_collection,
)
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import JointMapping
from lib.dataset.packed_strings import PackedStrings
from lib.utils.errors import InputError, short_repr

PERSON = 1  # category id


def annotation_file(root: str | Path, image_set: str) -> Path:
    """COCO's own annotation file of ``image_set``."""
    return Path(root) / "annotations" / f"person_keypoints_{image_set}.json"


def image_folder(root: str | Path, image_set: str) -> Path:
    """COCO's own image folder of ``image_set``."""
    return Path(root) / "images" / image_set


class COCOImage(NamedTuple):
    """An entry of ``images``: file_name is unchecked, width and height are in pixels."""

    file_name: Any
    width: float
    height: float


@dataclass(frozen=True)
class COCOFile:
    """A parsed annotation file.

    path: the file.
    images: {image id: image}.
    annotations: entries of the file, unchecked.
    """

    path: Path
    images: dict[int, COCOImage]
    annotations: list

    def image(self, image_id: Any, where: str) -> COCOImage:
        """The image with this (unchecked) id. Raises InputError, naming the annotation ``where``."""
        if not isinstance(image_id, int) or image_id not in self.images:
            raise InputError(
                f"{where}: image_id {short_repr(image_id)} is not among the images of {self.path}"
            )
        return self.images[image_id]

    def images_of(self, image_ids: list, where: Callable[[int], str]) -> list[COCOImage]:
        """``image`` of each of ``image_ids``; ``where(k)`` names the annotation at k."""
        if set(map(type, image_ids)) == {int} and self.images.keys() >= set(image_ids):
            return [self.images[image_id] for image_id in image_ids]
        return [self.image(image_id, where(k)) for k, image_id in enumerate(image_ids)]

    def named(self, annotation: Any) -> str:
        """File and id of an (unchecked) annotation, for error messages."""
        number = annotation.get("id") if isinstance(annotation, dict) else annotation
        return f"{self.path}: annotation {short_repr(number)}"


def read_coco_file(path: str | PathLike) -> COCOFile:
    """Parse a COCO annotation file and check its ``images``. Raises InputError for anything unusable."""
    path = Path(path)
    tree = read_json(path)
    if not isinstance(tree, dict) or not all(
        isinstance(tree.get(k), list) for k in ("images", "annotations")
    ):
        raise InputError(f"{path}: expected COCO's lists 'images' and 'annotations'")
    images = tree["images"]
    ids, names, widths, heights = columns_of(
        images,
        ("id", "file_name", "width", "height"),
        lambda k: f"{path}: an image needs id, file_name, width and height, found {images[k]!r:.120}",
    )

    def where(k: int) -> str:
        return f"{path}: image {short_repr(ids[k])}"

    int_column(ids, where, "id")
    sizes = float_column([list(size) for size in zip(widths, heights)], (2,), where, "width and height")
    for k in np.flatnonzero(sizes.min(axis=1) < 1).tolist():
        raise InputError(f"{where(k)}: width and height should be positive, found {sizes[k]}")
    by_id = {number: COCOImage(name, *size) for number, name, size in zip(ids, names, sizes.tolist())}
    if len(by_id) < len(images):
        raise InputError(f"{path}: {len(images)} images have {len(by_id)} different ids")
    return COCOFile(path, by_id, tree["annotations"])


@without_garbage_collection()
def read_objects(
    path: str | Path, images: ImageFolder, mapping: JointMapping, aspect: float, category: int | None = None
) -> Annotations:
    """Read every instance of a COCO file with at least one labelled keypoint, without crowds.

    Boxes are cleaned as in SimpleBaseline's lib/dataset/coco.py: clipped to the image, a pixel smaller.

    Args:
        path: the annotation file.
        images: folder of the images.
        mapping: which of the file's keypoints each joint of the network is read from.
        aspect: width / height of the network's input.
        category: id of the category to read, whose annotations get ``box_sizes``; None: all annotations are
            people, as in COCO's person_keypoints files.

    Raises:
        InputError: naming the file and the annotation, for anything that cannot be used.
    """
    coco = read_coco_file(path)
    needs = "needs id, image_id, bbox and keypoints"
    instances = []
    for annotation in coco.annotations:
        if not isinstance(annotation, dict):
            raise InputError(f"{coco.named(annotation)} {needs}")
        if category is not None and "category_id" not in annotation:
            raise InputError(f"{coco.named(annotation)} {needs}, and category_id")
        # In sets other than COCO's, an annotation may be a box without keypoints.
        wanted = category is None or (annotation["category_id"] == category and annotation.get("keypoints"))
        if wanted and not annotation.get("iscrowd", 0):
            instances.append(annotation)

    def where(k: int) -> str:
        return coco.named(instances[k])

    ids, image_ids, keypoints, boxes = columns_of(
        instances, ("id", "image_id", "keypoints", "bbox"), lambda k: f"{where(k)} {needs}"
    )
    ids = int_column(ids, where, "id")
    count = len(mapping.own)
    points = float_column(keypoints, (3 * count,), where, "keypoints").reshape(-1, count, 3)
    boxes = float_column(boxes, (4,), where, "bbox")
    areas = float_column([instance.get("area", 1) for instance in instances], (), where, "area")
    image_of = coco.images_of(image_ids, where)
    bounds = np.array([(image.width, image.height) for image in image_of]).reshape(-1, 2)
    # First and last pixel of the box within its image.
    first = np.maximum(0, boxes[:, :2])
    last = np.minimum(bounds - 1, first + np.maximum(0, boxes[:, 2:] - 1))
    keep = (areas > 0) & (last >= first).all(axis=1) & points[..., 2].any(axis=1)
    if not keep.any():
        what = "person" if category is None else f"object of category {category}"
        raise InputError(f"{path}: no {what} with labelled keypoints, nothing to train on")

    # Several image ids may share a file, so each id is looked up once and each path listed once.
    position: dict[str, int] = {}  # {path: index into image_paths}
    index_of_id: dict[int, int] = {}  # {image id: index into image_paths}
    for k in np.flatnonzero(keep).tolist():
        if image_ids[k] not in index_of_id:
            file = images.path(image_of[k].file_name, where(k))
            index_of_id[image_ids[k]] = position.setdefault(file, len(position))
    image_ids = np.array(image_ids, np.int64)[keep]
    points = points[keep]
    if mapping.missing:  # append an unlabelled keypoint, which index -1 selects
        points = np.concatenate([points, np.zeros((len(points), 1, 3))], axis=1)
    points = points[:, list(mapping.index)]
    centers, sizes = padded_crops(np.concatenate([first, last - first], axis=1)[keep], aspect)
    return Annotations(
        mapping=mapping,
        ids=ids[keep],
        image_paths=PackedStrings.of(position),
        image_index=np.array([index_of_id[i] for i in image_ids.tolist()], np.int32),
        joints=points[..., :2].astype(np.float32),
        visible=(points[..., 2] > 0).astype(np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=image_ids,
        bounds=bounds[keep].astype(np.float32),
        box_sizes=None if category is None else (last - first + 1).max(axis=1)[keep].astype(np.float32),
    )
