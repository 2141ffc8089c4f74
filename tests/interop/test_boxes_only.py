"""Tools whose export in COCO's format has no joints, though the labels had: refused in a line that says so."""

import json

import numpy as np
import pytest

from lib.utils.errors import InputError
from tests.factories.birds import BIRDS, HEIGHT, IMAGES, JOINTS, WIDTH, draw_images, read

pytestmark = pytest.mark.interop


def refusal(root, file):
    with pytest.raises(InputError) as error:
        read(root, file)
    text = str(error.value)
    assert file in text and "keypoints" in text and "\n" not in text
    return text


def test_labelme2coco_makes_a_box_of_every_joint(tmp_path):
    labelme2coco = pytest.importorskip("labelme2coco")
    draw_images(tmp_path / "images")
    for name in IMAGES:
        shapes = []
        for group, bird in enumerate(BIRDS):
            placed = [(joint, [place]) for joint, place in zip(JOINTS, bird.joints) if not np.isnan(place[0])]
            x, y, width, height = bird.box
            drawn = [("bird", [[x, y], [x + width, y + height]]), *placed]
            for label, points in drawn if bird.image == name else []:
                kind = "point" if len(points) == 1 else "rectangle"
                shapes.append(
                    {"label": label, "points": points, "group_id": group, "shape_type": kind, "flags": {}}
                )
        tree = {"version": "5.8.1", "flags": {}, "shapes": shapes, "imagePath": name, "imageData": None,
                "imageHeight": HEIGHT, "imageWidth": WIDTH}  # fmt: skip
        (tmp_path / "images" / name).with_suffix(".json").write_text(json.dumps(tree))
    labelme2coco.convert(str(tmp_path / "images"), str(tmp_path))
    refusal(tmp_path, "dataset.json")


def test_supervision_keeps_the_boxes_alone(tmp_path):
    supervision = pytest.importorskip("supervision")
    draw_images(tmp_path / "images")
    paths = [str(tmp_path / "images" / name) for name in IMAGES]
    boxes = {
        path: np.array([bird.box for bird in BIRDS if path.endswith(bird.image)], np.float32)
        for path in paths
    }
    found = {
        path: supervision.Detections(
            xyxy=np.column_stack([box[:, :2], box[:, :2] + box[:, 2:]]), class_id=np.zeros(len(box), int)
        )
        for path, box in boxes.items()
    }
    supervision.DetectionDataset(classes=["bird"], images=paths, annotations=found).as_coco(
        annotations_path=str(tmp_path / "boxes.json")
    )
    refusal(tmp_path, "boxes.json")
