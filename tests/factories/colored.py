"""Pictures whose colors are the heatmaps of three joints, and a network that returns them."""

import numpy as np
import torch
from torch import nn

from lib.dataset.heatmap import HeatmapCodec, to_image
from lib.dataset.keypoint_dataset import KeypointDataset, Sample
from lib.wrong_labels.readings import GRID, heatmap_positions
from tests.factories.annotations import make_annotations

CODEC = HeatmapCodec((32, 24), (32, 24), 1.5)
UNIT = GRID / 32
MARK = -1.0  # in the corner of an image that is not mirrored


class ColorNetwork(nn.Module):
    """Heatmap j, of the joints left eye, right eye, nose, is color j of the image. In a mirrored image left and right are told apart by the mark."""

    def __init__(self, mirrored_height=1.0):
        super().__init__()
        self.mirrored_height = mirrored_height
        self.sizes = []

    def forward(self, images):
        assert not self.training
        self.sizes.append(len(images))
        mirrored = (images[:, 0, 0, 0] != MARK)[:, None, None, None]
        maps = torch.where(mirrored, self.mirrored_height * images[:, [1, 0, 2]], images)
        return torch.where(maps == MARK, 0, maps)


class Drawn(KeypointDataset):
    """Samples whose image is given, [N, 3, h, w]; a number that is ``unreadable`` has none."""

    def __init__(self, annotations, images, unreadable=()):
        super().__init__(annotations, CODEC)
        self.images, self.unreadable = torch.as_tensor(images, dtype=torch.float32).clone(), unreadable
        self.images[:, 0, 0, 0] = MARK

    def __getitem__(self, key):
        index, _ = key
        points = heatmap_positions(
            self.annotations.joints[[index]], self.annotations.centers[[index]],
            self.annotations.sizes[[index]], CODEC.heatmap_size,
        )[0]  # fmt: skip
        maps, weight = CODEC.encode(points, self.annotations.visible[index])
        return Sample(self.images[index], torch.from_numpy(maps), torch.from_numpy(weight),
                      torch.tensor(index), torch.tensor(False), "broken" if index in self.unreadable else "")  # fmt: skip


def annotations_at(points):
    """Annotations with labels at these heatmap pixels [N, 3, 2], in crops of several sizes."""
    count = len(points)
    sizes = np.float32([[40, 30], [64, 48], [80, 60], [20, 15]] * count)[:count]
    annotations = make_annotations(count, sizes=sizes)
    joints = to_image(np.asarray(points, float), annotations.centers, sizes, CODEC.heatmap_size)
    return make_annotations(count, sizes=sizes, joints=joints)


def heatmaps_at(points):
    """Perfect heatmaps [N, 3, h, w] of joints at these heatmap pixels."""
    return np.stack([CODEC.encode(of, np.ones(len(of)))[0] for of in points])


def random_points(count=6, seed=0):
    """Heatmap pixels [count, 3, 2]."""
    rng = np.random.default_rng(seed)
    return np.stack([rng.integers(6, 26, (count, 3)), rng.integers(6, 18, (count, 3))], axis=-1)
