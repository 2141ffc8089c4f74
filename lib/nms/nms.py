"""Non-maximum suppression of boxes (IoU) and of poses (COCO's object keypoint similarity, OKS)."""

import functools
import importlib
import warnings
from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import ArrayLike

from lib.utils.errors import InputError

# In the order of COCO's 17 keypoints (https://cocodataset.org/#keypoints-eval).
COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
    0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip


def box_nms(boxes, scores, threshold: float):
    """Greedy non-maximum suppression of boxes.

    From the best score down, a box is kept if its IoU with no kept box exceeds ``threshold``. Of equal scores
    the first comes first.

    Args:
        boxes: [N, 4], x1, y1, x2, y2 (area = width * height, without 1 added). CUDA tensors stay on their
            device.
        scores: [N].
        threshold: largest IoU with a better box.

    Returns:
        Indices of the boxes kept, best score first: int64 array, or a tensor for CUDA tensors.

    Raises:
        InputError: shapes do not match, a number is not finite, or the threshold is negative.
    """
    _check_threshold(threshold)
    if getattr(boxes, "is_cuda", False):
        return _torchvision_nms(boxes, scores, threshold)
    scores = _numbers("scores", scores, (len(scores),))
    boxes = _numbers("boxes", boxes, (len(scores), 4))
    order = np.argsort(-scores, kind="stable")
    return order[backend().keep_boxes(boxes[order], threshold)]


def oks_nms(
    keypoints: ArrayLike,
    scores: ArrayLike,
    areas: ArrayLike,
    threshold: float,
    sigmas: ArrayLike,
    in_vis_thre: float | None = None,
) -> np.ndarray:
    """Greedy non-maximum suppression of the poses of one image, as `oks_nms_by_image`.

    Args:
        in_vis_thre: if given, only joints count whose visibility exceeds it in both poses (OKS is 0 if there
            are none).
    """
    poses = _checked_poses(keypoints, scores, areas, sigmas)
    order = np.argsort(-poses.scores, kind="stable")
    starts = np.zeros(min(1, len(order)), np.int64)
    return _keep_poses(poses, order, starts, threshold, -np.inf if in_vis_thre is None else in_vis_thre)


def oks_nms_by_image(
    keypoints: ArrayLike,
    scores: ArrayLike,
    areas: ArrayLike,
    image_ids: ArrayLike,
    threshold: float,
    sigmas: ArrayLike,
) -> np.ndarray:
    """Greedy non-maximum suppression of poses, image by image.

    From the best score down, a pose is kept if its OKS with no kept pose of its image exceeds ``threshold``:

        oks = mean over joints of exp(-d^2 / (2 * (2 sigma)^2 * (area_a + area_b) / 2))

    Of equal scores the first comes first.

    Args:
        keypoints: [N, J, 3], x, y and visibility.
        scores: [N].
        areas: [N], square pixels.
        image_ids: [N], integers.
        threshold: largest OKS with a better pose.
        sigmas: [J], per-keypoint constants of OKS.

    Returns:
        int64 indices of the poses kept: ascending image ids, within an image best score first.

    Raises:
        InputError: shapes do not match, a number is not finite, the threshold or an area is negative, or a
            sigma is not positive.
    """
    poses = _checked_poses(keypoints, scores, areas, sigmas)
    image_ids = np.asarray(image_ids)
    if image_ids.shape != poses.scores.shape:
        raise InputError(f"NMS: image_ids has shape {image_ids.shape}; expected {poses.scores.shape}")
    order = np.lexsort((-poses.scores, image_ids))  # a stable sort
    sorted_ids = image_ids[order]
    starts = np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]][: len(order)])
    return _keep_poses(poses, order, starts, threshold, -np.inf)


@dataclass(frozen=True)
class _Poses:
    """Checked arguments: float64 keypoints [N, J, 3], scores [N], areas [N], sigmas [J]."""

    keypoints: np.ndarray
    scores: np.ndarray
    areas: np.ndarray
    sigmas: np.ndarray


def _checked_poses(keypoints, scores, areas, sigmas) -> _Poses:
    scores = _numbers("scores", scores, (len(scores),))
    sigmas = _numbers("sigmas", sigmas, (len(sigmas),))
    keypoints = _numbers("keypoints", keypoints, (len(scores), len(sigmas), 3))
    areas = _numbers("areas", areas, (len(scores),))
    if (areas < 0).any() or (sigmas <= 0).any():
        raise InputError(
            f"NMS: the smallest area is {areas.min(initial=np.inf):g} and the smallest sigma "
            f"{sigmas.min(initial=np.inf):g}; expected areas from 0 up and sigmas above 0"
        )
    return _Poses(keypoints, scores, areas, sigmas)


def _keep_poses(
    poses: _Poses, order: np.ndarray, starts: np.ndarray, threshold: float, min_visible: float
) -> np.ndarray:
    """Indices kept, in ``order``, in which the poses of image m begin at ``starts[m]``."""
    _check_threshold(threshold)
    keypoints, areas, precisions = poses.keypoints[order], poses.areas[order], 1 / (2 * poses.sigmas) ** 2
    return order[backend().keep_poses(keypoints, areas, starts, precisions, threshold, min_visible)]


@functools.cache
def backend() -> ModuleType:
    """The module with the greedy loops: compiled, or in NumPy (with one warning) if that is not built."""
    try:
        return importlib.import_module("lib.nms.cpu_nms")
    except ImportError as error:
        warnings.warn(
            f"lib.nms.cpu_nms cannot be loaded ({error}), so NMS runs in NumPy, which is slower; "
            "`make -C lib` builds it",
            RuntimeWarning,
            stacklevel=3,
        )
        return importlib.import_module("lib.nms.numpy_nms")


def _check_threshold(threshold: float) -> None:
    if not threshold >= 0:  # also refuses NaN
        raise InputError(f"NMS: the threshold is {threshold}; expected 0 or more")


def _numbers(name: str, values, shape: tuple[int, ...]) -> np.ndarray:
    """``values`` as contiguous, finite float64 of ``shape``. Raises InputError."""
    array = np.ascontiguousarray(values, np.float64)
    if array.size == 0 and shape[0] == 0:
        array = array.reshape(shape)
    if array.shape != shape:
        raise InputError(f"NMS: {name} has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise InputError(f"NMS: {name} holds a number that is not finite; expected finite numbers")
    return array


def _torchvision_nms(boxes, scores, threshold: float):
    from torchvision.ops import nms  # slow to import, and only needed on a GPU

    if not (boxes.isfinite().all() and scores.isfinite().all()):
        raise InputError("NMS: boxes or scores hold a number that is not finite; expected finite numbers")
    return nms(boxes, scores, threshold)
