"""People drawn on their images: colour tells the side, opacity the network's confidence."""

import cv2
import numpy as np

from lib.dataset.keypoints import limbs
from lib.predict.poses import Poses
from lib.visualization.skeletons import SIDE_COLOURS, joint_colour, limb_colour

SURE = 0.7  # a heatmap's peak from which a joint is drawn fully opaque
FAINT = 0.1  # opacity below which nothing is drawn: such joints are mostly not in the image
WIDTH = 1 / 45  # of a limb, as a share of the person's length
THINNEST, THICKEST = 1.0, 14.0  # pixels
EDGE_COLOUR, EDGE_OPACITY = (0, 0, 0), 0.6  # around limbs and joints, for bright and busy backgrounds
NECK = (
    ("head", "nose"),
    ("left_shoulder", "right_shoulder"),
)  # from whichever there is, to the middle of these
FINE = 4  # thin lines are drawn this much larger, then averaged
FRACTION_BITS = 6  # of OpenCV's fixed-point coordinates


def draw_people(image: np.ndarray, poses: Poses, names: tuple[str, ...]) -> np.ndarray:
    """A copy of ``image`` [H, W, 3] with the skeleton of each person whose joints are ``names``."""
    canvas = np.ascontiguousarray(image).copy()
    for person in np.argsort(poses.scores.mean(axis=1), kind="stable"):  # the surest on top
        _draw_person(canvas, poses.joints[person], poses.scores[person], names)
    return canvas


def opacity(scores: np.ndarray) -> np.ndarray:
    """[...] in [0, 1], proportional to the heatmaps' peaks ``scores`` up to SURE."""
    opaque = np.clip(scores / SURE, 0, 1)
    return np.where(opaque < FAINT, 0, opaque)


def line_width(joints: np.ndarray, opaque: np.ndarray) -> float:
    """Width of a person's limbs in pixels, from how far the visible joints [J, 2] lie apart."""
    seen = joints[opaque > 0]
    length = np.ptp(seen, axis=0).max() if len(seen) else 0.0
    return float(np.clip(WIDTH * length, THINNEST, THICKEST))


def _draw_person(canvas: np.ndarray, joints: np.ndarray, scores: np.ndarray, names: tuple[str, ...]) -> None:
    opaque = opacity(scores)
    width = line_width(joints, opaque)
    edge = max(0.5, width / 4)
    lines = [
        (joints[a], joints[b], limb_colour(names[a], names[b]), min(opaque[a], opaque[b]))
        for a, b in limbs(names)
    ]
    lines += _neck(joints, opaque, names)
    for a, b, _, share in lines:
        _stroke(canvas, a, b, width + 2 * edge, EDGE_COLOUR, EDGE_OPACITY * share)
    for a, b, colour, share in lines:
        _stroke(canvas, a, b, width, colour, share)
    for place, name, share in zip(joints, names, opaque):
        _stroke(canvas, place, place, 2 * width + 2 * edge, EDGE_COLOUR, EDGE_OPACITY * share)
        _stroke(canvas, place, place, 2 * width, joint_colour(name), share)


def _neck(joints: np.ndarray, opaque: np.ndarray, names: tuple[str, ...]) -> list[tuple]:
    """The line that holds the head where no joint of the neck is known."""
    heads, shoulders = NECK
    head = next((names.index(name) for name in heads if name in names), None)
    if head is None or not set(shoulders) <= set(names):
        return []
    left, right = map(names.index, shoulders)
    middle = (joints[left] + joints[right]) / 2
    return [(joints[head], middle, SIDE_COLOURS["middle"], opaque[[head, left, right]].min())]


def _stroke(
    canvas: np.ndarray, a: np.ndarray, b: np.ndarray, width: float, colour: tuple, share: float
) -> None:
    """Blend a line with round ends (a dot where ``a`` is ``b``) into ``canvas``; ``share``: its opacity."""
    if share <= 0:
        return
    size = np.array(canvas.shape[1::-1])
    low = np.clip(np.floor(np.minimum(a, b) - width / 2 - 1), 0, size).astype(int)
    high = np.clip(np.ceil(np.maximum(a, b) + width / 2 + 2), 0, size).astype(int)
    if (high <= low).any():
        return
    # Thickness comes in whole pixels: fine for thick lines, not for thin ones.
    fine = FINE if width < FINE else 1
    mask = np.zeros((high - low)[::-1] * fine, np.uint8)
    # Pixel centres are at whole numbers, before and after the enlargement.
    start, end = (np.round(((p - low + 0.5) * fine - 0.5) * 2**FRACTION_BITS).astype(int) for p in (a, b))
    if np.array_equal(start, end):
        radius = round(width / 2 * fine * 2**FRACTION_BITS)
        cv2.circle(mask, tuple(map(int, start)), radius, 255, -1, cv2.LINE_AA, FRACTION_BITS)
    else:
        thickness = max(1, round(width * fine))
        cv2.line(
            mask, tuple(map(int, start)), tuple(map(int, end)), 255, thickness, cv2.LINE_AA, FRACTION_BITS
        )
    if fine > 1:
        mask = cv2.resize(mask, tuple(map(int, high - low)), interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero(mask)  # few, for a thin line in a large image
    part = canvas[low[1] : high[1], low[0] : high[0]]
    below = part[rows, columns].astype(np.float32)
    covered = mask[rows, columns, None] * np.float32(share / 255)
    part[rows, columns] = np.round(below + (np.array(colour, np.float32) - below) * covered)
