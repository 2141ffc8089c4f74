"""Eight instances in four images, as a data set without a reader's files."""

from pathlib import Path

import numpy as np

from lib.dataset.annotations import Annotations
from lib.dataset.heatmap import HeatmapCodec
from lib.dataset.keypoint_dataset import KeypointDataset
from lib.dataset.keypoints import SHARED_KEYPOINTS, joint_mapping
from tests.factories.data_sets import write_image

COUNT = 8


def small_annotations(folder: Path, dataset: str = "mpii", names: tuple[str, ...] = SHARED_KEYPOINTS):
    """Two instances in each of four images below ``folder``, which are not written; random labels."""
    rng = np.random.default_rng(0)
    centers, sides = rng.uniform(40, 100, (COUNT, 2)), rng.uniform(40, 90, COUNT)
    return Annotations(
        mapping=joint_mapping(dataset, names),
        ids=np.arange(COUNT) + 50,
        image_paths=tuple(str(folder / f"{image}.png") for image in range(COUNT // 2)),
        image_index=np.repeat(np.arange(COUNT // 2), 2),
        joints=centers[:, None] + rng.uniform(-0.4, 0.4, (COUNT, len(names), 2)) * sides[:, None, None],
        visible=(rng.random((COUNT, len(names))) < 0.8).astype(np.float32),
        centers=centers,
        sizes=np.stack([sides, sides], axis=1),
        head_sizes=sides / 8,
        image_ids=np.repeat(np.arange(COUNT // 2), 2) + 1,
        box_sizes=sides / 1.25,
    )


def small_data_set(folder: Path, dataset: str = "mpii", names: tuple[str, ...] = SHARED_KEYPOINTS):
    """`small_annotations` with their images, for a network with 64 x 64 pixels of input."""
    annotations = small_annotations(folder, dataset, names)
    for number, path in enumerate(annotations.image_paths):
        write_image(Path(path), 140, 130, seed=number)
    return KeypointDataset(annotations, HeatmapCodec((64, 64), (16, 16), 1.0))
