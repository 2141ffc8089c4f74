"""Annotations to inject label noise into."""

import numpy as np

from lib.dataset.keypoints import SHARED_KEYPOINTS
from tests.factories.data_sets import coco_image, coco_person, read_coco, write_coco

WIDTH, HEIGHT = 64, 48  # of every image
ASPECT = 192 / 256


def annotations_with_gaps(root, names=SHARED_KEYPOINTS, count=60):
    """COCO annotations, two to an image, of keypoints at random positions, a third of them unlabelled."""
    rng = np.random.default_rng(1)
    entries = []
    for number in range(count):
        points = np.column_stack([rng.uniform(0, [WIDTH - 1, HEIGHT - 1], (17, 2)), rng.integers(0, 3, 17)])
        points[points[:, 2] == 0] = 0
        points[5] = 20, 20, 2
        entries.append(coco_person(number + 1, number // 2 + 1, keypoints=points.ravel().tolist()))
    images = [coco_image(i + 1, width=WIDTH, height=HEIGHT) for i in range((count + 1) // 2)]
    write_coco(root, entries, images)
    return read_coco(root, "train2017", names, ASPECT)
