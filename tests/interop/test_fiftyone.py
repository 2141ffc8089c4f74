"""What FiftyOne's exporter for COCO's format writes of keypoints; it runs without FiftyOne's database."""

import os

import numpy as np
import pytest

from lib.utils.errors import InputError
from tests.factories.birds import (
    BIRDS,
    HEIGHT,
    IMAGES,
    JOINTS,
    LIMBS,
    WIDTH,
    assert_birds,
    assert_evaluated,
    assert_joints_inside_crops,
    counts,
    draw_images,
    points,
    read,
)

os.environ.setdefault("FIFTYONE_DO_NOT_TRACK", "1")
fiftyone = pytest.importorskip(
    "fiftyone", reason="fiftyone (1 GB, see requirements-interop.txt) is not installed"
)

import fiftyone.utils.coco as exporters  # noqa: E402

pytestmark = pytest.mark.interop
CATEGORY = {
    "id": 1,
    "name": "bird",
    "keypoints": list(JOINTS),
    "skeleton": [[a + 1, b + 1] for a, b in LIMBS],
}


def export(root, **settings):
    """Write ``root/labels.json`` and the pictures in ``root/data``."""
    draw_images(root / "in")
    with exporters.COCODetectionDatasetExporter(str(root), **settings) as exporter:
        for name in IMAGES:
            path = str(root / "in" / name)
            seen = [
                fiftyone.Keypoint(label="bird", points=[(x / WIDTH, y / HEIGHT) for x, y in bird.joints])
                for bird in BIRDS
                if bird.image == name
            ]
            exporter.export_sample(
                path, fiftyone.Keypoints(keypoints=seen), metadata=fiftyone.ImageMetadata.build_for(path)
            )


def test_joints_without_box_and_area(tmp_path):
    """Coordinates are cut to whole pixels; num_keypoints counts the joints that are not labelled, too."""
    export(tmp_path, categories=[CATEGORY])
    annotations = read(tmp_path, "labels.json", images="data")
    assert_birds(annotations, tolerance=0.999)
    joints = points(annotations)
    assert (joints[~np.isnan(joints)] % 1 == 0).all()
    assert_joints_inside_crops(annotations)
    assert counts(annotations.notes.filled_in) == [4, 4]  # boxes and areas
    assert_evaluated(tmp_path, "labels.json", images="data")


def test_names_of_joints_have_to_be_given_to_the_exporter(tmp_path):
    export(tmp_path)
    with pytest.raises(InputError, match=r"labels\.json.*keypoints"):
        read(tmp_path, "labels.json", images="data")
