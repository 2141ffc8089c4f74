"""Tiles of contact sheets: one label each, beside the same crop without any drawing."""

import cv2
import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix
from lib.dataset.images import problem_of, read_image
from lib.dataset.skeleton import Skeleton
from lib.utils.errors import InputError
from lib.visualization.skeletons import SIDE_COLOURS, contact_sheet, joint_colour, limb_colour

HALF = 360  # side of each half of a tile in pixels
MARGIN = 0.18  # around the box of a person's labels, of its longer side: wrong labels may leave parts out
CAPTION, HEADER = 30, 36  # heights in pixels
RING, RING_COLOR = 20, (255, 60, 230)  # radius in pixels; RGB that is neither side's
SHIFT = 4  # drawings are placed to 1 / 16 pixel
FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_tile(annotations: Annotations, instance: int, joint: int, number: int) -> np.ndarray:
    """Draw one label.

    Returns:
        uint8 [CAPTION + HALF, 2 * HALF, 3] RGB: number and joint above the plain crop and, on its right, the
        crop with the labels as a thin skeleton and a ring around the one to judge.

    Raises:
        InputError: the image cannot be read.
    """
    image = read_image(annotations.image(instance))
    if image is None:
        raise InputError(problem_of(annotations.image(instance)))
    joints, labelled = annotations.joints[instance], annotations.visible[instance] > 0
    matrix = _close_up(joints[labelled], (image.shape[1], image.shape[0]))
    plain = cv2.warpAffine(image, matrix, (HALF, HALF), flags=cv2.INTER_CUBIC)
    skeleton, points = annotations.mapping.skeleton, apply_matrix(matrix, joints)
    drawn = _draw_labels(plain, points, labelled, skeleton)
    _draw_ring(drawn, plain, points[joint])
    caption = np.full((CAPTION, 2 * HALF, 3), 25, np.uint8)
    name = skeleton.names[joint].replace("_", " ")
    cv2.putText(caption, f"{number}", (8, 22), FONT, 0.75, (255, 255, 255), 2, cv2.LINE_AA)
    cv2.putText(caption, name, (HALF, 22), FONT, 0.75, joint_colour(skeleton, joint), 2, cv2.LINE_AA)
    return np.vstack([caption, np.hstack([plain, drawn])])


def draw_sheet(tiles: list[np.ndarray], columns: int, title: str) -> np.ndarray:
    """Arrange ``tiles`` in rows of so many ``columns`` below a line that says how to read them; RGB."""
    filled = tiles + [np.zeros_like(tiles[0])] * (-len(tiles) % columns)
    grid = contact_sheet([filled[i : i + columns] for i in range(0, len(filled), columns)])
    header = np.full((HEADER, grid.shape[1], 3), 25, np.uint8)
    x = 8
    for text, color in (
        (f"{title}: judge the label in the ring", RING_COLOR),
        ("orange: the person's own right", SIDE_COLOURS["right"]),
        ("blue: own left", SIDE_COLOURS["left"]),
    ):
        cv2.putText(header, text, (x, 25), FONT, 0.62, color, 1, cv2.LINE_AA)
        x += cv2.getTextSize(text, FONT, 0.62, 1)[0][0] + 24
    return np.vstack([header, grid])


def _close_up(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The matrix [2, 3] from the image of ``size`` (width, height) to a square crop around ``points`` [K, 2].

    The square is moved into the image where it fits.
    """
    low, high = points.min(axis=0), points.max(axis=0)
    side = max(16.0, (1 + 2 * MARGIN) * float((high - low).max()))
    center, bounds = (low + high) / 2, np.array(size)
    inside = np.clip(center, side / 2, np.maximum(bounds - side / 2, side / 2))
    center = np.where(side <= bounds, inside, np.where(side / 2 > bounds / 2, center, inside))
    return crop_matrix(center, (side, side), (HALF, HALF))


def _draw_labels(
    plain: np.ndarray, points: np.ndarray, labelled: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """A copy of ``plain`` with thin limbs and small joints, in the colors of the sides."""
    drawn = plain.copy()
    for a, b in skeleton.limbs:
        if labelled[a] and labelled[b]:
            ends, color = (_fixed(points[a]), _fixed(points[b])), limb_colour(skeleton, a, b)
            cv2.line(drawn, *ends, color, 1, cv2.LINE_AA, SHIFT)
    for j in np.flatnonzero(labelled).tolist():
        cv2.circle(drawn, _fixed(points[j]), 3 << SHIFT, joint_colour(skeleton, j), -1, cv2.LINE_AA, SHIFT)
    return drawn


def _draw_ring(drawn: np.ndarray, plain: np.ndarray, point: np.ndarray) -> None:
    """Mark ``point`` [2] in ``drawn``: a ring with a small dot in the middle, and the ``plain`` crop between them."""
    disc = np.zeros(drawn.shape[:2], np.uint8)
    cv2.circle(disc, _fixed(point), RING << SHIFT, 255, -1, cv2.LINE_8, SHIFT)
    drawn[disc > 0] = plain[disc > 0]
    for radius, color, width in ((RING, (0, 0, 0), 4), (RING, RING_COLOR, 2)):
        cv2.circle(drawn, _fixed(point), radius << SHIFT, color, width, cv2.LINE_AA, SHIFT)
    for radius, color in ((40, (0, 0, 0)), (28, RING_COLOR)):  # in 1 / 16 pixel
        cv2.circle(drawn, _fixed(point), radius, color, -1, cv2.LINE_AA, SHIFT)


def _fixed(point: np.ndarray) -> tuple[int, int]:
    """``point`` [2] in the units of OpenCV's drawing functions."""
    x, y = np.round(point * (1 << SHIFT)).astype(int)
    return int(x), int(y)
