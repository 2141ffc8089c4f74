import json
import math
from pathlib import Path

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from lib.dataset.coco import ObjectFile
from lib.dataset.images import ImageFolder
from lib.evaluation.coco import (
    MEASURES,
    PoseNMS,
    PredictedPoses,
    coco_average_precision,
    coco_results,
    format_table,
    object_average_precision,
)
from lib.evaluation.ground_truth import COCO_PERSON, read_ground_truth
from lib.nms.nms import COCO_SIGMAS
from tests.factories.coco_results import annotation_file, result
from tests.factories.data_sets import coco_person, write_json

FILE = Path(__file__).resolve().parents[3] / "shared/data/coco/annotations/person_keypoints_val2017.json"
needs_coco = pytest.mark.skipif(not FILE.is_file(), reason=f"no COCO sample at {FILE}")


def annotated(keep=lambda annotation: True):
    return [annotation for annotation in json.loads(FILE.read_text())["annotations"] if keep(annotation)]


NMS, NO_NMS = PoseNMS(0.2, 0.9), PoseNMS(0.2, None)


def as_predicted(annotations, noise=0.0, seed=0, nms=True, scores=None, box_scores=None):
    """The results of a network that finds each annotation's labelled keypoints, the others in its box."""
    points = np.array([a["keypoints"] for a in annotations], float).reshape(-1, 17, 3)
    boxes = np.array([a["bbox"] for a in annotations])
    joints = np.where(points[..., 2:] > 0, points[..., :2], (boxes[:, :2] + boxes[:, 2:] / 2)[:, None])
    joints += noise * np.random.default_rng(seed).normal(size=joints.shape)
    poses = PredictedPoses(
        joints=joints,
        scores=np.ones(points.shape[:2]) if scores is None else scores,
        image_ids=np.array([a["image_id"] for a in annotations]),
        box_scores=np.ones(len(annotations)) if box_scores is None else box_scores,
        areas=boxes[:, 2] * boxes[:, 3] * 1.25**2,
    )
    return coco_results(poses, NMS if nms else NO_NMS)


def ones(values):
    return values == dict.fromkeys(MEASURES, 1.0)


@needs_coco
@pytest.mark.parametrize("nms", [True, False])
def test_the_truth_itself_has_average_precision_one(nms, capsys):
    assert len(labelled := annotated(lambda a: a["num_keypoints"] > 0)) == 68
    assert ones(coco_average_precision(FILE, as_predicted(labelled, nms=nms)))
    # Crowds and persons without labels, which no loader returns, may be predicted or not.
    assert len(annotations := annotated()) == 118
    assert ones(coco_average_precision(FILE, as_predicted(annotations, nms=nms)))
    assert capsys.readouterr().out == ""


@needs_coco
def test_missed_people_cost_recall_and_extra_people_precision():
    labelled = annotated(lambda a: a["num_keypoints"] > 0)
    for missed in (1, 17, 67):
        recall = 1 - missed / 68
        values = coco_average_precision(FILE, as_predicted(labelled[missed:]))
        assert values["AR"] == pytest.approx(recall) and values["AR .5"] == pytest.approx(recall)
        # With nothing wrong, the precision is 1 up to that recall, at 101 points of it.
        assert values["AP"] == pytest.approx((math.floor(100 * recall) + 1) / 101)
    # A prediction where nobody is, with the highest score, costs precision but no recall.
    unlabelled = annotated(lambda a: not a["num_keypoints"] and not a["iscrowd"])
    ghost = {**unlabelled[0], "bbox": [-9000, -9000, 100, 100]}
    scores = np.ones((69, 17))
    scores[0] = 2
    values = coco_average_precision(FILE, as_predicted([ghost, *labelled], scores=scores))
    assert values["AR"] == 1 and values["AP"] == pytest.approx(68 / 69)


@needs_coco
def test_average_precision_falls_with_noise():
    labelled = annotated(lambda a: a["num_keypoints"] > 0)
    values = [
        coco_average_precision(FILE, as_predicted(labelled, noise))["AP"] for noise in (0, 1, 2, 4, 8, 16, 32)
    ]
    assert values[0] == 1 and values[-1] < 0.02
    assert all(better > worse + 0.03 for better, worse in zip(values, values[1:]))


