"""Labels drawn on the crop of their person: one of them, or all with their weights."""

import cv2
import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix
from lib.dataset.images import read_image
from lib.visualization.skeletons import draw_skeleton

CELL = 240  # pixels of a crop's side
LABEL, RIGHT, PREDICTED = (
    (255, 40, 40),
    (60, 255, 60),
    (255, 225, 0),
)  # ring, cross, square: the shapes differ too
EDGE = (0, 0, 0)
IGNORED, TRUSTED = (230, 30, 30), (0, 120, 255)


def draw_keypoint(
    people: Annotations,
    person: int,
    joint: int,
    right: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
) -> np.ndarray | None:
    """[CELL, CELL, 3] RGB: the person's labels as a thin skeleton, and a ring around label ``joint``.

    right, predicted: [2] pixels of the image, where the joint really is (a cross) and where a
    model sees it (a square); NaN where there is no such place. None where the image cannot be read.
    """
    cropped = _crop(people, person)
    if cropped is None:
        return None
    image, matrix = cropped
    joints = apply_matrix(matrix, people.joints[person])
    crop = draw_skeleton(image, joints, people.visible[person] > 0, people.mapping.names)
    for colour, wider in ((EDGE, 2), (LABEL, 0)):
        cv2.circle(crop, _pixel(joints[joint]), 11, colour, 2 + wider, cv2.LINE_AA)
    if right is not None and np.isfinite(right).all():
        place = _pixel(apply_matrix(matrix, right))
        for colour, wider in ((EDGE, 3), (RIGHT, 0)):
            cv2.drawMarker(crop, place, colour, cv2.MARKER_TILTED_CROSS, 16, 3 + wider, cv2.LINE_AA)
    if predicted is not None:
        x, y = _pixel(apply_matrix(matrix, predicted))
        for colour, wider in ((EDGE, 2), (PREDICTED, 0)):
            cv2.rectangle(crop, (x - 7, y - 7), (x + 7, y + 7), colour, 2 + wider, cv2.LINE_AA)
    return crop


def draw_weights(
    people: Annotations, person: int, weights: np.ndarray, wrong: np.ndarray
) -> np.ndarray | None:
    """[CELL, CELL, 3] RGB: every label as a disc, from red (weight 0) over white to blue (1).

    weights, wrong: [J]; a cross over labels that are known to be wrong. None where the image cannot be read.
    """
    cropped = _crop(people, person)
    if cropped is None:
        return None
    crop, matrix = cropped
    crop = crop // 2 + 40  # neither black nor white, which both stand out then
    joints = apply_matrix(matrix, people.joints[person])
    for j in np.flatnonzero(people.visible[person] > 0):
        nearest, share = (IGNORED, 1 - 2 * weights[j]) if weights[j] < 0.5 else (TRUSTED, 2 * weights[j] - 1)
        colour = tuple(int(255 + share * (c - 255)) for c in nearest)
        cv2.circle(crop, _pixel(joints[j]), 8, EDGE, -1, cv2.LINE_AA)
        cv2.circle(crop, _pixel(joints[j]), 7, colour, -1, cv2.LINE_AA)
        if wrong[j]:
            cv2.drawMarker(crop, _pixel(joints[j]), EDGE, cv2.MARKER_TILTED_CROSS, 9, 2, cv2.LINE_AA)
    return crop


def _crop(people: Annotations, person: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The person's part of the image [CELL, CELL, 3] RGB, and the matrix from the image's pixels to its own."""
    image = read_image(people.image_paths[people.image_index[person]])
    if image is None:
        return None
    side = people.sizes[person].max() * 1.1
    matrix = crop_matrix(people.centers[person], (side, side), (CELL, CELL))
    return cv2.warpAffine(image, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR), matrix


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])
