"""The part of an image that the network sees: boxes to crops, crops to affine maps."""

import math

import cv2
import numpy as np


def fit_aspect(sizes: np.ndarray, aspect: float) -> np.ndarray:
    """Enlarge boxes ``sizes`` [N, 2] on one side, so that width / height = ``aspect``."""
    width, height = sizes[:, 0], sizes[:, 1]
    return np.stack([np.maximum(width, height * aspect), np.maximum(height, width / aspect)], axis=1)


def crop_matrix(center, size, output_size, rotation: float = 0.0, mirror: bool = False) -> np.ndarray:
    """The affine map [2, 3] from image pixels to pixels of the crop.

    ``center`` and ``size`` (width, height) are the crop in the image, ``output_size`` the
    network's input (width, height), ``rotation`` in degrees about the centre. With ``mirror``,
    image and crop are mirrored first; that moves the centre too, so it still maps to the middle.
    The crop's middle goes to output_size / 2 and its width to the output's width (SimpleBaseline).
    """
    scale = output_size[0] / size[0]
    angle = np.deg2rad(rotation)
    linear = scale * np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    middle = np.asarray(center, np.float64)
    if mirror:
        linear = linear @ np.diag([-1.0, 1.0])
    shift = np.asarray(output_size, np.float64) / 2 - linear @ middle
    return np.concatenate([linear, shift[:, None]], axis=1)


def apply_matrix(matrix: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map ``points`` [..., 2] by the affine ``matrix`` [2, 3]."""
    return points @ matrix[:, :2].T + matrix[:, 2]


def rows_within(matrix: np.ndarray, output_size) -> int:
    """How many rows of the image, from the top, the crop that ``matrix`` [2, 3] makes depends on."""
    width, height = output_size
    inverse = cv2.invertAffineTransform(matrix)
    lowest = inverse[1, 2] + max(0, inverse[1, 0] * width) + max(0, inverse[1, 1] * height)
    return max(0, math.ceil(lowest) + 2)  # interpolation looks at a neighbour, and rounds positions


def of_reduced(matrix: np.ndarray, reduce: int) -> np.ndarray:
    """The same map [2, 3], from an image whose pixels are means of ``reduce`` x ``reduce`` of the first one's.

    Positions are those of pixels' middles: pixel 0 of the small image lies at (reduce - 1) / 2.
    """
    linear, shift = matrix[:, :2], matrix[:, 2]
    middle = np.full(2, (reduce - 1) / 2)
    return np.concatenate([linear * reduce, (shift + linear @ middle)[:, None]], axis=1)
