"""What each step of a sample costs, and what other ways to do it would. Used by data.py."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import cv2
import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample
from torchvision.io import decode_jpeg

from benchmarks.plain_data import TO_TENSOR, plain_heatmaps
from benchmarks.samples import USUAL, configuration
from benchmarks.timing import median_times
from lib.dataset.annotations import Annotations
from lib.dataset.build import build_codec
from lib.dataset.crop import apply_matrix, crop_matrix, rows_needed, warp
from lib.dataset.images import decode, read_content
from lib.dataset.jpeg import upper_part
from lib.dataset.keypoint_dataset import normalize

BATCH = 32


def step_times(people: Annotations, repeat: int) -> dict[str, float]:
    """Milliseconds per sample of each step, in the usual way, as here, and in ways that are not used."""
    codec = build_codec(configuration(Path(), Path()).model)
    size = codec.image_size
    drawn = [USUAL.draw(np.random.default_rng([0, 0, i])) for i in range(len(people))]
    matrices = [
        crop_matrix(people.centers[i], people.sizes[i] * factor, size, rotation, mirror)
        for i, (factor, rotation, mirror) in enumerate(drawn)
    ]
    paths = [people.image_paths[k] for k in people.image_index]
    contents = [read_content(path) for path in paths]
    images = [decode(content) for content in contents]
    crops = [
        cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR) for image, matrix in zip(images, matrices)
    ]
    joints = [apply_matrix(matrix, people.joints[i]) for i, matrix in enumerate(matrices)]
    plain_joints = [(np.pad(j, ((0, 0), (0, 1))), np.repeat(v[:, None], 3, 1)) for j, v in zip(joints, people.visible)]  # fmt: skip
    tensors = [torch.frombuffer(bytearray(content), dtype=torch.uint8) for content in contents]
    once = list({path: content for path, content in zip(paths, contents)}.values())
    every = {
        "decode: whole image (usual)": lambda: [decode(content) for content in contents],
        "decode: rows that are needed (here)": lambda: [
            decode(upper_part(content, rows_needed(matrix, size))) for content, matrix in zip(contents, matrices)
        ],
        "decode: once for all people of an image": lambda: [decode(content) for content in once],
        "decode: torchvision, whole image": lambda: [decode_jpeg(tensor) for tensor in tensors],
        "warp: three channels (usual)": lambda: [
            cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR) for image, matrix in zip(images, matrices)
        ],
        "warp: four channels (here)": lambda: [
            warp(image, (0, 0), matrix, size) for image, matrix in zip(images, matrices)
        ],
        "warp: grid_sample in batches, with normalization": lambda: grid_samples(images, matrices, size),
        "normalize: torchvision (usual)": lambda: [TO_TENSOR(crop) for crop in crops],
        "normalize: table (here)": lambda: [normalize(crop) for crop in crops],
        "heatmaps: joint by joint (usual)": lambda: [
            plain_heatmaps(j, v, size, codec.heatmap_size, codec.sigma) for j, v in plain_joints
        ],
        "heatmaps: all joints (here)": lambda: [codec.encode(j, v) for j, v in zip(joints, people.visible)],
    }  # fmt: skip
    return {name: 1000 * s / len(people) for name, s in median_times(every, repeat).items()}


def grid_samples(
    images: list[np.ndarray], matrices: list[np.ndarray], size: tuple[int, int]
) -> list[torch.Tensor]:
    """Crops on the device: images of a batch padded to one size and copied there as bytes, then grid_sample."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    crops = []
    for start in range(0, len(images), BATCH):
        batch = images[start : start + BATCH]
        height, width = (max(image.shape[k] for image in batch) for k in (0, 1))
        padded = torch.zeros(len(batch), height, width, 3, dtype=torch.uint8)
        for k, image in enumerate(batch):
            padded[k, : image.shape[0], : image.shape[1]] = torch.from_numpy(image)
        # affine_grid works in [-1, 1], pixel k at (2 k + 1) / length - 1.
        theta = [
            _normalized(cv2.invertAffineTransform(m), size, (width, height))
            for m in matrices[start : start + BATCH]
        ]
        pixels = padded.to(device).permute(0, 3, 1, 2).float()
        grid = affine_grid(
            torch.tensor(np.array(theta), dtype=torch.float32, device=device),
            [len(batch), 3, size[1], size[0]],
            align_corners=False,
        )
        crop = grid_sample(pixels, grid, align_corners=False)
        crops.append((crop / 255 - 0.45) / 0.225)
    return crops


def _normalized(inverse: np.ndarray, crop: tuple[int, int], image: tuple[int, int]) -> np.ndarray:
    """A matrix from crop pixels to image pixels, in affine_grid's coordinates."""
    to_pixels = np.array(
        [[crop[0] / 2, 0, (crop[0] - 1) / 2], [0, crop[1] / 2, (crop[1] - 1) / 2], [0, 0, 1]]
    )
    from_pixels = np.array(
        [[2 / image[0], 0, 1 / image[0] - 1], [0, 2 / image[1], 1 / image[1] - 1], [0, 0, 1]]
    )
    return (from_pixels @ np.vstack([inverse, [0, 0, 1]]) @ to_pixels)[:2]
