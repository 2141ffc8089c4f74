"""PCK and OKS-AP of any objects, against loops and against COCO's own AP."""

import json
import math

import numpy as np
import pytest

from lib.config.loader import load_config
from lib.evaluation.coco import (
    COCO_PERSON,
    ObjectKind,
    coco_average_precision,
    object_average_precision,
)
from lib.evaluation.inference import Predictions
from lib.evaluation.pck import pck
from lib.training.data import build_data
from lib.utils.errors import InputError
from tests.evaluation.test_coco import FILE, annotated, as_predicted, needs_coco
from tests.factories.excavators import JOINTS, make_excavators

SIGMA = 0.05
KIND = ObjectKind(3, (SIGMA,) * 2)
THRESHOLDS = np.linspace(0.5, 0.95, 10)


def test_pck_against_loops():
    rng = np.random.default_rng(0)
    errors, visible = rng.uniform(0, 0.25, (40, 3)), rng.integers(0, 3, (40, 3))
    visible[:, 2] = 0
    found = pck(errors, visible, ("a", "b", "c"))

    def rate(j, limit):
        hits = [errors[i, j] <= limit for i in range(40) if visible[i, j]]
        return 100 * sum(hits) / len(hits)

    assert found["a"] == pytest.approx(rate(0, 0.1)) and found["b"] == pytest.approx(rate(1, 0.1))
    assert math.isnan(found["c"])
    assert found["Mean"] == pytest.approx((rate(0, 0.1) + rate(1, 0.1)) / 2)
    assert found["Mean@0.05"] == pytest.approx((rate(0, 0.05) + rate(1, 0.05)) / 2)


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


def result(item, away=0.0, score=1.0):
    points = [10 + away, 20, 1, 99, 99, 1]
    return {"image_id": item["image_id"], "category_id": 3, "keypoints": points, "score": score}


@pytest.mark.parametrize("away", [0.0, 2.0, 3.0, 3.4, 9.0])
def test_average_precision_of_one_object(tmp_path, away):
    (item,) = write_objects(tmp_path / "a.json", 1)
    oks = math.exp(-(away**2) / (2 * (2 * SIGMA) ** 2 * 900))
    expected = np.mean(oks >= THRESHOLDS)
    assert object_average_precision(tmp_path / "a.json", [result(item, away)], KIND, [50]) == pytest.approx(
        expected
    )


def test_an_object_without_an_area_has_its_boxs(tmp_path):
    items = write_objects(tmp_path / "a.json", 1)
    tree = json.loads((tmp_path / "a.json").read_text())
    del tree["annotations"][0]["area"]
    (tmp_path / "b.json").write_text(json.dumps(tree))
    values = [
        object_average_precision(tmp_path / f, [result(items[0], 3)], KIND, [50])
        for f in ("a.json", "b.json")
    ]
    assert values[0] == values[1] > 0


def test_only_the_asked_annotations_count(tmp_path):
    items = write_objects(tmp_path / "a.json", 4)
    found = [result(items[0]), result(items[1], 50)]
    assert object_average_precision(tmp_path / "a.json", found, KIND, [50]) == pytest.approx(1)
    assert object_average_precision(tmp_path / "a.json", found, KIND, [50, 51]) == pytest.approx(
        0.5, abs=0.01
    )
    assert math.isnan(object_average_precision(tmp_path / "a.json", found, KIND, []))
    assert object_average_precision(tmp_path / "a.json", [], KIND, [50]) == 0


def test_more_than_twenty_objects_in_an_image_count(tmp_path):
    items = write_objects(tmp_path / "a.json", 30, per_image=30)
    found = [result(item) for item in items]
    assert object_average_precision(
        tmp_path / "a.json", found, KIND, [i["id"] for i in items]
    ) == pytest.approx(1)


def test_results_of_another_category_are_refused(tmp_path):
    (item,) = write_objects(tmp_path / "a.json", 1)
    with pytest.raises(InputError, match="result 0: category_id should be 3, found 1"):
        object_average_precision(tmp_path / "a.json", [result(item) | {"category_id": 1}], KIND, [50])


@needs_coco
@pytest.mark.parametrize("noise", [2, 6])
def test_for_people_it_is_cocos(noise):
    everyone = annotated()
    results = as_predicted([a for a in everyone if a["num_keypoints"] > 0], noise)
    expected = coco_average_precision(FILE, results)["AP"]
    found = object_average_precision(FILE, results, COCO_PERSON, [a["id"] for a in everyone])
    assert 0.1 < expected < 0.99 and found == pytest.approx(expected, abs=1e-9)


def test_the_set_of_a_target_scores_its_own_part(tmp_path):
    """Predictions that are the labels, one of them moved by 0.08 of the box."""
    root = make_excavators(tmp_path, source=3, target=9, test=2)
    roots = {"DATASET_SRC.ROOT": str(root / "source"), "DATASET_TARGET.ROOT": str(root / "target")}
    config, _ = load_config("experiments/custom/excavator.yaml", roots | {"OUTPUT_DIR": str(root / "output")})
    lines = []
    validation = build_data(config, False, lines.append).validation
    assert "validation V: OKS with the sigmas 0.05 (SIGMAS)" in lines
    people = validation.dataset.annotations
    joints = people.joints.copy()
    moved = int(np.flatnonzero(people.visible[:, 3])[0])
    joints[moved, 3, 0] += 0.08 * people.box_sizes[moved]
    count = len(people)
    found = Predictions(np.arange(count), joints, np.ones((count, 7)), 0.0, 0.0)
    numbers = validation.score(found)
    assert list(numbers) == [*JOINTS, "Mean", "Mean@0.05", "OKS-AP"]
    assert numbers["Mean"] == 100
    share = 1 / people.visible[:, 3].sum() / len(JOINTS)
    assert numbers["Mean@0.05"] == pytest.approx(100 * (1 - share))
    assert 90 < numbers["OKS-AP"] <= 100.001
    saved = json.loads(validation.save(found, tmp_path).read_text())
    assert {entry["category_id"] for entry in saved} == {3} and len(saved) == count
