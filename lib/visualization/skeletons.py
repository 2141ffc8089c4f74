"""Draws skeletons and heatmaps on images, and arranges images in a grid."""

import cv2
import numpy as np
from torch import Tensor

from lib.dataset.keypoint_dataset import denormalize
from lib.dataset.skeleton import Skeleton

# RGB by side of the body. Blue and orange are distinguishable with colour-blindness too.
SIDE_COLOURS = {"left": (0, 158, 255), "right": (255, 130, 0), "middle": (240, 240, 240)}


def joint_colour(skeleton: Skeleton, joint: int) -> tuple[int, int, int]:
    """RGB colour of a joint, by its side."""
    return SIDE_COLOURS[skeleton.sides[joint]]


def limb_colour(skeleton: Skeleton, a: int, b: int) -> tuple[int, int, int]:
    """RGB colour of the limb between two joints: that of their common side, else that of the middle."""
    return SIDE_COLOURS[skeleton.sides[a] if skeleton.sides[a] == skeleton.sides[b] else "middle"]


def draw_skeleton(
    image: np.ndarray, joints: np.ndarray, visible: np.ndarray, skeleton: Skeleton
) -> np.ndarray:
    """Draw joints and the limbs between them on a copy of ``image``.

    Args:
        image: [H, W, 3] uint8, RGB.
        joints: [J, 2] pixels; joints that are not visible may be NaN.
        visible: [J], nonzero for the joints to draw.
        skeleton: the J joints, for colours and limbs.

    Returns:
        [H, W, 3] uint8, RGB.
    """
    canvas = np.ascontiguousarray(image).copy()
    radius = max(1, round(min(canvas.shape[:2]) / 64))
    points = [tuple(int(round(float(v))) for v in joint) for joint in np.nan_to_num(joints)]
    for a, b in skeleton.limbs:
        if visible[a] and visible[b]:
            colour = limb_colour(skeleton, a, b)
            cv2.line(canvas, points[a], points[b], colour, max(1, radius // 2 + 1), cv2.LINE_AA)
    for joint, (point, drawn) in enumerate(zip(points, visible)):
        if drawn:
            cv2.circle(canvas, point, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(canvas, point, radius, joint_colour(skeleton, joint), -1, cv2.LINE_AA)
    return canvas


def draw_heatmaps(image: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """Overlay ``image`` with the maximum over all heatmaps.

    Args:
        image: [H, W, 3] uint8, RGB.
        heatmaps: [J, h, w]; values are clipped to [0, 1], NaN counts as 0.

    Returns:
        [H, W, 3] uint8, RGB: darker where the heatmaps are 0, three quarters colour map where they are 1.
    """
    strongest = np.clip(np.nan_to_num(heatmaps).max(axis=0), 0, 1)
    strongest = cv2.resize(strongest, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((strongest * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = 0.75 * strongest[..., None]
    return ((1 - share) * 0.6 * image + share * colours).astype(np.uint8)


def contact_sheet(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Arrange rows of images [H, W, 3] of one size in a grid with thin gaps; shorter rows are padded black."""
    longest, black = max(map(len, rows)), np.zeros_like(rows[0][0])
    rows = [row + [black] * (longest - len(row)) for row in rows]
    return np.vstack([np.hstack([np.pad(cell, ((1, 1), (1, 1), (0, 0))) for cell in row]) for row in rows])


def sample_sheet(
    images: Tensor,
    joints: np.ndarray,
    visible: np.ndarray,
    heatmaps: np.ndarray,
    skeleton: Skeleton,
    columns: int,
) -> np.ndarray:
    """Contact sheet of network inputs: each with its skeleton, and below it with its heatmaps.

    Args:
        images: [N, 3, H, W], normalized as for the network.
        joints: [N, J, 2] pixels of the network's input.
        visible: [N, J], nonzero for the joints to draw.
        heatmaps: [N, J, h, w].
        skeleton: the J joints.
        columns: images in a row.

    Returns:
        The sheet, [height, width, 3] uint8, RGB.
    """
    cells = [enlarged(denormalize(image)) for image in images]
    factor = cells[0].shape[0] / images.shape[2]
    top = [draw_skeleton(cell, j * factor, v, skeleton) for cell, j, v in zip(cells, joints, visible)]
    bottom = [draw_heatmaps(cell, h) for cell, h in zip(cells, heatmaps)]
    starts = range(0, len(cells), columns)
    return contact_sheet([row[i : i + columns] for i in starts for row in (top, bottom)])


def enlarged(image: np.ndarray, smallest: int = 192) -> np.ndarray:
    """Enlarge ``image`` [H, W, 3] by an integer factor to a width of at least ``smallest`` pixels.

    Skeletons are drawn after enlarging, so that their lines stay thin.
    """
    factor = max(1, -(-smallest // image.shape[1]))
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
