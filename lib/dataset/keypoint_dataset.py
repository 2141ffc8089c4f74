"""Annotated people as training samples: image -> crop -> tensor and heatmaps."""

import copy
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from lib.dataset.annotations import Annotations
from lib.dataset.crop import apply_matrix, crop_matrix, of_reduced, rows_within
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.images import REDUCED, read_image
from lib.dataset.keypoints import flip_permutation

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], np.float32)
# What each of the 256 values of a channel becomes: [3, 256].
NORMALISED = ((np.arange(256, dtype=np.float32)[:, None] / 255 - IMAGENET_MEAN) / IMAGENET_STD).T.copy()


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training sample, as SimpleBaseline makes them."""

    flip: bool
    rotation: float
    scale: float


class Sample(NamedTuple):
    """One person, or with a leading dimension N a batch of them.

    image: [3, H, W] normalised.   heatmaps: [J, h, w].   target_weight: [J] 0 or 1.
    index: position among the annotations.   flipped: the image was mirrored, so joint j of
    the sample is annotated as joint ``flip_permutation(names)[j]``.
    problem: empty, or why the image could not be read.
    """

    image: Tensor
    heatmaps: Tensor
    target_weight: Tensor
    index: Tensor
    flipped: Tensor
    problem: str

    def to(self, device: torch.device) -> "Sample":
        return Sample(*(x.to(device, non_blocking=True) if isinstance(x, Tensor) else x for x in self))

    def select(self, keep: Tensor) -> "Sample":
        """The samples of a batch where ``keep`` [N] is true."""
        kept = [problem for problem, k in zip(self.problem, keep.tolist()) if k]
        return Sample(*(x[keep] for x in self[:-1]), kept)


class KeypointDataset(Dataset):
    """Crops of ``annotations``; with ``augmentation`` None always the same ones.

    Items are asked for as (index, visit): the randomness of a sample depends on the seed, the
    index and the visit alone, so neither workers nor an interruption change what is drawn.
    ``cache`` keeps the images that were read. ``reduced`` decodes JPEG images smaller where the crop
    has at least twice the pixels across that the network sees.
    """

    def __init__(
        self,
        annotations: Annotations,
        codec: HeatmapCodec,
        augmentation: Augmentation | None = None,
        color_rgb: bool = True,
        seed: int = 0,
        cache: bool = False,
        reduced: bool = False,
    ):
        # A plain dictionary, because workers may get their data set pickled.
        self.kept: dict[tuple[str, int], np.ndarray | None] | None = {} if cache else None
        self.reduced = reduced
        self.annotations = annotations
        self.codec = codec
        self.augmentation = augmentation
        self.color_rgb = color_rgb
        self.seed = seed
        self.flip_indices = list(flip_permutation(annotations.mapping.names))

    def of(self, annotations: Annotations) -> "KeypointDataset":
        """Other people in the same way."""
        other = copy.copy(self)
        other.annotations = annotations
        return other

    def __len__(self) -> int:
        return len(self.annotations)

    def __getitem__(self, key: tuple[int, int]) -> Sample:
        index, visit = key
        people = self.annotations
        joints, visible = people.joints[index].astype(np.float64), people.visible[index]
        size, rotation, flipped = people.sizes[index], 0.0, False
        if self.augmentation is not None:
            rng = np.random.default_rng([self.seed, visit, index])
            factor, rotation, flipped = self._draw(rng)
            size = size * factor

        path = people.image_paths[people.image_index[index]]
        matrix = crop_matrix(people.centers[index], size, self.codec.image_size, rotation, flipped)
        reduce = self._reduction(path, size)
        image = self._read(path, reduce, rows_within(matrix, self.codec.image_size))
        problem = ""
        if image is None:
            problem = f"{path}: cannot be read as an image (annotation {people.ids[index]})"
            image = np.zeros((2, 2, 3), np.uint8)

        crop = cv2.warpAffine(
            image, of_reduced(matrix, reduce), tuple(self.codec.image_size), flags=cv2.INTER_LINEAR
        )
        if self.color_rgb:  # the crop has fewer pixels than the image
            crop = cv2.cvtColor(crop, cv2.COLOR_BGR2RGB)
        joints = apply_matrix(matrix, joints)
        if flipped:
            joints, visible = joints[self.flip_indices], visible[self.flip_indices]
        heatmaps, weight = self.codec.encode(joints, visible)
        return Sample(
            image=normalise(crop),
            heatmaps=torch.from_numpy(heatmaps),
            target_weight=torch.from_numpy(weight),
            index=torch.tensor(index),
            flipped=torch.tensor(flipped),
            problem=problem,
        )

    def _reduction(self, path: str, size: np.ndarray) -> int:
        """How much smaller the image at ``path`` may be decoded for a crop of ``size``: 1, 2, 4 or 8."""
        # Other formats have no cheaper way to a smaller image.
        if not self.reduced or not path.lower().endswith((".jpg", ".jpeg")):
            return 1
        pixels = size[0] / self.codec.image_size[0]
        return max(reduce for reduce in REDUCED if reduce <= max(1, pixels))

    def _read(self, path: str, reduce: int, rows: int) -> np.ndarray | None:
        """The image as BGR, its first ``rows`` rows at least."""
        if self.kept is None:
            return read_image(path, False, reduce, rows)
        if (path, reduce) not in self.kept:
            self.kept[path, reduce] = read_image(path, False, reduce)
        return self.kept[path, reduce]

    def _draw(self, rng: np.random.Generator) -> tuple[float, float, bool]:
        """Size factor, rotation in degrees, and whether to mirror."""
        change = self.augmentation
        factor = np.clip(1 + change.scale * rng.standard_normal(), 1 - change.scale, 1 + change.scale)
        bound = 2 * change.rotation
        rotation = np.clip(change.rotation * rng.standard_normal(), -bound, bound)
        if rng.random() > 0.6:
            rotation = 0.0
        return float(factor), float(rotation), bool(change.flip and rng.random() <= 0.5)


def normalise(crop: np.ndarray) -> Tensor:
    """[H, W, 3] uint8 -> [3, H, W] with ImageNet's mean 0 and deviation 1 per channel."""
    image = np.empty((3, *crop.shape[:2]), np.float32)
    for channel in range(3):
        cv2.LUT(cv2.extractChannel(crop, channel), NORMALISED[channel], dst=image[channel])
    return torch.from_numpy(image)


def denormalise(image: Tensor) -> np.ndarray:
    """The inverse of ``normalise``, for images in logs: [3, H, W] -> [H, W, 3] uint8."""
    scaled = image.detach().float().cpu().numpy().transpose(1, 2, 0) * IMAGENET_STD + IMAGENET_MEAN
    return np.clip(scaled * 255 + 0.5, 0, 255).astype(np.uint8)
