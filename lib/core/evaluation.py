"""How right joints are: accuracy of heatmaps while training, PCKh on MPII, and PCK of any objects."""

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike

import numpy as np

from lib.core.errors import InputError
from lib.core.heatmap import find_peaks
from lib.dataset.annotations import LARGEST
from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.utils.matlab import read_mat

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

# A head's size is this times the diagonal of its box (MPII's evaluation).
HEAD_PER_BOX_DIAGONAL = 0.6
# Head size over ``scale``: the same for all 2,958 people of MPII's validation split.
HEAD_PER_SCALE = 25.0


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


@dataclass(frozen=True)
class MPIITruth:
    """What MPII's evaluation compares with, N people in the order of their annotations.

    joints: [N, 16, 2] in 1-based pixels; visible: bool [N, 16]; head_sizes: [N] pixels.
    """

    joints: np.ndarray
    visible: np.ndarray
    head_sizes: np.ndarray


def read_mpii_truth(path: str | PathLike) -> MPIITruth:
    """Read MPII's ``gt_valid.mat``. Raises InputError where it is missing or not as expected."""
    content = _read_mat(path, ("dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src"))
    names = tuple(map(str, content["dataset_joints"].flat))
    expected = tuple(_name_in_mat(joint) for joint in MPII_KEYPOINTS)
    if names != expected:
        raise InputError(f"{path}: 'dataset_joints' is {' '.join(names)}; expected {' '.join(expected)}")
    # MATLAB drops the last axis of a file with one person.
    people = np.atleast_3d(content["pos_gt_src"]).shape[2]
    joints = _numbers(path, content, "pos_gt_src", (len(expected), 2, people))
    missing = _numbers(path, content, "jnt_missing", (len(expected), people))
    boxes = _numbers(path, content, "headboxes_src", (2, 2, people))
    head_sizes = HEAD_PER_BOX_DIAGONAL * np.linalg.norm(boxes[1] - boxes[0], axis=0)
    bad = np.flatnonzero(~((head_sizes > 0) & (head_sizes < np.inf)))
    if bad.size:
        raise InputError(
            f"{path}: 'headboxes_src' of person {bad[0] + 1} has diagonal "
            f"{head_sizes[bad[0]] / HEAD_PER_BOX_DIAGONAL:g}; expected a positive number"
        )
    joints, visible = joints.transpose(2, 0, 1), missing.T == 0
    if not (np.abs(joints[visible]) < LARGEST).all():
        raise InputError(f"{path}: 'pos_gt_src' holds a joint that is not finite or far too large")
    return MPIITruth(joints, visible, head_sizes)


def read_mpii_predictions(path: str | PathLike) -> np.ndarray:
    """Predicted joints [N, 16, 2] (1-based pixels) under ``preds`` of a MATLAB file.

    Raises InputError where the file is missing or not as expected.
    """
    content = _read_mat(path, ("preds",))
    return _numbers(path, content, "preds", (len(content["preds"]), len(MPII_KEYPOINTS), 2))


def head_sizes_from_scales(scales: np.ndarray) -> np.ndarray:
    """Head sizes [N] in pixels where head boxes are not at hand, as in MPII's training split.

    scales: [N], the annotation's own ``scale`` (body height / 200 px, without any margin), which in MPII
    was derived from the head box.
    """
    return HEAD_PER_SCALE * np.asarray(scales, np.float64)


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


def _name_in_mat(joint: str) -> str:
    """MPII's four letters for a joint: 'right_ankle' is 'rank', 'upper_neck' is 'neck'."""
    first, _, rest = joint.partition("_")
    if first in ("left", "right"):
        return first[0] + rest[:3]
    return {"upper_neck": "neck", "head_top": "head"}.get(joint, joint[:4])


def _read_mat(path: str | PathLike, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    content = read_mat(path, keys)
    for key in keys:
        if key not in content:
            raise InputError(f"{path}: has no {key!r}; expected {', '.join(keys)}")
    return content


def _numbers(path: str | PathLike, content: dict, key: str, shape: tuple[int, ...]) -> np.ndarray:
    value = content[key]
    if len(shape) == 3:
        value = np.atleast_3d(value)
    if value.shape != shape or value.dtype.kind not in "biuf":
        found = f"{value.dtype} of shape {value.shape}"
        raise InputError(f"{path}: {key!r} is {found}; expected numbers of shape {shape}")
    return value.astype(np.float64)
