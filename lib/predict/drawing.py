"""Draws skeletons on images: the colour is the side of the body, the opacity the confidence."""

from typing import NamedTuple

import cv2
import numpy as np

from lib.dataset.skeleton import Skeleton
from lib.predict.poses import Poses
from lib.visualization.skeletons import SIDE_COLOURS, joint_colour, limb_colour

OPAQUE_SCORE = 0.7  # heatmap peak from which a joint is fully opaque
MIN_OPACITY = 0.1  # joints with a lower opacity are not drawn: most of them are outside the image
LIMB_WIDTH = 1 / 45  # as a share of the person's extent
MIN_WIDTH, MAX_WIDTH = 1.0, 14.0  # pixels
EDGE_COLOUR, EDGE_OPACITY = (0, 0, 0), 0.6  # outline, for bright and busy backgrounds
HEADS, SHOULDERS = ("head", "nose"), ("left_shoulder", "right_shoulder")  # see `_neck`
SUPERSAMPLING = 4  # thin lines are drawn enlarged by this factor and averaged
FRACTION_BITS = 6  # of OpenCV's fixed-point coordinates


class Limb(NamedTuple):
    """A line from ``start`` to ``end`` (each [2], pixels) with its RGB colour and opacity in [0, 1]."""

    start: np.ndarray
    end: np.ndarray
    colour: tuple[int, int, int]
    opacity: float


def draw_people(image: np.ndarray, poses: Poses, skeleton: Skeleton) -> np.ndarray:
    """Draw skeletons on a copy of an image, those with the highest scores on top.

    Args:
        image: [H, W, 3] uint8 RGB.
        poses: The poses of its people.
        skeleton: The J joints.
    """
    canvas = np.ascontiguousarray(image).copy()
    for i in np.argsort(poses.scores.mean(axis=1), kind="stable"):
        _draw_person(canvas, poses.joints[i], poses.scores[i], skeleton)
    return canvas


def opacity(scores: np.ndarray) -> np.ndarray:
    """Opacity in [0, 1], proportional to the heatmap peaks ``scores`` up to ``OPAQUE_SCORE``."""
    opacities = np.clip(scores / OPAQUE_SCORE, 0, 1)
    return np.where(opacities < MIN_OPACITY, 0, opacities)


def line_width(joints: np.ndarray, opacities: np.ndarray) -> float:
    """Width of a person's limbs in pixels, proportional to the extent of the drawn joints.

    Args:
        joints: [J, 2] pixels.
        opacities: [J]; joints with 0 are not drawn.
    """
    drawn = joints[opacities > 0]
    extent = np.ptp(drawn, axis=0).max() if len(drawn) else 0.0
    return float(np.clip(LIMB_WIDTH * extent, MIN_WIDTH, MAX_WIDTH))


def _draw_person(canvas: np.ndarray, joints: np.ndarray, scores: np.ndarray, skeleton: Skeleton) -> None:
    """Draw the outlines of all limbs, the limbs, then the joints; joints [J, 2], scores [J]."""
    opacities = opacity(scores)
    width = line_width(joints, opacities)
    edge = max(0.5, width / 4)
    lines = [
        Limb(joints[a], joints[b], limb_colour(skeleton, a, b), min(opacities[a], opacities[b]))
        for a, b in skeleton.limbs
    ]
    lines += _neck(joints, opacities, skeleton.names)
    for limb in lines:
        outline = limb._replace(colour=EDGE_COLOUR, opacity=EDGE_OPACITY * limb.opacity)
        _blend_line(canvas, outline, width + 2 * edge)
    for limb in lines:
        _blend_line(canvas, limb, width)
    for j, (joint, share) in enumerate(zip(joints, opacities)):
        _blend_line(canvas, Limb(joint, joint, EDGE_COLOUR, EDGE_OPACITY * share), 2 * width + 2 * edge)
        _blend_line(canvas, Limb(joint, joint, joint_colour(skeleton, j), share), 2 * width)


def _neck(joints: np.ndarray, opacities: np.ndarray, names: tuple[str, ...]) -> list[Limb]:
    """A line from the head to the middle of the shoulders, for sets of joints without a neck."""
    head = next((names.index(name) for name in HEADS if name in names), None)
    if head is None or not set(SHOULDERS) <= set(names):
        return []
    left, right = map(names.index, SHOULDERS)
    middle = (joints[left] + joints[right]) / 2
    return [Limb(joints[head], middle, SIDE_COLOURS["middle"], opacities[[head, left, right]].min())]


def _blend_line(canvas: np.ndarray, limb: Limb, width: float) -> None:
    """Blend a line with round ends into ``canvas``; a disc if its ends are equal."""
    if limb.opacity <= 0:
        return
    # Work on the part of the image that the line can touch.
    a, b = limb.start, limb.end
    size = np.array(canvas.shape[1::-1])
    low = np.clip(np.floor(np.minimum(a, b) - width / 2 - 1), 0, size).astype(int)
    high = np.clip(np.ceil(np.maximum(a, b) + width / 2 + 2), 0, size).astype(int)
    if (high <= low).any():
        return
    # OpenCV's thickness is an integer, which is too coarse for thin lines.
    scale = SUPERSAMPLING if width < SUPERSAMPLING else 1
    mask = np.zeros((high - low)[::-1] * scale, np.uint8)
    # Integer coordinates are pixel centres, before and after the enlargement.
    start, end = (np.round(((p - low + 0.5) * scale - 0.5) * 2**FRACTION_BITS).astype(int) for p in (a, b))
    start_point, end_point = tuple(map(int, start)), tuple(map(int, end))
    if start_point == end_point:
        radius = round(width / 2 * scale * 2**FRACTION_BITS)
        cv2.circle(mask, start_point, radius, 255, -1, cv2.LINE_AA, FRACTION_BITS)
    else:
        thickness = max(1, round(width * scale))
        cv2.line(mask, start_point, end_point, 255, thickness, cv2.LINE_AA, FRACTION_BITS)
    if scale > 1:
        mask = cv2.resize(mask, tuple(map(int, high - low)), interpolation=cv2.INTER_AREA)
    rows, columns = np.nonzero(mask)  # blending only these is faster: a line covers little of its box
    part = canvas[low[1] : high[1], low[0] : high[0]]
    below = part[rows, columns].astype(np.float32)
    alpha = mask[rows, columns, None] * np.float32(limb.opacity / 255)
    part[rows, columns] = np.round(below + (np.array(limb.colour, np.float32) - below) * alpha)
