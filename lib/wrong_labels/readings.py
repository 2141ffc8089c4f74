"""What a trained network says about every label: where it sees each joint, and which joints it sees at each label."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.loader import drop_unreadable, evaluation_batches
from lib.utils.progress import track

GRID = 16.0  # units of length along the longer side of a crop
MAP_BYTES = 2 * 10**8  # of the heatmaps that are kept; for mistakes simulated at other places
KEPT = 1500  # instances whose heatmaps are kept, at most


@dataclass(frozen=True)
class Readings:
    """What a network says about N instances with J joints. Lengths are in units of a GRID-th of the crop's longer side.

    labels: [N, J, 2] x and y of the labels in the crop.
    labelled: [N, J] bool.
    predicted: [N, J, 2] where the network sees each joint.
    height: [N, J] of the heatmap's peak.
    energy: [N, J] sum of the heatmap's squares, relative to that of a perfect heatmap.
    match: [N, J, J] correlation of heatmap k (last axis) with the perfect heatmap of a joint at label j; 1 if it is
        just that. For a heatmap that is a mixture, the share of what is there, so: how much the network
        believes that joint k is at label j.
    at_predicted: [N, J, J] the same at the prediction of joint j in place of its label.
    instances: [M] positions among the N of the instances whose heatmaps are kept.
    maps: [M, J, h, w] float16, the correlation of their heatmaps with a perfect one at every pixel.
    """

    labels: np.ndarray
    labelled: np.ndarray
    predicted: np.ndarray
    height: np.ndarray
    energy: np.ndarray
    match: np.ndarray
    at_predicted: np.ndarray
    instances: np.ndarray
    maps: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def distance(self) -> np.ndarray:
        """[N, J, J] from label j to the prediction of joint k (last axis)."""
        return np.linalg.norm(self.labels[:, :, None] - self.predicted[:, None], axis=-1)

    def of(self, rows: np.ndarray | slice) -> "Readings":
        """The readings of some instances, by position; without heatmaps."""
        named = ("labels", "labelled", "predicted", "height", "energy", "match", "at_predicted")
        part = {name: getattr(self, name)[rows] for name in named}
        return replace(self, **part, instances=self.instances[:0], maps=self.maps[:0])


@dataclass(frozen=True)
class Reader:
    """How labels are read.

    model: [N, 3, H, W] to [N, J, h, w].
    device: where the model is.
    batch_size, workers: of the loader.
    seed: draws the instances whose heatmaps are kept.
    """

    model: nn.Module
    device: torch.device
    batch_size: int
    workers: int
    seed: int

    @torch.no_grad()
    def read(self, dataset: KeypointDataset) -> Readings:
        """Read all labels of ``dataset``, which has no augmentation; each image as it is and mirrored.

        Instances whose image cannot be read count as unlabelled.
        """
        codec, annotations = dataset.codec, dataset.annotations
        kept = self._kept(len(annotations), annotations.visible.shape[1], codec)
        was_training = self.model.training
        self.model.eval()
        parts: list[tuple[np.ndarray, ...]] = []
        maps: list[np.ndarray] = []
        batches = evaluation_batches(dataset, self.batch_size, self.workers, self.device.type == "cuda")
        for batch in track(batches, "reading labels"):
            batch, _ = drop_unreadable(batch, "skip")
            if not len(batch.index):
                continue
            index = batch.index.numpy()
            heatmaps = self._heatmaps(batch.image.to(self.device), dataset.flip_indices)
            labels = heatmap_positions(annotations.joints[index], annotations.centers[index],
                                       annotations.sizes[index], codec.heatmap_size)  # fmt: skip
            predicted, height = codec.decode(heatmaps.cpu().numpy())
            matched = correlation(heatmaps, codec.sigma)
            energy = heatmaps.square().sum((2, 3)) / perfect_energy(codec.sigma)
            parts.append((index, labels, batch.target_weight.numpy() > 0, predicted, height, energy.cpu().numpy(),
                          sampled(matched, labels), sampled(matched, predicted)))  # fmt: skip
            maps.append(matched.cpu().numpy().astype(np.float16)[np.isin(index, kept)])
        self.model.train(was_training)
        return _collected(parts, maps, kept, len(annotations), codec)

    def _heatmaps(self, images: Tensor, flip_indices: list[int]) -> Tensor:
        """[N, J, h, w] mean of the heatmaps of the images and of the mirrored ones."""
        mirrored = self.model(images.flip(-1)).flip(-1)[:, list(flip_indices)]
        return (self.model(images).float() + mirrored.float()) / 2

    def _kept(self, count: int, joints: int, codec: HeatmapCodec) -> np.ndarray:
        width, height = codec.heatmap_size
        fitting = max(1, min(KEPT, MAP_BYTES // (2 * joints * width * height)))
        chosen = np.random.default_rng(self.seed).permutation(count)[:fitting]
        return np.sort(chosen)


def heatmap_positions(joints: np.ndarray, centers: np.ndarray, sizes: np.ndarray, heatmap_size) -> np.ndarray:
    """Image pixels [N, J, 2] to heatmap pixels: the inverse of `lib.dataset.heatmap.to_image`."""
    heatmap_size = np.asarray(heatmap_size, np.float64)
    scale = np.asarray(sizes) / heatmap_size
    return (np.asarray(joints, np.float64) - np.asarray(centers)[:, None]) / scale[:, None] + heatmap_size / 2


def image_positions(points: np.ndarray, centers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Positions [N, J, 2] of `Readings` to image pixels; centers, sizes: [N, 2] of the crops, image pixels."""
    shape = sizes / sizes.max(axis=1, keepdims=True) * GRID
    pixels_per_unit = sizes.max(axis=1) / GRID
    return centers[:, None] + (points - shape[:, None] / 2) * pixels_per_unit[:, None, None]


