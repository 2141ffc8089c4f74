"""How right joints are: accuracy of heatmaps while training, PCKh on MPII, and PCK of any objects."""

from collections.abc import Sequence

import numpy as np

from lib.dataset.heatmap import find_peaks
from lib.utils.errors import InputError

PCKH_GROUPS = {
    "Head": ("head_top", "head"),
    "Shoulder": ("left_shoulder", "right_shoulder"),
    "Elbow": ("left_elbow", "right_elbow"),
    "Wrist": ("left_wrist", "right_wrist"),
    "Hip": ("left_hip", "right_hip"),
    "Knee": ("left_knee", "right_knee"),
    "Ankle": ("left_ankle", "right_ankle"),
}
NOT_IN_PCKH_MEAN = ("pelvis", "thorax")


def heatmap_accuracy(
    predicted: np.ndarray, target: np.ndarray, target_weight: np.ndarray, threshold: float = 0.5
) -> tuple[np.ndarray, float]:
    """Share of joints [J] whose heatmap peaks near the target's, and its mean over joints.

    predicted, target: [N, J, h, w]; target_weight: [N, J], above 0 where a joint counts.
    The distance of the peaks is in tenths of the heatmap's width and height and must be below
    ``threshold``. NaN for a joint that never counts, and for the mean if none does.
    """
    height, width = target.shape[-2:]
    offset = (find_peaks(predicted)[0] - find_peaks(target)[0]) / (width / 10, height / 10)
    counted = np.asarray(target_weight) > 0
    hit = np.linalg.norm(offset, axis=-1) < threshold
    per_joint = _rate(hit & counted, counted)
    return per_joint, _mean_of_known(per_joint)


def normalised_errors(predicted: np.ndarray, truth: np.ndarray, head_sizes: np.ndarray) -> np.ndarray:
    """Distances [N, J] of predicted and true joints [N, J, 2] in lengths [N], such as head sizes.

    Raises InputError where the two hold different numbers of people or joints.
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
    """PCKh@0.5 in percent per group of joints, its mean, and the mean at 0.1 (MPII).

    errors: [N, J] in head sizes; visible: [N, J]; names: the J joints. A group is the average of its left
    and right joint; the means are over all visible joints but pelvis and thorax. NaN where none is visible.
    legacy_01: read "Mean@0.1" at 0.11, as the common toolbox does.
    """
    if errors.shape != visible.shape or errors.shape[1:] != (len(names),):
        raise ValueError(
            f"errors {errors.shape}, visible {visible.shape} and {len(names)} joint names do not fit"
        )
    counted = np.asarray(visible) > 0
    near = (errors <= 0.5) & counted
    very_near = (errors <= (0.11 if legacy_01 else 0.1)) & counted
    per_joint = dict(zip(names, _rate(near, counted)))
    result = {
        group: 100 * _mean_of_known(np.array([per_joint[name] for name in members if name in per_joint]))
        for group, members in PCKH_GROUPS.items()
    }
    in_mean = [name not in NOT_IN_PCKH_MEAN for name in names]
    for key, hit in (("Mean", near), ("Mean@0.1", very_near)):
        result[key] = 100 * float(_rate(hit[:, in_mean].ravel(), counted[:, in_mean].ravel()))
    return result


def pck(errors: np.ndarray, visible: np.ndarray, names: Sequence[str]) -> dict[str, float]:
    """PCK@0.1 in percent per joint, the mean of those, and the mean of PCK@0.05 (Yang and Ramanan's measure).

    errors: [N, J] in lengths of the box's longer side; visible: [N, J]; names: the J joints. NaN for a joint
    that is never visible; it does not count in the means.
    """
    counted = np.asarray(visible) > 0
    near, very_near = (100 * _rate((errors <= limit) & counted, counted) for limit in (0.1, 0.05))
    means = {"Mean": _mean_of_known(near), "Mean@0.05": _mean_of_known(very_near)}
    return dict(zip(names, near.tolist())) | means


def _rate(hit: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Hits per counted along the first axis, NaN where nothing counts."""
    total = counted.sum(axis=0)
    return np.where(total > 0, hit.sum(axis=0) / np.maximum(total, 1), np.nan)


def _mean_of_known(values: np.ndarray) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
