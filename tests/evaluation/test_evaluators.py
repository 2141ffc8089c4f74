"""Each evaluation set: numbers, units and files of its predictions."""

import dataclasses
import json

import numpy as np
import pytest
import scipy.io
import torch

from lib.config.loader import load_config
from lib.dataset.coco import ObjectFile
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import ImageFolder
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import COCO_KEYPOINTS, MPII_KEYPOINTS, SHARED_KEYPOINTS
from lib.dataset.layouts import COCOLayout, MPIILayout
from lib.evaluation.coco import PoseNMS
from lib.evaluation.evaluators import COCOSet, MPIISet, ObjectSet, evaluate, score_predictions
from lib.evaluation.inference import InferenceOptions, Predictions
from lib.nms.nms import COCO_SIGMAS
from lib.training.data import build_data
from lib.utils.errors import InputError
from lib.utils.log import captured_messages
from tests.factories.data_sets import (
    coco_image,
    coco_person,
    mpii_person,
    read_mpii,
    write_gt_valid,
    write_json,
    write_mpii,
)
from tests.factories.excavators import JOINTS, make_excavators
from tests.factories.small_data_set import COUNT, small_annotations, small_data_set
from tests.factories.small_network import small_network

CODEC = HeatmapCodec((64, 64), (16, 16), 1.0)


def predicted(joints, index=None, scores=None):
    index = np.arange(len(joints)) if index is None else index
    scores = np.ones(joints.shape[:2]) if scores is None else scores
    return Predictions(index, joints, scores, 0.0, 0.0)


def moved(annotations, index, lengths, share):
    """The annotated joints of ``index``, moved along x by ``share`` [len(index), J] of ``lengths`` [N]."""
    joints = annotations.joints[index].copy()
    joints[..., 0] += share * lengths[index][:, None]
    return joints


# MPII

INDEX = np.array([1, 2, 3, 5, 7])  # the images of the others could not be read


def test_pckh_of_the_predicted_annotations_in_percent(tmp_path):
    annotations = small_annotations(tmp_path)
    share = np.random.default_rng(1).choice([0.05, 0.105, 0.3, 0.7], (len(INDEX), 13))
    predictions = predicted(moved(annotations, INDEX, annotations.head_sizes, share), INDEX)
    labelled = annotations.visible[INDEX] > 0
    assert not labelled.all()
    dataset = KeypointDataset(annotations, CODEC)
    numbers = MPIISet(dataset).score(predictions)
    assert list(numbers)[:2] == ["Head", "Shoulder"] and list(numbers)[-2:] == ["Mean", "Mean@0.1"]
    assert numbers["Mean"] == pytest.approx(100 * (share[labelled] < 0.5).mean())
    head = SHARED_KEYPOINTS.index("head")
    hits = share[:, head][labelled[:, head]] < 0.5
    assert numbers["Head"] == pytest.approx(100 * hits.mean())
    assert numbers["Mean@0.1"] == pytest.approx(100 * (share[labelled] < 0.1).mean())
    legacy = MPIISet(dataset, legacy_01=True).score(predictions)
    assert legacy["Mean@0.1"] == pytest.approx(100 * (share[labelled] < 0.11).mean())
    assert legacy["Mean@0.1"] > numbers["Mean@0.1"]


def test_a_joint_on_the_threshold_counts_as_in_double_precision(tmp_path):
    """Predictions half a head off, to the last bit: rounding the truth to float32 would make some of them wrong."""
    sides = np.arange(20, 60)  # of the head boxes; their diagonals are irrational
    # Shifts of the labels, whose float32 lies below them and whose distance to x + 15 is not above 15.
    tenths = [
        x / 10 for x in range(1000, 3000) if (x / 10 + 15) - x / 10 <= 15 < (x / 10 + 15) - np.float32(x / 10)
    ]
    assert len(tenths) > 20
    by_head = [mpii_person(f"{k}.jpg", joints=[[1, 1]] * 16, joints_vis=[1] * 16) for k in range(len(sides))]
    by_label = [
        mpii_person(f"{k}.jpg", joints=[[x + 1, 1]] * 16, joints_vis=[1] * 16) for k, x in enumerate(tenths)
    ]
    write_mpii(tmp_path, by_head + by_label, "valid")
    path = tmp_path / "annot/gt_valid.mat"
    content = {key: value for key, value in scipy.io.loadmat(path).items() if not key.startswith("__")}
    content["headboxes_src"][:, :, : len(sides)] = np.array([[0 * sides, 0 * sides], [sides, sides + 1]])
    scipy.io.savemat(path, content)  # the others' heads are 0.6 * 50 = 30 px

    people = read_mpii(tmp_path, "valid", MPII_KEYPOINTS, 1.0)
    joints = np.zeros((len(people), 16, 2))
    joints[: len(sides), :, 0] = (0.6 * np.sqrt(sides**2 + (sides + 1.0) ** 2) / 2)[:, None]
    joints[len(sides) :, :, 0] = ((np.array(tenths) + 1) - 1 + 15)[:, None]
    to_evaluate = MPIISet(KeypointDataset(people, CODEC))
    assert to_evaluate.score(predicted(joints))["Mean"] == 100

    # It would not be so in single precision, for either kind.
    for name, count in (("head_sizes", len(sides)), ("joints", len(tenths))):
        rounded = dataclasses.replace(people, **{name: getattr(people, name).astype(np.float32)})
        mean = MPIISet(KeypointDataset(rounded, CODEC)).score(predicted(joints))["Mean"]
        assert mean < 100 - 10 * count / len(people)


