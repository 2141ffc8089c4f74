"""Joint positions to heatmaps and back (SimpleBaseline, arXiv 1804.06208)."""

from dataclasses import dataclass

import numpy as np

from lib.utils.errors import InputError


@dataclass(frozen=True)
class HeatmapCodec:
    """Encodes joints as Gaussians on a coarse grid, and finds joints in such heatmaps.

    image_size: (width, height) of the network's input in pixels.
    heatmap_size: (width, height) of its heatmaps.
    sigma: standard deviation of the Gaussian in heatmap pixels.

    Raises InputError where the two sizes are not one whole stride apart, or sigma is not positive.
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
        """Heatmaps float32 [J, h, w] and target weights float32 [J] of one person.

        joints: [J, 2] pixels of the network's input; visible: [J], above 0 where annotated.
        Each map is exp(-d^2 / (2 sigma^2)) around the grid point nearest to the joint, within
        3 sigma along either axis. Invisible joints, and those whose window lies wholly outside the
        heatmap, get an empty map and weight 0.
        """
        centres = np.floor(np.asarray(joints, np.float64) / self.stride + 0.5)
        width, height = self.heatmap_size
        columns = self._gaussian(centres[:, 0], width)
        rows = self._gaussian(centres[:, 1], height)
        weight = (np.asarray(visible) > 0) & columns.any(axis=1) & rows.any(axis=1)
        rows *= weight[:, None]
        return rows[:, :, None] * columns[:, None, :], weight.astype(np.float32)

    def _gaussian(self, centres: np.ndarray, length: int) -> np.ndarray:
        """One axis of the (separable) Gaussian: float32 [J, length]."""
        distance = np.arange(length) - centres[:, None]
        value = np.exp(distance**2 / (-2 * self.sigma**2))
        return np.where(np.abs(distance) <= 3 * self.sigma, value, 0).astype(np.float32)

    def decode(self, heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Joints float32 [N, J, 2] (x, y in heatmap pixels) and scores [N, J] of heatmaps [N, J, h, w].

        The highest pixel, moved a quarter pixel along each axis towards its higher neighbour, except
        near the border. See `find_peaks` for maps without a positive pixel and for NaN.
        """
        coords, scores = find_peaks(heatmaps)
        width, height = self.heatmap_size
        inner = ((coords > 1) & (coords < (width - 1, height - 1))).all(axis=-1)
        n, j = np.nonzero(inner)
        x, y = coords[n, j].astype(int).T
        coords[n, j, 0] += _quarter_step(heatmaps[n, j, y, x - 1], heatmaps[n, j, y, x + 1])
        coords[n, j, 1] += _quarter_step(heatmaps[n, j, y - 1, x], heatmaps[n, j, y + 1, x])
        return coords, scores


def _quarter_step(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    # Comparing, unlike the sign of a difference, is also right for infinite pixels.
    return 0.25 * (after > before) - 0.25 * (after < before)


def find_peaks(heatmaps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Highest pixel of each of the heatmaps [N, J, h, w]: x, y as float32 [N, J, 2], value [N, J].

    The position is (0, 0) where no pixel is positive. A map that holds a NaN gives NaN for both.
    """
    n, j, height, width = heatmaps.shape
    flat = heatmaps.reshape(n, j, height * width)
    index = flat.argmax(axis=-1)
    values = np.take_along_axis(flat, index[..., None], axis=-1)[..., 0]
    coords = np.stack((index % width, index // width), axis=-1).astype(np.float32)
    coords[values <= 0] = 0
    coords[np.isnan(values)] = np.nan
    return coords, values


def to_image(coords: np.ndarray, centers: np.ndarray, sizes: np.ndarray, heatmap_size: tuple) -> np.ndarray:
    """Image pixels [N, J, 2] of ``coords`` [N, J, 2] in heatmap pixels.

    centers: [N, 2] middle of each unrotated crop and sizes: [N, 2] its width and height, in image pixels.
    """
    heatmap_size = np.asarray(heatmap_size, np.float64)
    scale = np.asarray(sizes) / heatmap_size
    return np.asarray(centers)[:, None] + (coords - heatmap_size / 2) * scale[:, None]