def perfect_energy(sigma: float) -> float:
    """Sum of the squares of a heatmap's Gaussian."""
    return float((_kernel(sigma).square().sum()) ** 2)


def _kernel(sigma: float) -> Tensor:
    reach = int(3 * sigma)
    return torch.exp(-torch.arange(-reach, reach + 1, dtype=torch.float32).square() / (2 * sigma**2))


def correlation(heatmaps: Tensor, sigma: float) -> Tensor:
    """[N, J, h, w]: at every pixel, of the heatmap with the perfect one of a joint there; 1 for a perfect heatmap."""
    kernel = _kernel(sigma).to(heatmaps)
    flat = heatmaps.reshape(-1, 1, *heatmaps.shape[-2:])
    flat = functional.conv2d(flat, kernel[None, None, None], padding=(0, len(kernel) // 2))
    flat = functional.conv2d(flat, kernel[None, None, :, None], padding=(len(kernel) // 2, 0))
    return flat.reshape(heatmaps.shape) / perfect_energy(sigma)


def sampled(maps: Tensor, points: np.ndarray) -> np.ndarray:
    """Maps [N, K, h, w] at points [N, J, 2] (pixels, clipped to the map), bilinear: float32 [N, J, K]."""
    height, width = maps.shape[-2:]
    size = np.maximum([width - 1, height - 1], 1)
    grid = torch.as_tensor(2 * np.clip(points, 0, size) / size - 1, dtype=maps.dtype, device=maps.device)
    values = functional.grid_sample(maps, grid[:, :, None], mode="bilinear", align_corners=True)
    return values[..., 0].transpose(1, 2).float().cpu().numpy()


def _collected(parts: list, maps: list, kept: np.ndarray, count: int, codec: HeatmapCodec) -> Readings:
    """The readings of all batches in the order of the annotations; those without an image are unlabelled."""
    index = np.concatenate([part[0] for part in parts])
    columns = [np.concatenate([part[k] for part in parts]) for k in range(1, 8)]
    full = []
    for column in columns:
        array = np.zeros((count, *column.shape[1:]), bool if column.dtype == bool else np.float32)
        array[index] = column
        full.append(array)
    labels, labelled, predicted, height, energy, match, at_predicted = full
    unit = GRID / max(codec.heatmap_size)
    return Readings(
        labels * unit,
        labelled,
        predicted * unit,
        height,
        energy,
        match,
        at_predicted,
        kept[np.isin(kept, index)],
        np.concatenate(maps),
    )
