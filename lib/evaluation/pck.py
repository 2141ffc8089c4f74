"""Keypoint metrics: heatmap accuracy during training, PCKh for MPII, and PCK for objects of any kind."""

from collections.abc import Sequence

import numpy as np

from lib.dataset.heatmap import find_peaks
from lib.utils.errors import InputError

# Columns of MPII's table and the joints that each averages.
PCKH_GROUPS = {
    "Head": ("head_top", "head"),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
# Means and the joints that each leaves out: MPII's own, and that over the 13 joints which COCO has as well.
PCKH_MEANS = {"Mean": ("pelvis", "thorax"), "Mean13": ("pelvis", "thorax", "upper_neck")}


def heatmap_accuracy(
    predicted: np.ndarray, target: np.ndarray, target_weight: np.ndarray, threshold: float = 0.5
) -> tuple[np.ndarray, float]:
    """Compute the share of heatmaps whose peak is near the target's peak.

    This is `accuracy` of SimpleBaseline's lib/core/evaluate.py, except that x is divided by the width and y
    by the height (there it is the reverse, which is the same for square heatmaps), and that labelled joints
    are those of ``target_weight``.

    Args:
        predicted: [N, J, h, w] heatmaps.
        target: [N, J, h, w] heatmaps.
        target_weight: [N, J], above 0 for labelled joints; the others do not count.
        threshold: peaks closer than this count as correct, in tenths of the heatmap's width (x) and
            height (y).

    Returns:
        The share of each joint, [J] in [0, 1], NaN for a joint without a label; and the mean over the joints
        that have one, NaN if there are none.
    """
    height, width = target.shape[-2:]
    offset = (find_peaks(predicted)[0] - find_peaks(target)[0]) / (width / 10, height / 10)
    labelled = np.asarray(target_weight) > 0
    correct = np.linalg.norm(offset, axis=-1) < threshold
    per_joint = _rate(correct & labelled, labelled)
    return per_joint, _mean_without_nan(per_joint)


def normalized_errors(predicted: np.ndarray, truth: np.ndarray, head_sizes: np.ndarray) -> np.ndarray:
    """Compute the distance of each predicted joint from the true one, relative to a length per instance.

    Args:
        predicted: [N, J, 2] pixels.
        truth: [N, J, 2] pixels.
        head_sizes: [N] pixels; head sizes for PCKh, longer sides of the bounding boxes for PCK.

    Returns:
        [N, J] distances in multiples of ``head_sizes``.

    Raises:
        InputError: ``predicted`` and ``truth`` have different numbers of instances or joints.
    """
    if predicted.shape != truth.shape:
        raise InputError(
            "the predictions hold {} people with {} joints; ".format(*predicted.shape)
            + "expected {} people with {} joints, as the ground truth has".format(*truth.shape)
        )
    return np.linalg.norm(predicted - truth, axis=-1) / np.asarray(head_sizes)[:, None]


def pckh(
    errors: np.ndarray, visible: np.ndarray, names: Sequence[str], legacy_01: bool = False
) -> dict[str, float]:
    """Compute PCKh as MPII's evaluation does (Andriluka et al. 2014; `evaluate` of SimpleBaseline's mpii.py).

    Args:
        errors: [N, J] distances in head sizes, see `normalized_errors`.
        visible: [N, J], above 0 for annotated joints; the others do not count.
        names: names of the J joints.
        legacy_01: compute "Mean@0.1" at a threshold of 0.11, as the public toolbox does.

    Returns:
        Percent: PCKh@0.5 of each of PCKH_GROUPS (mean of its joints), "Mean" (PCKh@0.5 over all annotated
        joints except pelvis and thorax) and "Mean@0.1". With MPII's 16 joints these are the published means,
        and "Mean13" and "Mean13@0.1" are those of the 13 joints shared with COCO, without the upper neck; a
        network with the 13 has only these, as "Mean" and "Mean@0.1". NaN if nothing is annotated.

    Raises:
        ValueError: the shapes do not match.
    """
    if errors.shape != visible.shape or errors.shape[1:] != (len(names),):
        raise ValueError(
            f"errors {errors.shape}, visible {visible.shape} and {len(names)} joint names do not match"
        )
    annotated = np.asarray(visible) > 0
    correct = (errors <= 0.5) & annotated
    correct_01 = (errors <= (0.11 if legacy_01 else 0.1)) & annotated
    per_joint = dict(zip(names, _rate(correct, annotated)))

    # A group is the mean of its left and right rates, as in MPII's table, whatever their numbers of joints.
    result = {
        group: 100 * _mean_without_nan(np.array([per_joint[name] for name in members if name in per_joint]))
        for group, members in PCKH_GROUPS.items()
    }
    # The means weight every annotated joint alike.
    for key, left_out in PCKH_MEANS.items():
        if key == "Mean" or "upper_neck" in names:
            counted = annotated & [name not in left_out for name in names]
            for suffix, hit in (("", correct), ("@0.1", correct_01)):
                result[key + suffix] = 100 * float(_rate(hit[counted], np.ones(counted.sum())))
    return result


def pck(errors: np.ndarray, visible: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """Compute PCK (Yang and Ramanan 2013) at 0.1 and 0.05 of the bounding box's longer side.

    Args:
        errors: [N, J] distances in longer sides of the boxes, see `normalized_errors`.
        visible: [N, J], above 0 for annotated joints; the others do not count.
        names: names of the J joints.

    Returns:
        Percent: PCK@0.1 of each joint, "Mean" of those, and "Mean@0.05", the mean of PCK@0.05. NaN for a
        joint that is never annotated, which does not count in the means.
    """
    annotated = np.asarray(visible) > 0
    at_01, at_005 = (100 * _rate((errors <= limit) & annotated, annotated) for limit in (0.1, 0.05))
    means = {"Mean": _mean_without_nan(at_01), "Mean@0.05": _mean_without_nan(at_005)}
    return dict(zip(names, at_01.tolist())) | means


def _rate(correct: np.ndarray, annotated: np.ndarray) -> np.ndarray:
    """Share of ``correct`` among ``annotated`` along the first axis, NaN where nothing is annotated."""
    total = annotated.sum(axis=0)
    return np.where(total > 0, correct.sum(axis=0) / np.maximum(total, 1), np.nan)


def _mean_without_nan(values: np.ndarray) -> float:
    """Mean of the values that are not NaN; NaN, without NumPy's warning, if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