@needs_coco
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_pycocotools_on_the_files_themselves(tmp_path, seed, capsys):
    rng = np.random.default_rng(seed)
    annotations = annotated() * 2
    results = as_predicted(
        annotations,
        4.0,
        seed,
        scores=rng.random((len(annotations), 17)),
        box_scores=rng.random(len(annotations)),
    )
    write_json(tmp_path / "results.json", results)
    truth = COCO(str(FILE))
    evaluation = COCOeval(truth, truth.loadRes(str(tmp_path / "results.json")), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    before = json.dumps(results)
    for given in (results, tmp_path / "results.json", str(tmp_path / "results.json")):
        values = coco_average_precision(FILE, given)
        assert list(values.values()) == evaluation.stats.tolist()
    assert 0.1 < values["AP"] < 0.9
    assert list(values) == list(MEASURES)
    assert json.dumps(results) == before
    capsys.readouterr()


def test_average_precision_by_hand(tmp_path):
    path = annotation_file(tmp_path, [coco_person(1, 1, area=2000), coco_person(2, 2, area=2000)])
    right_wrong_right = [result(1, 0, 0.9), result(1, 500, 0.8), result(2, 0, 0.7)]
    values = coco_average_precision(path, right_wrong_right)
    # Precision is 1 up to a recall of a half, 2 / 3 beyond, read at 101 recalls.
    expected = (51 + 50 * 2 / 3) / 101
    for name in ("AP", "AP .5", "AP .75"):
        assert values[name] == pytest.approx(expected)
    assert values["AP (M)"] == pytest.approx(1)  # the wrong one spans 16 x 16 pixels, which is not medium
    for name in ("AR", "AR .5", "AR .75", "AR (M)"):
        assert values[name] == 1
    assert math.isnan(values["AP (L)"]) and math.isnan(values["AR (L)"])


@pytest.mark.parametrize("similarity", [0.49, 0.52, 0.62, 0.77, 0.93, 0.97])
def test_thresholds_of_the_similarity(tmp_path, similarity):
    # One labelled keypoint, an ankle, moved so far that OKS = exp(-d^2 / (2 (2 sigma)^2 area)).
    person = coco_person(1, 1, area=5000, keypoints=[0] * 48 + [30, 30, 2])
    shift = 2 * COCO_SIGMAS[16] * math.sqrt(-2 * 5000 * math.log(similarity))
    prediction = result(keypoints=[0, 0, 1] * 16 + [30 + shift, 30, 1])
    values = coco_average_precision(annotation_file(tmp_path, [person]), [prediction])
    passed = [float(similarity >= threshold / 100) for threshold in range(50, 100, 5)]
    assert values["AP"] == pytest.approx(np.mean(passed))
    assert values["AP .5"] == pytest.approx(passed[0]) and values["AP .75"] == pytest.approx(passed[5])


def test_no_results_are_worth_nothing(tmp_path):
    path = annotation_file(tmp_path, [coco_person(1, 1, area=2000)])
    write_json(tmp_path / "none.json", [])
    for results in ([], tmp_path / "none.json"):
        values = coco_average_precision(path, results)
        assert values["AP"] == values["AR"] == values["AP (M)"] == values["AP .75"] == 0
        assert math.isnan(values["AP (L)"])
    empty = annotation_file(tmp_path, [])
    assert all(math.isnan(value) for value in coco_average_precision(empty, [result()]).values())
    assert all(math.isnan(value) for value in coco_average_precision(empty, []).values())


@pytest.mark.parametrize("numbers", [(0, 1), (5, 5), (7, None)])
def test_the_annotations_own_numbers_do_not_matter(tmp_path, numbers):
    people = [coco_person(number, image) for number, image in zip(numbers, (1, 2))]
    values = coco_average_precision(annotation_file(tmp_path, people), [result(1), result(2)])
    assert values["AP .5"] == values["AR"] == 1


def test_other_categories_and_people_without_labels_do_not_count(tmp_path):
    people = [
        coco_person(1, 1),
        coco_person(2, 2, category_id=18, keypoints=[]),
        coco_person(3, 2, keypoints=[0] * 51),
        coco_person(4, 2, iscrowd=1, keypoints=[]),
    ]
    path = annotation_file(tmp_path, people)
    assert coco_average_precision(path, [result(1)])["AR"] == 1
    # What lies where they are is not wrong either.
    values = coco_average_precision(path, [result(2, score=3), result(2, score=2, shift=1), result(1)])
    assert values["AP"] == pytest.approx(1)


def test_a_crowd_with_keypoints_does_not_count(tmp_path):
    people = [coco_person(1, 1), coco_person(2, 2, iscrowd=1)]
    path = annotation_file(tmp_path, people)
    assert coco_average_precision(path, [result(1)])["AR"] == 1
    assert coco_average_precision(path, [result(2, score=3), result(1)])["AP"] == pytest.approx(1)


def test_a_poses_score_is_its_boxs_times_its_sure_keypoints():
    rng = np.random.default_rng(0)
    count = 40
    scores = rng.random((count, 17))
    scores[0] = 0.1  # nothing is sure
    scores[1] = 0.2  # at the threshold is not above it
    scores[2, 1:] = 0
    joints, box_scores = rng.uniform(0, 500, (count, 17, 2)), rng.random(count)
    image_ids = rng.integers(1, 5, count)
    poses = PredictedPoses(joints, scores, image_ids, box_scores, np.full(count, 100.0))
    results = coco_results(poses, NMS)
    assert len(results) == count

    expected = []
    for i in range(count):
        sure = [score for score in scores[i] if score > 0.2]
        keypoints = [value for (x, y), score in zip(joints[i], scores[i]) for value in (x, y, score)]
        pose_score = box_scores[i] * sum(sure) / len(sure) if sure else 0
        expected.append((int(image_ids[i]), -pose_score, keypoints))
    expected.sort()
    for converted, (image_id, score, keypoints) in zip(results, expected, strict=True):
        assert (converted["image_id"], converted["category_id"]) == (image_id, 1)
        assert converted["score"] == pytest.approx(-score)
        assert converted["keypoints"] == keypoints
    assert json.loads(json.dumps(results)) == results


def plain_oks(a, b, area):
    """Similarity of two lists of (x, y), keypoint by keypoint."""
    terms = [
        math.exp(-((ax - bx) ** 2 + (ay - by) ** 2) / (2 * (2 * sigma) ** 2 * area))
        for (ax, ay), (bx, by), sigma in zip(a, b, COCO_SIGMAS)
    ]
    return sum(terms) / len(terms)


@pytest.mark.parametrize("threshold", [0.3, 0.7, 0.9])
@pytest.mark.parametrize("seed", range(3))
def test_nms_is_greedy_in_each_image(seed, threshold):
    rng = np.random.default_rng(seed)
    count, people = 60, rng.uniform(0, 300, (4, 17, 2))
    joints = people[rng.integers(0, 4, count)] + rng.normal(0, 6, (count, 17, 2)) * rng.random((count, 1, 1))
    scores, areas = rng.random((count, 17)), rng.uniform(2000, 9000, count)
    image_ids, box_scores = rng.choice([3, 7, 2**40], count), rng.random(count)
    poses = PredictedPoses(joints, scores, image_ids, box_scores, areas)
    every = coco_results(poses, PoseNMS(0.2, None))
    assert len(every) == count
    order = [(r["image_id"], -r["score"]) for r in every]
    assert order == sorted(order)

    area_of = {tuple(joint.ravel()): area for joint, area in zip(joints, areas)}
    expected = []
    for candidate in sorted(every, key=lambda r: (r["image_id"], -r["score"])):
        pose = np.reshape(candidate["keypoints"], (17, 3))[:, :2]
        area = area_of[tuple(pose.ravel())]
        rivals = [r for r in expected if r["image_id"] == candidate["image_id"]]
        others = [np.reshape(r["keypoints"], (17, 3))[:, :2] for r in rivals]
        if all(plain_oks(pose, o, (area + area_of[tuple(o.ravel())]) / 2) <= threshold for o in others):
            expected.append(candidate)
    assert coco_results(poses, PoseNMS(0.2, threshold)) == expected
    assert len(expected) < count


@needs_coco
def test_nms_removes_people_found_twice():
    labelled = annotated(lambda a: a["num_keypoints"] > 0)
    surer = np.repeat([1.0, 0.5], 68)
    twice = as_predicted(labelled * 2, box_scores=surer, nms=False)
    once = as_predicted(labelled * 2, box_scores=surer)
    assert (len(twice), len(once)) == (136, 68)
    assert {r["score"] for r in once} == {1.0}
    # Duplicates that are as sure as the others cost precision.
    tied = as_predicted(labelled * 2, nms=False)
    assert coco_average_precision(FILE, tied)["AP"] < 0.8
    assert ones(coco_average_precision(FILE, as_predicted(labelled * 2)))


def test_no_poses_give_no_results():
    none = np.zeros(0)
    poses = PredictedPoses(np.zeros((0, 17, 2)), np.zeros((0, 17)), none, none, none)
    assert coco_results(poses, NMS) == coco_results(poses, NO_NMS) == []


def test_table():
    values = {"AP": 0.70449, "AP .5": 1.0, "AR (L)": float("nan")}
    assert format_table("pose_resnet_50", values).splitlines() == [
        "| Arch | AP | AP .5 | AR (L) |",
        "| --- | --- | --- | --- |",
        "| pose_resnet_50 | 0.704 | 1.000 | nan |",
    ]


@needs_coco
@pytest.mark.parametrize("noise", [2, 6])
def test_the_ap_of_objects_is_cocos_for_people(noise):
    annotations = annotated()
    results = as_predicted([a for a in annotations if a["num_keypoints"] > 0], noise)
    expected = coco_average_precision(FILE, results)["AP"]
    truth = read_ground_truth(ObjectFile(FILE, ImageFolder(FILE.parent)), COCO_PERSON.sigmas)
    value = object_average_precision(truth.only([a["id"] for a in annotations]), results)
    assert 0.1 < expected < 0.99 and value == pytest.approx(expected, abs=1e-9)
