"""What a trained network says about every label: where it sees each joint, and which joints it sees at each label."""

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.dataset.loader import drop_unreadable, evaluation_batches
from lib.utils.log import LOG
from lib.utils.progress import track

GRID = 16.0  # units of length along the longer side of a crop
MAP_BYTES = 2 * 10**8  # of the heatmaps that are kept; for mistakes simulated at other places
KEPT = 1500  # instances whose heatmaps are kept, at most
HIGHEST = 1e3  # value of a heatmap; a perfect one reaches 1, and the maps that are kept are float16
PER_INSTANCE = (
    "labels",
    "labelled",
    "predicted",
    "height",
    "energy",
    "match",
    "at_predicted",
)  # of `Readings`


def _nothing() -> np.ndarray:
    return np.zeros((0, 0), np.float32)


@dataclass(frozen=True)
class Readings:
    """What a network says about N instances with J joints. Lengths are in units of a GRID-th of the crop's longer side.

    labels: [N, J, 2] x and y of the labels in the crop.
    labelled: [N, J] bool.
    predicted: [N, J, 2] where the network sees each joint.
    height: [N, J] of the heatmap's peak.
    energy: [N, J] sum of the heatmap's squares, relative to that of a perfect heatmap.
    match: [N, J, J] correlation of heatmap k (last axis) with the perfect heatmap of a joint at label j, 1 if it is
        just that. Of a heatmap that is a mixture of several places it is the share of this one: how much the
        network believes that joint k is at label j.
    at_predicted: [N, J, J] the same at the prediction of joint j in place of its label.
    instances: [M] positions among the N of the instances whose heatmaps are kept.
    maps: [M, J, h, w] float16, the correlation of their heatmaps with a perfect one at every pixel.
    shape_odds: [N, J] log odds of being wrong by the shape of the instance alone; empty if nothing is known of shapes.
    shape_names: [N, P] probability of each renaming, by the shape alone; empty likewise.
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
    shape_odds: np.ndarray = field(default_factory=_nothing)
    shape_names: np.ndarray = field(default_factory=_nothing)

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def distance(self) -> np.ndarray:
        """[N, J, J] from label j to the prediction of joint k (last axis)."""
        return np.linalg.norm(self.labels[:, :, None] - self.predicted[:, None], axis=-1)

    def of(self, rows: np.ndarray | slice) -> "Readings":
        """The readings of some instances, by position; without heatmaps."""
        part = {name: getattr(self, name)[rows] for name in PER_INSTANCE}
        if len(self.shape_odds):
            part |= {"shape_odds": self.shape_odds[rows], "shape_names": self.shape_names[rows]}
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

        Instances whose image cannot be read, or whose heatmaps are no numbers to work with, count as unlabelled;
        how many is logged.
        """
        annotations, codec = dataset.annotations, dataset.codec
        count, joints = annotations.visible.shape
        kept = self._kept(count, joints, codec)
        was_training = self.model.training
        self.model.eval()
        parts: list[tuple[np.ndarray, Readings]] = []
        batches = evaluation_batches(dataset, self.batch_size, self.workers, self.device.type == "cuda")
        for batch in track(batches, "reading labels"):
            batch, _ = drop_unreadable(batch, "skip")
            if len(batch.index):
                parts.append(self._read_batch(dataset, batch, kept))
        self.model.train(was_training)
        read = sum(len(index) for index, _ in parts)
        if read < count:
            LOG.warning(
                f"wrong labels: those of {count - read} of {count} instances are not judged (the image cannot be "
                "read, or the network's output is not finite)"
            )
        return _collected(parts, _nothing_read(count, joints, codec))

    def _read_batch(
        self, dataset: KeypointDataset, batch: Sample, kept: np.ndarray
    ) -> tuple[np.ndarray, Readings]:
        """The positions of instances, and their readings."""
        annotations, codec = dataset.annotations, dataset.codec
        heatmaps = self._heatmaps(batch.image.to(self.device), dataset.flip_indices)
        usable = heatmaps.abs().amax(dim=(1, 2, 3)) < HIGHEST  # no for NaN
        heatmaps, batch = heatmaps[usable], batch.select(usable.cpu())
        index = batch.index.numpy()
        labels = heatmap_positions(
            annotations.joints[index],
            annotations.centers[index],
            annotations.sizes[index],
            codec.heatmap_size,
        )
        predicted, height = codec.decode(heatmaps.cpu().numpy())
        matched = correlation(heatmaps, codec.sigma)
        of_kept = np.isin(index, kept)
        unit = GRID / max(codec.heatmap_size)
        return index, Readings(
            labels=labels * unit,
            labelled=batch.target_weight.numpy() > 0,
            predicted=predicted * unit,
            height=height,
            energy=(heatmaps.square().sum((2, 3)) / perfect_energy(codec.sigma)).cpu().numpy(),
            match=sampled(matched, labels),
            at_predicted=sampled(matched, predicted),
            instances=index[of_kept],
            maps=matched[torch.from_numpy(of_kept).to(self.device)].half().cpu().numpy(),
        )

    def _heatmaps(self, images: Tensor, flip_indices: list[int]) -> Tensor:
        """[N, J, h, w] mean of the heatmaps of the images and of the mirrored ones."""
        mirrored = self.model(images.flip(-1)).flip(-1)[:, list(flip_indices)]
        return (self.model(images).float() + mirrored.float()) / 2

    def _kept(self, count: int, joints: int, codec: HeatmapCodec) -> np.ndarray:
        width, height = codec.heatmap_size
        fitting = max(1, min(KEPT, MAP_BYTES // (2 * joints * width * height)))
        chosen = np.random.default_rng(self.seed).permutation(count)[:fitting]
        return np.sort(chosen)


def heatmap_positions(
    joints: np.ndarray, centers: np.ndarray, sizes: np.ndarray, heatmap_size: tuple[int, int]
) -> np.ndarray:
    """Image pixels [N, J, 2] to heatmap pixels: the inverse of `lib.dataset.heatmap.to_image`."""
    size = np.asarray(heatmap_size, np.float64)
    scale = np.asarray(sizes) / size
    return (np.asarray(joints, np.float64) - np.asarray(centers)[:, None]) / scale[:, None] + size / 2


def image_positions(points: np.ndarray, centers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Positions [N, J, 2] of `Readings` to image pixels; centers, sizes: [N, 2] of the crops, image pixels."""
    shape = sizes / sizes.max(axis=1, keepdims=True) * GRID
    pixels_per_unit = sizes.max(axis=1) / GRID
    return centers[:, None] + (points - shape[:, None] / 2) * pixels_per_unit[:, None, None]


def crop_positions(points: np.ndarray, centers: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """The inverse of `image_positions`."""
    shape = sizes / sizes.max(axis=1, keepdims=True) * GRID
    pixels_per_unit = sizes.max(axis=1) / GRID
    return (points - centers[:, None]) / pixels_per_unit[:, None, None] + shape[:, None] / 2


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


def _nothing_read(count: int, joints: int, codec: HeatmapCodec) -> Readings:
    """Readings of ``count`` instances without a label."""
    width, height = codec.heatmap_size
    return Readings(
        labels=np.zeros((count, joints, 2), np.float32),
        labelled=np.zeros((count, joints), bool),
        predicted=np.zeros((count, joints, 2), np.float32),
        height=np.zeros((count, joints), np.float32),
        energy=np.zeros((count, joints), np.float32),
        match=np.zeros((count, joints, joints), np.float32),
        at_predicted=np.zeros((count, joints, joints), np.float32),
        instances=np.zeros(0, np.int64),
        maps=np.zeros((0, joints, height, width), np.float16),
    )


def _collected(parts: list[tuple[np.ndarray, Readings]], nothing: Readings) -> Readings:
    """The readings of all batches in the order of the annotations; what was not read is as in ``nothing``."""
    columns = {name: getattr(nothing, name).copy() for name in PER_INSTANCE}
    for index, part in parts:
        for name, column in columns.items():
            column[index] = getattr(part, name)
    readings = [nothing, *(part for _, part in parts)]
    return Readings(
        **columns,
        instances=np.concatenate([part.instances for part in readings]),
        maps=np.concatenate([part.maps for part in readings]),
    )
