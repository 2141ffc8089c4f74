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


def source_box(matrix: np.ndarray, output_size: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the part of the image that a crop depends on, which may extend beyond the image.

    Args:
        matrix: [2, 3], from image pixels to crop pixels.
        output_size: (width, height) of the crop.

    Returns:
        (left, top, right, bottom) in pixels, right and bottom exclusive.
    """
    # The box around the crop's four corners in the image.
    inverse, ends = cv2.invertAffineTransform(matrix).tolist(), []
    for across, down, start in inverse:
        across, down = across * output_size[0], down * output_size[1]
        ends.append((start + min(0, across) + min(0, down), start + max(0, across) + max(0, down)))
    (left, right), (top, bottom) = ends
    # Interpolation uses the next pixel, and rounds positions.
    return math.floor(left) - 1, math.floor(top) - 1, math.ceil(right) + 2, math.ceil(bottom) + 2


def rows_needed(matrix: np.ndarray, output_size: tuple[int, int]) -> int:
    """Return how many rows of the image, from the top, a crop depends on; see `source_box`."""
    return max(0, source_box(matrix, output_size)[3])


def warp(
    pixels: np.ndarray,
    corner: tuple[int, int],
    matrix: np.ndarray,
    output_size: tuple[int, int],
    color_rgb: bool = True,
) -> np.ndarray:
    """Cut a crop out of an image of which only a part is at hand; outside of the image it is black.

    The result is that of cv2.warpAffine on the whole image, to the last bit.

    Args:
        pixels: uint8 [h, w, 3], BGR, the part; it has all pixels of the image that the crop depends on.
        corner: (left, top) of the part in the image.
        matrix: [2, 3], from image pixels to crop pixels.
        output_size: (width, height) of the crop.
        color_rgb: channels of the crop in the order RGB, else BGR.

    Returns:
        uint8 [H, W, 4]; the fourth channel has no meaning.
    """
    # Clip the source of the crop to the part.
    (x, y), (height, width) = corner, pixels.shape[:2]
    left, top, right, bottom = source_box(matrix, output_size)
    left, top, right, bottom = max(left, x), max(top, y), min(right, x + width), min(bottom, y + height)
    if left >= right or top >= bottom:
        return np.zeros((output_size[1], output_size[0], 4), np.uint8)

    # Positions are rounded to float32, so the origin stays where it is: most of this image is never set or used.
    # Four channels, since OpenCV interpolates them twice as fast as three.
    image = np.empty((bottom, right, 4), np.uint8)
    code = cv2.COLOR_BGR2RGBA if color_rgb else cv2.COLOR_BGR2BGRA
    cv2.cvtColor(pixels[top - y : bottom - y, left - x : right - x], code, dst=image[top:, left:])
    return cv2.warpAffine(image, matrix, tuple(output_size), flags=cv2.INTER_LINEAR)


def matrix_for_reduced(matrix: np.ndarray, reduce: int) -> np.ndarray:
    """Return ``matrix`` [2, 3] for the same image decoded at 1 / ``reduce`` of its size.

    Coordinates refer to the middles of pixels: pixel 0 of the smaller image, the mean of ``reduce`` x
    ``reduce`` pixels, lies at (reduce - 1) / 2 of the full image.
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    middle = np.full(2, (reduce - 1) / 2)
    return np.concatenate([linear * reduce, (shift + linear @ middle)[:, None]], axis=1)
