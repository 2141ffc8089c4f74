"""One labelled keypoint drawn on the crop of its person."""

import cv2
import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix
from lib.dataset.pictures import read_picture
from lib.utils.pictures import draw_skeleton

CELL = 240  # pixels of a crop's side
LABEL, RIGHT, PREDICTED = (
    (255, 40, 40),
    (60, 255, 60),
    (255, 225, 0),
)  # ring, cross, square: the shapes differ too
EDGE = (0, 0, 0)


def draw_keypoint(
    people: Annotations,
    person: int,
    joint: int,
    right: np.ndarray | None = None,
    predicted: np.ndarray | None = None,
) -> np.ndarray | None:
    """[CELL, CELL, 3] RGB: the person's labels as a thin skeleton, and a ring around label ``joint``.

    right, predicted: [2] pixels of the picture, where the joint really is (a cross) and where a
    model sees it (a square); NaN where there is no such place. None where the picture cannot be read.
    """
    picture = read_picture(people.pictures[people.picture[person]])
    if picture is None:
        return None
    side = people.sizes[person].max() * 1.1
    matrix = crop_matrix(people.centers[person], (side, side), (CELL, CELL))
    crop = cv2.warpAffine(picture, matrix, (CELL, CELL), flags=cv2.INTER_LINEAR)
    joints = apply_matrix(matrix, people.joints[person])
    crop = draw_skeleton(crop, joints, people.visible[person] > 0, people.mapping.names)
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


def _pixel(point: np.ndarray) -> tuple[int, int]:
    return int(point[0]), int(point[1])
