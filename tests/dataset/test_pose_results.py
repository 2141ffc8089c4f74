"""Results files of other programs: every form that is read, and what is refused."""

import copy

import numpy as np
import pytest

from lib.dataset.pose_results import read_pose_results
from lib.utils.errors import InputError
from tests.factories.predicted import results_file

NAMES = ("nose", "tail")


def entry(image=1, x=1.0, score=0.5, **changed):
    """A result with its first keypoint at ``x``."""
    keypoints = [x, 2.0, 0.25, 3.0, 4.0, 0.75]
    return {"image_id": image, "category_id": 1, "keypoints": keypoints, "score": score, **changed}


def read(folder, content):
    return read_pose_results(results_file(folder, content), NAMES)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"keypoints": [[1.0, 2.0, 0.25], [3.0, 4.0, 0.75]]},
        {"keypoints": [1.0, 2.0, 3.0, 4.0], "keypoint_scores": [0.25, 0.75]},
        {"keypoints": [[1.0, 2.0], [3.0, 4.0]], "keypoint_scores": [0.25, 0.75]},
        {"score": [0.5]},
    ],
)
@pytest.mark.parametrize("wrapped", [False, True])
def test_forms_of_the_same_pose(tmp_path, form, wrapped):
    content = [entry(**form)]
    results = read(tmp_path, {"annotations": content} if wrapped else content)
    assert results.points.tolist() == [[[1, 2], [3, 4]]]
    assert results.scores.tolist() == [[0.25, 0.75]]
    assert results.pose_scores.tolist() == [0.5]
    assert (results.images, results.categories.tolist(), results.named) == ([1], [1], None)


def test_without_scores_all_count_alike(tmp_path):
    results = read(tmp_path, [{"image_id": "a.jpg", "keypoints": [1, 2, 3, 4]}])
    assert results.scores.tolist() == [[1, 1]] and results.pose_scores.tolist() == [1]
    assert results.images == ["a.jpg"] and results.categories is None


def test_a_keypoint_at_the_origin_without_score_was_not_predicted(tmp_path):
    results = read(tmp_path, [{"image_id": 1, "keypoints": [0, 0, 0, 3, 4, 0.5]}])
    assert np.isnan(results.points[0, 0]).all() and results.points[0, 1].tolist() == [3, 4]
    assert results.pose_scores.tolist() == [0.5]


def test_the_order_of_the_file_does_not_count(tmp_path):
    entries = [entry(image, x, score, id=k) for k, (image, x, score) in enumerate(
        [(2, 1, 0.5), (1, 5, 0.5), (1, 1, 0.5), (2, 1, 0.9), (1, 3, 0.7)]
    )]  # fmt: skip
    first, second = read(tmp_path, entries), read(tmp_path, entries[::-1])
    assert first.images == second.images
    for name in ("points", "scores", "pose_scores", "named"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    # The best pose of an image comes first.
    assert [first.images[0], first.pose_scores[0]] == [1, 0.7]


def test_ids_are_read_if_every_result_has_one(tmp_path):
    results = read(tmp_path, [entry(id=5, annotation_id=9)])
    assert (results.named.tolist(), results.id_key) == ([9], "annotation_id")
    results = read(tmp_path, [entry(id=5, annotation_id=9), entry(id=6)])
    assert (sorted(results.named.tolist()), results.id_key) == ([5, 6], "id")
    assert read(tmp_path, [entry(id="5f"), entry(id="60")]).named is None


def test_a_list_of_images_names_them(tmp_path):
    content = {"images": [{"id": 1, "file_name": "b/1.jpg"}], "annotations": [entry()]}
    assert read(tmp_path, content).images == ["b/1.jpg"]
    content["images"][0]["id"] = 2
    with pytest.raises(InputError, match="result 0: image_id 1 is not among the file's images"):
        read(tmp_path, content)


def test_another_order_of_keypoints_is_refused(tmp_path):
    content = {"annotations": [entry()], "categories": [{"id": 1, "keypoints": list(NAMES)}]}
    assert len(read(tmp_path, content)) == 1
    content["categories"][0]["keypoints"] = ["tail", "nose"]
    with pytest.raises(InputError, match="expected the keypoints nose, tail, in this order.*'tail', 'nose'"):
        read(tmp_path, content)


BAD = {
    "text": ("hello", "expected a list of results.*found str"),
    "other object": ({"images": []}, r"found the keys \['images'\]"),
    "empty": ([], "has no result"),
    "no keypoints": ([entry(), {"image_id": 1}], "result 1 needs image_id and keypoints"),
    "no object": ([3], "result 0 needs image_id and keypoints, found 3"),
    "another count": (
        [entry(keypoints=[0.0] * 51)],
        r"result 0: expected 2 keypoints.*6 numbers \(x, y, score\) or 4 without scores; found 51",
    ),
    "count of one differs": ([entry(), entry(keypoints=[1, 2, 3])], "result 1: keypoints should have shape"),
    "ragged": ([entry(keypoints=[[1, 2, 1], [3, 4]])], "result 0: expected 2 keypoints"),
    "text as number": ([entry(keypoints=["1", 2, 1, 3, 4, 1])], "result 0: keypoints should be numbers"),
    "null": ([entry(), entry(keypoints=[None, 2, 1, 3, 4, 1])], "result 1: keypoints should be numbers"),
    "not finite": ([entry(keypoints=[float("nan"), 2, 1, 3, 4, 1])], "result 0: keypoints holds a number that"),
    "score as text": ([entry(score="0.5")], "result 0: score should be a number, found '0.5'"),
    "score of one is missing": ([entry(), {**entry(), "score": None}], "result 1: score should be a number"),
    "scores missing": ([entry(keypoints=[1, 2, 3, 4], keypoint_scores=[1])], "keypoint_scores should have shape"),
    "image": ([entry(image=1.5)], "result 0: image_id should be a whole number"),
    "category": ([entry(), entry(category_id="person")], "result 1: category_id should be a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_read_is_named(tmp_path, case):
    content, message = BAD[case]
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, copy.deepcopy(content))
    assert str(tmp_path / "results.json") in str(error.value)


def test_a_missing_file_and_broken_json(tmp_path):
    with pytest.raises(InputError, match="nothing.json: cannot be read"):
        read_pose_results(tmp_path / "nothing.json", NAMES)
    (tmp_path / "broken.json").write_text("[{", encoding="utf-8")
    with pytest.raises(InputError, match="broken.json: not valid JSON"):
        read_pose_results(tmp_path / "broken.json", NAMES)
