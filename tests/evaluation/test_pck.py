import math
import warnings
from pathlib import Path

import numpy as np
import pytest

from lib.dataset.keypoints import MPII_KEYPOINTS, SHARED_KEYPOINTS, joint_mapping
from lib.dataset.mpii_truth import read_mpii_predictions, read_mpii_truth
from lib.evaluation.pck import heatmap_accuracy, normalized_errors, pck, pckh
from lib.utils.errors import InputError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
MPII_EVAL = DATA / "mpii_eval"
needs_mpii_eval = pytest.mark.skipif(not MPII_EVAL.is_dir(), reason=f"no MPII validation data in {MPII_EVAL}")

COLUMNS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "Mean", "Mean@0.1")
# Head to Mean, then the mean at 0.11 (the toolbox's "0.1") and at 0.10.
PUBLISHED = {
    "newell_hourglass": (95.88, 95.19, 89.14, 84.17, 86.97, 83.20, 80.40, 88.41, 25.00, 21.18),
    "tompson": (95.60, 92.71, 83.36, 76.74, 81.93, 73.32, 65.40, 82.31, 33.08, 28.91),
    "bearpaw_hg_s1": (95.12, 93.61, 85.53, 79.56, 84.51, 78.28, 73.41, 85.07, 27.32, 23.25),
}


def peaks(shape, *positions):
    """One person's heatmaps [1, J, *shape], each with one peak at (x, y)."""
    maps = np.zeros((1, len(positions), *shape), np.float32)
    for j, (x, y) in enumerate(positions):
        maps[0, j, y, x] = 1
    return maps


def test_heatmap_accuracy_measures_x_in_widths_and_y_in_heights():
    # On 20 x 100 (w x h) a tenth is 2 px along x and 10 px along y.
    target = peaks((100, 20), (5, 50), (5, 50), (5, 50), (5, 50))
    predicted = peaks((100, 20), (5, 54), (5, 55), (9, 50), (6, 50))
    near, _ = heatmap_accuracy(predicted, target, np.ones((1, 4)))
    np.testing.assert_array_equal(near, [1, 0, 0, 0])
    wide, _ = heatmap_accuracy(predicted.swapaxes(2, 3), target.swapaxes(2, 3), np.ones((1, 4)))
    np.testing.assert_array_equal(wide, [1, 0, 0, 0])
    loose, mean = heatmap_accuracy(predicted, target, np.ones((1, 4)), threshold=0.6)
    np.testing.assert_array_equal(loose, [1, 1, 0, 1])
    assert mean == 0.75


def test_heatmap_accuracy_counts_weighted_joints_only():
    target = np.concatenate([peaks((64, 48), (9, 9), (9, 9), (9, 9))] * 2)
    predicted = np.concatenate([target[:1], peaks((64, 48), (40, 9), (40, 9), (40, 9))])
    per_joint, mean = heatmap_accuracy(predicted, target, np.array([[1, 1, 0], [1, 0, 0]]))
    np.testing.assert_array_equal(per_joint, [0.5, 1, np.nan])
    assert mean == 0.75


