"""Non-maximum suppression of boxes (IoU) and of poses (COCO's object keypoint similarity)."""

import functools
import importlib
import warnings
from types import ModuleType

import numpy as np

from lib.utils.errors import InputError

# In the order of COCO's 17 keypoints (https://cocodataset.org/#keypoints-eval).
COCO_SIGMAS = (
    0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062,
    0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
)  # fmt: skip


def box_nms(boxes, scores, threshold: float):
    """Indices of the boxes that stay, best score first; the first of equal scores goes before the others.

    boxes: [N, 4] x1, y1, x2, y2 (area = width * height, without 1 added); scores: [N].
    A box goes where its IoU with a better one that stays exceeds ``threshold``.
    CUDA tensors stay on their device and give a tensor, all else gives an integer array.
    Raises InputError for shapes that do not fit, numbers that are not finite and a negative threshold.
    """
    _check_threshold(threshold)
    if getattr(boxes, "is_cuda", False):
        return _torchvision_nms(boxes, scores, threshold)
    scores = _numbers("scores", scores, (len(scores),))
    boxes = _numbers("boxes", boxes, (len(scores), 4))
    order = np.argsort(-scores, kind="stable")
    return order[_backend().keep_boxes(boxes[order], threshold)]


def oks_nms(
    keypoints, scores, areas, threshold: float, sigmas, in_vis_thre: float | None = None
) -> np.ndarray:
    """Indices of the poses of one image that stay, as ``oks_nms_by_image`` has it."""
    image_ids = np.zeros(len(scores), np.int64)
    return oks_nms_by_image(keypoints, scores, areas, image_ids, threshold, sigmas, in_vis_thre)


def oks_nms_by_image(
    keypoints, scores, areas, image_ids, threshold: float, sigmas, in_vis_thre: float | None = None
) -> np.ndarray:
    """Indices of the poses that stay, the smallest image id first, of an image the best score first; the
    first of equal scores goes before the others.

    keypoints: [N, J, 3] x, y, visibility; scores, areas, image_ids (whole numbers): [N]; sigmas: [J].
    A pose goes where its similarity to a better one of its image that stays exceeds ``threshold``:

        oks = mean over joints of exp(-d^2 / (2 * (2 sigma)^2 * (area_a + area_b) / 2))

    over those joints of which both visibilities exceed ``in_vis_thre``, if it is given (0 if there are none).
    Raises InputError for shapes that do not fit, numbers that are not finite, a negative threshold or area
    and a sigma that is not positive.
    """
    _check_threshold(threshold)
    scores = _numbers("scores", scores, (len(scores),))
    sigmas = _numbers("sigmas", sigmas, (len(sigmas),))
    keypoints = _numbers("keypoints", keypoints, (len(scores), len(sigmas), 3))
    areas = _numbers("areas", areas, (len(scores),))
    if (areas < 0).any() or (sigmas <= 0).any():
        raise InputError(
            f"NMS: the smallest area is {areas.min(initial=np.inf):g} and the smallest sigma "
            f"{sigmas.min(initial=np.inf):g}; expected areas from 0 up and sigmas above 0"
        )
    image_ids = np.asarray(image_ids)
    if image_ids.shape != scores.shape:
        raise InputError(f"NMS: image_ids has shape {image_ids.shape}; expected {scores.shape}")
    order = np.lexsort((-scores, image_ids))  # a stable sort
    sorted_ids = image_ids[order]
    starts = np.flatnonzero(np.r_[True, sorted_ids[1:] != sorted_ids[:-1]][: len(order)])
    min_visible = -np.inf if in_vis_thre is None else in_vis_thre
    precisions = 1 / (2 * sigmas) ** 2
    keep = _backend().keep_poses(keypoints[order], areas[order], starts, precisions, threshold, min_visible)
    return order[keep]


@functools.cache
def _backend() -> ModuleType:
    """The compiled greedy loops where they are built, else (said once) those in NumPy."""
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


def _check_threshold(threshold: float):
    if not threshold >= 0:
        raise InputError(f"NMS: the threshold is {threshold}; expected 0 or more")


def _numbers(name: str, values, shape: tuple[int, ...]) -> np.ndarray:
    array = np.ascontiguousarray(values, np.float64)
    if array.size == 0 and shape[0] == 0:
        array = array.reshape(shape)
    if array.shape != shape:
        raise InputError(f"NMS: {name} has shape {array.shape}; expected {shape}")
    if not np.isfinite(array).all():
        raise InputError(f"NMS: {name} holds a number that is not finite; expected finite numbers")
    return array


def _torchvision_nms(boxes, scores, threshold: float):
    from torchvision.ops import nms  # slow to import, and needed on a GPU only

    if not (boxes.isfinite().all() and scores.isfinite().all()):
        raise InputError("NMS: boxes or scores hold a number that is not finite; expected finite numbers")
    return nms(boxes, scores, threshold)