def test_mpii_predictions_are_saved_in_mpii_order_counted_from_one(tmp_path):
    annotations = small_annotations(tmp_path)
    joints = annotations.joints[INDEX] + 0.25
    path = MPIISet(KeypointDataset(annotations, CODEC)).save(predicted(joints, INDEX), tmp_path)
    saved = scipy.io.loadmat(path)["preds"]
    expected = np.full((COUNT, 16, 2), np.nan)
    for j, name in enumerate(SHARED_KEYPOINTS):
        native = MPII_KEYPOINTS.index({"head": "head_top"}.get(name, name))
        for row, position in enumerate(INDEX):
            expected[position, native] = joints[row, j] + 1
    np.testing.assert_array_equal(saved, expected)


# COCO


def coco_set(folder, box_scores, oks_thre=0.9, names=COCO_KEYPOINTS, **changed):
    annotations = dataclasses.replace(small_annotations(folder, "coco", names), **changed)
    images = [{"id": k + 1, "file_name": f"{k}.png", "width": 140, "height": 130} for k in range(COUNT // 2)]
    labelled = np.concatenate([annotations.joints, 2 * annotations.visible[..., None]], axis=2)
    entries = [
        {"id": k + 1, "image_id": int(annotations.image_ids[k]), "category_id": 1, "bbox": [0, 0, 60, 60],
         "area": 3600.0, "iscrowd": 0, "keypoints": labelled[k].ravel().tolist()}
        for k in range(COUNT)
    ]  # fmt: skip
    write_json(folder / "truth.json", {"images": images, "annotations": entries})
    nms = PoseNMS(0.2, oks_thre)
    file = ObjectFile(folder / "truth.json", ImageFolder(folder))
    return COCOSet(KeypointDataset(annotations, CODEC), file, COCO_SIGMAS, nms, box_scores)


def test_ap_of_the_labels_is_one_and_results_are_scored_by_their_boxes(tmp_path):
    box_scores = np.linspace(0.1, 0.8, COUNT)
    to_evaluate = coco_set(tmp_path, box_scores)
    joints = to_evaluate.dataset.annotations.joints
    numbers = to_evaluate.score(predicted(joints))
    assert numbers["AP"] == pytest.approx(1) and numbers["AR"] == pytest.approx(1)

    index = np.array([6, 3, 4])
    scores = np.full((3, 17), 0.5)
    path = to_evaluate.save(predicted(joints[index], index, scores), tmp_path)
    saved = json.loads(path.read_text())
    assert [result["image_id"] for result in saved] == [2, 3, 4]
    np.testing.assert_allclose([result["score"] for result in saved], 0.5 * box_scores[[3, 4, 6]])
    np.testing.assert_allclose(np.reshape(saved[0]["keypoints"], (17, 3))[:, :2], joints[3])
    # A third of the instances is predicted, all of them right.
    numbers = to_evaluate.score(predicted(joints[index], index, scores))
    assert numbers["AR"] == pytest.approx(3 / COUNT)


def test_nms_measures_similarity_by_the_area_of_the_crop(tmp_path):
    """Two poses of an image, displaced so that OKS is just above the threshold for the crops' area."""
    area = 60.0 * 60.0
    to_evaluate = coco_set(tmp_path, np.ones(COUNT), oks_thre=0.5, sizes=np.tile([60.0, 60.0], (COUNT, 1)))
    sigmas = np.array([0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
                       0.107, 0.107, 0.087, 0.087, 0.089, 0.089])  # fmt: skip
    for oks, left in ((0.49, 2), (0.51, 1)):
        joints = to_evaluate.dataset.annotations.joints[[0, 0]].copy()
        joints[1, :, 0] += np.sqrt(-2 * np.log(oks) * area) * 2 * sigmas
        path = to_evaluate.save(predicted(joints), tmp_path)
        assert len(json.loads(path.read_text())) == left


def test_a_set_without_published_annotations_has_results_but_no_ap(tmp_path):
    to_evaluate = coco_set(tmp_path, np.ones(COUNT))
    tree = json.loads((tmp_path / "truth.json").read_text())
    del tree["annotations"]
    write_json(tmp_path / "image_info_test.json", tree)
    file = ObjectFile(tmp_path / "image_info_test.json", ImageFolder(tmp_path))
    unlabelled = dataclasses.replace(to_evaluate, file=file)
    joints = to_evaluate.dataset.annotations.joints
    assert unlabelled.score(predicted(joints)) == {}
    saved = unlabelled.save(predicted(joints), tmp_path).read_text()
    assert len(json.loads(saved)) == COUNT


# Other categories


def object_set(folder):
    annotations = small_annotations(folder)
    images = [{"id": k + 1, "file_name": f"{k}.png", "width": 140, "height": 130} for k in range(COUNT // 2)]
    labelled = np.concatenate([annotations.joints, 2 * annotations.visible[..., None]], axis=2)
    entries = [
        {"id": int(annotations.ids[k]), "image_id": int(annotations.image_ids[k]), "category_id": 3,
         "bbox": [0, 0, 60, 60], "keypoints": labelled[k].ravel().tolist()}
        for k in range(COUNT)
    ]  # fmt: skip
    # An annotation of the file that is not part of the data set does not count.
    entries.append({**entries[0], "id": 999})
    write_json(folder / "truth.json", {"images": images, "annotations": entries})
    file = ObjectFile(folder / "truth.json", ImageFolder(folder), (3,))
    return ObjectSet(KeypointDataset(annotations, CODEC), file, (0.05,) * 13, PoseNMS(0.2, 0.9))


def test_pck_is_relative_to_the_boxes_and_all_is_in_percent(tmp_path):
    to_evaluate = object_set(tmp_path)
    annotations = to_evaluate.dataset.annotations
    share = np.random.default_rng(2).choice([0.01, 0.07, 0.11], (COUNT, 13))
    share[annotations.visible == 0] = 9  # does not count
    joints = moved(annotations, np.arange(COUNT), annotations.box_sizes, share)
    numbers = to_evaluate.score(predicted(joints))
    assert list(numbers) == [*SHARED_KEYPOINTS, "Mean", "Mean@0.05", "OKS-AP"]

    def rates(limit):
        hits = [share[annotations.visible[:, j] > 0, j] < limit for j in range(13)]
        return [100 * hit.mean() for hit in hits]

    np.testing.assert_allclose([numbers[name] for name in SHARED_KEYPOINTS], rates(0.1))
    assert numbers["Mean"] == pytest.approx(np.mean(rates(0.1)))
    assert numbers["Mean@0.05"] == pytest.approx(np.mean(rates(0.05)))
    assert to_evaluate.score(predicted(annotations.joints))["OKS-AP"] == pytest.approx(100)


def test_objects_in_unreadable_images_count_as_missed_in_oks_ap_alone(tmp_path):
    to_evaluate = object_set(tmp_path)
    joints = to_evaluate.dataset.annotations.joints[INDEX]
    numbers = to_evaluate.score(predicted(joints, INDEX))
    assert numbers["Mean"] == 100
    # Precision 1 up to a recall of 5 / 8, at 101 recalls from 0 to 1.
    assert numbers["OKS-AP"] == pytest.approx(100 * (int(100 * 5 / 8) + 1) / 101)


def test_the_set_of_a_target_scores_its_own_part(tmp_path):
    """Predictions that are the labels, one of them moved by 0.08 of the box."""
    root = make_excavators(tmp_path, source=3, target=9, test=2)
    roots = {"DATASET_SRC.ROOT": str(root / "source"), "DATASET_TARGET.ROOT": str(root / "target")}
    config = load_config("experiments/custom/excavator.yaml", roots | {"OUTPUT_DIR": str(root / "output")})
    with captured_messages() as lines:
        validation = build_data(config, False).validation
    assert "validation V: OKS with the sigmas 0.05 (SIGMAS)" in lines
    people = validation.dataset.annotations
    joints = people.joints.copy()
    moved = int(np.flatnonzero(people.visible[:, 3])[0])
    joints[moved, 3, 0] += 0.08 * people.box_sizes[moved]
    count = len(people)
    predictions = Predictions(np.arange(count), joints, np.ones((count, 7)), 0.0, 0.0)
    numbers = validation.score(predictions)
    assert list(numbers) == [*JOINTS, "Mean", "Mean@0.05", "OKS-AP"]
    assert numbers["Mean"] == 100
    share = 1 / people.visible[:, 3].sum() / len(JOINTS)
    assert numbers["Mean@0.05"] == pytest.approx(100 * (1 - share))
    assert 90 < numbers["OKS-AP"] <= 100.001
    saved = json.loads(validation.save(predictions, tmp_path).read_text())
    assert {entry["category_id"] for entry in saved} == {3} and len(saved) == count


# Files of predictions


def test_score_of_mpii_predictions_by_name_and_with_the_head_boxes(tmp_path):
    """Two joints, moved by shares of the head size, which is 0.6 times the diagonal of a 30 x 40 box."""
    people = [mpii_person(joints=[[11 + k, 21 + 2 * k] for k in range(16)]) for _ in range(4)]
    (tmp_path / "annot").mkdir()
    write_gt_valid(tmp_path / "annot/gt_valid.mat", people)
    joints = np.array([person["joints"] for person in people], float)
    share = np.array([[0.05, 0.6], [0.105, 0.4], [0.3, 0.7], [0.6, 0.4]])
    names = ("left_wrist", "head_top")
    for j, name in enumerate(names):
        joints[:, MPII_KEYPOINTS.index(name), 1] += share[:, j] * 30
    # The ankle, which the network lacks, is far off.
    joints[:, MPII_KEYPOINTS.index("left_ankle")] += 1000
    scipy.io.savemat(tmp_path / "preds.mat", {"preds": joints})
    layout, path = MPIILayout(tmp_path), str(tmp_path / "preds.mat")
    measure, numbers = score_predictions(layout, "valid", names, path, False)
    assert measure == "PCKh" and (numbers["Wrist"], numbers["Head"]) == (75, 50)
    assert numbers["Mean"] == 100 * 5 / 8 and numbers["Mean@0.1"] == 100 * 1 / 8
    assert score_predictions(layout, "valid", names, path, True)[1]["Mean@0.1"] == 100 * 2 / 8
    with pytest.raises(InputError, match=r"DATASET\.TEST_SET is train"):
        score_predictions(layout, "train", names, path, False)


def test_score_of_coco_predictions(tmp_path):
    people = [coco_person(1, 1), coco_person(2, 2)]
    path = tmp_path / "annotations/person_keypoints_val2017.json"
    write_json(path, {"images": [coco_image(1), coco_image(2)], "annotations": people})
    keypoints = [value for k in range(17) for value in (10 + k, 8 + k, 1)]
    results = [{"image_id": 2, "category_id": 1, "keypoints": keypoints, "score": 1.0}]
    write_json(tmp_path / "results.json", results)
    layout = COCOLayout(tmp_path)
    measure, numbers = score_predictions(layout, "val2017", (), str(tmp_path / "results.json"), False)
    assert measure == "AP" and numbers["AR"] == pytest.approx(0.5)


# Networks


def test_summary_of_an_evaluation(tmp_path):
    dataset = small_data_set(tmp_path)
    to_evaluate = MPIISet(dataset)
    options = InferenceOptions(3, 0, False, True, "raise")
    summary, predictions = evaluate(small_network(), to_evaluate, torch.device("cpu"), options)
    # Labels where the network sees the joints: all of the peaks are right.
    labels = dataclasses.replace(dataset.annotations, joints=predictions.joints)
    to_evaluate = MPIISet(KeypointDataset(labels, dataset.codec))
    assert list(summary) == ["PCKh", "loss", "accuracy", "people"]
    assert summary["loss"] == predictions.loss and summary["people"] == COUNT
    summary, predictions = evaluate(small_network(), to_evaluate, torch.device("cpu"), options)
    assert summary["PCKh"]["Mean"] == 100 and 50 < summary["accuracy"] <= 100
    assert summary["accuracy"] == pytest.approx(100 * predictions.accuracy)
