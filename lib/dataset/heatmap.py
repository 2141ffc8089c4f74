"""Joint positions to heatmaps and back."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from lib.utils.errors import InputError

BACKBONE_STRIDE = 32  # input pixels per pixel of a ResNet's last features


@dataclass(frozen=True)
class HeatmapCodec:
    """Heatmaps of "Simple Baselines for Human Pose Estimation and Tracking" (Xiao et al., arXiv 1804.06208).

    A joint at (x, y) heatmap pixels, rounded to (mx, my), is encoded as

        exp(-((i - mx)^2 + (j - my)^2) / (2 sigma^2))   for |i - mx|, |j - my| <= 3 sigma, else 0.

    Decoding takes the highest pixel and moves it a quarter pixel towards the higher neighbor on each axis.

    image_size: (width, height) of the network's input, pixels.
    heatmap_size: (width, height) of its heatmaps; smaller by the same whole stride on both axes.
    sigma: standard deviation of the Gaussian, heatmap pixels.

    Raises:
        InputError: the two sizes do not differ by one whole stride, or sigma is not positive.
    """

    image_size: tuple[int, int]
    heatmap_size: tuple[int, int]
    sigma: float

    def __post_init__(self):
        (image_w, image_h), (map_w, map_h) = self.image_size, self.heatmap_size
        positive = min(image_w, image_h, map_w, map_h) > 0
        if not positive or image_w % map_w or image_w * map_h != image_h * map_w:
            raise InputError(
                f"MODEL.IMAGE_SIZE is {image_w} x {image_h} and MODEL.EXTRA.HEATMAP_SIZE {map_w} x {map_h}; "
                "expected the image's width and height to be the same whole multiple of the heatmap's"
            )
        if not 0 < self.sigma < np.inf:
            raise InputError(f"MODEL.EXTRA.SIGMA is {self.sigma}; expected a positive number")

    @property
    def stride(self) -> int:
        """Input pixels per heatmap pixel."""
        return self.image_size[0] // self.heatmap_size[0]

    def encode(self, joints: np.ndarray, visible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Encode the joints of one instance.

        Args:
            joints: [J, 2], pixels of the network's input.
            visible: [J], above 0 where the joint is annotated.

        Returns:
            Heatmaps float32 [J, h, w] and target weights float32 [J] (0 or 1). Joints that are not annotated
            or whose window lies wholly outside the heatmap get a map of zeros and weight 0.
        """
        # The Gaussian is separable: rows and columns are computed apart and multiplied.
        centers = np.floor(np.asarray(joints, np.float64) / self.stride + 0.5)
        width, height = self.heatmap_size
        columns = self._gaussian(centers[:, 0], width)
        rows = self._gaussian(centers[:, 1], height)
        weight = (np.asarray(visible) > 0) & columns.any(axis=1) & rows.any(axis=1)
        rows *= weight[:, None]
        return rows[:, :, None] * columns[:, None, :], weight.astype(np.float32)

    def _gaussian(self, centers: np.ndarray, length: int) -> np.ndarray:
        """One axis of the (separable) Gaussian: float32 [J, length]."""
        distance = np.arange(length) - centers[:, None]
        value = np.exp(distance**2 / (-2 * self.sigma**2))
        return np.where(np.abs(distance) <= 3 * self.sigma, value, 0).astype(np.float32)

    def decode(self, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find the joints in heatmaps.

        Args:
            heatmaps: float [N, J, h, w].

        Returns:
            Joints float32 [N, J, 2] (x, y in heatmap pixels) and scores [N, J] (value of the highest pixel).
            See `find_peaks` for maps without a positive pixel and for NaN.
        """
        coords, scores = find_peaks(heatmaps)
        width, height = self.heatmap_size
        # The quarter-pixel step, but not near the border.
        inner = ((coords > 1) & (coords < (width - 1, height - 1))).all(axis=-1)
        n, j = np.nonzero(inner)
        x, y = coords[n, j].astype(int).T
        coords[n, j, 0] += _quarter_step(heatmaps[n, j, y, x - 1], heatmaps[n, j, y, x + 1])
        coords[n, j, 1] += _quarter_step(heatmaps[n, j, y - 1, x], heatmaps[n, j, y + 1, x])
        return coords, scores


def _quarter_step(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """+-0.25 towards the higher of two neighbors."""
    # Unlike the sign of the difference, comparisons also work for infinite values.
    return 0.25 * (after > before) - 0.25 * (after < before)


def find_peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the highest pixel of each heatmap (SimpleBaseline's ``get_max_preds``).

    Args:
        heatmaps: float [N, J, h, w].

    Returns:
        x and y as float32 [N, J, 2], (0, 0) if no pixel is positive, and the value [N, J]. Both are NaN for a
        heatmap with a NaN.
    """
    n, j, height, width = heatmaps.shape
    flat = heatmaps.reshape(n, j, height * width)
    index = flat.argmax(axis=-1)
    values = np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
    coords = np.stack((index % width, index // width), axis=-1).astype(np.float32)
    coords[values <= 0] = 0
    coords[np.isnan(values)] = np.nan
    return coords, values


def network_heatmap_size(image_size: Sequence[int], deconvolutions: int) -> tuple[int, int]:
    """Compute the size of a pose network's heatmaps.

    Args:
        image_size: (width, height) of the network's input, multiples of BACKBONE_STRIDE.
        deconvolutions: number of transposed convolutions, each of which doubles the resolution.

    Returns:
        (width, height) in heatmap pixels.
    """
    width, height = (side // BACKBONE_STRIDE * 2**deconvolutions for side in image_size)
    return width, height


def to_image(
    coords: np.ndarray, centers: np.ndarray, sizes: np.ndarray, heatmap_size: tuple[int, int]
) -> np.ndarray:
    """Convert heatmap pixels to image pixels.

    Args:
        coords: [N, J, 2], heatmap pixels.
        centers: [N, 2], middle of each (unrotated) crop, image pixels.
        sizes: [N, 2], width and height of each crop, image pixels.
        heatmap_size: (width, height) of the heatmaps.

    Returns:
        [N, J, 2], image pixels.
    """
    heatmap_size = np.asarray(heatmap_size, np.float64)
    scale = np.asarray(sizes) / heatmap_size
    return np.asarray(centers)[:, None] + (coords - heatmap_size / 2) * scale[:, None]
