"""What drawn people are drawn with: convex hulls of circles, on a canvas that knows who covers what."""

from typing import NamedTuple

import cv2
import numpy as np

SUPERSAMPLING = 2
_FIXED_POINT_BITS = 4  # OpenCV's sub-pixel coordinates
_CIRCLE = np.stack([np.cos(np.linspace(0, 2 * np.pi, 24, endpoint=False)),
                    np.sin(np.linspace(0, 2 * np.pi, 24, endpoint=False))], axis=1)  # fmt: skip
DARK = (25, 22, 28)


class Blob(NamedTuple):
    """The convex hull of circles, in one colour. ``fabric`` picks the texture of the rough look."""

    centres: np.ndarray
    radii: np.ndarray
    colour: tuple[int, int, int]
    fabric: int

    def outline(self, grow: float = 0.0) -> np.ndarray:
        """Corners of the hull, [K, 2]."""
        circles = self.centres[:, None] + (self.radii[:, None, None] + grow) * _CIRCLE
        return cv2.convexHull(circles.reshape(-1, 2).astype(np.float32)).reshape(-1, 2)


SKIN, TOP, TROUSERS, HAIR, SHOES, BAG, THING = range(1, 8)
FABRICS = 8


def blob_of(centres, radii, colour, fabric) -> Blob:
    centres = np.asarray(centres, dtype=float).reshape(-1, 2)
    return Blob(centres, np.zeros(len(centres)) + radii, colour, fabric)


class Canvas:
    """An image in the making, with a map of whose fabric was drawn where."""

    def __init__(self, width: int, height: int):
        shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
        self.pixels = np.zeros(shape + (3,), dtype=np.uint8)
        self._labels = np.zeros(shape, dtype=np.uint8)  # owner and fabric in one number

    @property
    def owner(self) -> np.ndarray:
        """Who covers what: 0 the scene, 1 and up the people and things in front, rearmost first."""
        return self._labels // FABRICS

    @property
    def fabric(self) -> np.ndarray:
        """What is seen where: 0 the scene, else SKIN and so on."""
        return self._labels % FABRICS

    def draw(self, blobs, owner: int, outline: float = 0.0):
        """Draw the blobs of one part, in order; their common dark line goes below all of them."""
        for blob in blobs:
            points, label = self._fixed_point(blob.outline(outline)), owner * FABRICS + blob.fabric
            colour = DARK if outline else blob.colour
            cv2.fillConvexPoly(self.pixels, points, colour, cv2.LINE_AA, _FIXED_POINT_BITS)
            cv2.fillConvexPoly(self._labels, points, label, cv2.LINE_8, _FIXED_POINT_BITS)
        for blob in blobs if outline else ():
            points = self._fixed_point(blob.outline())
            cv2.fillConvexPoly(self.pixels, points, blob.colour, cv2.LINE_AA, _FIXED_POINT_BITS)

    @staticmethod
    def _fixed_point(corners) -> np.ndarray:
        """Corners in pixels of the image -> of the canvas, as OpenCV wants them."""
        corners = corners * SUPERSAMPLING + (SUPERSAMPLING - 1) / 2
        return np.round(corners * 2**_FIXED_POINT_BITS).astype(np.int32)
