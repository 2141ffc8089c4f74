"""Crops, the parts of images that the network sees: boxes to crops, crops to affine matrices."""

import math
from collections.abc import Sequence

import cv2
import numpy as np


def fit_aspect(sizes: np.ndarray, aspect: float) -> np.ndarray:
    """Enlarge one side of each box, so that width / height is ``aspect``; sizes: [N, 2] -> [N, 2]."""
    width, height = sizes[:, 0], sizes[:, 1]
    return np.stack([np.maximum(width, height * aspect), np.maximum(height, width / aspect)], axis=1)


def crop_matrix(
    center: Sequence[float] | np.ndarray,
    size: Sequence[float] | np.ndarray,
    output_size: tuple[int, int],
    rotation: float = 0.0,
    mirror: bool = False,
) -> np.ndarray:
    """Return the affine matrix from image pixels to crop pixels (SimpleBaseline's ``get_affine_transform``).

    The middle of the crop maps to output_size / 2 and its width to the width of the output, with the same
    scale on both axes.

    Args:
        center: [2], middle of the crop in the image, pixels.
        size: [2], width and height of the crop in the image, pixels.
        output_size: (width, height) of the network's input.
        rotation: degrees about the center.
        mirror: mirror image and center first, so the center still maps to the middle.

    Returns:
        float64 [2, 3].
    """
    # Uniform scale, rotation (y points down), and the mirror image if wanted.
    scale = output_size[0] / size[0]
    angle = np.deg2rad(rotation)
    linear = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.asarray(center, np.float64)
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    shift = np.asarray(output_size, np.float64) / 2 - linear @ middle
    return np.concatenate([linear, shift[:, None]], axis=1)


def apply_matrix(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map ``points`` [..., 2] with the affine ``matrix`` [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def rows_needed(matrix: np.ndarray, output_size: tuple[int, int]) -> int:
    """Return how many rows of the image, from the top, a crop depends on.

    Args:
        matrix: [2, 3], from image pixels to crop pixels.
        output_size: (width, height) of the crop.
    """
    width, height = output_size
    # The lowest image row of the crop's four corners.
    inverse = cv2.invertAffineTransform(matrix)
    lowest = inverse[1, 2] + max(0, inverse[1, 0] * width) + max(0, inverse[1, 1] * height)
    return max(0, math.ceil(lowest) + 2)  # interpolation uses the next row, and rounds positions


def matrix_for_reduced(matrix: np.ndarray, reduce: int) -> np.ndarray:
    """Return ``matrix`` [2, 3] for the same image decoded at 1 / ``reduce`` of its size.

    Coordinates refer to the middles of pixels: pixel 0 of the smaller image, the mean of ``reduce`` x
    ``reduce`` pixels, lies at (reduce - 1) / 2 of the full image.
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    middle = np.full(2, (reduce - 1) / 2)
    return np.concatenate([linear * reduce, (shift + linear @ middle)[:, None]], axis=1)
