"""Draws the labels of one instance on its crop: a single keypoint, or all keypoints with their weights."""

import cv2
import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix
from lib.dataset.images import read_image
from lib.visualization.skeletons import draw_skeleton

CELL = 240  # side of a crop in pixels
# Colours (RGB) of a keypoint's label, of its true position, of a model's prediction and of the proposed position. The
# marks differ in shape too: ring, cross, square and diamond.
LABEL, RIGHT, PREDICTED, PROPOSED = (255, 40, 40), (60, 255, 60), (255, 225, 0), (255, 90, 230)
RING = 11  # radius of the label's ring
EDGE = (0, 0, 0)
IGNORED, TRUSTED = (230, 30, 30), (0, 120, 255)  # weights 0 and 1


def draw_keypoint(
    annotations: Annotations,
    index: int,
    joint: int,
    true_position: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
    proposed: np.ndarray | None = None,
) -> np.ndarray | None:
    """Draw one instance with a thin skeleton of its labels and a ring around one of them.

    Args:
        annotations: the instances.
        index: the instance.
        joint: the joint to mark.
        true_position: [2] image pixels, marked with a cross unless it is None or NaN.
        predicted: [2] image pixels, marked with a square unless it is None.
        proposed: [2] image pixels, marked with a diamond, and a line from the label, unless it is None or NaN.

    Returns:
        [CELL, CELL, 3] uint8, RGB; None if the image cannot be read.
    """
    cropped = _crop(annotations, index)
    if cropped is None:
        return None
    image, joints, matrix = cropped
    crop = draw_skeleton(image, joints, annotations.visible[index] > 0, annotations.mapping.skeleton)
    # Each mark is drawn twice: black and wider first, so that it stands out on any background.
    if proposed is not None and np.isfinite(proposed).all():
        _draw_proposal(crop, joints[joint], apply_matrix(matrix, proposed))
    for colour, wider in ((EDGE, 2), (LABEL, 0)):
        cv2.circle(crop, _pixel(joints[joint]), RING, colour, 2 + wider, cv2.LINE_AA)
    if true_position is not None and np.isfinite(true_position).all():
        position = _pixel(apply_matrix(matrix, true_position))
        for colour, wider in ((EDGE, 3), (RIGHT, 0)):
            cv2.drawMarker(crop, position, colour, cv2.MARKER_TILTED_CROSS, 16, 3 + wider, cv2.LINE_AA)
    if predicted is not None:
        x, y = _pixel(apply_matrix(matrix, predicted))
        for colour, wider in ((EDGE, 2), (PREDICTED, 0)):
            cv2.rectangle(crop, (x - 7, y - 7), (x + 7, y + 7), colour, 2 + wider, cv2.LINE_AA)
    return crop


def _draw_proposal(crop: np.ndarray, label: np.ndarray, proposed: np.ndarray) -> None:
    """Draw a diamond at ``proposed`` [2], and a line to it from the ring around the ``label`` [2], into ``crop``."""
    away = proposed - label
    distance = float(np.linalg.norm(away))
    start = label + away * min(1.0, RING / max(distance, 1e-6))
    x, y = _pixel(proposed)
    corners = np.array([[x - 14, y], [x, y - 14], [x + 14, y], [x, y + 14]])  # larger than what may lie on it
    for colour, wider in ((EDGE, 2), (PROPOSED, 0)):
        if distance > RING:
            cv2.line(crop, _pixel(start), (x, y), colour, 2 + wider, cv2.LINE_AA)
        cv2.polylines(crop, [corners], True, colour, 2 + wider, cv2.LINE_AA)


def draw_weights(
    annotations: Annotations, index: int, weights: np.ndarray, corrupted: np.ndarray
) -> np.ndarray | None:
    """Draw every label of an instance as a disc, from red (weight 0) over white (0.5) to blue (1).

    Args:
        annotations: the instances.
        index: the instance.
        weights: [J] ignoring weights in [0, 1].
        corrupted: [J], labels known to be wrong, which get a cross.

    Returns:
        [CELL, CELL, 3] uint8, RGB; None if the image cannot be read.
    """
    cropped = _crop(annotations, index)
    if cropped is None:
        return None
    image, joints, _ = cropped
    crop = image // 2 + 40  # less contrast, so that black edges and white discs stand out
    for j in np.flatnonzero(annotations.visible[index] > 0):
        # Interpolate from white to the colour of the nearer end of the scale.
        nearest, share = (IGNORED, 1 - 2 * weights[j]) if weights[j] < 0.5 else (TRUSTED, 2 * weights[j] - 1)
        colour = tuple(int(255 + share * (c - 255)) for c in nearest)
        cv2.circle(crop, _pixel(joints[j]), 8, EDGE, -1, cv2.LINE_AA)
        cv2.circle(crop, _pixel(joints[j]), 7, colour, -1, cv2.LINE_AA)
        if corrupted[j]:
            cv2.drawMarker(crop, _pixel(joints[j]), EDGE, cv2.MARKER_TILTED_CROSS, 9, 2, cv2.LINE_AA)
    return crop


def _crop(annotations: Annotations, index: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """Cut the instance out of its image.

    Returns:
        The crop [CELL, CELL, 3] RGB, the labels [J, 2] in crop pixels, and the matrix [2, 3] from image pixels
        to crop pixels; None if the image cannot be read.
    """
    image = read_image(annotations.image(index))
    if image is None:
        return None
    side = annotations.sizes[index].max() * 1.1
    matrix = crop_matrix(annotations.centers[index], (side, side), (CELL, CELL))
    crop = cv2.warpAffine(image, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR)
    return crop, apply_matrix(matrix, annotations.joints[index]), matrix


def _pixel(point: np.ndarray) -> tuple[int, int]:
    """``point`` [2] as integers, as OpenCV's drawing functions need it."""
    return int(point[0]), int(point[1])
