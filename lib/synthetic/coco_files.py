"""Drawn people in COCO's layout: their keypoint labels, clean or noisy, and the annotation file."""

import json
from pathlib import Path

import numpy as np

from lib.dataset.keypoints import COCO_KEYPOINTS
from lib.dataset.skeleton import Skeleton
from lib.label_noise.corruptions import Labels, corrupt_in_turn
from lib.synthetic.drawing import FIGURE_JOINTS, DrawnImage, people_of
from lib.utils.files import write_text

# COCO's keypoints that are labelled, and the point of the figure that each is marked at.
COCO_POINTS = {name: name for name in COCO_KEYPOINTS if not name.endswith(("eye", "ear"))} | {
    "nose": "head_top"
}
_COLUMNS = [COCO_KEYPOINTS.index(name) for name in COCO_POINTS]


def coco_keypoints(images: list[DrawnImage]) -> np.ndarray:
    """Clean labels of all people of the images.

    Returns:
        [N, 17, 3]: x, y in pixels with two decimals, and COCO's visibility (0 unlabelled, 1 hidden, 2
        visible). Joints outside the image are unlabelled.
    """
    points = [FIGURE_JOINTS.index(point) for point in COCO_POINTS.values()]
    people = people_of(images)
    keypoints = np.zeros((len(people), len(COCO_KEYPOINTS), 3))
    for labels, (image, person) in zip(keypoints, people):
        joints = person.joints[points].round(2)
        visibility = np.where(person.hidden[points], 1, 2)
        labels[_COLUMNS] = np.where(image.contains(joints)[:, None], np.column_stack([joints, visibility]), 0)
    return keypoints


def corrupt_keypoints(
    clean: np.ndarray, images: list[DrawnImage], noises: list[tuple[str, float]], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Corrupt the labels of all people of the images.

    Args:
        clean: [N, 17, 3] of `coco_keypoints`.
        images: the images that show the N people.
        noises: [(kind, share)], applied in turn.
        rng: source of the random numbers.

    Returns:
        Noisy labels [N, 17, 3], and which of them are corrupted, [N, 17] bool.
    """
    people = people_of(images)
    nose = FIGURE_JOINTS.index("nose")
    labels = Labels(
        joints=clean[:, _COLUMNS, :2],
        visible=clean[:, _COLUMNS, 2],
        names=tuple(COCO_POINTS),
        sizes=np.array([max(person.box[2:]) for _, person in people]),
        image_index=np.array([image.number for image, _ in people]),
        bounds=np.array([(image.width, image.height) for image, _ in people]),
        other_convention={"nose": np.array([person.joints[nose] for _, person in people])},
    )
    joints, visible, corrupted = corrupt_in_turn(labels, noises, rng)
    visibility = np.where(labels.visible > 0, labels.visible, 2)  # labels that noise adds are visible ones
    noisy, wrong = clean.copy(), np.zeros(clean.shape[:2], dtype=bool)
    noisy[:, _COLUMNS] = (
        np.concatenate([joints.round(2), visibility[..., None]], axis=2) * (visible > 0)[..., None]
    )
    wrong[:, _COLUMNS] = corrupted
    return noisy, wrong


def write_coco(path: Path, images: list[DrawnImage], keypoints: np.ndarray) -> list[int]:
    """Write a COCO annotation file.

    Args:
        path: the JSON file.
        images: the images that show the N people.
        keypoints: [N, 17, 3] labels.

    Returns:
        The ids of the N annotations.
    """
    image_entries = [
        {"id": image.number, "file_name": image.file_name, "width": image.width, "height": image.height}
        for image in images
    ]
    annotations = []
    for number, ((image, person), labels) in enumerate(zip(people_of(images), keypoints), images[0].number):
        annotations.append(
            {
                "id": number,
                "image_id": image.number,
                "category_id": 1,
                "iscrowd": 0,
                "bbox": [round(side, 2) for side in person.box],
                "area": person.area,
                "num_keypoints": int((labels[:, 2] > 0).sum()),
                "keypoints": labels.ravel().tolist(),
                "segmentation": [],
            }
        )
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": COCO_KEYPOINTS}
    category["skeleton"] = [[a + 1, b + 1] for a, b in Skeleton.of(COCO_KEYPOINTS).limbs]
    info = {"description": "Drawn people in the layout of COCO 2017", "version": "1.0"}
    content = {"info": info, "licenses": [], "images": image_entries, "annotations": annotations}
    write_text(path, json.dumps(content | {"categories": [category]}))
    return [annotation["id"] for annotation in annotations]
