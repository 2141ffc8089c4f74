"""Keypoints in COCO's format, and where COCO itself has them: ``annotations/person_keypoints_<set>.json`` and
``images/<set>/`` (or ``images/<set>.zip``)."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.dataset.annotations import (
    Annotations,
    column,
    fields_of,
    padded_crops,
    read_json,
    whole_column,
    without_garbage_collection,
)
from lib.dataset.images import ImageFolder
from lib.dataset.keypoints import COCO_KEYPOINTS, JointMapping, joint_mapping
from lib.dataset.packed_strings import PackedStrings
from lib.utils.errors import InputError

PERSON = 1  # the category's number
FLAT = (3 * len(COCO_KEYPOINTS),)  # shape of a person's keypoints: x, y and visibility (or score) in turn


def annotation_file(root: str | Path, image_set: str) -> Path:
    return Path(root) / "annotations" / f"person_keypoints_{image_set}.json"


def image_folder(root: str | Path, image_set: str) -> Path:
    return Path(root) / "images" / image_set


class COCOImage(NamedTuple):
    file_name: Any
    width: float
    height: float


@dataclass(frozen=True)
class COCOFile:
    """images: {image id: its image}.   annotations: as they are in the file, unchecked."""

    path: Path
    images: dict[int, COCOImage]
    annotations: list

    def image(self, image_id: Any, where: str) -> COCOImage:
        """The image that the annotation, detection or result ``where`` is of."""
        if not isinstance(image_id, int) or image_id not in self.images:
            raise InputError(f"{where}: image_id {image_id!r:.80} is not among the images of {self.path}")
        return self.images[image_id]

    def images_of(self, image_ids: list, where: Callable[[int], str]) -> list[COCOImage]:
        """``image`` for each of ``image_ids``, of which ``where(k)`` names the one at k."""
        if set(map(type, image_ids)) == {int} and self.images.keys() >= set(image_ids):
            return [self.images[image_id] for image_id in image_ids]
        return [self.image(image_id, where(k)) for k, image_id in enumerate(image_ids)]

    def named(self, annotation: Any) -> str:
        """What to call an annotation in a message."""
        named = annotation.get("id") if isinstance(annotation, dict) else annotation
        return f"{self.path}: annotation {named!r:.80}"


def read_coco_file(path: str | Path) -> COCOFile:
    """Parse a COCO annotation file and check its images; InputError for whatever cannot be used."""
    path = Path(path)
    tree = read_json(path)
    if not isinstance(tree, dict) or not all(
        isinstance(tree.get(k), list) for k in ("images", "annotations")
    ):
        raise InputError(f"{path}: expected COCO's lists 'images' and 'annotations'")
    images = tree["images"]
    ids, names, widths, heights = fields_of(
        images,
        ("id", "file_name", "width", "height"),
        lambda k: f"{path}: an image needs id, file_name, width and height, found {images[k]!r:.120}",
    )

    def where(k: int) -> str:
        return f"{path}: image {ids[k]!r:.80}"

    whole_column(ids, where, "id")
    sizes = column([list(size) for size in zip(widths, heights)], (2,), where, "width and height")
    for k in np.flatnonzero(sizes.min(axis=1) < 1):
        raise InputError(f"{where(k)}: width and height should be positive, found {sizes[k]}")
    found = (COCOImage(name, *size) for name, size in zip(names, sizes.tolist()))
    by_id = dict(zip(ids, found))
    if len(by_id) < len(images):
        raise InputError(f"{path}: {len(images)} images have {len(by_id)} different ids")
    return COCOFile(path, by_id, tree["annotations"])


def read_coco(
    root: str | Path, image_set: str, names: tuple[str, ...], aspect: float, data_format: str = "jpg"
) -> Annotations:
    """Every person of COCO's ``image_set``: `read_objects` of its file, with the network's joints ``names``.

    ``data_format`` zip reads the images from ``images/<set>.zip``.
    """
    path = annotation_file(root, image_set)
    mapping = joint_mapping("coco", names)
    folder = image_folder(root, image_set)
    return read_objects(path, lambda: ImageFolder(folder, data_format), mapping, aspect)


@without_garbage_collection()
def read_objects(
    path: str | Path,
    open_images: Callable[[], ImageFolder],
    mapping: JointMapping,
    aspect: float,
    category: int | None = None,
) -> Annotations:
    """Every object of the COCO file ``path`` with at least one labelled keypoint, crowds left out.

    ``mapping`` says which joints are read from which of the file's keypoints, ``aspect`` is the width / height
    of the network's input. ``category`` is the number of the objects to read (None: all are people, as in
    COCO's person files); with it the objects have ``box_sizes``.
    Raises InputError naming the file and the annotation for whatever cannot be used.
    """
    coco = read_coco_file(path)
    folder = open_images()
    needs = "needs id, image_id, bbox and keypoints"
    people = []
    for annotation in coco.annotations:
        if not isinstance(annotation, dict):
            raise InputError(f"{coco.named(annotation)} {needs}")
        if category is not None and "category_id" not in annotation:
            raise InputError(f"{coco.named(annotation)} {needs}, and category_id")
        # Of other sets than COCO's, annotations may be boxes alone.
        wanted = category is None or (annotation["category_id"] == category and annotation.get("keypoints"))
        if wanted and not annotation.get("iscrowd", 0):
            people.append(annotation)

    def where(k: int) -> str:
        return coco.named(people[k])

    ids, image_ids, keypoints, boxes = fields_of(
        people, ("id", "image_id", "keypoints", "bbox"), lambda k: f"{where(k)} {needs}"
    )
    ids = whole_column(ids, where, "id")
    count = len(mapping.own)
    points = column(keypoints, (3 * count,), where, "keypoints").reshape(-1, count, 3)
    boxes = column(boxes, (4,), where, "bbox")
    areas = column([person.get("area", 1) for person in people], (), where, "area")
    images = coco.images_of(image_ids, where)
    bounds = np.array([(image.width, image.height) for image in images]).reshape(-1, 2)
    # The first pixel of the box within the image, and the last.
    first = np.maximum(0, boxes[:, :2])
    last = np.minimum(bounds - 1, first + np.maximum(0, boxes[:, 2:] - 1))
    keep = (areas > 0) & (last >= first).all(axis=1) & points[..., 2].any(axis=1)
    if not keep.any():
        what = "person" if category is None else f"object of category {category}"
        raise InputError(f"{path}: no {what} with labelled keypoints, nothing to train on")

    index_of_path: dict[str, int] = {}
    of_image: dict[int, int] = {}
    for k in np.flatnonzero(keep).tolist():
        if image_ids[k] not in of_image:
            file = folder.path(images[k].file_name, where(k))
            of_image[image_ids[k]] = index_of_path.setdefault(file, len(index_of_path))
    image_ids = np.array(image_ids, np.int64)[keep]
    points = points[keep]
    if mapping.missing:  # an empty keypoint at the end, which index -1 reads
        points = np.concatenate([points, np.zeros((len(points), 1, 3))], axis=1)
    points = points[:, list(mapping.index)]
    centers, sizes = padded_crops(np.concatenate([first, last - first], axis=1)[keep], aspect)
    return Annotations(
        mapping=mapping,
        ids=ids[keep],
        image_paths=PackedStrings.of(index_of_path),
        image_index=np.array([of_image[i] for i in image_ids.tolist()], np.int32),
        joints=points[..., :2].astype(np.float32),
        visible=(points[..., 2] > 0).astype(np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=image_ids,
        bounds=bounds[keep].astype(np.float32),
        box_sizes=None if category is None else (last - first + 1).max(axis=1)[keep].astype(np.float32),
    )
