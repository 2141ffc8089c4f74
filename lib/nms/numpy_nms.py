"""The greedy loops of `lib.nms.cpu_nms` in NumPy, for where that is not built."""

import numpy as np

EPS = float(np.spacing(1.0))


def keep_boxes(boxes: np.ndarray, threshold: float) -> np.ndarray:
    """Which boxes stay: bool [N], of boxes float64 [N, 4] from the highest score to the lowest."""
    x1, y1, x2, y2 = boxes.T
    area = (x2 - x1) * (y2 - y1)
    keep = np.ones(len(boxes), bool)
    for i in range(len(boxes)):
        if not keep[i]:
            continue
        rest = i + 1 + np.flatnonzero(keep[i + 1 :])
        width = np.minimum(x2[i], x2[rest]) - np.maximum(x1[i], x1[rest])
        height = np.minimum(y2[i], y2[rest]) - np.maximum(y1[i], y1[rest])
        meeting = np.maximum(width, 0) * np.maximum(height, 0)
        # Boxes that do not meet stay, also where both are empty and the IoU would be 0 / 0.
        rest, meeting = rest[meeting > 0], meeting[meeting > 0]
        keep[rest[meeting / (area[i] + area[rest] - meeting) > threshold]] = False
    return keep


def keep_poses(
    poses: np.ndarray,
    areas: np.ndarray,
    starts: np.ndarray,
    precisions: np.ndarray,
    threshold: float,
    min_visible: float,
) -> np.ndarray:
    """Which poses stay: bool [N], of poses float64 [N, J, 3] (x, y, visibility), image after image.

    starts: [M] where each image's poses begin, the highest score first; areas: [N];
    precisions: 1 / (2 sigma)^2, [J]; joints count where both visibilities exceed ``min_visible``.
    """
    keep = np.ones(len(poses), bool)
    for first, end in zip(starts, [*starts[1:], len(poses)]):
        here = slice(first, end)
        keep[here] = _keep_of_image(poses[here], areas[here], precisions, threshold, min_visible)
    return keep


def _keep_of_image(
    poses: np.ndarray, areas: np.ndarray, precisions: np.ndarray, threshold: float, min_visible: float
) -> np.ndarray:
    visible = poses[:, :, 2] > min_visible
    keep = np.ones(len(poses), bool)
    for i in range(len(poses)):
        if not keep[i]:
            continue
        rest = i + 1 + np.flatnonzero(keep[i + 1 :])
        dx, dy = (poses[rest, :, :2] - poses[i, :, :2]).transpose(2, 0, 1)
        per_area = 0.5 / ((areas[i] + areas[rest]) / 2 + EPS)
        similarity = np.exp(-(dx * dx + dy * dy) * precisions * per_area[:, None])
        counted = visible[i] & visible[rest]
        oks = (similarity * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)
        keep[rest[oks > threshold]] = False
    return keep
