"""Images for people: skeletons and heatmaps drawn on the network's input."""

import cv2
import numpy as np
from torch import Tensor

from lib.dataset.keypoint_dataset import denormalize
from lib.dataset.keypoints import limbs, side_of

# Left, right and middle of the body, RGB; the pair is told apart by colour-blind eyes too.
SIDE_COLOURS = {"left": (0, 158, 255), "right": (255, 130, 0), "middle": (240, 240, 240)}


def joint_colour(name: str) -> tuple[int, int, int]:
    return SIDE_COLOURS[side_of(name)]


def limb_colour(a: str, b: str) -> tuple[int, int, int]:
    """Of the side that both ends are on; the middle's where there is no such side."""
    return joint_colour(a) if side_of(a) == side_of(b) else SIDE_COLOURS["middle"]


def draw_skeleton(
    image: np.ndarray, joints: np.ndarray, shown: np.ndarray, names: tuple[str, ...]
) -> np.ndarray:
    """A copy of ``image`` [H, W, 3] with ``joints`` [J, 2] (pixels) where ``shown`` [J], and limbs."""
    canvas = np.ascontiguousarray(image).copy()
    radius = max(1, round(min(canvas.shape[:2]) / 64))
    points = [tuple(int(round(float(v))) for v in joint) for joint in np.nan_to_num(joints)]
    for a, b in limbs(names):
        if shown[a] and shown[b]:
            colour = limb_colour(names[a], names[b])
            cv2.line(canvas, points[a], points[b], colour, max(1, radius // 2 + 1), cv2.LINE_AA)
    for point, name, visible in zip(points, names, shown):
        if visible:
            cv2.circle(canvas, point, radius + 1, (0, 0, 0), -1, cv2.LINE_AA)
            cv2.circle(canvas, point, radius, joint_colour(name), -1, cv2.LINE_AA)
    return canvas


def draw_heatmaps(image: np.ndarray, heatmaps: np.ndarray) -> np.ndarray:
    """``image`` [H, W, 3] under the brightest of ``heatmaps`` [J, h, w] at every pixel."""
    strongest = np.clip(np.nan_to_num(heatmaps).max(axis=0), 0, 1)
    strongest = cv2.resize(strongest, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    colours = cv2.applyColorMap((strongest * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[..., ::-1]
    share = 0.75 * strongest[..., None]
    return ((1 - share) * 0.6 * image + share * colours).astype(np.uint8)


def contact_sheet(rows: list[list[np.ndarray]]) -> np.ndarray:
    """Images of one size in a grid, with thin gaps; shorter rows end in black."""
    longest, black = max(map(len, rows)), np.zeros_like(rows[0][0])
    rows = [row + [black] * (longest - len(row)) for row in rows]
    return np.vstack([np.hstack([np.pad(cell, ((1, 1), (1, 1), (0, 0))) for cell in row]) for row in rows])


def sample_sheet(
    images: Tensor,
    joints: np.ndarray,
    shown: np.ndarray,
    heatmaps: np.ndarray,
    names: tuple[str, ...],
    columns: int,
) -> np.ndarray:
    """Each of ``images`` [N, 3, H, W] with its skeleton [N, J, 2], and below with its heatmaps, ``columns`` to a row."""
    cells = [enlarged(denormalize(image)) for image in images]
    factor = cells[0].shape[0] / images.shape[2]
    top = [draw_skeleton(p, j * factor, s, names) for p, j, s in zip(cells, joints, shown)]
    bottom = [draw_heatmaps(p, h) for p, h in zip(cells, heatmaps)]
    starts = range(0, len(cells), columns)
    return contact_sheet([row[i : i + columns] for i in starts for row in (top, bottom)])


def enlarged(image: np.ndarray, smallest: int = 192) -> np.ndarray:
    """Whole-number enlargement to at least ``smallest`` wide, so that a skeleton stays thin."""
    factor = max(1, -(-smallest // image.shape[1]))
    size = (image.shape[1] * factor, image.shape[0] * factor)
    return cv2.resize(image, size, interpolation=cv2.INTER_NEAREST)
