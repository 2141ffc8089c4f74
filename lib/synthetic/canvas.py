"""The canvas and the only shape drawn on it: convex hulls of circles."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import ArrayLike

SUPERSAMPLING = 2  # canvas pixels per image pixel, along each axis
DARK = (25, 22, 28)  # RGB of outlines and eyes
_FIXED_POINT_BITS = 4  # OpenCV's sub-pixel coordinates
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, endpoint=False)),
                    np.sin(np.linspace(0, 2 * np.pi, 24, endpoint=False))], axis=1)  # fmt: skip

# Fabrics, each with its own texture in the rough look; 0 is the background.
SKIN, TOP, TROUSERS, HAIR, SHOES, BAG, OBJECT = range(1, 8)
FABRICS = 8


class Blob(NamedTuple):
    """The convex hull of K circles in one colour.

    centres: [K, 2] image pixels.
    radii: [K] image pixels.
    colour: RGB in 0..255.
    fabric: SKIN, TOP, ...; selects the texture of the rough look.
    """

    centres: np.ndarray
    radii: np.ndarray
    colour: tuple[int, int, int]
    fabric: int

    def hull(self, margin: float = 0.0) -> np.ndarray:
        """Corners [C, 2] of the hull, in image pixels, with the radii enlarged by ``margin``."""
        circles = self.centres[:, None] + (self.radii[:, None, None] + margin) * _CIRCLE
        return cv2.convexHull(circles.reshape(-1, 2).astype(np.float32)).reshape(-1, 2)


def make_blob(centres: ArrayLike, radii: ArrayLike, colour: tuple[int, int, int], fabric: int) -> Blob:
    """Build a `Blob` from one or more ``centres`` ([2] or [K, 2]) and one radius or one for each centre."""
    centres = np.asarray(centres, dtype=float).reshape(-1, 2)
    return Blob(centres, np.zeros(len(centres)) + np.asarray(radii), colour, fabric)


class Canvas:
    """A supersampled image, with the figure and the fabric that every pixel shows.

    pixels: [SUPERSAMPLING H, SUPERSAMPLING W, 3] uint8, RGB.
    """

    def __init__(self, width: int, height: int):
        """An empty canvas for an image of ``width`` x ``height`` pixels."""
        shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
        self.pixels = np.zeros(shape + (3,), dtype=np.uint8)
        self._labels = np.zeros(shape, dtype=np.uint8)  # owner * FABRICS + fabric

    @property
    def owner(self) -> np.ndarray:
        """What each canvas pixel shows: 0 the background, 1 and up figures and objects from back to front."""
        return self._labels // FABRICS

    @property
    def fabric(self) -> np.ndarray:
        """The fabric of each canvas pixel: 0 the background, else SKIN, TOP, ..."""
        return self._labels % FABRICS

    def draw(self, blobs: Sequence[Blob], owner: int, outline: float = 0.0) -> None:
        """Draw the blobs of one part in order.

        Args:
            blobs: drawn over each other, with one common outline below all of them.
            owner: number of the figure or object they belong to, at most 31.
            outline: width of the dark outline in image pixels; 0 draws none.
        """
        for blob in blobs:
            points, label = self._fixed_point(blob.hull(outline)), owner * FABRICS + blob.fabric
            colour = DARK if outline else blob.colour
            cv2.fillConvexPoly(self.pixels, points, colour, cv2.LINE_AA, _FIXED_POINT_BITS)
            cv2.fillConvexPoly(self._labels, points, label, cv2.LINE_8, _FIXED_POINT_BITS)
        for blob in blobs if outline else ():
            points = self._fixed_point(blob.hull())
            cv2.fillConvexPoly(self.pixels, points, blob.colour, cv2.LINE_AA, _FIXED_POINT_BITS)

    @staticmethod
    def _fixed_point(corners: np.ndarray) -> np.ndarray:
        """Convert image pixels to OpenCV's fixed-point canvas pixels."""
        corners = corners * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2
        return np.round(corners * 2**_FIXED_POINT_BITS).astype(np.int32)
