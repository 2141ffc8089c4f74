"""What datumaro exports: COCO's person keypoints, and CVAT's XML turned into them."""

import json

import numpy as np
import pytest

from lib.utils.errors import InputError
from tests.factories.birds import (
    BIRDS,
    IMAGES,
    JOINTS,
    LIMBS,
    assert_birds,
    assert_evaluated,
    assert_joints_inside_crops,
    boxes,
    counts,
    draw_images,
    read,
)

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
    annotations = read(tmp_path / "out", KEYPOINTS)
    assert_birds(annotations)
    assert annotations.mapping.limbs == [*LIMBS] and annotations.mapping.flip_indices == (0, 2, 1)
    expected = sorted(max(bird.box[2:]) for bird in BIRDS)
    np.testing.assert_allclose(np.sort(boxes(annotations)[:, 2]), expected)


def test_joints_without_boxes_are_all_read(tmp_path):
    """One joint and a line of joints have a box without area, and area 0."""
    dataset(tmp_path / "in", boxed=False).export(str(tmp_path / "out"), "coco", save_media=True)
    areas = [a["area"] for a in json.loads((tmp_path / "out" / KEYPOINTS).read_text())["annotations"]]
    assert sorted(areas)[:2] == [0, 0]
    annotations = read(tmp_path / "out", KEYPOINTS)
    assert_birds(annotations)
    assert_joints_inside_crops(annotations)
    assert counts(annotations.notes.filled_in) == [2, 2, 2]  # boxes, areas, images found
    assert_evaluated(tmp_path / "out", KEYPOINTS)


def through_cvat(folder, joints):
    """The birds without boxes, exported as CVAT's XML, read again and exported as COCO's person keypoints."""
    dataset(folder / "in", boxed=False).export(str(folder / "cvat"), "cvat", save_media=True)
    back = Dataset.import_from(str(folder / "cvat"), "cvat")
    back.export(str(folder / "out"), "coco_person_keypoints", save_media=True)
    file = folder / "out" / KEYPOINTS
    tree = json.loads(file.read_text())
    tree["categories"][BIRD]["keypoints"] = list(joints)
    file.write_text(json.dumps(tree))


def test_the_names_of_joints_are_lost_on_the_way_through_cvat(tmp_path):
    """The category has no joints then: refused in one line, which names the file."""
    through_cvat(tmp_path, [])
    with pytest.raises(InputError, match=r"person_keypoints_train\.json.*keypoints"):
        read(tmp_path / "out", KEYPOINTS)


def test_unlabeled_joints_come_back_from_cvat_at_zero(tmp_path):
    """They are visible at (0, 0), and the box reaches to them: named, or left out with the box made anew."""
    through_cvat(tmp_path, JOINTS)
    as_written = read(tmp_path / "out", KEYPOINTS)
    assert (as_written.visible == 1).all() and counts(as_written.notes.doubts) == [3]
    annotations = read(tmp_path / "out", KEYPOINTS, drop_zero_keypoints=True)
    assert_birds(annotations)
    assert_joints_inside_crops(annotations)
    assert annotations.box_sizes.max() < 50 and not counts(annotations.notes.doubts)
