"""COCO keypoints: ``annotations/person_keypoints_<set>.json`` and ``images/<set>/``."""

from pathlib import Path

import numpy as np

from lib.core.errors import InputError
from lib.dataset.annotations import PADDING, Annotations, PictureFolder, numbers, read_json
from lib.dataset.crop import fit_aspect
from lib.dataset.keypoints import COCO_KEYPOINTS, joint_mapping


def annotation_file(root: str | Path, image_set: str) -> Path:
    return Path(root) / "annotations" / f"person_keypoints_{image_set}.json"


def read_coco(root: str | Path, image_set: str, names: tuple[str, ...], aspect: float) -> Annotations:
    """Every person of ``image_set`` with at least one labelled keypoint, crowds left out.

    ``names`` are the network's joints, ``aspect`` the width / height of its input.
    Raises InputError naming the file and the annotation for whatever cannot be used.
    """
    path = annotation_file(root, image_set)
    tree = read_json(path)
    if not isinstance(tree, dict) or not all(
        isinstance(tree.get(k), list) for k in ("images", "annotations")
    ):
        raise InputError(f"{path}: expected COCO's lists 'images' and 'annotations'")
    images = {}
    for image in tree["images"]:
        try:
            where = f"{path}: image {image['id']!r:.80}"
            size = numbers([image["width"], image["height"]], (2,), where, "width and height")
            images[image["id"]] = (image["file_name"], *size)
        except (KeyError, TypeError):
            raise InputError(
                f"{path}: an image needs id, file_name, width and height, found {image!r:.120}"
            ) from None
        if size.min() < 1:
            raise InputError(f"{where}: width and height should be positive, found {size}")

    folder = PictureFolder(Path(root) / "images" / image_set)
    pictures: dict[str, int] = {}
    ids, picture, keypoints, boxes = [], [], [], []
    for annotation in tree["annotations"]:
        named = annotation.get("id") if isinstance(annotation, dict) else annotation
        where = f"{path}: annotation {named!r:.80}"
        try:
            if annotation.get("iscrowd", 0):
                continue
            number, image_id, flat, box = (annotation[k] for k in ("id", "image_id", "keypoints", "bbox"))
        except (AttributeError, KeyError, TypeError):
            raise InputError(f"{where} needs id, image_id, bbox and keypoints") from None
        if not isinstance(number, int) or abs(number) >= 2**63:
            raise InputError(f"{where}: id should be a whole number of at most 64 bits")
        points = numbers(flat, (3 * len(COCO_KEYPOINTS),), where, "keypoints").reshape(-1, 3)
        x, y, width, height = numbers(box, (4,), where, "bbox")
        if isinstance(image_id, (list, dict)) or image_id not in images:
            raise InputError(f"{where}: image_id {image_id!r:.80} is not among the images")
        file_name, image_width, image_height = images[image_id]
        left, top = max(0.0, x), max(0.0, y)
        right = min(image_width - 1, left + max(0.0, width - 1))
        bottom = min(image_height - 1, top + max(0.0, height - 1))
        area = numbers(annotation.get("area", 1), (), where, "area")
        if area <= 0 or right < left or bottom < top or not points[:, 2].any():
            continue
        file = folder.path(file_name, where)
        ids.append(number)
        picture.append(pictures.setdefault(file, len(pictures)))
        keypoints.append(points)
        boxes.append((left, top, right - left, bottom - top))

    if not ids:
        raise InputError(f"{path}: no person with labelled keypoints, nothing to train on")
    mapping = joint_mapping("coco", names)
    box = np.array(boxes)
    points = np.array(keypoints)[:, list(mapping.index)]
    sizes = fit_aspect(np.maximum(box[:, 2:], 1.0), aspect) * PADDING
    return Annotations(
        mapping=mapping,
        ids=np.array(ids, np.int64),
        pictures=tuple(pictures),
        picture=np.array(picture, np.int32),
        joints=points[..., :2].astype(np.float32),
        visible=(points[..., 2] > 0).astype(np.float32),
        centers=(box[:, :2] + box[:, 2:] / 2).astype(np.float32),
        sizes=sizes.astype(np.float32),
    )
