"""People cut out of their pictures, as a data set in COCO's format with the 14 keypoints of Leeds Sports Pose."""

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from lib.dataset.images import read_image
from lib.utils.errors import InputError
from lib.utils.files import write_atomically, write_text

KEYPOINTS = (
    "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "right_wrist", "right_elbow",
    "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head_top",
)  # fmt: skip
LIMBS = (
    ("right_ankle", "right_knee"), ("right_knee", "right_hip"), ("left_hip", "left_knee"),
    ("left_knee", "left_ankle"), ("right_wrist", "right_elbow"), ("right_elbow", "right_shoulder"),
    ("right_shoulder", "neck"), ("neck", "left_shoulder"), ("left_shoulder", "left_elbow"),
    ("left_elbow", "left_wrist"), ("neck", "head_top"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "left_hip"), ("right_hip", "left_hip"),
)  # fmt: skip
AROUND, BOX = 0.35, 0.1  # margins of the crop and of the person's box, of that side
QUALITY = 95  # of the JPEG files


@dataclass(frozen=True)
class Person:
    """A person in its original picture.

    number: id of its annotation and of its crop.
    picture: path of the picture.
    file_name: name of the crop.
    joints: float64 [14, 2], pixels from 0.
    labelled: bool [14].
    """

    number: int
    picture: Path
    file_name: str
    joints: np.ndarray
    labelled: np.ndarray


@dataclass(frozen=True)
class Crop:
    """A person's part of its picture.

    image: uint8 [H, W, 3] RGB.
    offset: [2], its left upper pixel in the picture.
    scale: [2], pixels of the crop by pixels of the picture, across and down.
    joints: float64 [14, 2], pixels of the crop.
    """

    image: np.ndarray
    offset: np.ndarray
    scale: np.ndarray
    joints: np.ndarray


def cut_out(person: Person, size: int) -> Crop:
    """Cut a person out, and make it smaller if the box of its labels is longer than ``size``.

    Raises:
        InputError: the picture cannot be read, or the labels are far outside of it.
    """
    image = read_image(str(person.picture))
    if image is None:
        raise InputError(f"{person.picture}: cannot be read as an image")
    low, high = _box(person.joints, person.labelled)
    side = float((high - low).max())
    picture_size = np.array(image.shape[1::-1])
    first = np.maximum(np.floor(low - AROUND * side), 0).astype(int)
    last = np.minimum(np.ceil(high + AROUND * side), picture_size).astype(int)
    if (last <= first).any():
        raise InputError(f"{person.picture}: the labels of {person.file_name} are outside of the picture")
    part = image[first[1] : last[1], first[0] : last[0]]
    factor = min(1.0, size / side)
    cut = np.maximum(1, np.round((last - first) * factor)).astype(int)
    if factor < 1:
        part = cv2.resize(part, cut.tolist(), interpolation=cv2.INTER_AREA)
    scale = cut / (last - first)
    return Crop(part, first, scale, (person.joints - first + 0.5) * scale - 0.5)


def write_set(people: list[Person], name: str, out: Path, size: int) -> None:
    """Write the crops of ``people`` into out/images, then out/``name``.json, which names them."""
    images, annotations = [], []
    for person in people:
        crop = cut_out(person, size)
        _write_jpeg(out / "images" / person.file_name, crop.image)
        height, width = crop.image.shape[:2]
        images.append(
            {"id": person.number, "file_name": person.file_name, "width": width, "height": height,
             "crop_offset": crop.offset.tolist(), "crop_scale": np.round(crop.scale, 5).tolist(),
             "source_file": person.picture.name}
        )  # fmt: skip
        annotations.append(
            {"id": person.number, "image_id": person.number} | _annotation(crop, person.labelled)
        )
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": KEYPOINTS,
                "skeleton": [[KEYPOINTS.index(a) + 1, KEYPOINTS.index(b) + 1] for a, b in LIMBS]}  # fmt: skip
    tree = {"images": images, "annotations": annotations, "categories": [category]}
    write_text(out / f"{name}.json", json.dumps(tree))


def _annotation(crop: Crop, labelled: np.ndarray) -> dict:
    """A person as COCO has it: the box is that of the labels with a margin, within the crop."""
    low, high = _box(crop.joints, labelled)
    margin = BOX * float((high - low).max())
    size = np.array(crop.image.shape[1::-1])
    low, high = np.clip(low - margin, 0, size - 1), np.clip(high + margin, 1, size)
    keypoints = [[round(x, 2), round(y, 2), 2] if v else [0, 0, 0] for (x, y), v in zip(crop.joints.tolist(), labelled)]  # fmt: skip
    box = np.concatenate([low, high - low])
    return {
        "category_id": 1, "iscrowd": 0, "keypoints": sum(keypoints, []), "num_keypoints": int(labelled.sum()),
        "bbox": np.round(box, 2).tolist(), "area": round(float(box[2] * box[3]), 1),
    }  # fmt: skip


def _box(joints: np.ndarray, labelled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest coordinates [2] of the labelled ``joints`` [14, 2]."""
    return joints[labelled].min(axis=0), joints[labelled].max(axis=0)


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    _, content = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    write_atomically(path, lambda file: file.write(content.tobytes()))