def test_heatmap_accuracy_of_nothing_is_nan_and_nan_is_wrong():
    target = peaks((64, 48), (9, 9), (9, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        per_joint, mean = heatmap_accuracy(target, target, np.zeros((1, 2)))
        assert np.isnan(per_joint).all() and np.isnan(mean)
        _, mean = heatmap_accuracy(np.full_like(target, np.nan), target, np.ones((1, 2)))
        assert mean == 0


@needs_mpii_eval
@pytest.mark.parametrize("network", PUBLISHED)
def test_pckh_of_published_predictions_is_the_published_one(network):
    truth = read_mpii_truth(MPII_EVAL / "annot" / "gt_valid.mat")
    predicted = read_mpii_predictions(MPII_EVAL / "preds" / f"{network}.mat")
    errors = normalized_errors(predicted, truth.joints, truth.head_sizes)
    legacy = pckh(errors, truth.visible, MPII_KEYPOINTS, legacy_01=True)
    exact = pckh(errors, truth.visible, MPII_KEYPOINTS)
    assert tuple(legacy) == tuple(exact) == (*COLUMNS, "Mean13", "Mean13@0.1")
    found = [legacy[key] for key in COLUMNS] + [exact["Mean@0.1"]]
    np.testing.assert_allclose(found, PUBLISHED[network], rtol=0, atol=0.0051)
    assert all(exact[key] == legacy[key] for key in exact if "@" not in key)
    # Without the upper neck, which is easy, less is right.
    assert 0.7 < exact["Mean"] - exact["Mean13"] < 1.3


@needs_mpii_eval
def test_pckh_of_the_shared_joints_differs_in_the_means_only():
    truth = read_mpii_truth(MPII_EVAL / "annot" / "gt_valid.mat")
    predicted = read_mpii_predictions(MPII_EVAL / "preds" / "tompson.mat")
    errors = normalized_errors(predicted, truth.joints, truth.head_sizes)
    index = list(joint_mapping("mpii", SHARED_KEYPOINTS).index)
    shared = pckh(errors[:, index], truth.visible[:, index], SHARED_KEYPOINTS)
    full = pckh(errors, truth.visible, MPII_KEYPOINTS)
    assert all(shared[group] == full[group] for group in COLUMNS[:7])
    assert tuple(shared) == COLUMNS
    assert (shared["Mean"], shared["Mean@0.1"]) == (full["Mean13"], full["Mean13@0.1"])
    hits = [e <= 0.5 for e, v in zip(errors[:, index].flat, truth.visible[:, index].flat) if v]
    assert shared["Mean"] == pytest.approx(100 * sum(hits) / len(hits))


def test_pckh_averages_sides_in_groups_and_people_in_the_mean():
    names = ("pelvis", "left_knee", "right_knee", "head_top")
    errors = np.array(
        [[0.0, 0.5, 0.105, 0.1], [0.0, 0.6, 9, 0.2], [0.0, 0.6, 9, 0.51], [0.0, 0.6, 9, np.nan]]
    )
    visible = np.array([[1, 1, 1, 1], [1, 1, 0, 1], [1, 1, 0, 1], [1, 1, 0, 1]])
    result = pckh(errors, visible, names)
    assert result["Knee"] == pytest.approx((25 + 100) / 2)
    assert result["Head"] == pytest.approx(50)
    assert result["Mean"] == pytest.approx(100 * 4 / 9)
    assert result["Mean@0.1"] == pytest.approx(100 * 1 / 9)
    assert pckh(errors, visible, names, legacy_01=True)["Mean@0.1"] == pytest.approx(100 * 2 / 9)


@pytest.mark.parametrize("name", ["pelvis", "thorax"])
def test_pckh_means_leave_out_the_trunk(name):
    errors = np.array([[9.0, 0.2], [9.0, 0.6]])
    result = pckh(errors, np.ones((2, 2)), (name, "head_top"))
    assert (result["Mean"], result["Mean@0.1"], result["Head"]) == (50, 0, 50)


def test_the_upper_neck_counts_in_mpiis_mean_alone():
    errors = np.array([[0.05, 0.2], [0.05, 0.6], [9.0, 0.6]])
    result = pckh(errors, np.array([[1, 1], [1, 1], [0, 1]]), ("upper_neck", "head_top"))
    assert (result["Mean"], result["Mean@0.1"]) == (60, 40)
    assert (result["Mean13"], result["Mean13@0.1"]) == (pytest.approx(100 / 3), 0)


def test_pckh_without_visible_joints_is_nan_and_silent():
    visible = np.zeros((2, 13), int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(list(pckh(np.zeros((2, 13)), visible, SHARED_KEYPOINTS).values())).all()
        visible[0, SHARED_KEYPOINTS.index("left_wrist")] = 1
        result = pckh(np.zeros((2, 13)), visible, SHARED_KEYPOINTS)
        assert pckh(np.zeros((0, 13)), visible[:0], SHARED_KEYPOINTS).keys() == result.keys()
    assert [key for key in COLUMNS if result[key] == 100] == ["Wrist", "Mean", "Mean@0.1"]
    assert np.isnan([result[key] for key in COLUMNS if key not in ("Wrist", "Mean", "Mean@0.1")]).all()


def test_pckh_refuses_names_of_other_joints():
    with pytest.raises(ValueError, match="13 joint names"):
        pckh(np.zeros((2, 16)), np.ones((2, 16)), SHARED_KEYPOINTS)


def test_normalized_errors_divides_by_each_head():
    predicted = np.array([[[3.0, 4.0]], [[6.0, 8.0]]])
    errors = normalized_errors(predicted, predicted * 0, np.array([5, 20]))
    np.testing.assert_array_equal(errors, [[1], [0.5]])
    with pytest.raises(InputError, match="2 people with 1 joints.*1 people with 1 joints"):
        normalized_errors(predicted, predicted[:1], np.ones(1))


def test_pck_against_loops():
    rng = np.random.default_rng(0)
    errors, visible = rng.uniform(0, 0.25, (40, 3)), rng.integers(0, 3, (40, 3))
    visible[:, 2] = 0
    rates = pck(errors, visible, ("a", "b", "c"))

    def rate(j, limit):
        hits = [errors[i, j] <= limit for i in range(40) if visible[i, j]]
        return 100 * sum(hits) / len(hits)

    assert rates["a"] == pytest.approx(rate(0, 0.1)) and rates["b"] == pytest.approx(rate(1, 0.1))
    assert math.isnan(rates["c"])
    assert rates["Mean"] == pytest.approx((rate(0, 0.1) + rate(1, 0.1)) / 2)
    assert rates["Mean@0.05"] == pytest.approx((rate(0, 0.05) + rate(1, 0.05)) / 2)
