"""Files of results and annotations that cannot be evaluated, and what is said of them."""

import pytest

from lib.evaluation.coco import (
    coco_average_precision,
    read_coco_results,
)
from lib.utils.errors import InputError
from tests.factories.coco_results import annotation_file, result
from tests.factories.data_sets import NASTY_VALUES, coco_person, write_json

BAD_RESULTS = [
    ({"image_id": 99}, "image_id 99 is not among the images of"),
    ({"image_id": "1"}, "image_id should be a whole number"),
    ({"image_id": 1.5}, "image_id should be a whole number"),
    ({"category_id": 2}, "category_id should be 1 as in "),
    ({"keypoints": [1.0] * 48}, "keypoints should have shape (51,), found (48,)"),
    ({"keypoints": [1.0] * 39}, "keypoints should have shape (51,), found (39,)"),
    ({"keypoints": [[1.0, 2.0, 1.0]] * 17}, "keypoints should have shape (51,), found (17, 3)"),
    ({"keypoints": [float("nan")] * 51}, "keypoints holds a number that is not finite"),
    ({"keypoints": [1.0] * 50 + ["1"]}, "keypoints should be numbers"),
    ({"score": float("nan")}, "score holds a number that is not finite"),
    ({"score": None}, "score should be a number, found None"),
]


@pytest.mark.parametrize(("changed", "message_part"), BAD_RESULTS, ids=[part for _, part in BAD_RESULTS])
def test_a_bad_result_is_named(tmp_path, changed, message_part):
    path = annotation_file(tmp_path, [coco_person()])
    results = [result(), result(**changed)]
    write_json(tmp_path / "results.json", results)
    for given, where in ((results, "results"), (tmp_path / "results.json", str(tmp_path / "results.json"))):
        with pytest.raises(InputError) as caught:
            coco_average_precision(path, given)
        message = str(caught.value)
        assert message.startswith(f"{where}: result 1: ") and message_part in message and "\n" not in message


@pytest.mark.parametrize("key", list(result()))
def test_missing_key_of_a_result(tmp_path, key):
    bad = result()
    del bad[key]
    write_json(tmp_path / "results.json", [result(), bad])
    with pytest.raises(InputError, match="result 1 needs image_id, category_id, keypoints, score"):
        read_coco_results(tmp_path / "results.json")


@pytest.mark.parametrize("key", [None, *result()])
def test_nothing_in_a_result_raises_anything_else(tmp_path, key):
    path = annotation_file(tmp_path, [coco_person()])
    for value in NASTY_VALUES:
        write_json(tmp_path / "results.json", [value if key is None else result(**{key: value})])
        try:
            values = coco_average_precision(path, tmp_path / "results.json")
        except InputError as error:
            message = str(error)
            assert message.startswith(f"{tmp_path / 'results.json'}: result 0") and "\n" not in message
            message.encode("utf-8")
        else:
            assert 0 <= values["AP"] <= 1


def test_results_are_read_back(tmp_path):
    write_json(tmp_path / "results.json", [result(2, 0.5, bbox=[1, 2, 3, 4], extra="x"), result(1, score=1)])
    assert read_coco_results(tmp_path / "results.json") == [result(2, 0.5), result(1, score=1.0)]


@pytest.mark.parametrize("tree", [{}, None, 3, "results"], ids=str)
def test_wrong_top_level_of_results(tmp_path, tree):
    write_json(tmp_path / "results.json", tree)
    with pytest.raises(InputError, match=r"results\.json: expected a list of results, found"):
        read_coco_results(tmp_path / "results.json")
    with pytest.raises(InputError, match=r"results(\.json)?: expected a list of results, found"):
        coco_average_precision(
            annotation_file(tmp_path, []), tree if tree != "results" else tmp_path / "results.json"
        )


def test_missing_files(tmp_path):
    path = annotation_file(tmp_path, [coco_person()])
    with pytest.raises(InputError, match=r"gone\.json: cannot be read"):
        read_coco_results(tmp_path / "gone.json")
    with pytest.raises(InputError, match=r"gone\.json: cannot be read"):
        coco_average_precision(path, tmp_path / "gone.json")
    with pytest.raises(InputError, match=r"gone\.json: cannot be read"):
        coco_average_precision(tmp_path / "gone.json", [result()])


@pytest.mark.parametrize("key", [None, *coco_person()])
def test_nothing_in_an_annotation_raises_anything_else(tmp_path, key):
    for value in NASTY_VALUES:
        bad = value if key is None else coco_person(8, **{key: value})
        path = annotation_file(tmp_path, [coco_person(), bad])
        try:
            values = coco_average_precision(path, [result()])
        except InputError as error:
            message = str(error)
            assert message.startswith(f"{path}: annotation") and "\n" not in message
            message.encode("utf-8")
        else:
            assert 0 <= values["AP"] <= 1


@pytest.mark.parametrize(
    ("changed", "message_part"),
    [
        ({"area": -1.0}, "area should not be negative, found -1"),
        ({"bbox": [1, 2, 3]}, "bbox should have shape (4,), found (3,)"),
        ({"keypoints": [1, 2, 2] * 16}, "keypoints should have shape (51,), found (48,)"),
        ({"image_id": 99}, "image_id 99 is not among the images of"),
    ],
    ids=str,
)
def test_a_bad_annotation_is_named(tmp_path, changed, message_part):
    path = annotation_file(tmp_path, [coco_person(), coco_person(4711, **changed)])
    with pytest.raises(InputError) as caught:
        coco_average_precision(path, [result()])
    assert str(caught.value).startswith(f"{path}: annotation 4711: ") and message_part in str(caught.value)
