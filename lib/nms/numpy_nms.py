"""The greedy loops of `lib.nms.cpu_nms` in NumPy, the fallback if that is not built."""

import numpy as np

EPS = float(np.spacing(1.0))  # keeps OKS finite for areas of 0, as in pycocotools


def keep_boxes(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Greedy suppression of boxes.

    Args:
        boxes: float64 [N, 4], x1, y1, x2, y2, best score first.
        threshold: largest IoU with a better box.

    Returns:
        bool [N], True for the boxes kept.
    """
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    keep = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if not keep[i]:
            continue
        rest = i + 1 + np.flatnonzero(keep[i + 1 :])
        width = np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest])
        height = np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest])
        intersection = np.maximum(width, 0) * np.maximum(height, 0)
        # Disjoint boxes are kept, even if both are empty and the IoU would be 0 / 0.
        rest, intersection = rest[intersection > 0], intersection[intersection > 0]
        keep[rest[intersection / (area[i] + area[rest] - intersection) > threshold]] = False
    return keep


def keep_poses(
    poses: np.ndarray,
    areas: np.ndarray,
    starts: np.ndarray,
    precisions: np.ndarray,
    threshold: float,
    min_visible: float,
) -> np.ndarray:
    """Greedy suppression of poses, image by image.

    Args:
        poses: float64 [N, J, 3], x, y and visibility; grouped by image, in each best score first.
        areas: float64 [N].
        starts: int64 [M], position of the first pose of each image.
        precisions: float64 [J], 1 / (2 sigma)^2.
        threshold: largest OKS with a better pose.
        min_visible: joints count if their visibility exceeds it in both poses.

    Returns:
        bool [N], True for the poses kept.
    """
    keep = np.ones(len(poses), bool)
    for first, end in zip(starts, [*starts[1:], len(poses)]):
        image = slice(first, end)
        keep[image] = _keep_in_image(poses[image], areas[image], precisions, threshold, min_visible)
    return keep


def _keep_in_image(
    poses: np.ndarray, areas: np.ndarray, precisions: np.ndarray, threshold: float, min_visible: float
) -> np.ndarray:
    """``keep_poses`` for the poses of one image."""
    visible = poses[:, :, 2] > min_visible
    keep = np.ones(len(poses), bool)
    for i in range(len(poses)):
        if not keep[i]:
            continue
        rest = i + 1 + np.flatnonzero(keep[i + 1 :])
        dx, dy = (poses[rest, :, :2] - poses[i, :, :2]).transpose(2, 0, 1)
        # OKS with all remaining poses at once, on the mean of the two areas.
        per_area = 0.5 / ((areas[i] + areas[rest]) / 2 + EPS)
        similarity = np.exp(-(dx * dx + dy * dy) * precisions * per_area[:, None])
        counted = visible[i] & visible[rest]
        oks = (similarity * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
        keep[rest[oks > threshold]] = False
    return keep
