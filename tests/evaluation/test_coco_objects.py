"""AP of objects in any file in COCO's format."""

import json
import math

import numpy as np
import pytest

from lib.evaluation.coco import (
    ObjectKind,
    object_average_precision,
)
from lib.utils.errors import InputError

SIGMA = 0.05
THRESHOLDS = np.linspace(0.5, 0.95, 10)


KIND = ObjectKind(3, (SIGMA,) * 2)


def write_objects(path, count, area=900.0, per_image=1):
    """``count`` objects with keypoints at (10, 20) and, without a label, (0, 0)."""
    objects = [
        {"id": 50 + i, "image_id": 1 + i // per_image, "category_id": 3, "bbox": [0, 0, 30, 30], "area": area,
         "keypoints": [10, 20, 2, 0, 0, 0]}
        for i in range(count)
    ]  # fmt: skip
    images = [{"id": 1 + i, "file_name": f"{i}.png", "width": 64, "height": 64} for i in range(count)]
    path.write_text(json.dumps({"images": images, "annotations": objects}))
    return objects


def object_result(item, away=0.0, score=1.0):
    points = [10 + away, 20, 1, 99, 99, 1]
    return {"image_id": item["image_id"], "category_id": 3, "keypoints": points, "score": score}


@pytest.mark.parametrize("away", [0.0, 2.0, 3.0, 3.4, 9.0])
def test_average_precision_of_one_object(tmp_path, away):
    (item,) = write_objects(tmp_path / "a.json", 1)
    oks = math.exp(-(away**2) / (2 * (2 * SIGMA) ** 2 * 900))
    expected = np.mean(oks >= THRESHOLDS)
    assert object_average_precision(
        tmp_path / "a.json", [object_result(item, away)], KIND, [50]
    ) == pytest.approx(expected)


def test_an_object_without_an_area_has_its_boxs(tmp_path):
    items = write_objects(tmp_path / "a.json", 1)
    tree = json.loads((tmp_path / "a.json").read_text())
    del tree["annotations"][0]["area"]
    (tmp_path / "b.json").write_text(json.dumps(tree))
    values = [
        object_average_precision(tmp_path / f, [object_result(items[0], 3)], KIND, [50])
        for f in ("a.json", "b.json")
    ]
    assert values[0] == values[1] > 0


def test_only_the_selected_annotations_count(tmp_path):
    items = write_objects(tmp_path / "a.json", 4)
    results = [object_result(items[0]), object_result(items[1], 50)]
    assert object_average_precision(tmp_path / "a.json", results, KIND, [50]) == pytest.approx(1)
    assert object_average_precision(tmp_path / "a.json", results, KIND, [50, 51]) == pytest.approx(
        0.5, abs=0.01
    )
    assert math.isnan(object_average_precision(tmp_path / "a.json", results, KIND, []))
    assert object_average_precision(tmp_path / "a.json", [], KIND, [50]) == 0


def test_more_than_twenty_objects_in_an_image_count(tmp_path):
    items = write_objects(tmp_path / "a.json", 30, per_image=30)
    results = [object_result(item) for item in items]
    assert object_average_precision(
        tmp_path / "a.json", results, KIND, [i["id"] for i in items]
    ) == pytest.approx(1)


def test_results_of_another_category_are_refused(tmp_path):
    (item,) = write_objects(tmp_path / "a.json", 1)
    with pytest.raises(InputError, match="result 0: category_id should be 3, found 1"):
        object_average_precision(tmp_path / "a.json", [object_result(item) | {"category_id": 1}], KIND, [50])
