"""Read MPII's evaluation files: the ground truth ``gt_valid.mat`` and predictions; estimate head sizes."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lib.dataset.annotations import MAX_COORDINATE
from lib.dataset.keypoints import MPII_KEYPOINTS
from lib.utils.errors import InputError
from lib.utils.matlab import read_mat

# Names of the joints in gt_valid.mat, in the order of MPII_KEYPOINTS.
JOINTS_IN_MAT = (
    "rank", "rkne", "rhip", "lhip", "lkne", "lank", "pelv", "thor",
    "neck", "head", "rwri", "relb", "rsho", "lsho", "lelb", "lwri",
)  # fmt: skip
HEAD_PER_BOX_DIAGONAL = 0.6  # head size / diagonal of the head box (SC_BIAS of MPII's evaluation)
HEAD_PER_SCALE = 25.0  # head size in pixels / ``scale``; equal for all 2,958 people of MPII's validation set


@dataclass(frozen=True)
class MPIITruth:
    """Ground truth of MPII's evaluation: N people in the order of their annotations.

    joints: float64 [N, 16, 2], pixels counted from 1.
    visible: bool [N, 16].
    head_sizes: float64 [N], pixels.
    """

    joints: np.ndarray
    visible: np.ndarray
    head_sizes: np.ndarray


def read_mpii_truth(path: str | Path) -> MPIITruth:
    """Read MPII's ``gt_valid.mat``. Raises InputError if it is missing or not as expected."""
    content = _read_mat(path, ("dataset_joints", "jnt_missing", "pos_gt_src", "headboxes_src"))
    names = tuple(map(str, content["dataset_joints"].flat))
    if names != JOINTS_IN_MAT:
        raise InputError(f"{path}: 'dataset_joints' is {' '.join(names)}; expected {' '.join(JOINTS_IN_MAT)}")
    # MATLAB drops the last axis of a file with one person.
    people = np.atleast_3d(content["pos_gt_src"]).shape[2]
    joints = _numbers(path, content, "pos_gt_src", (len(names), 2, people))
    missing = _numbers(path, content, "jnt_missing", (len(names), people))
    boxes = _numbers(path, content, "headboxes_src", (2, 2, people))
    head_sizes = HEAD_PER_BOX_DIAGONAL * np.linalg.norm(boxes[1] - boxes[0], axis=0)
    bad = np.flatnonzero(~((head_sizes > 0) & (head_sizes < np.inf)))
    if bad.size:
        raise InputError(
            f"{path}: 'headboxes_src' of person {bad[0] + 1} has diagonal "
            f"{head_sizes[bad[0]] / HEAD_PER_BOX_DIAGONAL:g}; expected a positive number"
        )
    joints, visible = joints.transpose(2, 0, 1), missing.T == 0
    if not (np.abs(joints[visible]) < MAX_COORDINATE).all():
        raise InputError(f"{path}: 'pos_gt_src' holds a joint that is not finite or far too large")
    return MPIITruth(joints, visible, head_sizes)


def read_mpii_predictions(path: str | Path) -> np.ndarray:
    """Read predicted joints, float64 [N, 16, 2] (pixels counted from 1), from ``preds`` of a MATLAB file.

    Raises InputError if the file is missing or not as expected.
    """
    content = _read_mat(path, ("preds",))
    return _numbers(path, content, "preds", (len(content["preds"]), len(MPII_KEYPOINTS), 2))


def head_sizes_from_scales(scales: np.ndarray) -> np.ndarray:
    """Estimate head sizes without head boxes, as for MPII's training set.

    Args:
        scales: [N], ``scale`` of the annotations (body height / 200 px, without a margin), which MPII derived
            from the head boxes.

    Returns:
        float64 [N], pixels.
    """
    return HEAD_PER_SCALE * np.asarray(scales, np.float64)


def _read_mat(path: str | Path, keys: tuple[str, ...]) -> dict[str, np.ndarray]:
    """The arrays ``keys`` of a MATLAB file. Raises InputError if one is missing."""
    content = read_mat(path, keys)
    for key in keys:
        if key not in content:
            raise InputError(f"{path}: has no {key!r}; expected {', '.join(keys)}")
    return content


def _numbers(path: str | Path, content: dict, key: str, shape: tuple[int, ...]) -> np.ndarray:
    """``content[key]`` as float64 of ``shape``. Raises InputError."""
    value = content[key]
    if len(shape) == 3:
        value = np.atleast_3d(value)
    if value.shape != shape or value.dtype.kind not in "biuf":
        found = f"{value.dtype} of shape {value.shape}"
        raise InputError(f"{path}: {key!r} is {found}; expected numbers of shape {shape}")
    return value.astype(np.float64)
