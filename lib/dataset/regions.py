"""Regions: the parts of images that the crops of a data set depend on, whatever the augmentation draws.

A region is (left, top, right, bottom) in pixels of the image, right and bottom exclusive.
"""

from dataclasses import dataclass

import numpy as np

from lib.dataset.annotations import Annotations

MARGIN = 3  # pixels on each side; at least that of crop.source_box, whose floor and ceiling are included


@dataclass(frozen=True)
class Range:
    """What the augmentation can draw.

    rotation: largest rotation in degrees, to either side.
    smallest, largest: factors of the crop's size.
    """

    rotation: float = 0.0
    smallest: float = 1.0
    largest: float = 1.0


def crop_regions(annotations: Annotations, drawn: Range, reduce: np.ndarray) -> np.ndarray:
    """Compute the region around all crops of each instance.

    Args:
        annotations: N instances.
        drawn: what the augmentation can draw.
        reduce: int [N], factor by which the image is decoded smaller; the region is in pixels of that.

    Returns:
        int64 [N, 4], not clipped to the image.
    """
    # A rectangle with half sides w and h, rotated by t, is w |cos t| + h |sin t| wide on either side.
    half = annotations.sizes.astype(np.float64) * drawn.largest / 2
    bound = np.deg2rad(min(drawn.rotation, 90.0))
    reach = np.stack([_largest(half[:, k], half[:, 1 - k], bound) for k in (0, 1)], axis=1)
    factor, centers = reduce[:, None], annotations.centers.astype(np.float64)
    middle = (factor - 1) / 2  # see crop.matrix_for_reduced
    first = np.floor((centers - reach - middle) / factor) - MARGIN
    last = np.ceil((centers + reach - middle) / factor) + MARGIN
    return np.concatenate([first, last], axis=1).astype(np.int64)


def _largest(along: np.ndarray, across: np.ndarray, bound: float) -> np.ndarray:
    """The largest of ``along`` cos t + ``across`` sin t for t from 0 to ``bound`` (at most a right angle)."""
    angle = np.minimum(np.arctan2(across, along), bound)
    return along * np.cos(angle) + across * np.sin(angle)


def clip(regions: np.ndarray, sizes: np.ndarray | tuple[int, int]) -> np.ndarray:
    """The parts of ``regions`` [N, 4] inside images of ``sizes`` (width, height) [N, 2] or [2]."""
    sizes = np.asarray(sizes)
    return np.clip(regions, 0, np.concatenate([sizes, sizes], axis=-1))


def areas(regions: np.ndarray) -> np.ndarray:
    """The number of pixels of ``regions`` [..., 4]."""
    return np.prod(np.maximum(regions[..., 2:] - regions[..., :2], 0), axis=-1)


def joined(regions: np.ndarray) -> np.ndarray:
    """Join overlapping regions of one image where a common one has no more pixels: [N, 4] -> [M, 4]."""
    kept = list(np.unique(regions, axis=0))
    k = 1
    while k < len(kept):
        for j in range(k):
            both = np.concatenate([np.minimum(kept[j], kept[k])[:2], np.maximum(kept[j], kept[k])[2:]])
            if areas(both) <= areas(kept[j]) + areas(kept[k]):
                del kept[k], kept[j]
                kept.append(both)
                k = 0  # the joined one may overlap others
                break
        k += 1
    return np.array(kept).reshape(-1, 4)
