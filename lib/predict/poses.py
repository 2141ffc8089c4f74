"""Pose estimation in images, with the people of several images in one batch."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor

from lib.dataset.annotations import padded_crops
from lib.dataset.crop import crop_matrix
from lib.dataset.heatmap import to_image
from lib.dataset.keypoint_dataset import normalize
from lib.evaluation.inference import estimate_heatmaps
from lib.models.trained import TrainedPose
from lib.predict.people import FindPeople, People
from lib.predict.sources import Frame
from lib.utils.errors import InputError

READ_BATCH = 8  # images that are read before people are looked for in them
# Limits of the images in memory, which matter if people are rare or images are huge.
MAX_WINDOW_IMAGES, MAX_WINDOW_BYTES = 64, 2**28


@dataclass(frozen=True)
class Poses:
    """Poses of the N people of one image.

    people: Their boxes.
    joints: float64 [N, J, 2], pixels of the image, counted from 0.
    scores: float64 [N, J], heights of the heatmaps' peaks.
    crops: float64 [N, 2], width and height of the network's input in pixels of the image.
    """

    people: People
    joints: np.ndarray
    scores: np.ndarray
    crops: np.ndarray


class PoseEstimator:
    """A trained network on a device; crops, heatmaps and decoding equal those of valid.py.

    Args:
        trained: The network.
        device: Where it runs.
        flip_test: Average the heatmaps with those of the mirrored image.
        batch_size: Maximum number of people in a batch.
    """

    def __init__(self, trained: TrainedPose, device: torch.device, flip_test: bool, batch_size: int):
        self.trained = trained
        self.network = trained.network.to(device)
        self.device = device
        self.flip_indices = list(trained.category.skeleton.flip_indices) if flip_test else None
        self.batch_size = batch_size

    def __call__(self, images: list[np.ndarray], people: list[People]) -> list[Poses]:
        """Estimate the poses of people in images.

        Args:
            images: Each [H, W, 3] uint8 RGB.
            people: The people of each image.

        Returns:
            The poses of each image, in the order of the people.

        Raises:
            InputError: The network's heatmaps are not finite.
        """
        codec = self.trained.codec
        counts = [len(boxes_of_image.boxes) for boxes_of_image in people]
        total = sum(counts)
        joints = np.zeros((total, len(self.trained.joints), 2))
        scores = np.zeros(joints.shape[:2])
        boxes = np.concatenate([p.boxes for p in people]) if people else np.zeros((0, 4))
        centers, sizes = padded_crops(boxes, codec.image_size[0] / codec.image_size[1])
        image_index = np.repeat(np.arange(len(people)), counts)
        # Batches of similar size: 33 people are split into 17 and 16, not 32 and 1.
        for batch in np.array_split(np.arange(total), max(1, -(-total // self.batch_size))):
            if not len(batch):
                continue
            crops = [person_crop(self.trained, images[image_index[i]], centers[i], sizes[i]) for i in batch]
            coords, peaks = codec.decode(self._heatmaps(torch.stack(crops)))
            if not np.isfinite(peaks).all():
                raise InputError("the network's heatmaps are not finite: its weights cannot be used")
            joints[batch] = to_image(coords, centers[batch], sizes[batch], codec.heatmap_size)
            scores[batch] = peaks
        rows_of_image = np.split(np.arange(total), np.cumsum(counts)[:-1])
        return [Poses(p, joints[rows], scores[rows], sizes[rows]) for p, rows in zip(people, rows_of_image)]

    @torch.inference_mode()
    def _heatmaps(self, images: Tensor) -> np.ndarray:
        """[N, J, h, w] of network inputs [N, 3, H, W]."""
        shift = self.trained.shift_heatmap
        return estimate_heatmaps(self.network, images.to(self.device), self.flip_indices, shift).cpu().numpy()


def person_crop(trained: TrainedPose, image: np.ndarray, center: np.ndarray, size: np.ndarray) -> Tensor:
    """The network's input for one person.

    Args:
        trained: The network, which determines input size and order of colours.
        image: [H, W, 3] uint8 RGB.
        center, size: [2], center and size (width, height) of the crop in pixels of the image.

    Returns:
        float32 [3, H, W], normalised.
    """
    input_size = trained.codec.image_size
    matrix = crop_matrix(center, size, input_size)
    crop = cv2.warpAffine(image, matrix, input_size, flags=cv2.INTER_LINEAR)
    return normalize(crop if trained.color_rgb else crop[..., ::-1])


def estimate_poses(
    frames: Iterable[Frame], find_people: FindPeople, estimator: PoseEstimator
) -> Iterator[tuple[Frame, Poses]]:
    """Yield every frame with its poses, in order; only a window of the frames is held in memory."""
    for window, people in _windows(frames, find_people, estimator.batch_size):
        yield from zip(window, estimator([frame.image for frame in window], people))


def _windows(
    frames: Iterable[Frame], find_people: FindPeople, batch_size: int
) -> Iterator[tuple[list[Frame], list[People]]]:
    """Consecutive frames with at least ``batch_size`` people, or as many as the memory limits allow."""
    window: list[Frame] = []
    people: list[People] = []
    for group in _read_batches(frames):
        window += group
        people += find_people(group)
        count = sum(len(people_of_frame.boxes) for people_of_frame in people)
        size = sum(frame.image.nbytes for frame in window)
        if count >= batch_size or len(window) >= MAX_WINDOW_IMAGES or size >= MAX_WINDOW_BYTES:
            yield window, people
            window, people = [], []
    if window:
        yield window, people


def _read_batches(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    """Groups of ``READ_BATCH`` frames, or fewer if these are huge."""
    group: list[Frame] = []
    for frame in frames:
        group.append(frame)
        if len(group) == READ_BATCH or sum(f.image.nbytes for f in group) >= MAX_WINDOW_BYTES:
            yield group
            group = []
    if group:
        yield group
