"""Finding labels from Python: paths as text, the table's columns, and what the folder holds."""

import json
from pathlib import Path

import numpy as np
import pytest

from lib.review.find import find_labels, judge_labels
from lib.review.found import COLUMNS, read_found
from lib.review.labels_run import LabelledImages
from lib.review.predictions_run import PredictedImages
from lib.utils.errors import InputError

SETTINGS = {
    "TRAIN.STEPS_PER_EPOCH": 2,
    "TRAIN.END_EPOCH": 2,
    "TRAIN.LR_STEP": [1],
    "MODEL.EXTRA.WIDTH": 4,
    "MODEL.EXTRA.NUM_DECONV_FILTERS": [8, 8, 8],
    "TEST.FLIP_TEST": False,
    "DEVICE": "cpu",
    "THREADS": 1,
}


@pytest.fixture
def doubtful(data):
    return LabelledImages(str(data / "coco/annotations/person_keypoints_train2017.json"))


@pytest.fixture
def trusted(data):
    return LabelledImages(str(data / "mpii/annot/train.json"), str(data / "mpii/images"))


def check_folder(found):
    """labels.csv has the labels found, as far as its digits go."""
    _, written = read_found(found.folder)
    assert list(found.labels.columns()) == list(COLUMNS)
    for name, column in found.labels.columns().items():
        assert len(column) == len(found.labels) > 0
        if column.dtype.kind == "f":
            np.testing.assert_allclose(written.columns()[name], column, atol=0.006)
        else:
            assert (written.columns()[name] == column).all()
    assert found.estimate.labels == np.isfinite(found.labels.probability).sum()
    assert f"of {found.estimate.labels} labels are wrong" in " ".join(found.summary)


def test_by_a_training(doubtful, trusted, tmp_path):
    found = find_labels(doubtful, trusted, str(tmp_path / "found"), "quick", SETTINGS)
    check_folder(found)
    assert found.folder == tmp_path / "found" and found.report.exists()
    again = find_labels(doubtful, trusted, tmp_path / "found", "quick", SETTINGS)
    assert again.summary == found.summary and (again.labels.score[:9] == found.labels.score[:9]).all()


def test_by_predictions(doubtful, tmp_path):
    """The labels themselves as predictions, those of one instance exchanged."""
    content = json.loads(Path(doubtful.labels).read_text())
    people = content["annotations"]
    bad = max(people, key=lambda person: person["num_keypoints"])["id"]
    results = []
    for person in people:
        points = np.array(person["keypoints"], float).reshape(-1, 3)
        points = points[::-1] if person["id"] == bad else points
        fields = {"image_id": person["image_id"], "category_id": 1, "score": 0.9}
        results.append(fields | {"keypoints": points.ravel().tolist()})
    (tmp_path / "results.json").write_text(json.dumps(results))
    predicted = PredictedImages(doubtful, str(tmp_path / "results.json"))
    found = judge_labels(predicted, None, str(tmp_path / "found"))
    check_folder(found)
    assert (
        found.report == tmp_path / "found" / "report.html"
        and found.report.exists()
        and np.isnan(found.labels.weight).all()
    )
    assert "instances have a predicted pose" in found.summary[0]
    assert (found.labels.annotation_id[:5] == bad).all()


def test_pandas_reads_the_columns(tmp_path):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    from tests.factories.found_labels import make_found

    found = make_found(tmp_path)
    table = pandas.DataFrame(found.labels.columns())
    assert list(table.columns) == list(COLUMNS) and len(table) == len(found.labels)
    assert table[table.kind == "missing"].joint.tolist() == ["right_elbow"]


@pytest.mark.parametrize(
    ("effort", "settings", "told"),
    [
        ("fast", {}, "effort is 'fast', expected one of quick, normal, thorough"),
        ("quick", {"LBI.FIND_WRONG_LABELS": False}, "LBI.FIND_WRONG_LABELS is false"),
        ("quick", {"TRAIN.STEPS": 3}, "TRAIN.STEPS"),
        ("quick", {"TRAIN.END_EPOCH": "two"}, "TRAIN.END_EPOCH"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_trained(
    doubtful, trusted, tmp_path, effort, settings, told
):
    with pytest.raises(InputError, match=told):
        find_labels(doubtful, trusted, tmp_path / "found", effort, settings)
    assert not (tmp_path / "found/training").exists()


def test_files_are_named_without_a_flag(trusted, tmp_path):
    (tmp_path / "no.json").write_text("{}")
    with pytest.raises(InputError, match=f"^{tmp_path}/no.json: expected an object with 'annotations'"):
        find_labels(LabelledImages(str(tmp_path / "no.json")), trusted, tmp_path / "found")


@pytest.mark.parametrize(
    ("doubtful", "trusted", "more", "told"),
    [
        ("a.json", LabelledImages("b.json"), {}, "doubtful is 'a.json', expected a LabelledImages"),
        (LabelledImages("a.json"), None, {}, "trusted is None, expected a LabelledImages"),
        (LabelledImages("a.json"), LabelledImages("b.json"), {"settings": ["SEED", 1]}, "settings is ..SEED., 1., expected"),
        (LabelledImages("a.json"), LabelledImages("b.json"), {"output": ""}, "output is empty"),
    ],
)  # fmt: skip
def test_arguments_of_another_type_are_told(tmp_path, doubtful, trusted, more, told):
    with pytest.raises(InputError, match=told):
        find_labels(doubtful, trusted, **{"output": tmp_path, **more})


@pytest.mark.parametrize("predicted", ["a.json", PredictedImages("a.json", "results.json")])
def test_predictions_need_their_labels(tmp_path, predicted):
    with pytest.raises(InputError, match="expected a (Predicted|Labelled)Images"):
        judge_labels(predicted, None, tmp_path)
