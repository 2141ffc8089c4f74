"""COCO keypoints: ``annotations/person_keypoints_<set>.json`` and ``images/<set>/`` (or ``images/<set>.zip``)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lib.core.errors import InputError
from lib.dataset.annotations import Annotations, numbers, padded_crops, read_json, whole_number
from lib.dataset.keypoints import COCO_KEYPOINTS, joint_mapping
from lib.dataset.pictures import PictureFolder

PERSON = 1  # the category's number
FLAT = (3 * len(COCO_KEYPOINTS),)  # shape of a person's keypoints: x, y and visibility (or score) in turn


def annotation_file(root: str | Path, image_set: str) -> Path:
    return Path(root) / "annotations" / f"person_keypoints_{image_set}.json"


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

    def each_annotation(self) -> Iterator[tuple[str, Any]]:
        """(what to call it in a message, the annotation), one after the other."""
        for annotation in self.annotations:
            named = annotation.get("id") if isinstance(annotation, dict) else annotation
            yield f"{self.path}: annotation {named!r:.80}", annotation


def read_coco_file(path: str | Path) -> COCOFile:
    """Parse a COCO annotation file and check its images; InputError for whatever cannot be used."""
    path = Path(path)
    tree = read_json(path)
    if not isinstance(tree, dict) or not all(
        isinstance(tree.get(k), list) for k in ("images", "annotations")
    ):
        raise InputError(f"{path}: expected COCO's lists 'images' and 'annotations'")
    images = {}
    for image in tree["images"]:
        try:
            where = f"{path}: image {image['id']!r:.80}"
            number = whole_number(image["id"], where, "id")
            size = numbers([image["width"], image["height"]], (2,), where, "width and height")
            images[number] = COCOImage(image["file_name"], *size)
        except (KeyError, TypeError):
            raise InputError(
                f"{path}: an image needs id, file_name, width and height, found {image!r:.120}"
            ) from None
        if size.min() < 1:
            raise InputError(f"{where}: width and height should be positive, found {size}")
    if len(images) < len(tree["images"]):
        raise InputError(f"{path}: {len(tree['images'])} images have {len(images)} different ids")
    return COCOFile(path, images, tree["annotations"])


def read_coco(
    root: str | Path, image_set: str, names: tuple[str, ...], aspect: float, data_format: str = "jpg"
) -> Annotations:
    """Every person of ``image_set`` with at least one labelled keypoint, crowds left out.

    ``names`` are the network's joints, ``aspect`` the width / height of its input.
    ``data_format`` zip reads the pictures from ``images/<set>.zip``.
    Raises InputError naming the file and the annotation for whatever cannot be used.
    """
    path = annotation_file(root, image_set)
    coco = read_coco_file(path)
    folder = PictureFolder(Path(root) / "images" / image_set, data_format)
    pictures: dict[str, int] = {}
    ids, image_ids, picture, keypoints, boxes, bounds = [], [], [], [], [], []
    for where, annotation in coco.each_annotation():
        try:
            if annotation.get("iscrowd", 0):
                continue
            number, image_id, flat, box = (annotation[k] for k in ("id", "image_id", "keypoints", "bbox"))
        except (AttributeError, KeyError, TypeError):
            raise InputError(f"{where} needs id, image_id, bbox and keypoints") from None
        whole_number(number, where, "id")
        points = numbers(flat, FLAT, where, "keypoints").reshape(-1, 3)
        x, y, width, height = numbers(box, (4,), where, "bbox")
        file_name, image_width, image_height = coco.image(image_id, where)
        left, top = max(0.0, x), max(0.0, y)
        right = min(image_width - 1, left + max(0.0, width - 1))
        bottom = min(image_height - 1, top + max(0.0, height - 1))
        area = numbers(annotation.get("area", 1), (), where, "area")
        if area <= 0 or right < left or bottom < top or not points[:, 2].any():
            continue
        file = folder.path(file_name, where)
        ids.append(number)
        image_ids.append(image_id)
        picture.append(pictures.setdefault(file, len(pictures)))
        keypoints.append(points)
        boxes.append((left, top, right - left, bottom - top))
        bounds.append((image_width, image_height))

    if not ids:
        raise InputError(f"{path}: no person with labelled keypoints, nothing to train on")
    mapping = joint_mapping("coco", names)
    points = np.array(keypoints)[:, list(mapping.index)]
    centers, sizes = padded_crops(np.array(boxes), aspect)
    return Annotations(
        mapping=mapping,
        ids=np.array(ids, np.int64),
        pictures=tuple(pictures),
        picture=np.array(picture, np.int32),
        joints=points[..., :2].astype(np.float32),
        visible=(points[..., 2] > 0).astype(np.float32),
        centers=centers,
        sizes=sizes,
        image_ids=np.array(image_ids, np.int64),
        bounds=np.array(bounds, np.float32),
    )
