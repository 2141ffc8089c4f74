"""Annotated instances as training samples: image -> crop -> tensor and heatmaps."""

import copy
from dataclasses import dataclass
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix, matrix_for_reduced, rows_needed, warp
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.image_spec import ImageSpec
from lib.dataset.images import DECODE_FLAGS, problem_of, read_image
from lib.dataset.pack import Pack, Part
from lib.dataset.regions import Range, crop_regions

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
# The normalized value of each of the 256 pixel values of a channel: [3, 256].
NORMALIZED = ((np.arange(256, dtype=np.float32)[:, None] / 255 - IMAGENET_MEAN) / IMAGENET_STD).T.copy()

# SimpleBaseline's JointsDataset: rotate in 60 % of the samples, by at most two standard deviations.
ROTATION_PROBABILITY = 0.6
MAX_ROTATION_SIGMAS = 2


NO_IMAGE = Part(np.zeros((2, 2, 3), np.uint8), (0, 0), 1)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training sample, as in SimpleBaseline's lib/dataset/JointsDataset.py.

    flip: mirror half of the samples.
    rotation: standard deviation of the rotation, degrees.
    scale: standard deviation of the crop's size factor around 1, and its largest deviation.
    """

    flip: bool
    rotation: float
    scale: float

    @property
    def range(self) -> Range:
        """What can be drawn."""
        return Range(MAX_ROTATION_SIGMAS * self.rotation, 1 - self.scale, 1 + self.scale)

    def draw(self, rng: np.random.Generator) -> tuple[float, float, bool]:
        """Draw the crop's size factor, the rotation in degrees and whether to mirror, in this order."""
        factor = np.clip(1 + self.scale * rng.standard_normal(), 1 - self.scale, 1 + self.scale)
        bound = MAX_ROTATION_SIGMAS * self.rotation
        rotation = np.clip(self.rotation * rng.standard_normal(), -bound, bound)
        if rng.random() > ROTATION_PROBABILITY:
            rotation = 0.0
        return float(factor), float(rotation), bool(self.flip and rng.random() <= 0.5)


class Sample(NamedTuple):
    """One instance, or with a leading dimension N a batch of them.

    image: float32 [3, H, W], normalized.
    heatmaps: float32 [J, h, w].
    target_weight: float32 [J], 0 or 1.
    index: int64, position among the annotations.
    flipped: bool, the image was mirrored, so joint j is annotated as joint ``mapping.flip_indices[j]``.
    problem: empty, or why the image could not be read; N of them in a batch.
    """

    image: Tensor
    heatmaps: Tensor
    target_weight: Tensor
    index: Tensor  # type: ignore[assignment]  # it hides the tuple's method index, which nothing calls
    flipped: Tensor
    problem: str | list[str]

    def to(self, device: torch.device) -> "Sample":
        """Copy all tensors to ``device``, without waiting for it."""
        tensors = {name: x for name, x in self._asdict().items() if isinstance(x, Tensor)}
        moved: dict[str, Any] = {name: x.to(device, non_blocking=True) for name, x in tensors.items()}
        return self._replace(**moved)

    def select(self, keep: Tensor) -> "Sample":
        """The samples of a batch where ``keep`` (bool [N]) is true."""
        problems = [problem for problem, k in zip(self.problem, keep.tolist()) if k]
        tensors = {name: x for name, x in self._asdict().items() if name != "problem"}
        return Sample(**{name: x[keep] for name, x in tensors.items()}, problem=problems)


