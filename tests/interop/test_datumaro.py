"""What datumaro exports: COCO's person keypoints, and CVAT's XML turned into them."""

import json

import numpy as np
import pytest

from lib.utils.errors import InputError
from tests.factories.birds import BIRDS, IMAGES, JOINTS, LIMBS, assert_birds, boxes, draw_images, points, read

pytest.importorskip("datumaro", reason="datumaro (requirements-interop.txt) is not installed")

from datumaro.components.annotation import (
    AnnotationType,
    Bbox,
    LabelCategories,
    Points,
    PointsCategories,
)
from datumaro.components.dataset import Dataset
from datumaro.components.dataset_base import DatasetItem
from datumaro.components.media import Image

pytestmark = pytest.mark.interop
KEYPOINTS = "annotations/person_keypoints_train.json"
BIRD = 1  # its label, after one without joints


def dataset(folder, boxed):
    """The birds as datumaro holds them; with a box in the joints' group if ``boxed``."""
    draw_images(folder)
    items = []
    for name in IMAGES:
        shapes = []
        for number, bird in enumerate(BIRDS, 1):
            if bird.image != name:
                continue
            labeled = [not np.isnan(x) for x, _ in bird.joints]
            flat = np.where(np.repeat(labeled, 2), np.ravel(bird.joints), 0)
            group = number if boxed else 0
            shapes.append(Points(flat, [2 * seen for seen in labeled], label=BIRD, group=group, id=number))
            if boxed:
                shapes.append(Bbox(*bird.box, label=BIRD, group=group, id=number))
        media = Image.from_file(str(folder / name))
        items.append(DatasetItem(name.removesuffix(".png"), subset="train", media=media, annotations=shapes))
    joints = PointsCategories()
    joints.add(BIRD, labels=JOINTS, joints=[[a + 1, b + 1] for a, b in LIMBS])
    labels = LabelCategories.from_iterable(["background", "bird"])
    return Dataset.from_iterable(
        items, categories={AnnotationType.label: labels, AnnotationType.points: joints}
    )


def test_joints_with_boxes(tmp_path):
    dataset(tmp_path / "in", boxed=True).export(str(tmp_path / "out"), "coco", save_media=True)
    annotations = read(tmp_path / "out", KEYPOINTS, images="images/train")
    assert_birds(annotations)
    expected = sorted(max(bird.box[2:]) for bird in BIRDS)
    np.testing.assert_allclose(np.sort(boxes(annotations)[:, 2]), expected)


def test_joints_without_boxes_are_all_read(tmp_path):
    """One joint and a line of joints have a box without area, and area 0."""
    dataset(tmp_path / "in", boxed=False).export(str(tmp_path / "out"), "coco", save_media=True)
    areas = [a["area"] for a in json.loads((tmp_path / "out" / KEYPOINTS).read_text())["annotations"]]
    assert sorted(areas)[:2] == [0, 0]
    annotations = read(tmp_path / "out", KEYPOINTS, images="images/train")
    assert_birds(annotations)
    crops = np.stack(
        [annotations.centers - annotations.sizes / 2, annotations.centers + annotations.sizes / 2], 1
    )
    low, high = crops[:, None, 0], crops[:, None, 1]
    joints = points(annotations)
    inside = (joints > low) & (joints < high)
    assert (inside | np.isnan(joints)).all()
    assert (annotations.box_sizes >= 1).all()


def test_the_joints_names_are_lost_on_the_way_through_cvat(tmp_path):
    """The category has no joints then: refused in one line, which names the file."""
    dataset(tmp_path / "in", boxed=False).export(str(tmp_path / "cvat"), "cvat", save_media=True)
    back = Dataset.import_from(str(tmp_path / "cvat"), "cvat")
    back.export(str(tmp_path / "out"), "coco_person_keypoints", save_media=True)
    with pytest.raises(InputError, match="person_keypoints_train.json"):
        read(tmp_path / "out", KEYPOINTS, images="images/train")
