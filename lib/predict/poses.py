"""From images and people to poses, with the people of several images together in a batch."""

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
from lib.dataset.keypoints import flip_permutation
from lib.evaluation.inference import estimate_heatmaps
from lib.models.trained import TrainedPose
from lib.predict.people import FindPeople, People
from lib.predict.sources import Frame
from lib.utils.errors import InputError

READ_AT_ONCE = 8  # images
# What a window of images may hold, so that people are rare or images huge without filling the memory.
MOST_PICTURES, MOST_BYTES = 64, 2**28


@dataclass(frozen=True)
class Poses:
    """Of the N people of one image.

    joints: [N, J, 2] pixels of the image, from 0.   scores: [N, J] heights of the heatmaps' peaks.
    crops: [N, 2] width and height of what the network saw, in pixels of the image.
    """

    people: People
    joints: np.ndarray
    scores: np.ndarray
    crops: np.ndarray


class PoseEstimator:
    """A trained network on a device; crops, heatmaps and decoding are those of valid.py."""

    def __init__(self, trained: TrainedPose, device: torch.device, flip_test: bool, batch_size: int):
        self.trained = trained
        self.network = trained.network.to(device)
        self.device = device
        self.flip_indices = list(flip_permutation(trained.joints)) if flip_test else None
        self.batch_size = batch_size

    def __call__(self, images: list[np.ndarray], people: list[People]) -> list[Poses]:
        """The poses of the ``people`` of each of ``images`` ([H, W, 3] RGB)."""
        codec, joints = self.trained.codec, len(self.trained.joints)
        counts = [len(of_image.boxes) for of_image in people]
        total = sum(counts)
        places = np.zeros((total, joints, 2))
        scores = np.zeros((total, joints))
        boxes = np.concatenate([of_image.boxes for of_image in people]) if people else np.zeros((0, 4))
        centers, sizes = padded_crops(boxes, codec.image_size[0] / codec.image_size[1])
        image = np.repeat(np.arange(len(people)), counts)
        # Even batches: 33 people are 17 and 16, not 32 and 1.
        for batch in np.array_split(np.arange(total), max(1, -(-total // self.batch_size))):
            if not len(batch):
                continue
            crops = [person_crop(self.trained, images[image[i]], centers[i], sizes[i]) for i in batch]
            heatmaps = self._heatmaps(torch.stack(crops))
            coords, peaks = codec.decode(heatmaps)
            if not np.isfinite(peaks).all():
                raise InputError("the network's heatmaps are not finite: its weights are of no use")
            places[batch] = to_image(coords, centers[batch], sizes[batch], codec.heatmap_size)
            scores[batch] = peaks
        parts = np.split(np.arange(total), np.cumsum(counts)[:-1])
        return [Poses(p, places[i], scores[i], sizes[i]) for p, i in zip(people, parts)]

    @torch.inference_mode()
    def _heatmaps(self, images: Tensor) -> np.ndarray:
        shift = self.trained.shift_heatmap
        return estimate_heatmaps(self.network, images.to(self.device), self.flip_indices, shift).cpu().numpy()


def person_crop(trained: TrainedPose, image: np.ndarray, center: np.ndarray, size: np.ndarray) -> Tensor:
    """The network's input [3, H, W] of the part of ``image`` ([H, W, 3] RGB) that ``center`` and ``size`` name."""
    size_of_input = trained.codec.image_size
    matrix = crop_matrix(center, size, size_of_input)
    crop = cv2.warpAffine(image, matrix, size_of_input, flags=cv2.INTER_LINEAR)
    return normalize(crop if trained.color_rgb else crop[..., ::-1])


def estimate_poses(
    frames: Iterable[Frame], find_people: FindPeople, estimator: PoseEstimator
) -> Iterator[tuple[Frame, Poses]]:
    """Every frame with its poses, in order. Few frames are in memory at a time, however many there are."""
    for window, people in _windows(frames, find_people, estimator.batch_size):
        yield from zip(window, estimator([frame.image for frame in window], people))


def _windows(
    frames: Iterable[Frame], find_people: FindPeople, enough: int
) -> Iterator[tuple[list[Frame], list[People]]]:
    """Frames in a row that together have ``enough`` people for a batch, or are as many as memory may hold."""
    window: list[Frame] = []
    people: list[People] = []
    for some in _groups(frames):
        window += some
        people += find_people(some)
        found = sum(len(of_frame.boxes) for of_frame in people)
        held = sum(frame.image.nbytes for frame in window)
        if found >= enough or len(window) >= MOST_PICTURES or held >= MOST_BYTES:
            yield window, people
            window, people = [], []
    if window:
        yield window, people


def _groups(frames: Iterable[Frame]) -> Iterator[list[Frame]]:
    group: list[Frame] = []
    for frame in frames:
        group.append(frame)
        if len(group) == READ_AT_ONCE or sum(f.image.nbytes for f in group) >= MOST_BYTES:
            yield group
            group = []
    if group:
        yield group
