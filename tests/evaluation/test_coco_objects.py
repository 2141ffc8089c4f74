"""AP of objects in any file in COCO's format."""

import json
import math

import numpy as np
import pytest

from lib.dataset.coco import ObjectFile
from lib.dataset.images import ImageFolder
from lib.evaluation.coco import object_average_precision
from lib.evaluation.ground_truth import read_ground_truth
from lib.utils.errors import InputError

SIGMA = 0.05
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def precision_of(path, results, ids):
    truth = read_ground_truth(ObjectFile(path, ImageFolder(path.parent), (3,)), (SIGMA,) * 2)
    return object_average_precision(truth.only(ids), results)


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
    assert precision_of(tmp_path / "a.json", [object_result(item, away)], [50]) == pytest.approx(expected)


def test_an_object_without_an_area_has_its_boxs(tmp_path):
    items = write_objects(tmp_path / "a.json", 1)
    tree = json.loads((tmp_path / "a.json").read_text())
    del tree["annotations"][0]["area"]
    (tmp_path / "b.json").write_text(json.dumps(tree))
    values = [precision_of(tmp_path / f, [object_result(items[0], 3)], [50]) for f in ("a.json", "b.json")]
    assert values[0] == values[1] > 0


def test_only_the_selected_annotations_count(tmp_path):
    items = write_objects(tmp_path / "a.json", 4)
    results = [object_result(items[0]), object_result(items[1], 50)]
    assert precision_of(tmp_path / "a.json", results, [50]) == pytest.approx(1)
    assert precision_of(tmp_path / "a.json", results, [50, 51]) == pytest.approx(0.5, abs=0.01)
    assert math.isnan(precision_of(tmp_path / "a.json", results, []))
    assert precision_of(tmp_path / "a.json", [], [50]) == 0


def test_more_than_twenty_objects_in_an_image_count(tmp_path):
    items = write_objects(tmp_path / "a.json", 30, per_image=30)
    results = [object_result(item) for item in items]
    assert precision_of(tmp_path / "a.json", results, [i["id"] for i in items]) == pytest.approx(1)


def test_results_of_another_category_are_refused(tmp_path):
    (item,) = write_objects(tmp_path / "a.json", 1)
    with pytest.raises(InputError, match="result 0: category_id should be 3 as in .*a.json, found 1"):
        precision_of(tmp_path / "a.json", [object_result(item) | {"category_id": 1}], [50])