class KeypointDataset(Dataset):
    """Samples of annotated instances, addressed by (index, visit).

    The random numbers of a sample depend on the seed, the index and the visit (the pass over the data set)
    alone, so neither the number of workers nor an interruption changes them.

    Args:
        annotations: N instances.
        codec: encodes the joints as heatmaps; gives the size of the crops.
        augmentation: random changes; None: always the same samples.
        color_rgb: channels in the order RGB, else BGR.
        seed: of the augmentation.
        cache: keep every decoded image in memory.
        reduced_decode: decode a JPEG at 1/2, 1/4 or 1/8 of its size if the crop still has at least the
            pixels of the network's input.
    """

    def __init__(
        self,
        annotations: Annotations,
        codec: HeatmapCodec,
        augmentation: Augmentation | None = None,
        color_rgb: bool = True,
        seed: int = 0,
        cache: bool = False,
        reduced_decode: bool = False,
    ):
        # {(image, reduction): pixels}; a plain dictionary, because workers may get the data set pickled.
        self.image_cache: dict[tuple[ImageSpec, int], np.ndarray | None] | None = {} if cache else None
        self.reduced_decode = reduced_decode
        self.pack: Pack | None = None
        self.annotations = annotations
        self.codec = codec
        self.augmentation = augmentation
        self.color_rgb = color_rgb
        self.seed = seed
        self.flip_indices = list(annotations.mapping.flip_indices)

    def with_annotations(self, annotations: Annotations) -> "KeypointDataset":
        """A data set with the same settings but other annotations (with the same joints), and without a pack."""
        other = copy.copy(self)
        other.annotations = annotations
        other.pack = None
        return other

    def without_augmentation(self) -> "KeypointDataset":
        """The same samples as they are."""
        other = copy.copy(self)
        other.augmentation = None
        return other

    def with_pack(self, pack: Pack | None) -> "KeypointDataset":
        """The same samples, with their pixels from ``pack``, which has a part for each instance."""
        other = copy.copy(self)
        other.pack = pack
        return other

    def regions(self) -> tuple[np.ndarray, np.ndarray]:
        """What all samples of each instance need of its image, decoded once.

        Returns:
            Regions int64 [N, 4], see regions.py, and int64 [N], the factor by which the image is decoded smaller.
        """
        drawn = Range() if self.augmentation is None else self.augmentation.range
        reduce = np.ones(len(self), np.int64)
        if self.reduced_decode:
            images = self.annotations.image_index.tolist()
            paths, smallest = self.annotations.image_paths, drawn.smallest * self.annotations.sizes
            reduce[:] = [self._reduction(paths[image], size) for image, size in zip(images, smallest)]
        return crop_regions(self.annotations, drawn, reduce), reduce

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        """The sample of annotation ``index`` on its ``visit``, for the key (index, visit)."""
        index, visit = key
        annotations = self.annotations
        joints, visible = annotations.joints[index].astype(np.float64), annotations.visible[index]
        size, rotation, flipped = annotations.sizes[index], 0.0, False
        if self.augmentation is not None:
            rng = np.random.default_rng([self.seed, visit, index])
            factor, rotation, flipped = self.augmentation.draw(rng)
            size = size * factor

        matrix = crop_matrix(annotations.centers[index], size, self.codec.image_size, rotation, flipped)
        part, problem = self._part(index, size, matrix), ""
        if part is None:
            problem = f"{problem_of(annotations.image(index))} (annotation {annotations.ids[index]})"
            part = NO_IMAGE
        reduced = matrix_for_reduced(matrix, part.reduce)
        crop = warp(part.pixels, part.corner, reduced, self.codec.image_size, self.color_rgb)

        # Labels in crop pixels; in a mirrored image the left wrist is labelled as the right one.
        joints = apply_matrix(matrix, joints)
        if flipped:
            joints, visible = joints[self.flip_indices], visible[self.flip_indices]
        heatmaps, weight = self.codec.encode(joints, visible)
        return Sample(
            image=normalize(crop),
            heatmaps=torch.from_numpy(heatmaps),
            target_weight=torch.from_numpy(weight),
            index=torch.tensor(index),
            flipped=torch.tensor(flipped),
            problem=problem,
        )

    def _part(self, index: int, size: np.ndarray, matrix: np.ndarray) -> Part | None:
        """What the crop of ``size`` pixels depends on, of the pack or of the image; None if it cannot be read.

        The image is decoded as small, and as few rows of it, as the crop needs.
        """
        if self.pack is not None:
            return self.pack.part(index)
        image = self.annotations.image(index)
        reduce = self._reduction(image.path, size)
        pixels = self._read(image, reduce, rows_needed(matrix, self.codec.image_size))
        return None if pixels is None else Part(pixels, (0, 0), reduce)

    def _reduction(self, path: str, size: np.ndarray) -> int:
        """Factor (1, 2, 4 or 8) by which the image may be decoded smaller for a crop of ``size`` pixels."""
        # Only JPEG can be decoded smaller in less time.
        if not self.reduced_decode or not path.lower().endswith((".jpg", ".jpeg")):
            return 1
        image_pixels_per_input_pixel = size[0] / self.codec.image_size[0]
        return max(reduce for reduce in DECODE_FLAGS if reduce <= max(1, image_pixels_per_input_pixel))

    def _read(self, image: ImageSpec, reduce: int, rows: int) -> np.ndarray | None:
        """The image as BGR, at least its first ``rows`` rows; None if it cannot be read."""
        if self.image_cache is None:
            return read_image(image, False, reduce, rows)
        if (image, reduce) not in self.image_cache:
            self.image_cache[image, reduce] = read_image(image, False, reduce)
        return self.image_cache[image, reduce]


def normalize(crop: np.ndarray) -> Tensor:
    """Normalize by ImageNet's mean and standard deviation: uint8 [H, W, 3 or 4] -> float32 [3, H, W]."""
    image = np.empty((3, *crop.shape[:2]), np.float32)
    for channel, plane in enumerate(cv2.split(crop)[:3]):
        cv2.LUT(plane, NORMALIZED[channel], dst=image[channel])
    return torch.from_numpy(image)


def denormalize(image: Tensor) -> np.ndarray:
    """The inverse of ``normalize``, for images in logs: float [3, H, W] -> uint8 [H, W, 3]."""
    scaled = image.detach().float().cpu().numpy().transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN
    return np.clip(scaled * 255 + 0.5, 0, 255).astype(np.uint8)
